//! gwmailbox - fetches mail from an IMAP mailbox
//!
//! SYNOPSIS
//!     gwmailbox --command features|formtune|check_connection|ingoing
//!
//! FIELDS
//!     host           the server; its certificate must fit this name
//!     port           empty: 993, with security=starttls or none 143
//!     security       tls (default), starttls, or none: for a server on this machine alone
//!     auth           password (login, password) or xoauth2 (login, token_command)
//!     token_command  a program with arguments, no shell, that prints an access token
//!     ca_file        certificates to trust beside the system's, PEM
//!     timeout_secs   for each answer, 1 to 600, default 30
//!     folder         where mail comes in, default INBOX
//!     after          what becomes of a message once it is stored: delete (default) or seen
//!     batch          messages a run, 1 to 500, default 50
//!     max_size_kb    the largest message that is fetched, 1 to 5120, default 5120
//!
//! A run hands over what is new and changes nothing at the server. Only what the next run is told to be
//! stored is deleted or marked: a message can be handed over twice, under the same uid, but not lost.
//! A larger message stays in the folder and is named on stderr. The uid is UIDVALIDITY-UID.
//!
//! A bounce (RFC 3464) is handed over as a message and gives a receipt beside: its reference is the
//! Message-ID of the mail that came back, which is the reference gwsmtp gave.
//!
//! It never sends anything, and never speaks in the clear to another machine.

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod account;
mod batch;
mod form;
mod mailbox;
mod report;

use std::io::Write as _;
use std::process::ExitCode;

use gatepost_gate::{
    Document, Failure, Features, Gate, GatewayParams, IncomingMessage, Ingoing, IngoingRequest,
};

use account::Account;
use mailbox::Mailbox;

struct ImapGate;

impl Gate for ImapGate {
    fn source(&self) -> &'static str {
        include_str!("main.rs")
    }

    fn features(&self) -> Features {
        Features {
            notify_module: Some("ntemail".to_owned()),
            ..Features::of(["ingoing", "check_connection", "formtune"])
        }
    }

    fn formtune(&self, form: Document) -> Result<Document, Failure> {
        Ok(form::tune(form))
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        let account = Account::read(gateway)?;
        Mailbox::look(&account)
    }

    fn ingoing(&self, request: &IngoingRequest) -> Result<Ingoing, Failure> {
        let account = Account::read(&request.gateway)?;
        let mut mailbox = Mailbox::open(&account)?;
        mailbox.settle(&request.stored_uids)?;
        let found = mailbox.find(&request.stored_uids)?;
        if found.too_large > 0 {
            let kb = account.max_size_bytes / 1024;
            // A log that can't be written must not keep mail from coming in.
            let _ = writeln!(
                std::io::stderr().lock(),
                "{} messages over {kb} kB stay in {}",
                found.too_large,
                account.folder
            );
        }
        let mut ingoing = Ingoing::default();
        for uid in found.uids {
            let Some(source) = mailbox.fetch(uid)? else { continue };
            ingoing.receipts.extend(report::receipt_of(&source));
            let uid = Some(mailbox.name_of(uid));
            ingoing.messages.push(IncomingMessage { uid, sender: None, source });
        }
        mailbox.close();
        Ok(ingoing)
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&ImapGate)
}
