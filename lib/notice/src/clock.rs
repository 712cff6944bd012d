//! Time. Stored times are UTC milliseconds; leases are also watched on the clock that no one can set.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Milliseconds: since 1970 UTC for a stored time, since boot for a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ms(pub i64);

impl Ms {
    /// A second.
    pub const SECOND: i64 = 1_000;
    /// A day.
    pub const DAY: i64 = 86_400_000;

    /// This moment and so many milliseconds more (fewer, when negative).
    #[must_use]
    pub fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this moment.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Ms;
    /// Milliseconds since boot, sleep included: a step of the wall clock does not touch it (queue 2).
    fn since_boot(&self) -> Ms;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Ms {
        milliseconds_of(rustix::time::ClockId::Realtime)
    }

    fn since_boot(&self) -> Ms {
        milliseconds_of(rustix::time::ClockId::Boottime)
    }
}

fn milliseconds_of(clock: rustix::time::ClockId) -> Ms {
    let time = rustix::time::clock_gettime(clock);
    Ms(time.tv_sec * 1_000 + time.tv_nsec / 1_000_000)
}

/// A clock that tests set. Both readings move together.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Ms) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock on.
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Ms {
        Ms(self.0.load(Ordering::SeqCst))
    }

    fn since_boot(&self) -> Ms {
        self.now()
    }
}
