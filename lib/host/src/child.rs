//! A child that stays: the render process, a serving gate, the daemon's modules.

use crate::exchange::{has_exited, signal_group};
use crate::start::{Pipes, start};
use crate::{End, Program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::time::Duration;

/// What one of a child's streams is.
#[derive(Debug)]
pub enum Stream {
    /// A pipe to us.
    Piped,
    /// Ours.
    Inherited,
    /// `/dev/null`.
    Nothing,
    /// This file.
    File(File),
}

/// A child's three streams.
#[derive(Debug)]
pub struct Streams {
    /// What it reads.
    pub stdin: Stream,
    /// What it prints.
    pub stdout: Stream,
    /// What it complains about.
    pub stderr: Stream,
}

/// What a child can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish and leave.
    Terminate,
    /// Read your settings again.
    Reload,
    /// Die.
    Kill,
}

/// A running child in its own process group. Dropped, it is killed with its group and reaped: a child
/// never outlives the value, unless we die first (it then sees the end of its stdin).
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    pidfd: Option<OwnedFd>,
    kill_after: Duration,
    end: Option<End>,
}

/// Starts a child that stays. Of the limits only `kill_after` counts; the words of a failure name the
/// program and the cure.
pub fn spawn(program: &Program, streams: Streams) -> Result<Child, String> {
    let Streams { stdin, stdout, stderr } = streams;
    let pipes = Pipes { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
    let child = start(program, pipes)?;
    let pidfd = rustix::process::pidfd_open(pid_of(&child), PidfdFlags::empty()).ok();
    Ok(Child { inner: child, pidfd, kill_after: program.limits.kill_after, end: None })
}

impl Child {
    /// Its process number, which is its group's too.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Our end of its stdin, once, if it is piped.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.inner.stdin.take()
    }

    /// Our end of its stdout, once, if it is piped.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.inner.stdout.take()
    }

    /// Our end of its stderr, once, if it is piped.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.inner.stderr.take()
    }

    /// A descriptor that becomes readable when the child ends; None where the kernel has no pidfd.
    pub fn ended_fd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// How it ended, if it has. The child is reaped then.
    pub fn ended(&mut self) -> Option<End> {
        if self.end.is_none()
            && let Ok(Some(status)) = self.inner.try_wait()
        {
            self.end = Some(exit_of(status));
        }
        self.end.clone()
    }

    /// Waits for its end, at most `wait`.
    pub fn wait_for(&mut self, wait: Duration) -> Option<End> {
        self.wait_unreaped(wait);
        self.ended()
    }

    /// The same; it is not reaped, so its group's number stays its own.
    fn wait_unreaped(&self, wait: Duration) {
        const LOOK: Duration = Duration::from_millis(5);
        let until = std::time::Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            if self.end.is_some() || left.is_zero() || has_exited(pid_of(&self.inner)) {
                return;
            }
            let mut watched = Vec::new();
            watched.extend(self.ended_fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            let nap = if watched.is_empty() { left.min(LOOK) } else { left };
            // A signal ends the nap early, and we look again.
            let _ = poll(&mut watched, Timespec::try_from(nap).ok().as_ref());
        }
    }

    /// Tells the child and its whole group. Nothing happens when it has ended.
    pub fn tell(&mut self, signal: Signal) {
        if self.ended().is_none() {
            signal_group(pid_of(&self.inner), number_of(signal));
        }
    }

    /// Tells the child and nobody else: what it starts is in its group for a moment, and not meant.
    pub fn tell_alone(&mut self, signal: Signal) {
        if self.ended().is_none() {
            // It can only have ended, and is not reaped.
            let _ = rustix::process::kill_process(pid_of(&self.inner), number_of(signal));
        }
    }

    /// Ends it (queue 3.8): closes its stdin, waits `patience`, SIGTERM to the group, waits `kill_after` for the
    /// child, SIGKILL to whoever is left. Streams that were taken must be dropped before.
    pub fn finish(mut self, patience: Duration) -> End {
        drop(self.inner.stdin.take());
        if let Some(end) = self.wait_for(patience) {
            return end;
        }
        self.end_group(self.kill_after)
    }

    /// SIGTERM to the group, and SIGKILL to what is left of it once the child has ended, or after `patience`.
    pub(crate) fn end_group(&mut self, patience: Duration) -> End {
        if let Some(end) = self.ended() {
            return end;
        }
        let pid = pid_of(&self.inner);
        signal_group(pid, rustix::process::Signal::TERM);
        self.wait_unreaped(patience);
        signal_group(pid, rustix::process::Signal::KILL);
        self.wait_for(self.kill_after).unwrap_or(End::Stopped)
    }
}

fn number_of(signal: Signal) -> rustix::process::Signal {
    match signal {
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Reload => rustix::process::Signal::HUP,
        Signal::Kill => rustix::process::Signal::KILL,
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.tell(Signal::Kill);
        if self.end.is_none() {
            // Killed: this can take long only where the kernel itself is stuck.
            let _ = self.inner.wait();
        }
    }
}

impl From<Stream> for Stdio {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Piped => Self::piped(),
            Stream::Inherited => Self::inherit(),
            Stream::Nothing => Self::null(),
            Stream::File(file) => file.into(),
        }
    }
}

/// The child's process number as rustix writes it.
pub(crate) fn pid_of(child: &std::process::Child) -> Pid {
    Pid::from_child(child)
}

/// How a child ended by itself.
pub(crate) fn exit_of(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Exited(code),
        None => End::Signalled(status.signal().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Limits};
    use std::io::{BufRead, BufReader, Write};
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(20);

    fn sh(script: &str) -> Child {
        let program = Program {
            path: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            dir: "/".into(),
            environment: Environment::new(vec![("PATH".into(), "/usr/bin:/bin".into())]),
            limits: Limits { kill_after: Duration::from_millis(300), ..Limits::default() },
        };
        let streams =
            Streams { stdin: Stream::Piped, stdout: Stream::Piped, stderr: Stream::Nothing };
        spawn(&program, streams).unwrap()
    }

    fn first_line(child: &mut Child) -> String {
        let mut line = String::new();
        BufReader::new(child.take_stdout().unwrap()).read_line(&mut line).unwrap();
        line
    }

    fn wait_until_gone(pid: u32) {
        let until = Instant::now() + LONG;
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        while !stat().is_empty() && !stat().contains(") Z") {
            assert!(Instant::now() < until, "{pid} lives on");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_child_is_talked_to_and_leaves_at_the_end_of_its_input() {
        let mut child = sh("read line; echo got $line; cat > /dev/null; exit 7");
        let mut stdin = child.take_stdin().unwrap();
        stdin.write_all(b"hello\n").unwrap();
        assert_eq!(first_line(&mut child), "got hello\n");
        assert_eq!(child.ended(), None);
        drop(stdin);
        assert_eq!(child.finish(LONG), End::Exited(7));
    }

    #[test]
    fn a_child_that_ignores_everything_is_killed() {
        let mut child = sh("trap '' TERM; echo up; while :; do sleep 1; done");
        assert_eq!(first_line(&mut child), "up\n");
        assert_eq!(child.finish(Duration::ZERO), End::Signalled(9));
    }

    #[test]
    fn a_dropped_child_takes_its_group_along() {
        let mut child = sh("sleep 100 & echo $!; wait");
        let grandchild: u32 = first_line(&mut child).trim().parse().unwrap();
        let pid = child.pid();
        drop(child);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "reaped");
        wait_until_gone(grandchild);
    }

    #[test]
    fn who_outlives_the_child_in_its_group_is_killed_with_it() {
        let mut child = sh("(trap '' TERM; sleep 100) & echo $!; cat > /dev/null; wait");
        let grandchild: u32 = first_line(&mut child).trim().parse().unwrap();
        let left = std::time::Duration::ZERO;
        assert_eq!(child.finish(left), End::Signalled(15));
        wait_until_gone(grandchild);
    }

    #[test]
    fn an_end_is_seen_and_kept() {
        let mut child = sh("exit 3");
        assert_eq!(child.wait_for(LONG), Some(End::Exited(3)));
        assert_eq!(child.ended(), Some(End::Exited(3)));
        child.tell(Signal::Kill);
        let mut stays = sh("cat");
        assert_eq!(stays.wait_for(Duration::from_millis(20)), None);
        stays.tell(Signal::Terminate);
        assert_eq!(stays.wait_for(LONG), Some(End::Signalled(15)));
    }
}
