//! One call as other people's code sees it, and what is written down of each of their runs.

use crate::caller::Caller;
use crate::function::Function;
use crate::once::Keyed;
use crate::replies::Step;
use config::{Level, Log};
use notice::{Fields, Mask, Ms};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The name of a call: unique over processes, in the order of time as a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallId(String);

impl CallId {
    /// A new one.
    pub(crate) fn new(now: Ms) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{:012x}-{:x}-{count:x}", now.0, std::process::id()))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call on its way down the pipeline.
pub(crate) struct Call {
    pub(crate) id: CallId,
    /// What is called.
    pub(crate) function: &'static Function,
    /// By which of its names: `user.add` is `user.edit`.
    pub(crate) called_as: String,
    /// Under which of the `manager_names`: `gatepost`, `billmgr`.
    pub(crate) manager: String,
    pub(crate) caller: Caller,
    /// As they came, `func`, `sok` and `elid` among them; before handlers may change them.
    pub(crate) params: Fields,
    /// Every secret the call knows so far: runs are written to the journal under it.
    pub(crate) mask: Mask,
    /// What its transaction does beside what is asked.
    pub(crate) along: Along,
}

/// What the transaction of a call does beside what is asked: both happen or neither.
#[derive(Clone, Debug, Default)]
pub(crate) enum Along {
    #[default]
    Nothing,
    /// The answer is kept under this key.
    Key(Keyed),
    /// A step of what follows from an incoming message is taken.
    Step(Step),
}

/// Where a run belongs (extensions 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A handler before the function.
    Before,
    /// A plugin's code around it.
    Middleware,
    /// A plugin's hook that sets a value.
    Hook,
    /// A handler after it.
    After,
    /// A handler after it and after the late modifiers.
    Late,
    /// A handler that influences nothing.
    Final,
    /// A command that came by mail.
    Mail,
    /// A gate that tunes its form.
    Formtune,
    /// A gate, or a program of `processing/`, that is asked whether it works.
    Check,
    /// A gate that hands over a test message.
    Outgoing,
}

impl Place {
    /// The word in the journal.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Middleware => "middleware",
            Self::Hook => "hook",
            Self::After => "after",
            Self::Late => "late",
            Self::Final => "final",
            Self::Mail => "mail",
            Self::Formtune => "formtune",
            Self::Check => "check_connection",
            Self::Outgoing => "outgoing",
        }
    }
}

/// One run of outside code: a row of the journal. The pipeline masks and shortens `output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) place: Place,
    /// The handler's or plugin's.
    pub(crate) name: String,
    /// `ok`, `refused`, `skipped`, `failed`, `ignored` …
    pub(crate) outcome: String,
    pub(crate) took: Duration,
    /// What it said, or what is wrong.
    pub(crate) output: String,
}

/// What outside code is run with: how programs are started, where lines go, and the journal of this call.
pub(crate) struct Outside<'a> {
    pub(crate) starter: &'a host::Caller,
    /// None where there is no log: tests.
    pub(crate) log: Option<&'a Log>,
    /// A row for each run; the pipeline writes them after the call.
    pub(crate) journal: Vec<Run>,
}

impl Outside<'_> {
    /// A line of the log.
    pub(crate) fn line(&self, level: Level, text: &str) {
        if let Some(log) = self.log {
            log.line(level, text);
        }
    }
}
