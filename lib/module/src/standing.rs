//! Whether a gateway may be used: breaker, hold and probes (queue 3.2). Pure.
//!
//! A gateway is *down* while it can't be reached, *held* while it is unfit. Either way its tasks stay
//! ready and unpenalised; what an attempt at an unfit gateway brought is not the task's fault.

use notice::{Answer, Ms, Outcome, Reach};
use store::{Condition, GatewayState};

/// When a gateway is unfit, and how soon it is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladders {
    /// Failures in a row without a valid document that hold a gateway.
    pub strikes: u32,
    /// Different tasks in a row that must end `hold` where the gate has no `check_connection`.
    pub holds: u32,
    /// First and longest time between probes of a held gateway, milliseconds.
    pub probe_ms: (i64, i64),
    /// First and longest time between trials of a gateway that can't be reached, milliseconds.
    pub breaker_ms: (i64, i64),
}

#[cfg(test)]
impl Ladders {
    /// `[gateway]` as shipped: five strikes, three holds; probes after 1, 2, 4 … 15 min; trials after 5 s to 5 min.
    pub(crate) const SHIPPED: Self =
        Self { strikes: 5, holds: 3, probe_ms: (60_000, 900_000), breaker_ms: (5_000, 300_000) };
}

/// The moment, and the ladders that hold at it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Now.
    pub now: Ms,
    /// When a gateway is unfit.
    pub ladders: &'a Ladders,
}

/// What a gate printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoke {
    /// A valid document, or success by the exit code: the gate works.
    Document,
    /// Nothing that can be read: exit code, signal, deadline, junk, not started.
    Nothing,
    /// It fell together with another that counts: one death of a gate that had many messages is one failure.
    Along,
}

/// What `check_connection` said after an outcome `hold`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The gateway is well: it was about this one message.
    Passed,
    /// It fails too, so the gateway is unfit. Masked.
    Failed(String),
    /// The gate has no `check_connection`.
    Absent,
}

/// Whether this task has ended `hold` at this gateway before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// For the first time.
    First,
    /// It counts once.
    Again,
}

/// An ended attempt, as far as it says something about the gateway.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// What the gate answered.
    pub answer: &'a Answer,
    /// In which form.
    pub spoke: Spoke,
    /// The check after a `hold`.
    pub check: Check,
    /// Whether the task counts anew.
    pub seen: Seen,
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The attempt counts.
    Task,
    /// The task goes back unharmed.
    Gateway,
}

/// What follows for the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its state from now on.
    pub state: GatewayState,
    /// Whose fault it was.
    pub blame: Blame,
    /// True when the gateway has just become unfit: the attempts that its strikes cost are given back.
    pub became_unfit: bool,
}

/// What follows from an ended attempt.
pub fn after(mut state: GatewayState, ended: &Ended<'_>, at: Moment<'_>) -> Step {
    if ended.answer.outcome != Outcome::Sent {
        state.last_error = Some((at.now, ended.answer.reason.clone()));
    }
    match (ended.answer.outcome, ended.answer.reach, ended.spoke) {
        (Outcome::Hold, _, _) => after_hold(state, ended, at),
        (Outcome::Later, Reach::Unreached, spoke) => after_unreached(state, ended, (spoke, at)),
        (Outcome::Never, _, Spoke::Nothing)
        | (Outcome::Later | Outcome::Never | Outcome::Unknown, _, Spoke::Along) => counted(state),
        (Outcome::Later | Outcome::Unknown, _, Spoke::Nothing) => after_strike(state, ended, at),
        (Outcome::Sent, _, _)
        | (Outcome::Later | Outcome::Never | Outcome::Unknown, _, Spoke::Document) => {
            well(state, at)
        }
    }
}

/// A gateway passed its probe: open, but its strikes and the ladder of probes are remembered until something was
/// really sent. One that can't be reached and fails it stays down.
pub fn after_probe(
    mut state: GatewayState,
    result: Result<(), &str>,
    at: Moment<'_>,
) -> GatewayState {
    match result {
        Ok(()) => {
            if !held_by_person(&state) {
                reopen(&mut state, at.now);
            }
        }
        Err(reason) => {
            state.last_error = Some((at.now, reason.to_owned()));
            if matches!(state.condition, Condition::Open | Condition::Held { by_person: false, .. })
            {
                hold(&mut state, reason, at);
            }
        }
    }
    state
}

/// What a gateway may be given now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    /// Its window.
    Open,
    /// One task, to see whether it can be reached again.
    Trial,
    /// Nothing; its `check_connection` is due.
    ProbeDue,
    /// Nothing.
    Closed,
}

/// What a gateway in this state may be given. `has_check`: whether its gate has `check_connection`.
pub fn usable(state: Option<&GatewayState>, probe: Probe, now: Ms) -> Usable {
    let Some(state) = state else { return Usable::Open };
    let due = state.next_probe.is_some_and(|at| at <= now);
    match (&state.condition, probe) {
        (Condition::Open, _) => Usable::Open,
        (Condition::Held { by_person: true, .. }, _) if due => Usable::Open,
        // where the gate can be asked, no message has to try
        (Condition::Held { by_person: false, .. } | Condition::Down { .. }, Probe::Check)
            if due =>
        {
            Usable::ProbeDue
        }
        (Condition::Held { by_person: false, .. } | Condition::Down { .. }, Probe::Task) if due => {
            Usable::Trial
        }
        (Condition::Held { .. } | Condition::Down { .. }, _) => Usable::Closed,
    }
}

/// How a gateway that is held or down is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// By its `check_connection`.
    Check,
    /// By one task.
    Task,
}

/// The state while a probe or trial runs: the next one is booked, so that no other process probes too.
#[must_use]
pub fn probing(mut state: GatewayState, at: Moment<'_>) -> GatewayState {
    match &state.condition {
        Condition::Open => {}
        Condition::Held { by_person: true, .. } => reopen(&mut state, at.now),
        Condition::Held { by_person: false, .. } => {
            state.probes = state.probes.saturating_add(1);
            state.next_probe = Some(at.now.plus(ladder(at.ladders.probe_ms, state.probes)));
        }
        Condition::Down { .. } => {
            state.probes = state.probes.saturating_add(1);
            state.next_probe = Some(at.now.plus(ladder(at.ladders.breaker_ms, state.probes)));
        }
    }
    state
}

/// A gateway nobody has complained about.
pub fn unblemished(gateway: notice::GatewayId, now: Ms) -> GatewayState {
    GatewayState {
        gateway,
        condition: Condition::Open,
        since: now,
        next_probe: None,
        probes: 0,
        strikes: 0,
        holds: 0,
        last_error: None,
    }
}

fn well(mut state: GatewayState, at: Moment<'_>) -> Step {
    state.strikes = 0;
    state.holds = 0;
    if !held_by_person(&state) {
        reopen(&mut state, at.now);
        state.probes = 0;
    }
    counted(state)
}

fn after_hold(mut state: GatewayState, ended: &Ended<'_>, at: Moment<'_>) -> Step {
    match &ended.check {
        Check::Passed => return counted(state),
        Check::Failed(why) => {
            let reason = format!("{}; its check_connection fails too: {why}", ended.answer.reason);
            return unfit(state, &reason, at);
        }
        Check::Absent => {}
    }
    if ended.seen == Seen::First {
        state.holds = state.holds.saturating_add(1);
    }
    if state.holds >= at.ladders.holds
        || matches!(state.condition, Condition::Held { by_person: false, .. })
    {
        return unfit(state, &ended.answer.reason, at);
    }
    counted(state)
}

fn after_unreached(
    mut state: GatewayState,
    ended: &Ended<'_>,
    (spoke, at): (Spoke, Moment<'_>),
) -> Step {
    if spoke == Spoke::Nothing {
        state.strikes = state.strikes.saturating_add(1);
    }
    if state.strikes >= at.ladders.strikes {
        return unfit(state, &ended.answer.reason, at);
    }
    if matches!(state.condition, Condition::Open) {
        let wait = ladder(at.ladders.breaker_ms, state.probes);
        state.condition = Condition::Down { reason: ended.answer.reason.clone() };
        state.since = at.now;
        state.next_probe = Some(at.now.plus(wait));
    }
    Step { state, blame: Blame::Gateway, became_unfit: false }
}

fn after_strike(mut state: GatewayState, ended: &Ended<'_>, at: Moment<'_>) -> Step {
    state.strikes = state.strikes.saturating_add(1);
    let closed = match &state.condition {
        Condition::Open | Condition::Held { by_person: true, .. } => false,
        Condition::Held { by_person: false, .. } | Condition::Down { .. } => true,
    };
    if state.strikes >= at.ladders.strikes {
        return unfit(state, &ended.answer.reason, at);
    }
    Step { state, blame: if closed { Blame::Gateway } else { Blame::Task }, became_unfit: false }
}

fn unfit(mut state: GatewayState, reason: &str, at: Moment<'_>) -> Step {
    let person = held_by_person(&state);
    let before = matches!(state.condition, Condition::Held { .. });
    if !person {
        hold(&mut state, reason, at);
    }
    Step { state, blame: Blame::Gateway, became_unfit: !before }
}

fn hold(state: &mut GatewayState, reason: &str, at: Moment<'_>) {
    if !matches!(state.condition, Condition::Held { .. }) {
        state.since = at.now;
        state.next_probe = None;
    }
    // a probe that is booked stays booked: stragglers of one outage don't push it away
    if state.next_probe.is_none_or(|due| due <= at.now) {
        state.next_probe = Some(at.now.plus(ladder(at.ladders.probe_ms, state.probes)));
    }
    state.condition = Condition::Held { reason: reason.to_owned(), by_person: false };
}

fn reopen(state: &mut GatewayState, now: Ms) {
    if state.condition != Condition::Open {
        state.condition = Condition::Open;
        state.since = now;
    }
    state.next_probe = None;
}

fn counted(state: GatewayState) -> Step {
    Step { state, blame: Blame::Task, became_unfit: false }
}

fn held_by_person(state: &GatewayState) -> bool {
    matches!(state.condition, Condition::Held { by_person: true, .. })
}

fn ladder((first_ms, cap_ms): (i64, i64), step: u32) -> i64 {
    first_ms.saturating_mul(1_i64 << step.min(30)).min(cap_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::GatewayId;

    const NOW: Ms = Ms(1_000_000);
    const LADDERS: Ladders = Ladders::SHIPPED;
    const STRIKES: u32 = LADDERS.strikes;

    fn at(now: Ms) -> Moment<'static> {
        Moment { now, ladders: &LADDERS }
    }

    fn fresh() -> GatewayState {
        unblemished(GatewayId(1), Ms(0))
    }

    fn step(state: GatewayState, answer: &Answer, spoke: Spoke, check: Check) -> Step {
        after(state, &Ended { answer, spoke, check, seen: Seen::First }, at(NOW))
    }

    fn later() -> Answer {
        Answer::not_sent(Outcome::Later, "exit 1")
    }

    #[test]
    fn five_failures_without_a_document_hold_the_gateway() {
        let mut state = fresh();
        for strike in 1..STRIKES {
            let step = step(state, &later(), Spoke::Nothing, Check::Absent);
            assert_eq!((step.blame, step.state.strikes), (Blame::Task, strike));
            state = step.state;
        }
        let step = step(state, &later(), Spoke::Nothing, Check::Absent);
        assert!(step.became_unfit);
        assert_eq!(step.blame, Blame::Gateway);
        assert!(matches!(step.state.condition, Condition::Held { by_person: false, .. }));
        assert_eq!(step.state.next_probe, Some(NOW.plus(60_000)));
    }

    #[test]
    fn a_document_in_between_forgives_the_strikes() {
        let mut state = fresh();
        for _ in 0..20 {
            state = step(state, &later(), Spoke::Nothing, Check::Absent).state;
            state = step(state, &later(), Spoke::Document, Check::Absent).state;
        }
        assert_eq!(state.condition, Condition::Open);
    }

    #[test]
    fn one_death_with_many_messages_is_one_failure() {
        let unknown = Answer::not_sent(Outcome::Unknown, "died by signal 9");
        let mut state = step(fresh(), &unknown, Spoke::Nothing, Check::Absent).state;
        for _ in 0..63 {
            let along = step(state, &unknown, Spoke::Along, Check::Absent);
            assert_eq!((along.blame, along.became_unfit), (Blame::Task, false));
            state = along.state;
        }
        assert_eq!((state.strikes, state.condition), (1, Condition::Open));
    }

    #[test]
    fn an_unreached_gateway_is_down_and_no_task_pays() {
        let unreached = Answer::unreached("connection refused");
        let down = step(fresh(), &unreached, Spoke::Document, Check::Absent);
        assert_eq!(down.blame, Blame::Gateway);
        assert!(matches!(down.state.condition, Condition::Down { .. }));
        for (probe, due) in [(Probe::Check, Usable::ProbeDue), (Probe::Task, Usable::Trial)] {
            assert_eq!(usable(Some(&down.state), probe, NOW), Usable::Closed);
            assert_eq!(usable(Some(&down.state), probe, NOW.plus(5_000)), due);
        }
        let sent = step(down.state, &Answer::sent(None), Spoke::Document, Check::Absent);
        assert_eq!(sent.state.condition, Condition::Open);
    }

    #[test]
    fn a_gateway_that_is_down_is_probed_ever_later_and_opens_when_it_answers() {
        let mut state =
            step(fresh(), &Answer::unreached("refused"), Spoke::Document, Check::Absent).state;
        let mut now = NOW;
        let mut secs = Vec::new();
        for _ in 0..4 {
            let due = state.next_probe.unwrap();
            secs.push(due.since(now) / 1_000);
            now = due;
            state = after_probe(probing(state, at(now)), Err("still refused"), at(now));
            assert!(matches!(state.condition, Condition::Down { .. }), "it is not held for that");
        }
        assert_eq!(secs, [5, 10, 20, 40]);
        let open = after_probe(probing(state, at(now)), Ok(()), at(now));
        assert_eq!((open.condition, open.next_probe), (Condition::Open, None));
    }

    #[test]
    fn a_hold_counts_only_if_the_check_fails_too() {
        let hold = Answer::not_sent(Outcome::Hold, "535 bad login");
        let passed = step(fresh(), &hold, Spoke::Document, Check::Passed);
        assert_eq!((passed.blame, passed.state.condition), (Blame::Task, Condition::Open));
        let failed = step(fresh(), &hold, Spoke::Document, Check::Failed("535".into()));
        assert_eq!(failed.blame, Blame::Gateway);
        assert!(failed.became_unfit);
    }

    #[test]
    fn without_a_check_three_different_tasks_must_say_hold() {
        let answer = Answer::not_sent(Outcome::Hold, "535");
        let mut state = fresh();
        for seen in [Seen::First, Seen::Again, Seen::Again, Seen::First] {
            let ended =
                Ended { answer: &answer, spoke: Spoke::Document, check: Check::Absent, seen };
            let step = after(state, &ended, at(NOW));
            assert_eq!(step.blame, Blame::Task);
            state = step.state;
        }
        let ended = Ended {
            answer: &answer,
            spoke: Spoke::Document,
            check: Check::Absent,
            seen: Seen::First,
        };
        assert!(after(state, &ended, at(NOW)).became_unfit);
    }

    #[test]
    fn probes_come_after_1_2_4_8_15_minutes() {
        let mut state = step(
            fresh(),
            &Answer::not_sent(Outcome::Hold, "x"),
            Spoke::Document,
            Check::Failed("y".into()),
        )
        .state;
        let mut now = NOW;
        let mut minutes = Vec::new();
        for _ in 0..6 {
            let due = state.next_probe.unwrap();
            minutes.push(due.since(now) / 60_000);
            now = due;
            assert_eq!(usable(Some(&state), Probe::Check, now), Usable::ProbeDue);
            state = after_probe(probing(state, at(now)), Err("still bad"), at(now));
        }
        assert_eq!(minutes, [1, 2, 4, 8, 15, 15]);
        let open = after_probe(probing(state, at(now)), Ok(()), at(now));
        assert_eq!((open.condition, open.next_probe), (Condition::Open, None));
    }

    #[test]
    fn a_probe_that_lied_is_followed_by_a_hold_at_the_next_failure() {
        let mut state = fresh();
        for _ in 0..STRIKES {
            state = step(state, &later(), Spoke::Nothing, Check::Absent).state;
        }
        state = after_probe(probing(state, at(NOW)), Ok(()), at(NOW));
        let step = step(state, &later(), Spoke::Nothing, Check::Absent);
        assert_eq!(step.blame, Blame::Gateway);
        assert_eq!(step.state.next_probe, Some(NOW.plus(120_000)));
    }

    #[test]
    fn what_a_person_holds_a_person_releases_or_the_time_he_gave() {
        let mut state = fresh();
        state.condition = Condition::Held { reason: "move".into(), by_person: true };
        let sent = step(state.clone(), &Answer::sent(None), Spoke::Document, Check::Absent);
        assert!(matches!(sent.state.condition, Condition::Held { by_person: true, .. }));
        assert_eq!(usable(Some(&state), Probe::Check, Ms(i64::MAX)), Usable::Closed);
        state.next_probe = Some(NOW);
        assert_eq!(usable(Some(&state), Probe::Check, NOW), Usable::Open);
    }
}
