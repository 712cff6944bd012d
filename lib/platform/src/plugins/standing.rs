//! Where a plugin stands.

use super::blame::Stalled;
use std::fmt;
use std::time::{Duration, Instant};

/// A plugin that is known to the keeper.
#[derive(Debug, Default)]
pub(super) struct Plugin {
    pub(super) standing: Standing,
    /// It overran its limit in the worker that is ending now.
    pub(super) overran: Option<Stalled>,
    ends: Vec<Instant>,
}

/// Whether it is loaded, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// To be loaded into the worker that is being started.
    #[default]
    Wanted,
    /// Loaded; its class.
    Loaded(String),
    /// A file that is no plugin: it names no class.
    Skipped,
    /// Why it could not be loaded.
    Failed(String),
    /// It made an end of the worker too often.
    LeftOut,
}

impl Plugin {
    /// One that is to be loaded; what it did before is forgotten.
    pub(super) fn wanted() -> Self {
        Self::default()
    }

    /// It made an end of the worker now; older ends count no more.
    pub(super) fn ends(&mut self, now: Instant, window: Duration) {
        self.ends.retain(|at| now.saturating_duration_since(*at) < window);
        self.ends.push(now);
    }

    /// Ends within the window.
    pub(super) fn count_ends(&self) -> usize {
        self.ends.len()
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wanted => f.write_str("starting"),
            Self::Loaded(class) => write!(f, "loaded, class {class}"),
            Self::Skipped => f.write_str("no plugin: it names no class in UCS_PLUGIN"),
            Self::Failed(reason) => write!(f, "not loaded: {reason}"),
            Self::LeftOut => f.write_str(
                "left out: it made an end of the worker too often; `plugins.load` brings it back",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_within_the_window_count() {
        let mut plugin = Plugin::wanted();
        let start = Instant::now();
        let window = Duration::from_mins(10);
        for secs in [0, 300, 700] {
            plugin.ends(start + Duration::from_secs(secs), window);
        }
        assert_eq!(plugin.count_ends(), 2);
    }
}
