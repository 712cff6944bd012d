//! Writing to the worker without ever waiting for it: a worker that does not read must not hold a call.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{self, ErrorKind, Write};
use std::process::ChildStdin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// More than that unread is a worker that reads no more.
const BACKLOG_BYTES: usize = 64 << 20;
/// How often the flusher looks whether it is still wanted.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Our end of the worker's stdin, and what it has not taken yet.
pub(super) struct Outbox {
    pipe: ChildStdin,
    backlog: Mutex<Backlog>,
    grown: Condvar,
}

#[derive(Default)]
struct Backlog {
    bytes: Vec<u8>,
    is_closed: bool,
}

impl Outbox {
    /// Makes the pipe one that does not block.
    pub(super) fn new(pipe: ChildStdin) -> io::Result<Self> {
        let flags = fcntl_getfl(&pipe)?;
        fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
        Ok(Self { pipe, backlog: Mutex::default(), grown: Condvar::new() })
    }

    /// Writes what the pipe takes at once; the rest follows from [`Self::flush`]. False: nobody will read it.
    pub(super) fn send(&self, frame: &[u8]) -> bool {
        let mut backlog = self.lock();
        if backlog.is_closed || backlog.bytes.len() + frame.len() > BACKLOG_BYTES {
            return false;
        }
        let mut written = 0;
        if backlog.bytes.is_empty() {
            match self.write(frame) {
                Ok(bytes) => written = bytes,
                Err(_) => return false,
            }
        }
        if written < frame.len() {
            backlog.bytes.extend_from_slice(&frame[written..]);
            self.grown.notify_one();
        }
        true
    }

    /// Writes the backlog as the worker reads; until [`Self::close`].
    pub(super) fn flush(&self) {
        loop {
            let mut backlog = self.lock();
            while backlog.bytes.is_empty() && !backlog.is_closed {
                backlog = self.grown.wait(backlog).unwrap_or_else(PoisonError::into_inner);
            }
            if backlog.is_closed {
                return;
            }
            match self.write(&backlog.bytes) {
                Ok(bytes) => drop(backlog.bytes.drain(..bytes)),
                Err(_) => backlog.is_closed = true,
            }
            let is_full = !backlog.bytes.is_empty();
            drop(backlog);
            if is_full {
                let mut pipe = [PollFd::new(&self.pipe, PollFlags::OUT)];
                // A signal ends the wait early, and we look again.
                let _ = poll(&mut pipe, Some(&LOOK));
            }
        }
    }

    /// Nothing goes out any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.grown.notify_all();
    }

    /// Bytes that the pipe took; none when it is full.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.pipe).write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                done => return done,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
