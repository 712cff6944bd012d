//! Commands out, replies in, over one connection. What belongs together leaves in one write: nothing
//! is written but through the outbox, which is flushed when a reply is wanted.

use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use channel::{Settings, Stream};
use memchr::memchr2_iter;

use crate::reply::{Line, Reply};
use crate::trouble::{Step, Trouble};

/// The most bytes of one reply.
const REPLY_BYTES: u64 = 65_536;
/// A server may take so many times `timeout_secs` to swallow a whole message (RFC 5321 4.5.3.2.6
/// allows it ten minutes; the worker's own deadline is nearer).
const CONTENT_PATIENCE: u32 = 4;
/// For a reply that must be there already, if at all.
const NO_PATIENCE: Duration = Duration::from_millis(500);
/// What an outbox keeps of its room after a large message, in bytes.
const OUTBOX_KEPT_BYTES: usize = 1 << 20;
/// What one read may bring, in bytes.
const READ_BYTES: usize = 4096;

/// How a write ended.
#[derive(Debug)]
pub(crate) struct Left {
    /// Not one byte more than these has left this machine.
    pub(crate) bytes: usize,
    /// What kept the others from leaving, or perhaps from leaving.
    pub(crate) broken: Option<io::Error>,
}

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
        if self.is_ahead() {
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

    /// One more line to be said; it leaves with the next write.
    pub(crate) fn say(&mut self, line: impl Display) {
        let begin = self.outbox.len();
        // A vector takes whatever is written to it.
        let _ = write!(self.outbox, "{line}");
        debug_assert!(!self.outbox[begin..].iter().any(|byte| b"\r\n".contains(byte)), "one line");
        self.outbox.extend_from_slice(b"\r\n");
    }

    /// A message and its final dot, to leave with the next write. Tells the byte of that write behind
    /// the dot.
    pub(crate) fn say_content(&mut self, content: &[u8]) -> usize {
        stuff(content, &mut self.outbox);
        self.outbox.len()
    }

    /// Writes what is to be said, in one write if the line takes it whole.
    pub(crate) fn flush(&mut self) -> Left {
        let until = Instant::now() + self.content_patience();
        let mut left = Left { bytes: 0, broken: None };
        while left.bytes < self.outbox.len() && left.broken.is_none() {
            match self.stream.write(&self.outbox[left.bytes..]) {
                Ok(0) => left.broken = Some(ErrorKind::WriteZero.into()),
                Ok(count) => left.bytes += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => left.broken = Some(error),
            }
            if left.bytes < self.outbox.len() && Instant::now() >= until {
                let late = || io::Error::new(ErrorKind::TimedOut, "the server takes too long");
                left.broken.get_or_insert_with(late);
            }
        }
        if left.broken.is_none() {
            left.broken = self.stream.flush().err();
        }
        self.outbox.clear();
        self.outbox.shrink_to(OUTBOX_KEPT_BYTES);
        left
    }

    /// True when the server has said more than it was asked: what it says next would be taken for the answer to
    /// something else.
    pub(crate) fn is_ahead(&self) -> bool {
        self.read_to < self.inbox.len()
    }

    /// Writes what is to be said, then the next reply, good or bad.
    pub(crate) fn hear(&mut self, step: Step) -> Result<Reply, Trouble> {
        if self.is_ahead() {
            return Err(Trouble::Lost { step, cause: spoke_early() });
        }
        match self.flush().broken {
            Some(cause) => Err(Trouble::Lost { step, cause }),
            None => self.listen(step),
        }
    }

    /// The next reply, an error unless good.
    pub(crate) fn hear_good(&mut self, step: Step) -> Result<Reply, Trouble> {
        let reply = self.hear(step)?;
        if reply.is_good() { Ok(reply) } else { Err(Trouble::Refused { step, whom: None, reply }) }
    }

    /// The next reply to what was written before.
    pub(crate) fn listen(&mut self, step: Step) -> Result<Reply, Trouble> {
        let patience = if step == Step::Content { self.content_patience() } else { self.timeout };
        self.listen_for(step, patience)
    }

    /// The next reply if it came before the line broke.
    pub(crate) fn last_words(&mut self, step: Step) -> Result<Reply, Trouble> {
        self.listen_for(step, NO_PATIENCE)
    }

    fn content_patience(&self) -> Duration {
        self.timeout * CONTENT_PATIENCE
    }

    /// Says farewell without waiting for the answer.
    pub(crate) fn part(&mut self) {
        self.outbox.clear();
        self.say("QUIT");
        // The connection is given up either way.
        drop(self.flush());
    }

    fn listen_for(&mut self, step: Step, patience: Duration) -> Result<Reply, Trouble> {
        let mut reply = Reply::empty();
        let mut is_limited = false;
        loop {
            while let Some(line) = self.whole_line() {
                let taken = reply.take(&self.inbox[line]);
                if taken.map_err(|what| Trouble::Nonsense { step, what })? == Line::Last {
                    return Ok(reply);
                }
            }
            let lost = |cause| Trouble::Lost { step, cause };
            if !std::mem::replace(&mut is_limited, true) {
                self.stream.allow(REPLY_BYTES, Instant::now() + patience);
                self.stream.set_timeout(patience).map_err(lost)?;
            }
            self.read_on().map_err(lost)?;
        }
    }

    /// The next line that is here to its end, without that.
    fn whole_line(&mut self) -> Option<Range<usize>> {
        let begin = self.read_to;
        let length = self.inbox[begin..].iter().position(|byte| *byte == b'\n')?;
        self.read_to = begin + length + 1;
        let line = &self.inbox[begin..begin + length];
        Some(begin..begin + line.strip_suffix(b"\r").unwrap_or(line).len())
    }

    fn read_on(&mut self) -> io::Result<()> {
        self.inbox.drain(..self.read_to);
        self.read_to = 0;
        let mut part = [0; READ_BYTES];
        match self.stream.read(&mut part)? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the server")),
            got => {
                self.inbox.extend_from_slice(&part[..got]);
                Ok(())
            }
        }
    }
}

/// Why nothing was said.
pub(crate) fn spoke_early() -> io::Error {
    io::Error::other("the server spoke before it was asked")
}

/// The message as it goes over the line: every line ends in CRLF whatever it ended in, a dot before a
/// leading dot, the final dot behind (RFC 5321 section 4.5.2). No bare CR or LF leaves, so that no
/// server can be led to see an end where there is none.
fn stuff(content: &[u8], outbox: &mut Vec<u8>) {
    outbox.reserve(content.len() + content.len() / 64 + 8);
    if content.first() == Some(&b'.') {
        outbox.push(b'.');
    }
    let (mut copied_to, mut line) = (0, 0);
    for at in memchr2_iter(b'\r', b'\n', content) {
        if at < line {
            continue;
        }
        let is_whole = content[at..].starts_with(b"\r\n");
        line = at + 1 + usize::from(is_whole);
        let is_dot = content.get(line) == Some(&b'.');
        if is_whole && !is_dot {
            continue;
        }
        outbox.extend_from_slice(&content[copied_to..at]);
        outbox.extend_from_slice(b"\r\n");
        outbox.extend(is_dot.then_some(b'.'));
        copied_to = line;
    }
    outbox.extend_from_slice(&content[copied_to..]);
    if line < content.len() {
        outbox.extend_from_slice(b"\r\n");
    }
    outbox.extend_from_slice(b".\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_can_end_it() {
        for (content, over_the_line) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.\r\nMAIL FROM:<x@y>\r\n", "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"),
        ] {
            let mut outbox = Vec::new();
            stuff(content.as_bytes(), &mut outbox);
            assert_eq!(String::from_utf8(outbox).unwrap(), over_the_line, "{content:?}");
        }
    }
}
