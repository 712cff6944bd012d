//! Why a gate did not do what it was asked, in the five ways the queue knows (DESIGN 5).

/// What the queue does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Not now: the task waits and is tried again.
    Later,
    /// This message will never be taken: the task fails with the reason.
    Never,
    /// The gateway itself is unfit (credentials, configuration): it is held, its tasks wait.
    Hold,
    /// The service could not be reached and has surely seen nothing: later, and no attempt is spent.
    Unreached,
    /// The message was handed over, but nobody can tell what became of it: retried or asked, as the
    /// gateway's policy says. Never use it when you are sure that nothing was sent.
    Unknown,
}

/// A failure and its reason in words a person reads in `err_info`. Keep secrets out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the queue does.
    pub kind: FailureKind,
    /// Why, in one line.
    pub text: String,
    /// The service asked to be left alone for that long, in seconds.
    pub retry_after_secs: Option<u32>,
}

impl Failure {
    /// Try again.
    pub fn later(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Later, text)
    }

    /// Refused for good.
    pub fn never(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Never, text)
    }

    /// The gateway is unfit.
    pub fn hold(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Hold, text)
    }

    /// Nothing was reached.
    pub fn unreached(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Unreached, text)
    }

    /// Perhaps sent.
    pub fn unknown(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Unknown, text)
    }

    /// The same failure with the pause the service asked for.
    #[must_use]
    pub fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after_secs = seconds;
        self
    }

    fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), retry_after_secs: None }
    }
}

/// What failed before a byte was written is *unreached*; after that nobody can tell. The URL stays out of the
/// words: it may hold a password.
#[cfg(feature = "reqwest")]
impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let words = notice::chain(&error);
        if error.is_builder() {
            Self::hold(format!("the request can't be built: {words}"))
        } else if error.is_connect() {
            Self::unreached(format!("the service can't be reached: {words}"))
        } else if error.is_timeout() {
            Self::unknown("the service gave no answer in time")
        } else {
            Self::unknown(format!("the service broke off: {words}"))
        }
    }
}
