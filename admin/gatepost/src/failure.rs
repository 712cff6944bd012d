//! How the tool ends when it can't: a message and an exit code of sysexits(3).

use crate::output;
use config::ConfigError;
use notice::chain;
use platform::{Answer, PlatformError, Refusal};
use std::process::ExitCode;
use store::StoreError;

/// What every command answers.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Exit codes of sysexits(3).
pub(crate) mod code {
    pub(crate) const USAGE: u8 = 64;
    pub(crate) const INPUT: u8 = 65;
    pub(crate) const NOT_FOUND: u8 = 66;
    pub(crate) const UNAVAILABLE: u8 = 69;
    pub(crate) const CANT_CREATE: u8 = 73;
    pub(crate) const TRY_AGAIN: u8 = 75;
    pub(crate) const NOT_PERMITTED: u8 = 77;
    pub(crate) const CONFIG: u8 = 78;
}

/// A failure, ready for the person.
pub(crate) enum Failure {
    /// What clap has to say: help, version, or wrong use.
    Clap(clap::Error),
    /// A message and its code.
    Said { code: u8, text: String },
    /// A function refused: the same, and its error document.
    Refused { code: u8, text: String, document: Box<Answer> },
}

impl Failure {
    /// With a code.
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self::Said { code, text: text.into() }
    }

    /// Wrong use: 64.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(code::USAGE, text)
    }

    /// Says it on stderr (help and version go to stdout).
    pub(crate) fn tell(&self) {
        match self {
            Self::Clap(error) => drop(error.print()),
            Self::Said { text, .. } | Self::Refused { text, .. } => {
                output::tell(&format!("gatepost: {text}"));
            }
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Clap(error) if error.use_stderr() => ExitCode::from(code::USAGE),
            Self::Clap(_) => ExitCode::SUCCESS,
            Self::Said { code, .. } | Self::Refused { code, .. } => ExitCode::from(*code),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            code: refusal.exit_code(),
            text: chain(&refusal),
            document: Box::new(Answer::of(refusal.to_document())),
        }
    }
}

impl From<PlatformError> for Failure {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::Config(error) => error.into(),
            PlatformError::Store(error) => error.into(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let code = match &error {
            ConfigError::Stranger { .. } | ConfigError::NotOwner { .. } => code::NOT_PERMITTED,
            _ => code::CONFIG,
        };
        Self::new(code, chain(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let waits = error.is_passing() || matches!(error, StoreError::NewerSchema { .. });
        let code = if waits { code::TRY_AGAIN } else { code::CONFIG };
        Self::new(code, chain(&error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(code::CANT_CREATE, error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(code::CANT_CREATE, format!("{error:#}"))
    }
}
