//! When a task is tried again, and when it is given up (queue 3.2). Pure.

use notice::Ms;
use store::Downtime;

/// The retry table of one kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryTable {
    /// Delay before the second attempt, milliseconds.
    pub base_ms: i64,
    /// The longest delay, milliseconds.
    pub cap_ms: i64,
    /// Given up at this age, milliseconds; time in which no gateway was usable does not count.
    pub max_age_ms: i64,
    /// Given up after so many failed attempts; None: age alone decides.
    pub max_tries: Option<u32>,
}

#[cfg(test)]
impl RetryTable {
    /// `[retry.mail]` as shipped.
    pub(crate) const MAIL: Self = Self::of_secs(30, 3_600, 3 * 86_400);
    /// `[retry.sms]` as shipped.
    pub(crate) const SMS: Self = Self::of_secs(15, 600, 3_600);
    /// `[retry.internal]` as shipped.
    pub(crate) const INTERNAL: Self = Self::of_secs(5, 300, 3_600);

    const fn of_secs(base: i64, cap: i64, max_age: i64) -> Self {
        Self {
            base_ms: base * 1_000,
            cap_ms: cap * 1_000,
            max_age_ms: max_age * 1_000,
            max_tries: None,
        }
    }
}

impl RetryTable {
    /// The delay after the `failures`-th failure (from 1): equal jitter on `base·2^(n−1)`, so between half
    /// of it and the whole. `chance` is a random number; the same one gives the same delay.
    pub fn delay_ms(&self, failures: u32, chance: u64) -> i64 {
        let doublings = failures.saturating_sub(1).min(40);
        let full = self.base_ms.saturating_mul(1_i64 << doublings).min(self.cap_ms).max(1);
        let half = full / 2;
        half + i64::try_from(chance % u64::try_from(full - half + 1).unwrap_or(1)).unwrap_or(0)
    }

    /// Whether a task that has now failed `failures` times at this age is tried again. A first failure
    /// never ends a task: it may have waited long for a worker or a gateway, which is not its fault.
    pub fn gives_up(&self, failures: u32, age_ms: i64) -> bool {
        if self.max_tries.is_some_and(|most| failures >= most) {
            return true;
        }
        failures > 1 && age_ms >= self.max_age_ms
    }
}

/// How old a task is: the time since `since` without that in which nothing could be sent, because the
/// queue was paused or every gateway of the route was unusable at once.
pub fn age_ms(since: Ms, now: Ms, paused: &[Downtime], gateways: &[Vec<Downtime>]) -> i64 {
    let mut blocked = spans(paused, since, now);
    blocked.extend(common_spans(gateways, since, now));
    blocked.sort_unstable();
    let mut lost = 0;
    let mut counted_to = since.0;
    for (from, to) in blocked {
        let from = from.max(counted_to);
        if to > from {
            lost += to - from;
            counted_to = to;
        }
    }
    (now.since(since) - lost).max(0)
}

fn spans(downtimes: &[Downtime], since: Ms, now: Ms) -> Vec<(i64, i64)> {
    downtimes
        .iter()
        .map(|down| (down.from.0.max(since.0), down.to.unwrap_or(now).0.min(now.0)))
        .filter(|(from, to)| to > from)
        .collect()
}

/// Times in which all of them were down at once; none without gateways.
fn common_spans(gateways: &[Vec<Downtime>], since: Ms, now: Ms) -> Vec<(i64, i64)> {
    let Some((first, others)) = gateways.split_first() else { return Vec::new() };
    let mut common = spans(first, since, now);
    for other in others {
        let other = spans(other, since, now);
        common = common
            .iter()
            .flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))))
            .filter(|(from, to)| to > from)
            .collect();
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(from: i64, to: i64) -> Downtime {
        Downtime { from: Ms(from), to: Some(Ms(to)) }
    }

    #[test]
    fn the_delay_doubles_between_half_and_whole_up_to_the_cap() {
        for (table, failures, full) in [
            (RetryTable::MAIL, 1, 30_000),
            (RetryTable::MAIL, 2, 60_000),
            (RetryTable::MAIL, 8, 3_600_000),
            (RetryTable::MAIL, 4_000_000_000, 3_600_000),
            (RetryTable::SMS, 1, 15_000),
            (RetryTable::SMS, 7, 600_000),
            (RetryTable::INTERNAL, 1, 5_000),
            (RetryTable::INTERNAL, 7, 300_000),
        ] {
            assert_eq!(table.delay_ms(failures, 0), full / 2);
            for chance in [1, 12_345, u64::MAX] {
                let delay = table.delay_ms(failures, chance);
                assert!((full / 2..=full).contains(&delay), "{delay} after {failures}");
            }
        }
    }

    #[test]
    fn age_ends_a_task_but_not_at_its_first_failure() {
        let table = RetryTable::SMS;
        assert!(!table.gives_up(1, i64::MAX));
        assert!(!table.gives_up(2, 3_599_999));
        assert!(table.gives_up(2, 3_600_000));
        assert!(RetryTable { max_tries: Some(3), ..table }.gives_up(3, 0));
    }

    #[test]
    fn time_without_a_usable_gateway_does_not_count() {
        let none: &[Vec<Downtime>] = &[];
        assert_eq!(age_ms(Ms(100), Ms(1_100), &[], none), 1_000);
        assert_eq!(age_ms(Ms(100), Ms(1_100), &[down(0, 300)], none), 800);
        // both gateways down at once from 400 to 500 only
        let two = [vec![down(200, 500)], vec![down(400, 900)]];
        assert_eq!(age_ms(Ms(0), Ms(1_000), &[], &two), 900);
        // paused and down overlap: taken off once
        assert_eq!(age_ms(Ms(0), Ms(1_000), &[down(450, 600)], &two), 800);
        // still down
        let open = [vec![Downtime { from: Ms(400), to: None }]];
        assert_eq!(age_ms(Ms(0), Ms(1_000), &[], &open), 400);
        // a clock that was set back makes nobody younger than nothing
        assert_eq!(age_ms(Ms(1_000), Ms(10), &[], none), 0);
    }
}
