//! How long to wait before a program that died is started again. Pure.

use std::time::Duration;

/// A program that ran that long is well: its next death counts as the first.
const WELL: Duration = Duration::from_mins(1);

/// Pauses between starts of one program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    first: Duration,
    most: Duration,
    deaths: u32,
}

impl Rest {
    /// After the first death `first`, then twice that, up to `most`.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, deaths: 0 }
    }

    /// The pause after it ran for that long.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= WELL {
            self.deaths = 0;
        }
        let doubled = self.first.saturating_mul(1 << self.deaths.min(20));
        self.deaths += 1;
        doubled.min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_begin_anew_after_a_good_run() {
        let mut rest = Rest::new(Duration::from_secs(1), Duration::from_secs(10));
        let short = Duration::from_millis(5);
        let pauses: Vec<u64> = (0..6).map(|_| rest.after(short).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(rest.after(WELL).as_secs(), 1);
    }
}
