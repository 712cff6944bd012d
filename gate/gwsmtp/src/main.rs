//! gwsmtp - hands mail to an SMTP server
//!
//! SYNOPSIS
//!     gwsmtp --command features|formtune|check_connection|outgoing|serve
//!
//! FIELDS
//!     host           the server; its certificate must fit this name
//!     port           empty: 587, with security=tls 465
//!     security       starttls (default), tls, or none: for a server on this machine alone
//!     auth           none (default), password (login, password), xoauth2 (login, token_command)
//!     token_command  a program with arguments, no shell, that prints an access token
//!     ca_file        certificates to trust beside the system's, PEM
//!     helo           our name in EHLO; empty: our address in brackets
//!     timeout_secs   for each answer, 1 to 600, default 30; for the message itself four times that
//!     from           in place of the project's notifyemail
//!     sender         this gateway's own mailbox, shown as Sender where it differs from From
//!     reply_to       in place of the project's supportemail; a notice's own Reply-To wins
//!     return_path    where bounces go; empty: Sender, else From; <> for nowhere
//!     max_connections
//!                    to the server at a time, 1 to 64, default 10; fewer where it refuses more
//!     partial        when some of a contact's addresses are refused: all (nobody gets it), rest
//!     dkim_domain, dkim_selector, dkim_key
//!                    sign; the key is PEM, RSA of 2048 bits or more, or Ed25519
//!
//! The message goes out as HTML with a text alternative, inline images and attachments. Its Message-ID
//! comes from the task's key, the same at every attempt, and is the reference in the log.
//!
//! OUTCOMES
//!     Not connected: later, and no attempt is spent. 4xx: later. 5xx to a recipient, to DATA or to the
//!     message: never. 5xx before that, a refused login, TLS that is not offered or not to be trusted:
//!     the gateway is held. The connection lost after the final dot: unknown.
//!
//! It never sends in the clear to another machine, starts no shell, and keeps nothing on disk.

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod account;
mod address;
mod carrier;
mod conversation;
mod dkim;
mod envelope;
mod form;
mod greeting;
mod letter;
mod outcome;
mod pool;
#[cfg(test)]
mod pool_tests;
mod reply;
mod sending;
mod session;
mod trouble;

use std::io::Write as _;
use std::process::ExitCode;

use gatepost_gate::{
    Document, Failure, Features, Gate, GatewayParams, OutgoingMessage, Reply, Sent,
};

use account::Account;
use envelope::Refused;
use outcome::failure_of;
use pool::{Pools, Waiting};

/// Messages in hand at a time: enough for ten connections, each with one whose dot has left, one whose
/// envelope is said and one that is being built, and as many again on their way from and to the queue.
const WINDOW: u32 = 64;

struct Smtp {
    pools: Pools,
}

impl Gate for Smtp {
    fn source(&self) -> &'static str {
        include_str!("main.rs")
    }

    fn features(&self) -> Features {
        Features {
            notify_module: Some("ntemail".to_owned()),
            window: Some(WINDOW),
            ..Features::of(["outgoing", "check_connection", "formtune", "parallel", "serve"])
        }
    }

    fn formtune(&self, form: Document) -> Result<Document, Failure> {
        Ok(form::tune(form))
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        Account::read(gateway)?.probe().map_err(|trouble| failure_of(&trouble))
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        let account = Account::read(&message.gateway)?;
        let ready = sending::ready_now(&account, message)?;
        let sent = account.open().and_then(|mut session| session.send(&ready));
        note_refused(&sent.map_err(|trouble| failure_of(&trouble))?);
        Ok(Sent::with_reference(ready.envelope.id))
    }

    fn take(&self, message: OutgoingMessage, reply: Reply) {
        match self.pools.of(&message.gateway) {
            Ok(pool) => pool.take(Waiting::Fresh(Box::new(message), Box::new(reply))),
            Err(failure) => reply.give(Err(failure)),
        }
    }
}

/// Who did not get a message that others have.
fn note_refused(refused: &[Refused]) {
    for (address, reply) in refused {
        note(&format!("{address} was refused, the others have it: {reply}"));
    }
}

/// One line for the gate's log, which is where stderr goes.
fn note(text: &str) {
    // A log that can't be written must not turn a sent message into another outcome.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn main() -> ExitCode {
    let smtp = Smtp { pools: Pools::default() };
    let code = gatepost_gate::main(&smtp);
    smtp.pools.leave();
    code
}
