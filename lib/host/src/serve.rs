//! A gate that stays: one child, frames both ways (DESIGN 5, serve mode).
//!
//! [`Served`] moves bytes and settles nothing. Neither direction ever waits for the other: what is to be written
//! waits in a buffer and goes out as the pipe takes it, many frames in one write; what is printed is read meanwhile.
//! At the end it is known how much of what was written the gate has read, so a message that it can't have seen is
//! told from one that it may have sent.

mod complaints;
mod inbox;
mod outbox;

use crate::caller::Caller;
use crate::exchange::{Event, Ready, Stop, poll_for};
use crate::outcome::{is_hold, reason_of};
use crate::{Child, End, Listed, Ran, Stream, Streams, spawn};
use complaints::Complaints;
use inbox::Inbox;
use notice::Mask;
use outbox::Outbox;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::serve::{FromGate, ServeError};

/// What is written into the pipe before the gate reads; the usual pipe takes 64 KiB.
const PIPE_BYTES: usize = 256 << 10;
/// What a gate has printed before its end is read, however much of it there is, up to so many reads.
const LAST_READS: u32 = 256;

/// Wakes who waits in [`Served::exchange`], or in [`Bell::wait`].
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// A bell that has not rung. Fails only when we are out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Rings: the next wait, or the one that is going on, ends.
    pub fn ring(&self) {
        // It can only fail when it has rung 2^64 times and nobody heard.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Waits for a ring, at most `wait`.
    pub fn wait(&self, wait: Duration) {
        if poll_for([(Some(self.0.as_fd()), Event::Bell)], wait).has(Event::Bell) {
            self.hush();
        }
    }

    fn hush(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// Why a conversation can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The gate has ended, or closed its output.
    #[error("the gate left")]
    Left,
    /// It said what has no place in the conversation.
    #[error("the gate broke the protocol: {0}")]
    Protocol(#[from] ServeError),
    /// We were told to stop.
    #[error("we stopped while it ran")]
    Stopped,
}

/// What is left when a gate is gone.
#[derive(Debug)]
pub struct Remains {
    /// How its process ended.
    pub end: End,
    /// The same in words, with what it complained about last; masked.
    pub words: String,
    /// So much of what was written for it, from the first byte on, it may have read.
    pub read_bytes: u64,
    /// Writes that were needed for all of it.
    pub writes: u64,
}

impl Remains {
    /// True if it left with a code that means *hold*.
    pub fn asks_to_be_held(&self) -> bool {
        is_hold(&self.end)
    }
}

/// A gate in serve mode. Dropped, it is killed with its group.
pub struct Served {
    child: Child,
    outbox: Outbox,
    inbox: Inbox,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    complaints: Complaints,
    mask: Mask,
    stop: Option<Arc<Stop>>,
    broken: Option<Broken>,
    started: Instant,
    leave: Duration,
}

impl Served {
    /// Starts `GATE --command serve` as a one-shot gate is started. The words of a failure are for people.
    pub fn start(caller: &Caller, gate: &Listed, mask: Mask) -> Result<Self, String> {
        gate.must_offer("serve").map_err(|failure| failure.to_string())?;
        let program = caller.command(&gate.path, "serve");
        let streams =
            Streams { stdin: Stream::Piped, stdout: Stream::Piped, stderr: Stream::Piped };
        let mut child = spawn(&program, streams)?;
        let (stdin, stdout, stderr) =
            (child.take_stdin(), child.take_stdout(), child.take_stderr());
        if let Some(stdin) = &stdin {
            // Only our end: the gate's own descriptor stays as it expects it.
            let _ = rustix::io::ioctl_fionbio(stdin, true);
            let _ = rustix::pipe::fcntl_setpipe_size(stdin, PIPE_BYTES);
        }
        if let Some(stdout) = &stdout {
            let _ = rustix::io::ioctl_fionbio(stdout, true);
        }
        if let Some(stderr) = &stderr {
            let _ = rustix::io::ioctl_fionbio(stderr, true);
        }
        Ok(Self {
            child,
            outbox: Outbox::new(stdin),
            inbox: Inbox::new(program.limits.stdout_bytes),
            stdout,
            stderr,
            complaints: Complaints::new(caller, &gate.name),
            mask,
            stop: caller.stop(),
            broken: None,
            started: Instant::now(),
            leave: program.limits.kill_after,
        })
    }

    /// Where frames are appended (`wire::serve::append_…`); they go out together with the next
    /// [`Served::exchange`].
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        self.outbox.bytes()
    }

    /// Bytes that were appended so far: what lies before this mark and within [`Remains::read_bytes`] may have
    /// been read.
    pub fn mark(&self) -> u64 {
        self.outbox.appended()
    }

    /// Writes what can be written, then waits for the gate or the bell, at most `wait`, and reads what there is.
    /// After an error the gate is to be ended; what it said before it has been given already.
    pub fn exchange(&mut self, bell: &Bell, wait: Duration) -> Result<Vec<FromGate>, Broken> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        self.outbox.feed();
        let ready = self.look(bell, wait);
        if ready.has(Event::Bell) {
            bell.hush();
        }
        if ready.has(Event::Stdin) {
            self.outbox.feed();
        }
        if ready.has(Event::Stderr) && !self.complaints.read(&mut self.stderr, &self.mask) {
            self.stderr = None;
        }
        self.hear(ready);
        let heard = self.understood();
        if heard.is_empty()
            && let Some(broken) = self.broken.take()
        {
            return Err(broken);
        }
        Ok(heard)
    }

    /// Where the gate has closed its stdin: so much of what was written it may have read before.
    pub fn deaf(&self) -> Option<u64> {
        self.outbox.is_deaf().then(|| self.outbox.read_at_most())
    }

    /// Nothing more will come: the end of its stdin, once all is written. It answers what it has, and leaves.
    pub fn close(&mut self) {
        self.outbox.close();
    }

    /// Waits for a gate that was closed and has answered everything; whoever does not leave is ended.
    pub fn leave(mut self) -> Remains {
        self.outbox.abandon();
        let until = Instant::now() + self.leave;
        let left = || until.saturating_duration_since(Instant::now());
        // It may say something yet, and must not wait for somebody who listens.
        if let Ok(bell) = Bell::new() {
            while !left().is_zero() && self.exchange(&bell, left()).is_ok() {}
        }
        match self.child.wait_for(left()) {
            Some(end) => self.remains(end),
            None => self.end(),
        }
    }

    /// Ends it and its group: SIGTERM, SIGKILL after `gate.kill_secs`. Who has left already is only reaped.
    pub fn end(mut self) -> Remains {
        const A_MOMENT: Duration = Duration::from_millis(200);
        if self.stdout.is_none() {
            // Who closes its output is about to leave by itself, with a code that says more than our signal.
            self.child.wait_for(A_MOMENT);
        }
        let end = self.child.end_group(self.leave);
        self.remains(end)
    }

    fn remains(mut self, end: End) -> Remains {
        self.complaints.read_to_end(&mut self.stderr, &self.mask);
        let (read_bytes, writes) = (self.outbox.read_at_most(), self.outbox.writes());
        let ran = Ran {
            end,
            stdout: Vec::new(),
            stderr_tail: self.complaints.tail(),
            took: self.started.elapsed(),
            input_written: read_bytes > 0,
        };
        Remains { words: reason_of(&ran, &self.mask), end: ran.end, read_bytes, writes }
    }

    fn look(&self, bell: &Bell, wait: Duration) -> Ready {
        poll_for(
            [
                (self.child.ended_fd(), Event::Exit),
                (self.stop.as_ref().map(|stop| stop.as_fd()), Event::Stop),
                (Some(bell.0.as_fd()), Event::Bell),
                (self.outbox.waits_for(), Event::Stdin),
                (self.stdout.as_ref().map(AsFd::as_fd), Event::Stdout),
                (self.stderr.as_ref().map(AsFd::as_fd), Event::Stderr),
            ],
            wait,
        )
    }

    fn hear(&mut self, ready: Ready) {
        if ready.has(Event::Stdout) && !self.inbox.read(self.stdout.as_ref()) {
            self.stdout = None;
            self.broken = Some(Broken::Left);
        }
        if ready.has(Event::Exit) {
            // What a grandchild may print later is not waited for.
            let mut reads = 0;
            while reads < LAST_READS && self.inbox.read_more(self.stdout.as_ref()) {
                reads += 1;
            }
            self.stdout = None;
            self.broken = Some(Broken::Left);
        }
        if ready.has(Event::Stop) {
            self.broken = Some(Broken::Stopped);
        }
    }

    /// Every whole frame that was read.
    fn understood(&mut self) -> Vec<FromGate> {
        let mut heard = Vec::new();
        loop {
            match self.inbox.next() {
                Ok(Some(FromGate::Answer(id, mut answer))) => {
                    answer.reason = self.mask.apply(&answer.reason);
                    answer.reference = answer.reference.map(|text| self.mask.apply(&text));
                    heard.push(FromGate::Answer(id, answer));
                }
                Ok(Some(FromGate::Ping)) => heard.push(FromGate::Ping),
                Ok(None) => return heard,
                Err(error) => {
                    self.broken = Some(Broken::Protocol(error));
                    return heard;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
