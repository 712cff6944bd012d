//! gwhttp - hands messages to any HTTP service, without code
//!
//! SYNOPSIS
//!     gwhttp --command features|formtune|check_connection|outgoing|serve
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
//!     written: unknown. A service that says how long it wants to be left alone (Retry-After, in seconds
//!     or as a date; RateLimit-Reset with 429 or with nothing left of its quota) is.
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
use std::sync::Arc;

use gatepost_gate::{
    Document, Failure, Features, Gate, GatewayParams, OutgoingMessage, Reply, Sent,
};
use reqwest::RequestBuilder;

use crate::judge::{judge, judge_check};
use crate::service::{Gateways, Known, Network, exchange};
use crate::settings::Settings;

/// Requests at once; each costs a connection and no thread.
const WINDOW: u32 = 64;

#[derive(Default)]
struct Http {
    gateways: Gateways,
    network: Network,
}

impl Gate for Http {
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

    fn formtune(&self, form: Document) -> Result<Document, Failure> {
        Ok(presets::tune(form))
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        let Known { settings, client } = &Known::of(gateway)?;
        // A mistake in a template is found here, not at the first message.
        request::trial(client, settings, gateway)?;
        // Nothing may be sent to learn more: that the service answers at all must be enough.
        let Some(url) = &settings.check_url else {
            let request = request::knock(client, settings, gateway)?;
            return self.network.run(exchange(request)).map(drop);
        };
        let request = request::check(client, settings, gateway, url)?;
        judge_check(settings, &self.network.run(exchange(request))?)
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        let (settings, request) = self.prepare(message)?;
        judge(&settings, &self.network.run(exchange(request))?)
    }

    fn take(&self, message: OutgoingMessage, reply: Reply) {
        let (settings, request) = match self.prepare(&message) {
            Ok(prepared) => prepared,
            Err(failure) => return reply.give(Err(failure)),
        };
        self.network.start(reply, async move {
            exchange(request).await.and_then(|answer| judge(&settings, &answer))
        });
    }
}

impl Http {
    fn prepare(
        &self,
        message: &OutgoingMessage,
    ) -> Result<(Arc<Settings>, RequestBuilder), Failure> {
        let known = self.gateways.known(&message.gateway)?;
        let request = request::of_message(&known.client, &known.settings, message)?;
        Ok((known.settings, request))
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&Http::default())
}
