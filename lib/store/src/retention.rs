//! How long what has ended is kept (queue 3.10).

use notice::Ms;

/// How long, in days, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Log rows and ended downtimes. A key whose task has ended is known by its log row: it goes with it.
    pub log_days: u32,
    /// Events.
    pub event_days: u32,
    /// Failed tasks.
    pub failed_days: u32,
    /// Keys, after the end of their task.
    pub key_days: u32,
    /// Blobs, after their last use.
    pub blob_days: u32,
    /// The journal.
    pub journal_days: u32,
    /// Callers' keys with their answers.
    pub call_key_days: u32,
    /// Reply tokens, used or not.
    pub reply_token_days: u32,
}

impl Retention {
    /// What `etc/gatepost.toml` ships.
    pub const SHIPPED: Self = Self {
        log_days: 30,
        event_days: 30,
        failed_days: 30,
        key_days: 7,
        blob_days: 7,
        journal_days: 30,
        call_key_days: 1,
        reply_token_days: 30,
    };
}

/// The moment so many days before `now`.
pub(crate) fn before(now: Ms, days: u32) -> Ms {
    now.plus(-i64::from(days) * Ms::DAY)
}
