//! The breaker of a script that keeps failing: a small file in `var/run/handler/`, so that every process of the
//! installation sees it, and nothing is kept of a script that works.

use notice::{Clock, Ms, SystemClock};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Longest reason that is kept, bytes.
const REASON_BYTES: usize = 500;

/// Where failures are counted, and how many open.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    folder: PathBuf,
    failures: u32,
    open_ms: i64,
}

/// How a script stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// In a row.
    pub(crate) failures: u32,
    /// The last one.
    pub(crate) since: Ms,
    /// Why.
    pub(crate) reason: String,
    /// Until then it is not started; None: the breaker is closed, or it is time for another attempt.
    pub(crate) open_for: Option<Duration>,
}

impl Breaker {
    pub(crate) fn new(folder: PathBuf, failures: u32, open: Duration) -> Self {
        let open_ms = i64::try_from(open.as_millis()).unwrap_or(i64::MAX);
        Self { folder, failures, open_ms }
    }

    /// None: its last run was no failure.
    pub(crate) fn state(&self, script: &str) -> Option<Failing> {
        let text = config::read_regular_text(&self.folder.join(script)).ok()?;
        let (head, reason) = text.split_once('\n').unwrap_or((&text, ""));
        let (count, since) = head.split_once(' ')?;
        let (failures, since) = (count.parse().ok()?, Ms(since.parse().ok()?));
        let passed = SystemClock.now().since(since);
        let left = self.open_ms.saturating_sub(passed.max(0));
        let is_open = failures >= self.failures && left > 0;
        let open_for =
            is_open.then(|| Duration::from_millis(u64::try_from(left).unwrap_or_default()));
        Some(Failing { failures, since, reason: reason.to_owned(), open_for })
    }

    /// One more failure; how it stands now. A full disk costs the count, nothing else.
    pub(crate) fn failed(&self, script: &str, reason: &str) -> Option<Failing> {
        let known = self.state(script).map_or(0, |known| known.failures);
        let end = reason.floor_char_boundary(REASON_BYTES);
        let text = format!("{} {}\n{}", known.saturating_add(1), SystemClock.now(), &reason[..end]);
        let beside = self.folder.join(format!("{script}.{}", std::process::id()));
        let _ = fs::create_dir_all(&self.folder);
        let written = fs::write(&beside, text);
        let _ = written.and_then(|()| fs::rename(&beside, self.folder.join(script)));
        self.state(script)
    }

    /// It works.
    pub(crate) fn worked(&self, script: &str) {
        let _ = fs::remove_file(self.folder.join(script));
    }
}
