//! The HTTP client, and how its failures are named.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gatepost_gate::{Failure, GatewayParams, Reply as Owed, Sent};
use notice::chain;
use reqwest::{Certificate, Client, RequestBuilder, Response, redirect};
use tokio::runtime::{Builder, Handle};

use crate::expect::Reply;
use crate::settings::Settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection is kept so long without use: less than services wait (5 s is the shortest that is common),
/// for a request that meets the service's end of a connection is *unknown*.
const KEEP: Duration = Duration::from_secs(4);

/// The most that is read of an answer, in bytes.
const REPLY_LIMIT_BYTES: usize = 1 << 20;

/// A gateway's fields as values, and the client with its connections.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: Client,
}

/// The last gateway used: in serve mode there is one, and its parameters are the same value for each message.
#[derive(Default)]
pub(crate) struct Gateways(Mutex<Option<(Arc<GatewayParams>, Known)>>);

impl Gateways {
    pub(crate) fn known(&self, gateway: &Arc<GatewayParams>) -> Result<Known, Failure> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = last.as_ref().filter(|(last, _)| Arc::ptr_eq(last, gateway)) {
            return Ok(known.clone());
        }
        let known = Known::of(gateway)?;
        *last = Some((Arc::clone(gateway), known.clone()));
        Ok(known)
    }
}

impl Known {
    pub(crate) fn of(gateway: &GatewayParams) -> Result<Self, Failure> {
        let settings = Settings::read(gateway)?;
        let client = client_for(&settings)?;
        Ok(Self { settings: Arc::new(settings), client })
    }
}

fn client_for(settings: &Settings) -> Result<Client, Failure> {
    // A second installation is refused and changes nothing.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("gatepost-gwhttp/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(settings.timeout)
        .pool_idle_timeout(KEEP)
        .retry(reqwest::retry::never());
    let is_plain = |url: &String| url.starts_with("http://");
    let builder = match &settings.ca_file {
        // Only `http://`: the trust store is not even read.
        _ if is_plain(&settings.url) && settings.check_url.as_ref().is_none_or(is_plain) => {
            builder.tls_certs_only([])
        }
        None => builder,
        Some(file) => builder.tls_certs_merge(certificates(file)?),
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

/// The one thread that waits for the network, once it is needed.
#[derive(Default)]
pub(crate) struct Network(Mutex<Option<Handle>>);

impl Network {
    /// Waits for it.
    pub(crate) fn run<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.handle()?.block_on(work)
    }

    /// Has it done and answered.
    pub(crate) fn start(
        &self,
        owed: Owed,
        work: impl Future<Output = Result<Sent, Failure>> + Send + 'static,
    ) {
        match self.handle() {
            Ok(handle) => drop(handle.spawn(async move { owed.give(work.await) })),
            Err(failure) => owed.give(Err(failure)),
        }
    }

    fn handle(&self) -> Result<Handle, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*known {
            return Ok(handle.clone());
        }
        let failed = |error| Failure::later(format!("can't use the network: {error}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let wait = move || runtime.block_on(std::future::pending::<()>());
        thread::Builder::new().spawn(wait).map_err(failed)?;
        Ok(known.insert(handle).clone())
    }
}

/// Sends the request and reads the answer. What failed before a byte was written is *unreached*; after
/// that nobody can tell.
pub(crate) async fn exchange(request: RequestBuilder) -> Result<Reply, Failure> {
    let mut response = request.send().await?;
    let mut reply = head(&response);
    let mut body = Vec::new();
    while body.len() < REPLY_LIMIT_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = REPLY_LIMIT_BYTES - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(None) => break,
            Err(error) => return Err(broken_off(reply.status, error)),
        }
    }
    reply.body = String::from_utf8_lossy(&body).into_owned();
    Ok(reply)
}

/// The URL may hold a secret.
fn broken_off(status: u16, error: reqwest::Error) -> Failure {
    let words = chain(&error.without_url());
    Failure::unknown(format!("the service answered {status} and broke off: {words}"))
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
