//! A service of ours on loopback, that answers any request and keeps what it got.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const BODY_LIMIT_BYTES: u64 = 16 << 20;
const HEADER_LIMIT_BYTES: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service does with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    /// 200, with a number for the message.
    #[default]
    Good,
    /// 503.
    Busy,
    /// Reads the request and breaks off.
    Silent,
}

#[derive(Default)]
struct Shared {
    mood: Mutex<Mood>,
    requests: Mutex<Vec<Vec<u8>>>,
    stopped: AtomicBool,
}

/// Listens until it is dropped.
pub(super) struct Service {
    port: u16,
    shared: Arc<Shared>,
}

impl Service {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let inside = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if inside.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let inside = inside.clone();
                // A broken connection is the gate's affair.
                std::thread::spawn(move || drop(serve(&stream, &inside)));
            }
        });
        Ok(Self { port, shared })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Every request since the last call: its first line and headers, then the body.
    pub(super) fn take_requests(&self) -> Vec<Vec<u8>> {
        let mut requests = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *requests)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// One request a connection, kept before it is answered: what the gate was told, we have.
fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let head = head(&mut reader)?;
    if head.is_empty() {
        return Ok(());
    }
    if wants_continue(&head) {
        (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = body(&mut reader, &head)?;
    let mood = *shared.mood.lock().unwrap_or_else(PoisonError::into_inner);
    let reply = reply(mood, &head, &body);
    let mut request = head.into_bytes();
    request.extend(body);
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    (&mut &*stream).write_all(reply.as_bytes())?;
    stream.shutdown(Shutdown::Both)
}

fn head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEADER_LIMIT_BYTES);
    while limited.read_line(&mut head)? > 2 {}
    Ok(head)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn wants_continue(head: &str) -> bool {
    header(head, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
}

fn body(reader: &mut impl BufRead, head: &str) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if header(head, "transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        chunks(reader, &mut body)?;
    } else if let Some(length) = header(head, "content-length").and_then(|text| text.parse().ok()) {
        reader.take(BODY_LIMIT_BYTES.min(length)).read_to_end(&mut body)?;
    }
    Ok(body)
}

fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        reader.take(HEADER_LIMIT_BYTES).read_line(&mut line)?;
        let length = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
        let length = length.unwrap_or(0);
        if length == 0 || body.len() as u64 + length > BODY_LIMIT_BYTES {
            return Ok(());
        }
        reader.take(length).read_to_end(body)?;
        reader.take(2).read_to_end(&mut Vec::new())?;
    }
}

/// An answer most services' clients can read: XML to XML, JSON to the rest.
fn reply(mood: Mood, head: &str, body: &[u8]) -> String {
    let (status, text) = match mood {
        Mood::Silent => return String::new(),
        // A tunnel ends at a certificate we don't have.
        _ if head.starts_with("CONNECT ") => ("502 No tunnel", ""),
        Mood::Busy => ("503 Busy", "busy"),
        Mood::Good if body.trim_ascii_start().starts_with(b"<") => (
            "200 OK",
            "<?xml version=\"1.0\"?>\n<RESPONSE><status>0</status><id>proof-1</id></RESPONSE>",
        ),
        Mood::Good => ("200 OK", r#"{"id":"proof-1","status":"ok"}"#),
    };
    let body = if head.starts_with("HEAD ") { "" } else { text };
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
