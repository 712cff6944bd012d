//! ntemail - sends notices by mail, and receives mail
//!
//! SYNOPSIS
//!     ntemail --command features
//!     ntemail --command process [--follow] [--limit N] [--for SECS] [--force]
//!     ntemail --command getmessage --gate ID|all
//!
//! Drains the tasks of `ntemail` by priority: renders HTML, text and subject of each and hands it to a
//! gateway of the project. Started each minute by cron, by hand, or kept running by gatepostd.
//!
//! CONTACT
//!     The user's `email`. None: never, reason no_contact.
//!
//! WITHOUT A GATEWAY
//!     Only where the project has no gateway row at all, active or not, mail is piped to the program
//!     ntemail.sendmail with -t. A program of ours is never used for that.
//!
//! RECEIVING
//!     getmessage runs the `ingoing` command of one gateway or all. Each message is stored once; its
//!     sender is matched with the users; what matches nobody is kept with a reason.
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

mod letter;

use gatepost_module::{
    ContactForm, Features, Heard, How, Message, Module, OnUnknown, OwnWay, Patience, Profile,
    Style, Tools, Way,
};
use notice::Answer;
use std::process::ExitCode;

struct Mail;

impl Module for Mail {
    fn name(&self) -> &'static str {
        "ntemail"
    }

    fn features(&self) -> Features {
        let features = Features::of(["html", "queue"]);
        Features { contact_type: Some("email".to_owned()), ..features }
    }

    fn profile(&self) -> Profile {
        Profile {
            contact_kind: "email",
            contact_form: ContactForm::Email,
            way: Way::GatewaysElseModule,
            patience: Patience::Mail,
            on_unknown: OnUnknown::Retry,
            style: Style::Mail,
            receives: true,
        }
    }

    fn has_own_way(&self, tools: &Tools<'_>) -> OwnWay {
        if tools.sendmail().is_some() { OwnWay::Present } else { OwnWay::Absent }
    }

    fn user_notify(&self, message: &Message, tools: &Tools<'_>) -> Result<Heard, How> {
        let Some(sendmail) = tools.sendmail() else {
            let gone = Answer::unreached(
                "ntemail.sendmail can't be run any more: set it, or add a gateway",
            );
            return Ok(Heard::of(gone, Vec::new()));
        };
        let letter = letter::bytes_of(message, tools).map_err(How::Broken)?;
        Ok(tools.run(&sendmail, &["-t", "-i"], &letter))
    }
}

fn main() -> ExitCode {
    gatepost_module::main(Mail, include_str!("main.rs"))
}
