//! The door to HTTP: one POST to an address that somebody else has written down (S2-25).
//!
//! The address is resolved by us, every answer that points inside is struck out, and what is left is what is
//! connected to: between the check and the connection there is no second look at the name. Redirects are not
//! followed, proxies of the environment are not asked, and no more of an answer is kept than is shown.

mod address;
mod network;

pub use address::{Address, AddressError};
pub use network::{Network, NetworkError};

use network::is_private;
use reqwest::blocking::{Client, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::HashMap;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A chunk of an answer.
const CHUNK_BYTES: usize = 16 << 10;
/// A service may ask to be left alone for that long, seconds; more is taken as this.
const RETRY_AFTER_MOST_SECS: u32 = 86_400;

/// How requests are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// For the name and the connection, TLS included.
    pub connect: Duration,
    /// For the whole call.
    pub total: Duration,
    /// So much of an answer is kept; the rest is not read.
    pub kept_bytes: usize,
    /// Private networks that may be called all the same.
    pub allowed: Vec<Network>,
}

/// A request to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Where.
    pub address: Address,
    /// Header lines beside `Content-Type: application/json`, which is always sent (S2-33a).
    pub headers: Vec<(&'static str, String)>,
    /// JSON, never empty.
    pub body: Vec<u8>,
}

/// What came of a request: a fact, what it means is decided elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The service answered.
    Answered(Answered),
    /// The address may not be called; nothing was sent. Names the address and the setting.
    Forbidden(String),
    /// No connection was made: nothing was sent.
    Unreached(String),
    /// The connection was made and broke, or the time was up: it may have acted.
    Broken(String),
}

/// An answer, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Status code.
    pub status: u16,
    /// `Retry-After` in seconds, at most a day (RFC 9110 10.2.3).
    pub retry_after_secs: Option<u32>,
    /// The begin of the body, at most `kept_bytes`.
    pub body: Vec<u8>,
    /// The whole of it, or not.
    pub extent: Extent,
}

impl Answered {
    /// `401 Unauthorized`; the number alone where it has no name (RFC 9110 15).
    pub fn status_words(&self) -> String {
        let known = reqwest::StatusCode::from_u16(self.status).ok();
        match known.and_then(|status| status.canonical_reason()) {
            Some(words) => format!("{} {words}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// How much of a body was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Whole,
    /// It was longer, slower, or broke off.
    Cut,
}

/// Makes requests; keeps connections. Cheap to share between threads.
pub struct Http {
    settings: HttpSettings,
    book: Arc<Book>,
    plain: OnceLock<Result<Client, String>>,
    tls: OnceLock<Result<Client, String>>,
}

impl Http {
    /// Nothing is opened yet.
    pub fn new(settings: HttpSettings) -> Self {
        Self { settings, book: Arc::default(), plain: OnceLock::new(), tls: OnceLock::new() }
    }

    /// Makes one request, at most once: nothing is repeated here.
    pub fn post(&self, post: &Post) -> Posted {
        let started = Instant::now();
        if let Err(refused) = self.resolve(&post.address) {
            return refused;
        }
        let client = match self.client(&post.address) {
            Ok(client) => client,
            Err(why) => return Posted::Unreached(why),
        };
        let left = self.settings.total.saturating_sub(started.elapsed());
        let mut request = client
            .post(post.address.url())
            .timeout(left.max(Duration::from_millis(1)))
            .header("Content-Type", "application/json")
            .header("Accept", "*/*")
            .body(post.body.clone());
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        match request.send() {
            Ok(response) => Posted::Answered(self.read(response, started + self.settings.total)),
            Err(error) => named(&error.without_url()),
        }
    }

    fn read(&self, response: Response, until: Instant) -> Answered {
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let retry_after_secs = header.and_then(|text| text.to_str().ok()).and_then(retry_after);
        let (body, extent) = kept(response, self.settings.kept_bytes, until);
        Answered { status, retry_after_secs, body, extent }
    }

    /// Looks the name up, strikes out what may not be called, and keeps the rest for the connection.
    fn resolve(&self, address: &Address) -> Result<(), Posted> {
        let host = address.host();
        let found: Vec<IpAddr> = match host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => look_up(host, self.settings.connect).map_err(Posted::Unreached)?,
        };
        let (open, closed): (Vec<IpAddr>, Vec<IpAddr>) =
            found.into_iter().partition(|ip| self.may_call(*ip));
        if open.is_empty() {
            let shown: Vec<String> = closed.iter().map(IpAddr::to_string).collect();
            return Err(Posted::Forbidden(format!(
                "`{host}` is {}, an address inside; to allow it add it to `provisioning.allow_private`",
                shown.join(", ")
            )));
        }
        self.book.put(host, open);
        Ok(())
    }

    fn may_call(&self, ip: IpAddr) -> bool {
        !is_private(ip) || self.settings.allowed.iter().any(|network| network.holds(ip))
    }

    fn client(&self, address: &Address) -> Result<&Client, String> {
        let client = if address.is_tls() {
            self.tls.get_or_init(|| self.build(Trust::System))
        } else {
            self.plain.get_or_init(|| self.build(Trust::Unused))
        };
        client.as_ref().map_err(Clone::clone)
    }

    fn build(&self, trust: Trust) -> Result<Client, String> {
        // A second installation is refused and changes nothing.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("gatepost/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.settings.connect)
            .dns_resolver(Arc::clone(&self.book))
            // shorter than the time after which common servers hang up (5 s)
            .pool_idle_timeout(Duration::from_secs(2))
            .no_proxy()
            .retry(reqwest::retry::never());
        let builder = match trust {
            Trust::Unused => builder.tls_certs_only([]),
            Trust::System => builder,
        };
        builder.build().map_err(|error| format!("can't use TLS: {}", notice::chain(&error)))
    }
}

/// Whose certificates are believed; the system's store is read only where it is used.
#[derive(Clone, Copy)]
enum Trust {
    Unused,
    System,
}

/// The addresses that passed the check, by name: what the client connects to.
#[derive(Default)]
struct Book(Mutex<HashMap<String, Vec<IpAddr>>>);

/// Names that are kept; more than one installation calls.
const BOOK_NAMES: usize = 1_024;

impl Book {
    fn put(&self, host: &str, addresses: Vec<IpAddr>) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if book.len() >= BOOK_NAMES {
            book.clear();
        }
        book.insert(host.to_ascii_lowercase(), addresses);
    }
}

impl Resolve for Book {
    fn resolve(&self, name: Name) -> Resolving {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = book.get(&name.as_str().to_ascii_lowercase()).cloned().unwrap_or_default();
        let found: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// The system's resolver has no deadline of its own, so it works in a thread that is left alone.
fn look_up(host: &str, at_most: Duration) -> Result<Vec<IpAddr>, String> {
    let (sender, receiver) = sync_channel(1);
    let name = host.to_owned();
    std::thread::spawn(move || {
        let found =
            (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|one| one.ip()).collect());
        let _ = sender.send(found);
    });
    match receiver.recv_timeout(at_most) {
        Ok(Ok(found)) if Vec::is_empty(&found) => Err(format!("`{host}` has no address")),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(format!("can't find the address of `{host}`: {error}")),
        Err(_) => Err(format!("can't find the address of `{host}` within {at_most:?}")),
    }
}

/// Reads the begin of a body. The client's deadline is for the body too, and ours is looked at between two chunks.
fn kept(mut response: Response, most: usize, until: Instant) -> (Vec<u8>, Extent) {
    let mut body = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    while Instant::now() < until {
        match response.read(&mut chunk) {
            Ok(0) => return (body, Extent::Whole),
            Ok(count) => body.extend_from_slice(&chunk[..count]),
            Err(_) => break,
        }
        if body.len() > most {
            body.truncate(most);
            break;
        }
    }
    (body, Extent::Cut)
}

fn named(error: &reqwest::Error) -> Posted {
    let words = notice::chain(error);
    if error.is_builder() || error.is_connect() {
        Posted::Unreached(format!("can't connect: {words}"))
    } else if error.is_timeout() {
        Posted::Broken("no answer in time".to_owned())
    } else {
        Posted::Broken(format!("broke off: {words}"))
    }
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<u32> {
    let text = text.trim();
    let secs = if let Ok(secs) = text.parse() {
        secs
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let left = at.as_second() - jiff::Timestamp::now().as_second();
        u64::try_from(left.max(0)).ok()?
    };
    let secs = u32::try_from(secs).unwrap_or(RETRY_AFTER_MOST_SECS);
    Some(secs.min(RETRY_AFTER_MOST_SECS))
}

#[cfg(test)]
mod tests;
