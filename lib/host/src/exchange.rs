//! One run: input and output at the same time, in one `poll` loop, until the program ends.

use crate::child::{exit_of, pid_of};
use crate::start::{Pipes, start};
use crate::{End, Limits, Program, Ran};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After the program's end its output is waited for that long, if a grandchild holds it open.
const DRAIN: Duration = Duration::from_millis(50);
/// After SIGKILL; a program that can't die even then is left to a thread that reaps it some day.
const DEATH: Duration = Duration::from_secs(5);
/// A program that closes its streams sooner is about to leave: it is reaped without a descriptor for its end.
const SOON: Duration = Duration::from_millis(10);
/// Where the kernel has no pidfd, the end is looked for that often.
const LOOK: Duration = Duration::from_millis(5);
const READ_BYTES: usize = 16 << 10;
const FIRST_READ_BYTES: usize = 2 << 10;
/// Reads that empty a pipe of the largest size (1 MiB), whatever else is going on.
const LATE_READS: u32 = 128;

/// Ends every run that watches it: for a worker that must leave.
#[derive(Debug)]
pub struct Stop(OwnedFd);

impl AsFd for Stop {
    /// Readable once it is raised.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Stop {
    /// Not raised yet. Fails only when we are out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Raised by SIGTERM, SIGINT and SIGHUP, which end nothing by themselves from here on: for a program that must not
    /// leave without what it has started.
    pub fn on_signals() -> io::Result<Arc<Self>> {
        let stop = Arc::new(Self::new()?);
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let raised = Arc::clone(&stop);
        std::thread::spawn(move || signals.forever().for_each(|_| raised.raise()));
        Ok(stop)
    }

    /// Raised for good: runs in flight end with [`End::Stopped`], later ones too.
    pub fn raise(&self) {
        // It can only fail when it has been raised 2^64 times.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// Runs a program to its end: gives it `input`, closes its stdin, reads stdout and stderr meanwhile.
/// Never hangs, never leaves a zombie; the rules are those of extensions.md 1.6, points 1, 7 to 10.
pub fn run(program: &Program, input: &[u8]) -> Ran {
    run_watching(program, input, None)
}

/// The same, ended early when `stop` is raised.
pub fn run_until(program: &Program, input: &[u8], stop: &Stop) -> Ran {
    run_watching(program, input, Some(stop))
}

fn run_watching(program: &Program, input: &[u8], stop: Option<&Stop>) -> Ran {
    let started = Instant::now();
    let pipes = Pipes { stdin: Stdio::piped(), stdout: Stdio::piped(), stderr: Stdio::piped() };
    let mut child = match start(program, pipes) {
        Ok(child) => child,
        Err(why) => return Ran::not_started(why),
    };
    let mut exchange = Exchange::new(&mut child, input, &program.limits);
    let ended = exchange.until_exit(&Watch { deadline: started + program.limits.deadline, stop });
    exchange.drain();
    let Exchange { output, complaint, input, had_enough, .. } = exchange;
    let end = reap(child, ended);
    // Death closes stdin too, so an early close means nothing of who died by a signal.
    let input_written = input.is_empty() || had_enough && !matches!(end, End::Signalled(_));
    let stderr_tail = complaint.into_tail();
    Ran { end, stdout: output, stderr_tail, took: started.elapsed(), input_written }
}

/// Collects the exit status. A child that survived SIGKILL (a disk that hangs) is left to a thread.
fn reap(mut child: Child, ended: Ended) -> End {
    match ended {
        Ended::ByItself => child.wait().map_or(End::Signalled(0), exit_of),
        Ended::ByUs(end) => {
            // Its end is known; only the zombie is left.
            let _ = child.wait();
            end
        }
        Ended::NotAtAll(end) => {
            std::thread::spawn(move || child.wait());
            end
        }
    }
}

enum Ended {
    ByItself,
    ByUs(End),
    NotAtAll(End),
}

struct Watch<'a> {
    deadline: Instant,
    stop: Option<&'a Stop>,
}

struct Exchange<'a> {
    pid: Pid,
    end: EndWatch,
    limits: &'a Limits,
    input: &'a [u8],
    had_enough: bool,
    is_ending: bool,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    output: Vec<u8>,
    complaint: Tail,
    too_much: bool,
}

/// How the end of the program shows. Most are short: their streams close, and a look finds them gone. A
/// descriptor for each would cost more than all other looking.
enum EndWatch {
    /// Its streams tell, until then.
    Streams(Instant),
    /// The kernel tells.
    Told(OwnedFd),
    /// It has no pidfd: we look.
    Looks,
}

/// What `poll` watches.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Event {
    Exit = 1,
    Stop = 2,
    Stdin = 4,
    Stdout = 8,
    Stderr = 16,
    Bell = 32,
}

/// The events of one `poll`.
#[derive(Clone, Copy)]
pub(crate) struct Ready(u8);

impl Ready {
    pub(crate) fn has(self, event: Event) -> bool {
        self.0 & event as u8 != 0
    }
}

impl<'a> Exchange<'a> {
    fn new(child: &mut Child, input: &'a [u8], limits: &'a Limits) -> Self {
        let pid = pid_of(child);
        let stdin = child.stdin.take();
        if let Some(stdin) = &stdin {
            // Only our end: the program's own descriptor stays as it expects it.
            let _ = rustix::io::ioctl_fionbio(stdin, true);
        }
        let mut exchange = Self {
            pid,
            end: EndWatch::Streams(Instant::now() + SOON),
            limits,
            input,
            had_enough: false,
            is_ending: false,
            stdin,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            output: Vec::new(),
            complaint: Tail::new(limits.stderr_bytes),
            too_much: false,
        };
        exchange.feed();
        exchange
    }

    fn until_exit(&mut self, watch: &Watch<'_>) -> Ended {
        let mut killing: Option<Killing> = None;
        loop {
            let now = Instant::now();
            let until = killing.as_ref().map_or(watch.deadline, |killing| killing.until);
            let stop = watch.stop.filter(|_| killing.is_none());
            let ready = self.look(until.saturating_duration_since(now), stop);
            self.exchange(ready);
            if ready.has(Event::Exit) {
                return self.after_exit(killing);
            }
            let reason = if self.too_much {
                End::OutputLimit
            } else if ready.has(Event::Stop) {
                End::Stopped
            } else {
                End::Deadline
            };
            let is_due = Instant::now() >= until;
            killing = match killing {
                None if is_due || reason != End::Deadline => Some(self.terminate(reason)),
                Some(killing) if is_due && killing.was_killed => {
                    return Ended::NotAtAll(killing.reason);
                }
                Some(killing) if is_due => Some(self.kill(killing)),
                same => same,
            };
        }
    }

    fn terminate(&mut self, reason: End) -> Killing {
        self.is_ending = true;
        self.signal(Signal::TERM);
        Killing { reason, until: Instant::now() + self.limits.kill_after, was_killed: false }
    }

    fn kill(&self, killing: Killing) -> Killing {
        self.signal(Signal::KILL);
        Killing { until: Instant::now() + DEATH, was_killed: true, ..killing }
    }

    /// The leader is gone but not reaped, so its group's number can't belong to anyone else yet.
    fn after_exit(&self, killing: Option<Killing>) -> Ended {
        let Some(killing) = killing else { return Ended::ByItself };
        self.signal(Signal::KILL);
        Ended::ByUs(killing.reason)
    }

    fn signal(&self, signal: Signal) {
        signal_group(self.pid, signal);
    }

    /// Waits until something can be done, at most `wait`.
    fn look(&mut self, wait: Duration, stop: Option<&Stop>) -> Ready {
        let now = Instant::now();
        if let EndWatch::Streams(until) = self.end {
            let are_closed = self.stdout.is_none() && self.stderr.is_none();
            if are_closed && has_exited(self.pid) {
                return Ready(Event::Exit as u8);
            }
            if are_closed || now >= until {
                self.watch_end();
            }
        }
        let (pidfd, wait) = match &self.end {
            EndWatch::Streams(until) => (None, wait.min(until.saturating_duration_since(now))),
            EndWatch::Told(pidfd) => (Some(pidfd.as_fd()), wait),
            EndWatch::Looks => (None, wait.min(LOOK)),
        };
        let ready = poll_for(
            [
                (pidfd, Event::Exit),
                (stop.map(AsFd::as_fd), Event::Stop),
                (self.stdin.as_ref().map(AsFd::as_fd), Event::Stdin),
                (self.stdout.as_ref().map(AsFd::as_fd), Event::Stdout),
                (self.stderr.as_ref().map(AsFd::as_fd), Event::Stderr),
            ],
            wait,
        );
        if matches!(self.end, EndWatch::Looks) && has_exited(self.pid) {
            return Ready(ready.0 | Event::Exit as u8);
        }
        ready
    }

    fn watch_end(&mut self) {
        let pidfd = rustix::process::pidfd_open(self.pid, PidfdFlags::empty());
        self.end = pidfd.map_or(EndWatch::Looks, EndWatch::Told);
    }

    fn exchange(&mut self, ready: Ready) {
        if ready.has(Event::Stdout) {
            self.read_output();
        }
        if ready.has(Event::Stderr) {
            self.read_complaint();
        }
        if ready.has(Event::Stdin) {
            self.feed();
        }
    }

    /// Writes what fits. A program that closes its stdin early, and not because we end it, has had
    /// enough (S0-66).
    fn feed(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        while !self.input.is_empty() {
            match rustix::io::write(stdin, self.input) {
                Ok(written) => self.input = &self.input[written..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    self.had_enough |= !self.is_ending;
                    break;
                }
            }
        }
        self.stdin = None;
    }

    fn read_output(&mut self) {
        let Some(stdout) = &self.stdout else { return };
        // Most programs print little: a large buffer for each would cost more than the reading.
        self.output.reserve(self.output.len().clamp(FIRST_READ_BYTES, READ_BYTES));
        match rustix::io::read(stdout, spare_capacity(&mut self.output)) {
            Ok(0) => self.stdout = None,
            Err(Errno::INTR | Errno::AGAIN) | Ok(_) => {}
            Err(_) => self.stdout = None,
        }
        if self.output.len() > self.limits.stdout_bytes {
            self.output.truncate(self.limits.stdout_bytes);
            self.too_much = true;
        }
    }

    fn read_complaint(&mut self) {
        let Some(stderr) = &self.stderr else { return };
        match rustix::io::read(stderr, self.complaint.room()) {
            Ok(0) => self.stderr = None,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(_) => self.complaint.trim(),
            Err(_) => self.stderr = None,
        }
    }

    /// What was printed before the end is in the pipes already and is read, however busy the machine is;
    /// what a grandchild may print later is not waited for, beyond [`DRAIN`].
    fn drain(&mut self) {
        self.stdin = None;
        let until = Instant::now() + DRAIN;
        let mut late_reads = 0;
        while (self.stdout.is_some() || self.stderr.is_some()) && late_reads < LATE_READS {
            let left = until.saturating_duration_since(Instant::now());
            let ready = poll_for(
                [
                    (self.stdout.as_ref().map(AsFd::as_fd), Event::Stdout),
                    (self.stderr.as_ref().map(AsFd::as_fd), Event::Stderr),
                ],
                left,
            );
            if ready.0 == 0 && left.is_zero() {
                return;
            }
            late_reads += u32::from(left.is_zero());
            self.exchange(ready);
        }
    }
}

/// Signals a child that is not reaped yet and all of its group; the child by itself only where it moved to
/// another group. Nobody gets it twice: a second SIGTERM means more than one.
pub(crate) fn signal_group(pid: Pid, signal: Signal) {
    // The only failure is that nobody is left.
    let _ = rustix::process::kill_process_group(pid, signal);
    if rustix::process::getpgid(Some(pid)) != Ok(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

struct Killing {
    reason: End,
    until: Instant,
    was_killed: bool,
}

/// Polls what is there; a closed end is ready too.
pub(crate) fn poll_for<const N: usize>(
    watched: [(Option<BorrowedFd<'_>>, Event); N],
    wait: Duration,
) -> Ready {
    let mut events = Vec::with_capacity(N);
    let mut descriptors = Vec::with_capacity(N);
    for (descriptor, event) in watched {
        let flags = if matches!(event, Event::Stdin) { PollFlags::OUT } else { PollFlags::IN };
        if let Some(descriptor) = descriptor {
            descriptors.push(PollFd::from_borrowed_fd(descriptor, flags));
            events.push(event);
        }
    }
    let wait = Timespec::try_from(wait).ok();
    if poll(&mut descriptors, wait.as_ref()).is_err() {
        return Ready(0);
    }
    let ready =
        descriptors.iter().zip(events).filter(|(descriptor, _)| !descriptor.revents().is_empty());
    Ready(ready.fold(0, |all, (_, event)| all | event as u8))
}

/// Whether a child of ours has ended; it is not reaped by this.
pub(crate) fn has_exited(pid: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::Pid(pid), look), Ok(None))
}

/// The end of a stream that may be endless.
#[derive(Debug)]
pub(crate) struct Tail {
    most: usize,
    bytes: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, bytes: Vec::new() }
    }

    pub(crate) fn room(&mut self) -> rustix::buffer::SpareCapacity<'_, u8> {
        self.bytes.reserve(self.bytes.len().clamp(256, 4096));
        spare_capacity(&mut self.bytes)
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.trim();
    }

    pub(crate) fn trim(&mut self) {
        if self.bytes.len() > 2 * self.most + READ_BYTES {
            self.bytes.drain(..self.bytes.len() - self.most);
        }
    }

    /// True when this stands in what is kept.
    pub(crate) fn holds(&self, word: &[u8]) -> bool {
        self.bytes.windows(word.len()).any(|it| it == word)
    }

    /// Cut, it begins with a whole line where it can: half a secret would pass every mask.
    pub(crate) fn into_tail(mut self) -> Vec<u8> {
        let surplus = self.bytes.len().saturating_sub(self.most);
        if surplus > 0 {
            let line_end = self.bytes[surplus..].iter().position(|byte| *byte == b'\n');
            self.bytes.drain(..surplus + line_end.map_or(0, |at| at + 1));
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests;
