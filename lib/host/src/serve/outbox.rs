//! What is on its way to a gate.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStdin;

/// Written bytes are dropped from the buffer when there are so many.
const DROP_BYTES: usize = 64 << 10;

/// Frames that wait, and the pipe they go into.
#[derive(Debug)]
pub(super) struct Outbox {
    stdin: Option<ChildStdin>,
    bytes: Vec<u8>,
    /// So many of them are written.
    at: usize,
    /// Written before what is in the buffer.
    dropped: u64,
    writes: u64,
    is_closing: bool,
    is_deaf: bool,
    /// What was never read, where the gate closed its end.
    unread: Option<u64>,
}

impl Outbox {
    pub(super) fn new(stdin: Option<ChildStdin>) -> Self {
        Self {
            stdin,
            bytes: Vec::new(),
            at: 0,
            dropped: 0,
            writes: 0,
            is_closing: false,
            is_deaf: false,
            unread: None,
        }
    }

    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn appended(&self) -> u64 {
        self.dropped + self.bytes.len() as u64
    }

    pub(super) fn writes(&self) -> u64 {
        self.writes
    }

    /// The pipe, while something waits to be written.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.stdin.as_ref().filter(|_| self.at < self.bytes.len()).map(AsFd::as_fd)
    }

    /// Writes what the pipe takes now.
    pub(super) fn feed(&mut self) {
        while let (Some(stdin), true) = (&self.stdin, self.at < self.bytes.len()) {
            match rustix::io::write(stdin, &self.bytes[self.at..]) {
                Ok(written) => {
                    self.at += written;
                    self.writes += 1;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // It reads no more. What it has of messages it may answer yet.
                Err(_) => {
                    self.unread = unread(stdin);
                    self.is_deaf = true;
                    self.stdin = None;
                }
            }
        }
        if self.at == self.bytes.len() || self.at > DROP_BYTES {
            self.dropped += self.at as u64;
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        if self.is_closing && self.bytes.is_empty() {
            self.stdin = None;
        }
    }

    /// Nobody reads what is written.
    pub(super) fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    /// The end, when all is written.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
        self.feed();
    }

    /// The end at once; what was not written never is.
    pub(super) fn abandon(&mut self) {
        if let Some(stdin) = self.stdin.take() {
            self.unread = unread(&stdin);
        }
    }

    /// So many bytes may have been read: those that were written, but for what nobody can read any more.
    pub(super) fn read_at_most(&self) -> u64 {
        let unread = self.unread.or_else(|| unread(self.stdin.as_ref()?)).unwrap_or(0);
        (self.dropped + self.at as u64).saturating_sub(unread)
    }
}

/// What lies in a pipe whose last reader is gone; None while somebody may read it.
fn unread(stdin: &ChildStdin) -> Option<u64> {
    let mut watched = [PollFd::new(stdin, PollFlags::OUT)];
    poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).ok()?;
    let is_deserted = watched[0].revents().contains(PollFlags::ERR);
    is_deserted.then(|| rustix::io::ioctl_fionread(stdin).ok()).flatten()
}
