//! How an attempt ended, and what was said about it.

use std::fmt;
use std::str::FromStr;

/// How an attempt ended (DESIGN 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The service has it.
    Sent,
    /// Not now; try again.
    Later,
    /// Refused for good.
    Never,
    /// The gateway itself is unfit: credentials, configuration.
    Hold,
    /// Nobody can tell whether it was sent.
    Unknown,
}

impl Outcome {
    /// The word of the log and of the control tool.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Later => "later",
            Self::Never => "never",
            Self::Hold => "hold",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whether the gateway was reached at all. What was never reached spends no attempt (queue 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The gateway answered, well or badly.
    Reached,
    /// The program could not be started, or said that it could not connect.
    Unreached,
}

/// What one attempt brought: the outcome and what is known beside it. Text is masked already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in words a person reads in `err_info`; empty when sent.
    pub reason: String,
    /// The service's own number for the message.
    pub reference: Option<String>,
    /// The service asked to be left alone for that long, in seconds.
    pub retry_after_secs: Option<u32>,
    /// Whether the gateway was reached.
    pub reach: Reach,
}

impl Answer {
    /// Sent, with the service's reference if it gave one.
    pub fn sent(reference: Option<String>) -> Self {
        Self {
            outcome: Outcome::Sent,
            reason: String::new(),
            reference,
            retry_after_secs: None,
            reach: Reach::Reached,
        }
    }

    /// Any other outcome, with its reason.
    pub fn not_sent(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), ..Self::sent(None) }
    }

    /// The gateway could not be reached or started: later, and no attempt spent.
    pub fn unreached(reason: impl Into<String>) -> Self {
        Self { reach: Reach::Unreached, ..Self::not_sent(Outcome::Later, reason) }
    }
}

/// What to do with a task whose attempt ended unknown (queue 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Try again, on the same gateway only. The default for mail.
    Retry,
    /// Ask a person. The default for sms.
    Ask,
}

/// A word that is not in the list it was looked up in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of {allowed}")]
pub struct UnknownWord {
    /// What stood there.
    pub found: String,
    /// What may stand there.
    pub allowed: &'static str,
}

impl FromStr for OnUnknown {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "retry" => Ok(Self::Retry),
            "ask" => Ok(Self::Ask),
            _ => Err(UnknownWord { found: text.to_owned(), allowed: "retry, ask" }),
        }
    }
}

impl OnUnknown {
    /// The word of `notice.toml` and of the gateway's form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Ask => "ask",
        }
    }
}
