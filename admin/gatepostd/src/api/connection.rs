//! Connections: who is at the other end, how many at once, for how long.

use super::caller::{self, Peer};
use super::{Shared, answer, request};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

/// Connections of programs of this machine open at once, and as many over TCP; one more is closed at once.
const MOST: usize = 256;

/// How long a client may take over the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// The open connections.
pub(super) struct Connections {
    local: Arc<Semaphore>,
    /// A room of their own: whoever fills it keeps nobody of this machine out.
    remote: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    pub(super) fn new(stopped: &watch::Receiver<bool>) -> Self {
        let room = || Arc::new(Semaphore::new(MOST));
        Self { local: room(), remote: room(), stopped: stopped.clone() }
    }

    /// A program of this machine: the kernel knows whose.
    pub(super) fn take_local(&self, stream: tokio::net::UnixStream, shared: &Arc<Shared>) {
        let Ok(peer) = stream.peer_cred() else { return };
        self.take(stream, Peer::Local(peer.uid()), shared);
    }

    /// Somebody over TCP: every request brings a token.
    pub(super) fn take_remote(&self, stream: tokio::net::TcpStream, shared: &Arc<Shared>) {
        let _ = stream.set_nodelay(true);
        self.take(stream, Peer::Remote, shared);
    }

    fn take<S>(&self, stream: S, peer: Peer, shared: &Arc<Shared>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let room = match peer {
            Peer::Local(_) => &self.local,
            Peer::Remote => &self.remote,
        };
        let Ok(place) = Arc::clone(room).try_acquire_owned() else {
            shared.log.warning(&format!("api: {MOST} connections are open; one more was closed"));
            return;
        };
        let shared = Arc::clone(shared);
        let mut stopped = self.stopped.clone();
        tokio::spawn(async move {
            let service = service_fn(move |asked| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(respond(asked, peer, shared).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                _ = stopped.changed() => None,
            };
            if ended.is_none() {
                // a call that runs may still answer
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
            drop(place);
        });
    }

    /// Returns when the last one is closed.
    pub(super) async fn ended(&self) {
        let all = u32::try_from(MOST).unwrap_or(u32::MAX);
        for room in [&self.local, &self.remote] {
            let _ = room.acquire_many(all).await;
        }
    }
}

async fn respond(asked: request::Incoming, peer: Peer, shared: Arc<Shared>) -> answer::Response {
    let wanted = answer::Form::of(asked.headers());
    let known = match caller::of(peer, asked.headers(), &shared).await {
        Ok(known) => known,
        Err(problem) => return answer::problem(&problem, wanted),
    };
    match request::route(asked, &known, shared).await {
        Ok(good) => answer::good(good, wanted),
        Err(problem) => answer::problem(&problem, wanted),
    }
}
