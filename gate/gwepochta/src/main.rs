//! gwepochta - sends SMS through ePochta SMS (atompark)
//!
//! SYNOPSIS
//!     gwepochta --command features|formtune|check_connection|outgoing|serve
//!
//! The worked example of the gateway documents, on the service's XML interface. It differs from the
//! printed program where that one hides a failure: a service that can't be reached is an error of
//! check_connection (S3-73), and every answer of `outgoing` is read.
//!
//! FIELDS
//!     login, password   of the ePochta SMS account
//!     sender            the name the receiver sees
//!     url               where the service is; formtune fills it in
//!
//! OUTCOMES
//!     status 0 and above: sent. -1 (account refused), -3 (no credits) and -7 (sender refused) hold the
//!     gateway; -2 (request refused) and -4 (no receiver) are never; any other is later. HTTP 401 and
//!     403 hold, other statuses than 2xx are later. Not connected: later, and no attempt is spent. No
//!     answer after the request was written: unknown.
//!
//! Proxies are taken from HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in either case.

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod operation;
mod service;

use std::process::ExitCode;

use gatepost_gate::{
    Document, Element, Failure, Features, Gate, GatewayParams, OutgoingMessage, Sent,
};

use crate::operation::{Account, Operation, status_of};
use crate::service::Service;

/// The documents print the same address without TLS.
const URL: &str = "https://api.myatompark.com/members/sms/xml.php";

/// Requests at once in serve mode, each on a thread and a connection of its own.
const WINDOW: u32 = 16;

#[derive(Default)]
struct Epochta {
    service: Service,
}

impl Gate for Epochta {
    fn source(&self) -> &'static str {
        include_str!("main.rs")
    }

    fn features(&self) -> Features {
        Features {
            notify_module: Some("ntsms".to_owned()),
            window: Some(WINDOW),
            ..Features::of(["formtune", "check_connection", "outgoing", "parallel", "serve"])
        }
    }

    fn formtune(&self, mut form: Document) -> Result<Document, Failure> {
        match form.root.child_mut("url") {
            Some(url) if url.text().trim().is_empty() => url.set_text(URL),
            Some(_) => {}
            None => form.root.push(Element::new("url").with_text(URL)),
        }
        Ok(form)
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        self.ask(gateway, &Operation::Balance)
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        // S3-77: never to a number "none".
        if message.phone().is_empty() {
            return Err(Failure::never("no phone"));
        }
        let sender = message.param("sender");
        let send = Operation::Send { sender, number: message.phone(), text: &message.message };
        self.ask(&message.gateway, &send).map(|()| Sent::plain())
    }
}

impl Epochta {
    fn ask(&self, gateway: &GatewayParams, operation: &Operation<'_>) -> Result<(), Failure> {
        let account = Account { login: gateway.text("login"), password: gateway.text("password") };
        let url = Some(gateway.text("url").trim()).filter(|url| !url.is_empty()).unwrap_or(URL);
        status_of(operation, &self.service.post(url, operation.request(&account))?)
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&Epochta::default())
}
