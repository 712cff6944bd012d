//! The HTTP client.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gatepost_gate::Failure;
use notice::chain;
use reqwest::blocking::{Client, Response};
use reqwest::redirect;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection is kept so long without use: less than services wait, for a request that meets the service's
/// end of a connection is *unknown*.
const KEEP: Duration = Duration::from_secs(4);

/// The most that is read of an answer, in bytes.
const REPLY_LIMIT_BYTES: u64 = 1 << 20;

/// The service, and the client with its connections once it was used.
#[derive(Default)]
pub(crate) struct Service(Mutex<Option<Client>>);

impl Service {
    /// Posts a request and returns the answer's body.
    pub(crate) fn post(&self, url: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let request = self.client()?.post(url).header("Content-Type", "text/xml; charset=utf-8");
        let response = request.body(body).send()?;
        judge_status(&response)?;
        let mut answer = Vec::new();
        let read = response.take(REPLY_LIMIT_BYTES).read_to_end(&mut answer);
        read.map_err(|error| Failure::unknown(format!("the service broke off: {error}")))?;
        Ok(answer)
    }

    fn client(&self) -> Result<Client, Failure> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        let client = build()?;
        *kept = Some(client.clone());
        Ok(client)
    }
}

fn build() -> Result<Client, Failure> {
    // A second installation is refused and changes nothing.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("gatepost-gwepochta/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_idle_timeout(KEEP)
        .retry(reqwest::retry::never())
        .build()
        .map_err(|error| Failure::hold(format!("can't use TLS: {}", chain(&error))))
}

fn judge_status(response: &Response) -> Result<(), Failure> {
    let status = response.status();
    let words = format!("the service answered {}", status.as_u16());
    match status.as_u16() {
        200..300 => Ok(()),
        300..=399 | 401 | 403 | 404 => Err(Failure::hold(words)),
        _ => Err(Failure::later(words)),
    }
}
