//! What the queue does with a task whose attempt has ended (DESIGN 5, queue 3.1, 3.2). Pure.

use crate::retry::RetryTable;
use crate::standing::Blame;
use notice::{Answer, Ms, OnUnknown, Outcome, Reach};
use store::Settlement;

/// What counts about the task.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Failed attempts before this one.
    pub error_count: u32,
    /// Its age without the times in which nothing could be sent, milliseconds.
    pub age_ms: i64,
    /// Whether it went through a gateway, which has a state to wait for.
    pub via: Via,
}

/// How a task went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Through a gateway.
    Gateway,
    /// By the module itself.
    Module,
}

/// The rules of the module and the moment.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Delays and limits.
    pub table: RetryTable,
    /// The notice's, else the gateway's, else the module's.
    pub on_unknown: OnUnknown,
    /// Now.
    pub now: Ms,
    /// A person has so long to answer, milliseconds; then the task fails.
    pub asked_ms: i64,
    /// A random number for the jitter.
    pub chance: u64,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What becomes of the row.
    pub settlement: Settlement,
    /// `err_info`: why, in words.
    pub reason: String,
}

/// Decides.
pub fn settle(attempt: &Attempt, answer: &Answer, blame: Blame, rules: &Rules) -> Settled {
    let settlement = match (answer.outcome, blame) {
        (Outcome::Sent, _) => Settlement::Gone,
        (Outcome::Never, _) => Settlement::Fail,
        (Outcome::Unknown, _) => return unknown(attempt, answer, rules),
        (Outcome::Later | Outcome::Hold, Blame::Gateway) => Settlement::Back,
        (Outcome::Later, Blame::Task) if answer.reach == Reach::Unreached => {
            not_reached(attempt, answer, rules)
        }
        (Outcome::Later | Outcome::Hold, Blame::Task) => return later(attempt, answer, rules),
    };
    Settled { settlement, reason: answer.reason.clone() }
}

fn unknown(attempt: &Attempt, answer: &Answer, rules: &Rules) -> Settled {
    match rules.on_unknown {
        OnUnknown::Ask => Settled {
            settlement: Settlement::Ask { until: rules.now.plus(rules.asked_ms) },
            reason: answer.reason.clone(),
        },
        OnUnknown::Retry => {
            let mut settled = later(attempt, answer, rules);
            if let Settlement::Wait { maybe_sent, .. } = &mut settled.settlement {
                *maybe_sent = true;
            }
            settled
        }
    }
}

fn later(attempt: &Attempt, answer: &Answer, rules: &Rules) -> Settled {
    let failures = attempt.error_count.saturating_add(1);
    if rules.table.gives_up(failures, attempt.age_ms) {
        let minutes = attempt.age_ms / 60_000;
        let reason =
            format!("gave up after {failures} attempts in {minutes} min: {}", answer.reason);
        return Settled { settlement: Settlement::Fail, reason };
    }
    let settlement =
        Settlement::Wait { at: due(failures, answer, rules), spent: true, maybe_sent: false };
    Settled { settlement, reason: answer.reason.clone() }
}

/// Without a gateway there is no breaker to wait for: the task waits itself, and pays nothing.
fn not_reached(attempt: &Attempt, answer: &Answer, rules: &Rules) -> Settlement {
    match attempt.via {
        Via::Gateway => Settlement::Back,
        Via::Module => {
            let at = due(attempt.error_count.saturating_add(1), answer, rules);
            Settlement::Wait { at, spent: false, maybe_sent: false }
        }
    }
}

/// Nobody waits longer because a service said so.
const RETRY_AFTER_MOST_SECS: u32 = 86_400;

/// When the service said how long to wait, that wins. No time at all says nothing: tried again at once, it would be asked
/// a hundred times a second.
fn due(failures: u32, answer: &Answer, rules: &Rules) -> Ms {
    let delay_ms = match answer.retry_after_secs {
        None | Some(0) => rules.table.delay_ms(failures, rules.chance),
        Some(secs) => i64::from(secs.min(RETRY_AFTER_MOST_SECS)) * 1_000,
    };
    rules.now.plus(delay_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = Ms(1_000_000);

    fn rules(on_unknown: OnUnknown) -> Rules {
        Rules { table: RetryTable::SMS, on_unknown, now: NOW, asked_ms: 86_400_000, chance: 0 }
    }

    fn attempt(error_count: u32, age_ms: i64, via: Via) -> Attempt {
        Attempt { error_count, age_ms, via }
    }

    fn wait(after_ms: i64, spent: bool, maybe_sent: bool) -> Settlement {
        Settlement::Wait { at: NOW.plus(after_ms), spent, maybe_sent }
    }

    // S3-51, S3-55
    #[test]
    fn every_outcome_has_its_settlement() {
        let answer = |outcome| Answer::not_sent(outcome, "why");
        let ask = Settlement::Ask { until: NOW.plus(86_400_000) };
        let table = [
            (Answer::sent(None), Blame::Task, OnUnknown::Ask, Settlement::Gone),
            (answer(Outcome::Never), Blame::Task, OnUnknown::Ask, Settlement::Fail),
            (answer(Outcome::Never), Blame::Gateway, OnUnknown::Ask, Settlement::Fail),
            (answer(Outcome::Later), Blame::Task, OnUnknown::Ask, wait(7_500, true, false)),
            (answer(Outcome::Later), Blame::Gateway, OnUnknown::Ask, Settlement::Back),
            (answer(Outcome::Hold), Blame::Task, OnUnknown::Ask, wait(7_500, true, false)),
            (answer(Outcome::Hold), Blame::Gateway, OnUnknown::Ask, Settlement::Back),
            (answer(Outcome::Unknown), Blame::Task, OnUnknown::Ask, ask.clone()),
            (answer(Outcome::Unknown), Blame::Gateway, OnUnknown::Ask, ask),
            (answer(Outcome::Unknown), Blame::Task, OnUnknown::Retry, wait(7_500, true, true)),
            (answer(Outcome::Unknown), Blame::Gateway, OnUnknown::Retry, wait(7_500, true, true)),
            (Answer::unreached("refused"), Blame::Gateway, OnUnknown::Ask, Settlement::Back),
        ];
        for (answer, blame, on_unknown, expected) in table {
            let settled = settle(&attempt(0, 0, Via::Gateway), &answer, blame, &rules(on_unknown));
            assert_eq!(settled.settlement, expected, "{answer:?} {blame:?}");
            assert_eq!(settled.reason, answer.reason);
        }
    }

    #[test]
    fn what_the_service_asks_for_wins_over_the_table() {
        let rules = rules(OnUnknown::Ask);
        let table_ms = rules.table.delay_ms(4, rules.chance);
        for (secs, after_ms) in [(90, 90_000), (0, table_ms), (u32::MAX, 86_400_000)] {
            let answer = Answer::not_sent(Outcome::Later, "slow down");
            let answer = Answer { retry_after_secs: Some(secs), ..answer };
            let settled = settle(&attempt(3, 0, Via::Gateway), &answer, Blame::Task, &rules);
            assert_eq!(settled.settlement, wait(after_ms, true, false), "{secs}");
        }
    }

    #[test]
    fn age_ends_it_and_the_reason_says_how_often_it_was_tried() {
        let answer = Answer::not_sent(Outcome::Later, "busy");
        let settled = settle(
            &attempt(7, 3_600_000, Via::Gateway),
            &answer,
            Blame::Task,
            &rules(OnUnknown::Ask),
        );
        assert_eq!(settled.settlement, Settlement::Fail);
        assert_eq!(settled.reason, "gave up after 8 attempts in 60 min: busy");
    }

    #[test]
    fn a_module_that_can_not_reach_its_own_way_waits_and_pays_nothing() {
        let answer = Answer::unreached("no sendmail");
        let settled =
            settle(&attempt(1, 0, Via::Module), &answer, Blame::Task, &rules(OnUnknown::Ask));
        assert_eq!(settled.settlement, wait(15_000, false, false));
    }
}
