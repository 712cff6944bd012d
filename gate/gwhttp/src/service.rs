//! The HTTP client, and how its failures are named.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gatepost_gate::Failure;
use notice::chain;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Certificate, redirect};

use crate::expect::Reply;
use crate::settings::Settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is read of an answer, in bytes.
const REPLY_LIMIT_BYTES: u64 = 1 << 20;

/// What a client depends on.
#[derive(Clone, PartialEq, Eq)]
struct Kind {
    tls: Tls,
    timeout: Duration,
}

#[derive(Clone, PartialEq, Eq)]
enum Tls {
    /// Only `http://`: the trust store is not even read.
    Unused,
    /// The system's trust store, and this file's certificates.
    System(Option<PathBuf>),
}

/// The last client used, with its connections: messages of one gateway come one after another.
#[derive(Default)]
pub(crate) struct Clients(Mutex<Option<(Kind, Client)>>);

impl Clients {
    pub(crate) fn client_for(&self, settings: &Settings) -> Result<Client, Failure> {
        let plain = settings.url.starts_with("http://")
            && settings.check_url.as_ref().is_none_or(|url| url.starts_with("http://"));
        let tls = if plain { Tls::Unused } else { Tls::System(settings.ca_file.clone()) };
        let kind = Kind { tls, timeout: settings.timeout };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = last.as_ref().filter(|(known, _)| *known == kind) {
            return Ok(client.clone());
        }
        let client = build(&kind)?;
        *last = Some((kind, client.clone()));
        Ok(client)
    }
}

fn build(kind: &Kind) -> Result<Client, Failure> {
    // A second installation is refused and changes nothing.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("gatepost-gwhttp/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(kind.timeout)
        .retry(reqwest::retry::never());
    let builder = match &kind.tls {
        Tls::Unused => builder.tls_certs_only([]),
        Tls::System(None) => builder,
        Tls::System(Some(file)) => builder.tls_certs_merge(certificates(file)?),
    };
    builder.build().map_err(|error| Failure::hold(format!("can't use TLS: {}", chain(&error))))
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let name = file.display();
    let bytes = fs::read(file)
        .map_err(|error| Failure::hold(format!("ca_file `{name}` can't be read: {error}")))?;
    match Certificate::from_pem_bundle(&bytes) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Failure::hold(format!("ca_file `{name}` holds no PEM certificate"))),
    }
}

/// Sends the request and reads the answer. What failed before a byte was written is *unreached*; after
/// that nobody can tell.
pub(crate) fn exchange(request: RequestBuilder) -> Result<Reply, Failure> {
    let response = request.send()?;
    let mut reply = head(&response);
    let mut body = Vec::new();
    let read = response.take(REPLY_LIMIT_BYTES).read_to_end(&mut body);
    reply.body = String::from_utf8_lossy(&body).into_owned();
    match read {
        Ok(_) => Ok(reply),
        Err(error) => Err(Failure::unknown(format!(
            "the service answered {} and broke off: {error}",
            reply.status
        ))),
    }
}

fn head(response: &Response) -> Reply {
    let text = |value: &reqwest::header::HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    };
    let headers = response.headers().iter();
    Reply {
        status: response.status().as_u16(),
        headers: headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: String::new(),
    }
}
