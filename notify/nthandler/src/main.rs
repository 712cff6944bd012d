//! nthandler - calls provisioning handlers, and runs service tasks
//!
//! SYNOPSIS
//!     nthandler --command features
//!     nthandler --command process [--follow] [--limit N] [--for SECS] [--force]
//!
//! Drains two kinds of tasks: deliveries of events to provisioning handlers, and the tasks of
//! services, which programs in processing/ carry out. It also has done what follows from messages that
//! came in: a command of a mail with a reply token, one more open mail of an agent. It turns no notice into a message and sends
//! nothing to users; getmessage is refused.
//!
//! DELIVERIES
//!     http, https   POST with Content-Type: application/json; 2xx is done. The headers webhook-id,
//!                   webhook-timestamp and webhook-signature are those of Standard Webhooks;
//!                   Idempotency-Key is the task's key, the same at each attempt. Redirects are not
//!                   followed; addresses inside are refused but for provisioning.allow_private.
//!                   410 disables the handler; after 429 and 503 Retry-After is kept.
//!     script        the same bytes on stdin; exit 0 is done
//!     Anything else waits and is tried again by [retry.provisioning], in order for each handler and
//!     object; then it is failed, and `gatepost retry` or provisioning.replay brings it back.
//!
//! SERVICE TASKS
//!     A server that was not reached costs nothing. An open that has reached it is never repeated;
//!     the others are tried three times. Where nobody can tell whether it was done a person is asked:
//!     `gatepost retry|done|cancel ID`.
//!
//! OPTIONS OF PROCESS
//!     --follow    stay, and deliver within milliseconds of a commit
//!     --limit N   at most N tasks
//!     --for SECS  at most so long; without it 55 s (queue.process_secs). While a slow gateway still has
//!                 a message in hand, it goes on for the others
//!     --force     work although a daemon or another run delivers this queue
//!
//! EXIT
//!     0 everything was attempted, 75 the store can't be reached: try again later

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod delivery;
mod incoming;
mod service;

use delivery::Deliverer;
use gatepost_module::{
    ContactForm, Features, Heard, How, Message, Module, OnUnknown, Patience, Profile, Style, Tools,
    Way,
};
use notice::ModuleName;
use platform::Platform;
use service::Services;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Events made into tasks before one turn, at most.
const EVENTS: u32 = 100;

#[derive(Default)]
struct Handler {
    deliverer: OnceLock<Result<Deliverer, String>>,
    services: OnceLock<Services>,
    teller: Mutex<Option<Platform>>,
}

impl Module for Handler {
    fn name(&self) -> &'static str {
        ModuleName::HANDLER
    }

    fn features(&self) -> Features {
        Features::of(["queue"])
    }

    fn profile(&self) -> Profile {
        Profile {
            contact_kind: "",
            contact_form: ContactForm::Nobody,
            way: Way::Routes,
            patience: Patience::Provisioning,
            on_unknown: OnUnknown::Retry,
            style: Style::Raw,
            receives: false,
        }
    }

    fn subject_of(&self, body: &[u8]) -> Option<String> {
        platform::provisioning::subject_of(body).or_else(|| service::subject_of(body))
    }

    /// Events that settling turns wrote become tasks; messages that came in are followed.
    fn tell(&self, tools: &Tools<'_>) -> Result<(), String> {
        let mut teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        let platform = match teller.take() {
            Some(platform) => platform,
            None => Platform::open(tools.site().clone())
                .map_err(|error| format!("can't tell events: {}", notice::chain(&error)))?,
        };
        let platform = teller.insert(platform);
        platform.fan_out(EVENTS).map_err(|refusal| format!("can't tell events: {refusal}"))?;
        let waiting = platform.unfollowed(incoming::MESSAGES);
        let waiting = waiting.map_err(|refusal| format!("can't read messages: {refusal}"))?;
        incoming::follow(&waiting, tools)
    }

    fn user_notify(&self, message: &Message, tools: &Tools<'_>) -> Result<Heard, How> {
        if message.order.claimed.module.as_str() != ModuleName::HANDLER {
            return self.services.get_or_init(Services::default).run(message, tools);
        }
        let deliverer = self.deliverer.get_or_init(|| Deliverer::open(tools));
        deliverer.as_ref().map_err(|why| How::NotReady(why.clone()))?.deliver(message, tools)
    }
}

fn main() -> ExitCode {
    gatepost_module::main(Handler::default(), include_str!("main.rs"))
}
