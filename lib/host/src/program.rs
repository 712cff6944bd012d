//! What is to be started, and what became of it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The whole environment of a program. Made once, shared by every start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(Arc<[(OsString, OsString)]>);

impl Environment {
    /// Exactly these names, nothing of ours.
    pub fn new(all: Vec<(OsString, OsString)>) -> Self {
        Self(all.into())
    }

    /// These names too; a name that is there is replaced.
    #[must_use]
    pub fn with<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        &self,
        more: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut all = self.0.to_vec();
        for (name, value) in more {
            all.retain(|(known, _)| known != name.as_ref());
            all.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        }
        Self::new(all)
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

/// What a program may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall time from the start; then SIGTERM to its process group.
    pub deadline: Duration,
    /// From SIGTERM to SIGKILL.
    pub kill_after: Duration,
    /// One byte more on stdout ends it.
    pub stdout_bytes: usize,
    /// So much of the end of stderr is kept; the rest is read and dropped.
    pub stderr_bytes: usize,
}

impl Default for Limits {
    /// 30 s, 2 s, 8 MiB, 64 KiB (extensions 1.6).
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            kill_after: Duration::from_secs(2),
            stdout_bytes: 8 << 20,
            stderr_bytes: 64 << 10,
        }
    }
}

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file, absolute. PATH is not searched.
    pub path: PathBuf,
    /// Its arguments, without its own name. Never a secret: others read them in the process list.
    pub args: Vec<OsString>,
    /// Its working directory: ROOT (S3-76).
    pub dir: PathBuf,
    /// Its environment.
    pub environment: Environment,
    /// What it may use up.
    pub limits: Limits,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal, not ours; 0 when the system would not say.
    Signalled(i32),
    /// We ended it: the deadline.
    Deadline,
    /// We ended it: too much on stdout.
    OutputLimit,
    /// We ended it: we were told to stop.
    Stopped,
    /// It was never started; why, in words.
    NotStarted(String),
}

/// A fact: what became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// What it printed, at most `stdout_bytes`.
    pub stdout: Vec<u8>,
    /// The end of what it complained about, at most `stderr_bytes`.
    pub stderr_tail: Vec<u8>,
    /// From the start to the end.
    pub took: Duration,
    /// True when all of the input was written, or the program closed its stdin early and lived on: it
    /// may have acted. False when it was ended, or died by a signal, with input still unread.
    pub input_written: bool,
}

impl Ran {
    pub(crate) fn not_started(why: String) -> Self {
        Self {
            end: End::NotStarted(why),
            stdout: Vec::new(),
            stderr_tail: Vec::new(),
            took: Duration::ZERO,
            input_written: false,
        }
    }
}
