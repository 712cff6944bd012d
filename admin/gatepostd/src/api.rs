//! The door for programs: HTTP/1.1 and JSON over `var/run/api.sock`, and over TCP where the settings name an address.
//!
//! `POST /v1/func/NAME` calls a function, `GET /v1/func` lists them, `GET /v1/openapi.json` describes them.
//! A caller on the socket is known by the kernel's word, one over TCP by a token. One thread takes connections,
//! a few others call: no call waits for another's gate.

mod answer;
mod caller;
mod connection;
mod openapi;
mod platforms;
mod request;

pub(crate) use platforms::Platforms;

use anyhow::{Context, Result};
use config::{Log, Root};
use host::API_SOCKET;
use platform::listening;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Calls that run at once; more wait. A thread for each is there only while it is needed: callers that hang in a
/// handler must be many before they hold up another.
const CALLS: usize = 64;

/// How long calls may go on once the daemon leaves.
const LEAVE: Duration = Duration::from_secs(10);

/// The open door. Dropping it closes it: calls that run may end, no new ones come in.
pub(crate) struct Api {
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
    socket: PathBuf,
}

/// Where callers come in.
struct Doors {
    socket: UnixListener,
    tcp: Option<std::net::TcpListener>,
}

/// What every connection needs.
pub(crate) struct Shared {
    pub(crate) platforms: Platforms,
    pub(crate) log: Arc<Log>,
    /// Whom the daemon runs as.
    pub(crate) owner: u32,
}

impl Api {
    /// Opens the door. The socket of a daemon that was killed is replaced: only one daemon runs here.
    pub(crate) fn open(root: &Root, platforms: Platforms, log: Arc<Log>) -> Result<Self> {
        let socket = root.path(API_SOCKET);
        let doors = Doors {
            socket: bind(&socket).with_context(|| format!("can't open `{API_SOCKET}`"))?,
            tcp: open_tcp((root, &platforms.config().api.listen), &log),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(CALLS)
            .build()
            .context("can't start the api")?;
        let owner = rustix::process::geteuid().as_raw();
        let shared = Arc::new(Shared { platforms, log, owner });
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new().name("api".into()).spawn(move || {
            runtime.block_on(serve(doors, shared, stopped));
            runtime.shutdown_timeout(LEAVE);
        })?;
        Ok(Self { stop, thread: Some(thread), socket })
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Members of the group of `var/` may connect: they may enqueue as well.
fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The socket works without it: what stands against it is in the log, and noted for `gatepost status`.
fn open_tcp((root, address): (&Root, &str), log: &Log) -> Option<std::net::TcpListener> {
    listening::forget_trouble(root);
    if address.is_empty() {
        return None;
    }
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true).map(|()| listener)
    };
    match listen() {
        Ok(listener) => Some(listener),
        Err(error) => {
            log.error(&format!(
                "api: can't listen at `{address}` (api.listen of etc/gatepost.toml, ADDRESS:PORT): {error}; \
                 calls come in by {API_SOCKET} alone"
            ));
            listening::note_trouble(root, address, &error.to_string());
            None
        }
    }
}

async fn serve(doors: Doors, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let Ok(socket) = tokio::net::UnixListener::from_std(doors.socket) else { return };
    let tcp = doors.tcp.and_then(|listener| tokio::net::TcpListener::from_std(listener).ok());
    let connections = connection::Connections::new(&stopped);
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            taken = socket.accept() => match taken {
                Ok((stream, _)) => connections.take_local(stream, &shared),
                Err(error) => rest_after(&error, &shared.log).await,
            },
            taken = accept(tcp.as_ref()) => match taken {
                Ok(stream) => connections.take_remote(stream, &shared),
                Err(error) => rest_after(&error, &shared.log).await,
            },
        }
    }
    let _ = tokio::time::timeout(LEAVE, connections.ended()).await;
}

async fn accept(
    listener: Option<&tokio::net::TcpListener>,
) -> std::io::Result<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Out of descriptors or memory: others go on, and so do we, a little later.
async fn rest_after(error: &std::io::Error, log: &Log) {
    log.warning(&format!("api: can't take a connection: {error}"));
    tokio::time::sleep(Duration::from_millis(100)).await;
}
