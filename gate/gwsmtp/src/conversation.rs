//! Commands out, replies in, over one connection. What belongs together leaves in one write: nothing
//! is written but through the outbox, which is flushed when a reply is wanted.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use channel::{Settings, Stream};

use crate::reply::{Line, Reply};
use crate::trouble::{Step, Trouble};

/// The most bytes of one reply.
const REPLY_BYTES: u64 = 65_536;
/// A server may take so many times `timeout_secs` to swallow a whole message (RFC 5321 4.5.3.2.6
/// allows it ten minutes; the worker's own deadline is nearer).
const CONTENT_PATIENCE: u32 = 4;

/// Two ends that speak in lines.
pub(crate) struct Conversation {
    stream: Stream,
    inbox: Vec<u8>,
    read_to: usize,
    outbox: Vec<u8>,
    timeout: Duration,
}

impl Conversation {
    /// Over a fresh connection.
    pub(crate) fn over(stream: Stream, timeout: Duration) -> Self {
        Self { stream, inbox: Vec::new(), read_to: 0, outbox: Vec::new(), timeout }
    }

    /// The same under TLS; refuses when the server has spoken on in the clear, for that may have come
    /// from anybody on the way (CVE-2011-0411).
    pub(crate) fn secured(self, settings: &Settings) -> Result<Self, Trouble> {
        if self.read_to < self.inbox.len() {
            return Err(Trouble::Lacks("the server spoke on after STARTTLS, before TLS".into()));
        }
        Ok(Self::over(self.stream.secure(settings)?, self.timeout))
    }

    /// Our own end's address.
    pub(crate) fn local_ip(&self) -> Option<IpAddr> {
        self.stream.local_ip()
    }

    /// True when nobody on the way can read along.
    pub(crate) fn is_private(&self) -> bool {
        self.stream.is_private()
    }

    /// One more line to be said; it leaves with the next [`Conversation::hear`].
    pub(crate) fn say(&mut self, line: &str) {
        debug_assert!(!line.contains(['\r', '\n']), "one line");
        self.outbox.extend_from_slice(line.as_bytes());
        self.outbox.extend_from_slice(b"\r\n");
    }

    /// Bytes as they are, to leave with the next write.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.outbox.extend_from_slice(bytes);
    }

    /// Writes what is to be said, then the next reply, good or bad.
    pub(crate) fn hear(&mut self, step: Step) -> Result<Reply, Trouble> {
        self.flush().map_err(|cause| Trouble::Lost { step, cause })?;
        self.listen(step, self.timeout)
    }

    /// The next reply, an error unless good.
    pub(crate) fn hear_good(&mut self, step: Step) -> Result<Reply, Trouble> {
        let reply = self.hear(step)?;
        if reply.is_good() { Ok(reply) } else { Err(Trouble::Refused { step, whom: None, reply }) }
    }

    /// Writes a whole message with its dot, in one write, and waits for the verdict. Once the dot has
    /// left, a missing verdict is [`Trouble::Doubt`].
    pub(crate) fn hand_over(&mut self, stuffed: &[u8]) -> Result<Reply, Trouble> {
        let step = Step::Content;
        self.say_bytes(stuffed);
        self.flush().map_err(|cause| Trouble::Lost { step, cause })?;
        self.listen(step, self.timeout * CONTENT_PATIENCE).map_err(|trouble| match trouble {
            Trouble::Lost { cause, .. } => Trouble::Doubt(cause.to_string()),
            Trouble::Nonsense { what, .. } => Trouble::Doubt(what.to_string()),
            other => other,
        })
    }

    /// Says farewell without waiting for the answer.
    pub(crate) fn part(&mut self) {
        self.outbox.clear();
        self.say("QUIT");
        // The connection is given up either way.
        let _ = self.flush();
    }

    fn flush(&mut self) -> io::Result<()> {
        let outbox = std::mem::take(&mut self.outbox);
        if outbox.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&outbox)?;
        self.stream.flush()
    }

    fn listen(&mut self, step: Step, patience: Duration) -> Result<Reply, Trouble> {
        self.stream.allow(REPLY_BYTES, Instant::now() + patience);
        self.stream.set_timeout(patience).map_err(|cause| Trouble::Lost { step, cause })?;
        let mut reply = Reply::empty();
        loop {
            let line = self.line().map_err(|cause| Trouble::Lost { step, cause })?;
            match reply.take(&line).map_err(|what| Trouble::Nonsense { step, what })? {
                Line::More => {}
                Line::Last => return Ok(reply),
            }
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let unread = &self.inbox[self.read_to..];
            if let Some(length) = unread.iter().position(|byte| *byte == b'\n') {
                let line =
                    unread[..length].strip_suffix(b"\r").unwrap_or(&unread[..length]).to_vec();
                self.read_to += length + 1;
                return Ok(line);
            }
            self.inbox.drain(..self.read_to);
            self.read_to = 0;
            let mut part = [0; 4096];
            match self.stream.read(&mut part)? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "closed by the server",
                    ));
                }
                got => self.inbox.extend_from_slice(&part[..got]),
            }
        }
    }
}
