//! gwhttp - hands messages to any HTTP service, without code
//!
//! SYNOPSIS
//!     gwhttp --command features|formtune|check_connection|outgoing
//!
//! The gateway's fields describe the request and how its answer is read. In `url`, `headers`, `body`
//! and `check_url` these are replaced, encoded for the place they stand in:
//!
//!     {phone} {email} {message} {subject} {key} {sender} {login} {password} {token}
//!     {task.id} {task.attempt} {task.country} {task.encoding} {task.segments}
//!     {user.COLUMN} {project.COLUMN} {gateway.FIELD}
//!
//! FIELDS
//!     preset         fills the empty fields for a known service
//!     url            where messages go; redirects are not followed
//!     method         POST (default), GET, PUT, PATCH
//!     content_type   json (default), form, xml, text: decides how values are encoded in the body
//!     headers        lines `Name: value`
//!     body           the request's body; a JSON value belongs in quotes unless it is a number
//!     auth           none (default), basic (login, password), bearer (token)
//!     success        tests, one a line, all must hold; empty: any status 2xx
//!     hold, never    tests, one a line, one is enough
//!     reference      where the service's number is: `json:PATH`, `header:NAME`, `after:TEXT`
//!     retry_after    JSON path of the seconds to wait; else the header Retry-After counts
//!     check_url      fetched by check_connection; check_success holds its tests
//!     timeout_secs   1 to 55, default 20
//!     ca_file        further certificates to trust, PEM
//!
//! A test is `status 200 2xx`, `text WORDS`, `json PATH` or `json PATH = VALUE`; a PATH is names and
//! positions joined by dots.
//!
//! OUTCOMES
//!     401 and 403 hold the gateway, and so does a redirect; 408, 425, 429 and 5xx are later; the rest
//!     of 4xx is never. Not connected: later, and no attempt is spent. No answer after the request was
//!     written: unknown.
//!
//! Proxies are taken from HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in either case.

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod expect;
mod judge;
mod presets;
mod request;
mod service;
mod settings;
mod template;

use std::process::ExitCode;

use gatepost_gate::{Document, Failure, Features, Gate, GatewayParams, OutgoingMessage, Sent};

use crate::service::{Clients, exchange};
use crate::settings::Settings;

#[derive(Default)]
struct Http {
    clients: Clients,
}

impl Gate for Http {
    fn source(&self) -> &'static str {
        include_str!("main.rs")
    }

    fn features(&self) -> Features {
        Features {
            notify_module: Some("ntsms".to_owned()),
            ..Features::of(["formtune", "check_connection", "outgoing", "parallel"])
        }
    }

    fn formtune(&self, form: Document) -> Result<Document, Failure> {
        Ok(presets::tune(form))
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        let settings = Settings::read(gateway)?;
        let client = self.clients.client_for(&settings)?;
        // A mistake in a template is found here, not at the first message.
        request::trial(&client, &settings, gateway)?;
        match &settings.check_url {
            Some(url) => {
                let reply = exchange(request::check(&client, &settings, gateway, url)?)?;
                judge::judge_check(&settings, &reply)
            }
            // Nothing may be sent to learn more: that the service answers at all must be enough.
            None => exchange(request::knock(&client, &settings, gateway)?).map(drop),
        }
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        let settings = Settings::read(&message.gateway)?;
        let client = self.clients.client_for(&settings)?;
        let reply = exchange(request::of_message(&client, &settings, message)?)?;
        judge::judge(&settings, &reply)
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&Http::default())
}
