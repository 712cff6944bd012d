//! ntinternal - puts notices into the users' inbox in the client area
//!
//! SYNOPSIS
//!     ntinternal --command features
//!     ntinternal --command process [--follow] [--limit N] [--for SECS] [--force]
//!
//! Drains the tasks of `ntinternal` by priority. There is no gateway: the inbox row is written in the
//! transaction that settles the task, so each notice arrives exactly once, whatever is killed when.
//! Without a template of its own it uses the mail's, tags cleaned.
//!
//! CONTACT
//!     None is needed: the task names the user. It sends only; getmessage is refused.
//!
//! OPTIONS OF PROCESS
//!     --follow    stay, and deliver within milliseconds of a commit
//!     --limit N   at most N tasks
//!     --for SECS  at most so long; without it 55 s (queue.process_secs)
//!     --force     work although a daemon or another run delivers this queue
//!
//! EXIT
//!     0 everything was attempted, 75 the store can't be reached: try again later

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

use gatepost_module::{
    ContactForm, Features, Heard, How, Message, Module, OnUnknown, Patience, Profile, Refusal,
    Style, Tools, Way,
};
use std::process::ExitCode;

struct Inbox;

impl Module for Inbox {
    fn name(&self) -> &'static str {
        "ntinternal"
    }

    fn features(&self) -> Features {
        Features::of(["queue"])
    }

    fn profile(&self) -> Profile {
        Profile {
            contact_kind: "id",
            contact_form: ContactForm::User,
            way: Way::Module,
            patience: Patience::Internal,
            on_unknown: OnUnknown::Retry,
            style: Style::Plain,
            receives: false,
        }
    }

    fn user_notify(&self, message: &Message, _: &Tools<'_>) -> Result<Heard, How> {
        match message.order.person.id {
            Some(user) => Ok(Heard::inbox(user, &message.subject, &message.message)),
            None => {
                Err(How::Refused(Refusal::NoContact("the task names no user by id".to_owned())))
            }
        }
    }
}

fn main() -> ExitCode {
    gatepost_module::main(Inbox, include_str!("main.rs"))
}
