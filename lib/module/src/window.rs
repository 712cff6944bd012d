//! How much one gateway may have at once, and how fast (queue 3.3). Pure: the time is an argument.

use notice::Ms;
use std::collections::VecDeque;

/// Failures in a row before the window shrinks by more than its share (reverse hysteresis: it closes
/// later than it opens, so that one bad answer does not throttle a healthy gateway).
const PATIENCE: u32 = 2;
/// Which part of what a gateway took just now is claimed ahead.
const AHEAD_PART: u32 = 5;
/// And at least so many.
const AHEAD_LEAST: u32 = 2;
/// A gateway that took more than so many is fast: of what is beyond, half is claimed ahead. So few that what an
/// urgent task may have before it is gone in some milliseconds.
const FAST: u32 = 10;
const FAST_PART: u32 = 2;

/// The window and the token bucket of one gateway in this process.
#[derive(Clone, Debug)]
pub struct Window {
    size: f64,
    most: u32,
    ahead_ms: i64,
    failures: u32,
    in_hand: u32,
    taken: VecDeque<Ms>,
    /// How many the last claim was allowed beyond the window.
    ahead: u32,
    bucket: Option<Bucket>,
    /// Its service asked to be left alone until then.
    rests_until: Option<Ms>,
}

/// Tokens: one is spent with each task, `rate` thousandths come back each second, at most a second's
/// worth is saved; it begins with one, so that starting anew brings no second's worth each time. Counted in
/// millionths, so that a rate in thousandths adds whole numbers each millisecond.
#[derive(Clone, Debug)]
struct Bucket {
    rate: i64,
    millionths: i64,
    filled_at: Ms,
}

const TOKEN: i64 = 1_000_000;

/// Whatever a service asks for, it is tried again after that.
const REST_MOST_MS: i64 = 15 * 60_000;

/// The limits of a gateway, its share for this process already taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most so many at once, at least 1.
    pub concurrency: u32,
    /// A window starts with so many.
    pub first: u32,
    /// How far back "what the gateway took just now" looks, milliseconds.
    pub ahead_ms: i64,
    /// At most so many thousandths of a task a second; None: no limit.
    pub rate_thousandths: Option<i64>,
}

impl Limits {
    /// The share of one of `workers` that live.
    #[must_use]
    pub fn shared_by(self, workers: u32) -> Self {
        let workers = workers.max(1);
        Self {
            concurrency: (self.concurrency / workers).max(1),
            first: self.first,
            ahead_ms: self.ahead_ms,
            rate_thousandths: self.rate_thousandths.map(|rate| (rate / i64::from(workers)).max(1)),
        }
    }
}

impl Window {
    /// A window that has handed over nothing yet.
    pub fn new(limits: Limits, now: Ms) -> Self {
        let mut window = Self {
            size: f64::from(limits.first.max(1)),
            most: 1,
            ahead_ms: limits.ahead_ms,
            failures: 0,
            in_hand: 0,
            taken: VecDeque::new(),
            ahead: 0,
            bucket: None,
            rests_until: None,
        };
        window.set_limits(limits, now);
        window
    }

    /// New limits, at once. What is in hand stays.
    pub fn set_limits(&mut self, limits: Limits, now: Ms) {
        self.most = limits.concurrency.max(1);
        self.ahead_ms = limits.ahead_ms;
        self.bucket = limits.rate_thousandths.map(|rate| match self.bucket.take() {
            Some(known) => known.at_rate(rate, now),
            None => Bucket { rate, millionths: TOKEN, filled_at: now },
        });
    }

    /// How many may run at once now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 ≤ size ≤ most, a u32"
    )]
    pub fn open(&self) -> u32 {
        self.size.clamp(1.0, f64::from(self.most)) as u32
    }

    /// Claimed and not ended.
    pub fn in_hand(&self) -> u32 {
        self.in_hand
    }

    /// How many may be claimed now: the free window and a little ahead, as far as there are tokens. Ahead
    /// is a fifth of what the gateway took just now, up to a half with a fast one, at least two, and never more
    /// than it took (queue 2): so a fast gateway does not wait for us, and an urgent task not for what is claimed
    /// already.
    pub fn free(&mut self, now: Ms) -> u32 {
        while self.taken.front().is_some_and(|at| now.since(*at) > self.ahead_ms) {
            self.taken.pop_front();
        }
        let recent = u32::try_from(self.taken.len()).unwrap_or(u32::MAX);
        let of_a_fast_one = recent.saturating_sub(FAST) / FAST_PART;
        let ahead = recent.min(recent.div_ceil(AHEAD_PART).max(AHEAD_LEAST).max(of_a_fast_one));
        self.ahead = ahead;
        if self.resting(now).is_some() {
            return 0;
        }
        let room = self.open().saturating_add(ahead).saturating_sub(self.in_hand);
        match &mut self.bucket {
            Some(bucket) => room.min(bucket.tokens(now)),
            None => room,
        }
    }

    /// True while the window is full and a quarter of what was claimed ahead is still there: no claim is urgent.
    pub fn is_supplied(&self) -> bool {
        self.in_hand >= self.open().saturating_add(self.ahead.div_ceil(4).max(1))
    }

    /// When its rest ends or the next token comes; None when neither is what is missing.
    pub fn next_chance(&self, now: Ms) -> Option<Ms> {
        self.resting(now).or_else(|| self.next_token(now))
    }

    /// Until when it rests. A clock that was set back makes no rest longer.
    fn resting(&self, now: Ms) -> Option<Ms> {
        self.rests_until.filter(|until| (1..=REST_MOST_MS).contains(&until.since(now)))
    }

    fn next_token(&self, now: Ms) -> Option<Ms> {
        let bucket = self.bucket.as_ref().filter(|bucket| bucket.millionths < TOKEN)?;
        let missing = TOKEN - bucket.millionths;
        Some(bucket.filled_at.plus((missing + bucket.rate - 1) / bucket.rate).max(now.plus(1)))
    }

    /// So many were claimed.
    pub fn claimed(&mut self, count: u32) {
        self.in_hand += count;
        if let Some(bucket) = &mut self.bucket {
            bucket.millionths -= i64::from(count) * TOKEN;
        }
    }

    /// One has ended, whatever became of it: its place is free.
    pub fn landed(&mut self) {
        self.in_hand = self.in_hand.saturating_sub(1);
    }

    /// What has ended was never handed over: its token is back.
    pub fn refund(&mut self) {
        if let Some(bucket) = &mut self.bucket {
            bucket.millionths += TOKEN;
        }
    }

    /// Its service asked to be left alone so long: nothing is claimed for it meanwhile.
    pub fn rest(&mut self, secs: u32, now: Ms) {
        let until = rests_to(secs, now);
        self.rests_until = self.resting(now).max(Some(until));
    }

    /// It rests already: another run was asked to leave it alone until then.
    pub fn rest_until(&mut self, until: Ms) {
        self.rests_until = Some(until);
    }

    /// The gateway took one: the window grows by 1/N.
    pub fn took(&mut self, now: Ms) {
        self.failures = 0;
        self.taken.push_back(now);
        self.size = (self.size + 1.0 / self.size).min(f64::from(self.most).max(1.0));
    }

    /// The gateway failed one: the window shrinks by 1/N, by 1 when failures follow each other.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let step = if self.failures > PATIENCE { 1.0 } else { 1.0 / self.size };
        self.size = (self.size - step).max(1.0);
    }
}

impl Bucket {
    /// What was saved stays, as far as it may be saved at another rate.
    fn at_rate(mut self, rate: i64, now: Ms) -> Self {
        if self.rate != rate {
            self.tokens(now);
            self.rate = rate;
            self.millionths = self.millionths.min(self.most());
        }
        self
    }

    fn most(&self) -> i64 {
        (self.rate * 1_000).max(TOKEN)
    }

    /// Whole tokens after what has come back until now. A clock that was set back brings nothing.
    fn tokens(&mut self, now: Ms) -> u32 {
        let passed_ms = now.since(self.filled_at).clamp(0, 3_600_000);
        self.filled_at = now;
        self.millionths = (self.millionths + passed_ms * self.rate).min(self.most());
        u32::try_from(self.millionths.max(0) / TOKEN).unwrap_or(u32::MAX)
    }
}

/// When a rest of so many seconds ends.
pub(crate) fn rests_to(secs: u32, now: Ms) -> Ms {
    now.plus((i64::from(secs) * 1_000).min(REST_MOST_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(concurrency: u32, rate_thousandths: Option<i64>) -> Limits {
        Limits { concurrency, first: 5, ahead_ms: 100, rate_thousandths }
    }

    fn window(concurrency: u32, rate_thousandths: Option<i64>) -> Window {
        Window::new(limits(concurrency, rate_thousandths), Ms(0))
    }

    #[test]
    fn a_window_starts_at_five_and_grows_with_success_to_its_limit() {
        let mut window = window(8, None);
        assert_eq!(window.open(), 5);
        for round in 0..100 {
            window.claimed(1);
            window.landed();
            window.took(Ms(round * 1_000));
        }
        assert_eq!(window.open(), 8);
    }

    #[test]
    fn failures_close_it_to_one_and_no_further() {
        let mut window = window(8, None);
        for _ in 0..50 {
            window.claimed(1);
            window.landed();
            window.failed();
        }
        assert_eq!(window.open(), 1);
        assert_eq!(window.free(Ms(0)), 1);
    }

    #[test]
    fn a_claim_is_the_free_window_and_a_little_of_what_went_just_now() {
        let mut window = window(4, None);
        assert_eq!(window.free(Ms(0)), 4);
        window.claimed(4);
        assert_eq!(window.free(Ms(0)), 0);
        window.landed();
        window.took(Ms(10));
        // three in hand, one taken: one place, and one ahead
        assert_eq!(window.free(Ms(50)), 2);
        window.claimed(2);
        for at in [20, 30, 40] {
            window.landed();
            window.took(Ms(at));
        }
        // two in hand, four taken: two places, and two ahead
        assert_eq!(window.free(Ms(50)), 4);
        assert_eq!(window.free(Ms(500)), 2);
    }

    #[test]
    fn a_fast_gateway_is_given_more_ahead() {
        let mut window = window(4, None);
        for _ in 0..1_000 {
            window.claimed(1);
            window.landed();
            window.took(Ms(0));
        }
        assert_eq!(window.free(Ms(100)), 499);
    }

    #[test]
    fn no_claim_is_urgent_while_a_quarter_of_what_is_ahead_is_there() {
        let mut window = window(4, None);
        window.claimed(window.clone().free(Ms(0)));
        assert!(!window.is_supplied(), "nothing is ahead yet");
        for at in 0..20 {
            window.landed();
            window.took(Ms(at));
            window.claimed(1);
        }
        assert_eq!(window.free(Ms(20)), 5);
        window.claimed(5);
        for in_hand in [9, 8, 7, 6] {
            assert_eq!((window.in_hand(), window.is_supplied()), (in_hand, true));
            window.landed();
        }
        assert!(!window.is_supplied());
    }

    #[test]
    fn the_bucket_caps_the_rate_and_names_the_next_token() {
        let mut window = window(100, Some(2_000));
        assert_eq!(window.free(Ms(0)), 1);
        window.claimed(1);
        assert_eq!(window.free(Ms(499)), 0);
        assert_eq!(window.next_chance(Ms(499)), Some(Ms(500)));
        assert_eq!(window.free(Ms(500)), 1);
        window.claimed(1);
        window.landed();
        window.refund();
        assert_eq!(window.free(Ms(500)), 1);
        // saved up: a second's worth, not an hour's
        assert_eq!(window.free(Ms(3_600_000)), 2);
        // a clock stepping back brings no tokens and takes none
        assert_eq!(window.free(Ms(0)), 2);
    }

    /// How many a window hands out within a time, asked every millisecond, its share changing with the workers.
    fn handed_within(
        window: &mut Window,
        ms: std::ops::Range<i64>,
        workers: impl Fn(i64) -> u32,
    ) -> u32 {
        let mut handed = 0;
        for at in ms {
            window.set_limits(limits(1_000, Some(50_000)).shared_by(workers(at)), Ms(at));
            let free = window.free(Ms(at));
            window.claimed(free);
            (0..free).for_each(|_| window.landed());
            handed += free;
        }
        handed
    }

    #[test]
    fn no_time_has_more_than_its_rate_and_one_second_saved() {
        let mut window = window(1_000, Some(50_000));
        // from its begin there is nothing saved
        assert_eq!(handed_within(&mut window, 0..10_000, |_| 1), 500);
        // an hour of nothing saves one second
        assert_eq!(handed_within(&mut window, 3_600_000..3_601_000, |_| 1), 99);
    }

    #[test]
    fn workers_that_come_and_go_bring_no_tokens() {
        let mut window = window(1_000, Some(50_000));
        let come_and_go = |at: i64| if at % 7 == 0 { 2 } else { 1 };
        let handed = handed_within(&mut window, 0..10_000, come_and_go);
        assert!((450..=500).contains(&handed), "{handed}");
    }

    #[test]
    fn a_service_that_asks_to_be_left_alone_is() {
        let mut window = window(8, None);
        window.rest(30, Ms(0));
        window.rest(2, Ms(0));
        assert_eq!((window.free(Ms(29_999)), window.next_chance(Ms(5))), (0, Some(Ms(30_000))));
        assert_eq!((window.free(Ms(30_000)), window.next_chance(Ms(30_000))), (5, None));
        window.rest(u32::MAX, Ms(30_000));
        assert_eq!(window.next_chance(Ms(30_000)), Some(Ms(30_000 + REST_MOST_MS)));
        assert_eq!(window.free(Ms(29_999)), 5, "a clock that was set back makes no rest longer");
        window.rest(5, Ms(29_999));
        assert_eq!(window.free(Ms(29_999)), 0, "and is no reason not to rest at all");
    }

    #[test]
    fn workers_share_the_limits() {
        let all = limits(8, Some(10_000));
        assert_eq!(all.shared_by(4), limits(2, Some(2_500)));
        assert_eq!(all.shared_by(100).concurrency, 1);
    }
}
