//! How long a gate that has fallen is left alone. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// Pauses between the children of one gateway.
pub(super) struct Rest {
    first: Duration,
    most: Duration,
    falls: u32,
    until: Option<Instant>,
}

impl Rest {
    pub(super) fn new((first, most): (Duration, Duration)) -> Self {
        Self { first, most, falls: 0, until: None }
    }

    /// A child has fallen. The first fall costs nothing, nor does one after a good life: it had answered something
    /// and lived longer than the first pause. Others are followed by a pause, each twice the last; how long.
    pub(super) fn fell(&mut self, (lived, answered): (Duration, u64), now: Instant) -> Duration {
        if answered > 0 && lived >= self.first {
            self.falls = 0;
        }
        let doubled = self.first.saturating_mul(1 << self.falls.saturating_sub(1).min(20));
        let pause = if self.falls == 0 { Duration::ZERO } else { doubled.min(self.most) };
        self.falls = self.falls.saturating_add(1);
        self.until = Some(now + pause);
        pause
    }

    /// It could not be started. The breaker decides when it is tried again; what comes before it is known waits.
    pub(super) fn not_started(&mut self, now: Instant) {
        const A_MOMENT: Duration = Duration::from_millis(20);
        self.until = Some(now + A_MOMENT);
    }

    /// What is left of the pause.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// True while the next child has to show first that it can answer one message.
    pub(super) fn is_wary(&self) -> bool {
        self.falls > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_every_fall_and_end_with_a_good_life() {
        let second = Duration::from_secs(1);
        let mut rest = Rest::new((second, 3 * second));
        let now = Instant::now();
        let mut fell = |lived: u32, answered| {
            let pause = rest.fell((lived * second, answered), now).as_secs();
            assert_eq!(rest.left(now).unwrap_or_default().as_secs(), pause);
            pause
        };
        assert_eq!([fell(0, 0), fell(0, 5), fell(9, 0), fell(9, 0)], [0, 1, 2, 3]);
        assert_eq!([fell(9, 1), fell(0, 1)], [0, 1]);
        rest.not_started(now);
        assert!(rest.left(now).is_some_and(|left| left < second));
        assert!(rest.is_wary());
    }
}
