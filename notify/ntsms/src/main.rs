//! ntsms - sends notices by SMS
//!
//! SYNOPSIS
//!     ntsms --command features
//!     ntsms --command process [--follow] [--limit N] [--for SECS] [--force]
//!
//! Drains the tasks of `ntsms` by priority: renders the text of each, counts its segments (GSM-7 with
//! the extension table, else UCS-2) and hands it to a gateway of the project. Started each minute by
//! cron, by hand, or kept running by gatepostd. It sends only; getmessage is refused.
//!
//! CONTACT
//!     The user's `phone`, read with the country of the user or project (country_default), else of
//!     ntsms.country. No number, or none that can be called: never, reason no_contact or bad_contact.
//!
//! GATEWAY FIELDS
//!     phone_format   e164 (default), digits or asis
//!     max_segments   longer texts are refused, reason too_long; 6
//!     translit       on: Cyrillic and typographic signs in Latin letters
//!
//! OPTIONS OF PROCESS
//!     --follow    stay, and send within milliseconds of a commit
//!     --limit N   at most N tasks
//!     --for SECS  at most so long; without it 55 s (queue.process_secs). While a slow gateway still has
//!                 a message in hand, it goes on for the others
//!     --force     work although a daemon or another run delivers this queue
//!
//! EXIT
//!     0 everything was attempted, 75 the store can't be reached: try again later

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

use gatepost_module::phone::Phone;
use gatepost_module::{ContactForm, Features, Module, OnUnknown, Patience, Profile, Style, Way};
use std::process::ExitCode;

struct Sms;

impl Module for Sms {
    fn name(&self) -> &'static str {
        "ntsms"
    }

    fn features(&self) -> Features {
        let features = Features::of(["sms", "queue"]);
        Features { contact_type: Some("phone".to_owned()), ..features }
    }

    fn profile(&self) -> Profile {
        Profile {
            contact_kind: "phone",
            contact_form: ContactForm::Phone(Phone::parse),
            way: Way::Gateways,
            patience: Patience::Sms,
            on_unknown: OnUnknown::Ask,
            style: Style::Sms,
            receives: false,
        }
    }
}

fn main() -> ExitCode {
    gatepost_module::main(Sms, include_str!("main.rs"))
}
