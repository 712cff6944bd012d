//! The judge of the proofs: what was asked, what the gate saw, what was in doubt; pure.

use crate::stage::Entry;
use gatepost_kit::ledger::{DeliveryPath, Row};
use std::collections::{BTreeMap, BTreeSet};

/// What a run promised and what came of it.
pub(crate) struct Case<'a> {
    /// Messages that were accepted: `u1@example.com` to this number.
    pub(crate) messages: u32,
    /// Hand-overs, by the gate's own ledger.
    pub(crate) ledger: &'a [Entry],
    /// Starts without an end at each death: task and lease.
    pub(crate) in_doubt: &'a BTreeSet<(i64, i64)>,
}

/// What is wrong, and the counts beside it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Messages no gate ever saw.
    pub(crate) lost: Vec<String>,
    /// Hand-overs beyond the first of a message.
    pub(crate) doubled: usize,
    /// Hand-overs that may be doubled.
    pub(crate) allowed: usize,
    /// Tasks that were doubled more often than they were in doubt.
    pub(crate) outside: Vec<i64>,
    /// Tasks whose later hand-over did not say `maybe_sent`, or had another key or the same attempt.
    pub(crate) untold: Vec<i64>,
}

impl Verdict {
    /// True if every promise was kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.lost.is_empty()
            && self.outside.is_empty()
            && self.untold.is_empty()
            && self.doubled <= self.allowed
    }
}

/// What was played, for the crash ledger.
pub(crate) struct Played {
    pub(crate) path: DeliveryPath,
    pub(crate) point: &'static str,
    /// Kills, or failures.
    pub(crate) rounds: u32,
}

/// Judges, and keeps the row of the crash ledger.
pub(crate) fn enter(played: &Played, case: &Case<'_>) -> Verdict {
    let verdict = judge(case);
    played.keep(case.messages, &verdict);
    verdict
}

impl Played {
    /// Keeps the row of the crash ledger.
    pub(crate) fn keep(&self, messages: u32, verdict: &Verdict) {
        let row = Row {
            path: self.path,
            point: self.point.to_owned(),
            rounds: self.rounds as usize,
            messages: messages as usize,
            lost: verdict.lost.len(),
            doubled: verdict.doubled,
            window: verdict.allowed,
            outside: verdict.outside.len() + verdict.untold.len(),
        };
        row.keep();
    }
}

/// Judges.
pub(crate) fn judge(case: &Case<'_>) -> Verdict {
    let seen: BTreeSet<&str> = case.ledger.iter().map(|entry| entry.contact.as_str()).collect();
    let asked = (1..=case.messages).map(|number| format!("u{number}@example.com"));
    let mut tasks: BTreeMap<i64, Vec<&Entry>> = BTreeMap::new();
    for entry in case.ledger {
        tasks.entry(entry.task).or_default().push(entry);
    }
    let mut verdict = Verdict {
        lost: asked.filter(|contact| !seen.contains(contact.as_str())).collect(),
        allowed: case.in_doubt.len(),
        ..Verdict::default()
    };
    // A message that went out as two tasks would be a double too.
    verdict.doubled = case.ledger.len() - seen.len();
    let mut contacts = BTreeSet::new();
    for (task, mut entries) in tasks {
        // A gate whose worker died may write its line after the next one wrote its own.
        entries.sort_by_key(|entry| entry.attempt);
        let in_doubt = case.in_doubt.iter().filter(|(doubtful, _)| *doubtful == task).count();
        if entries.len() > 1 + in_doubt || !contacts.insert(&entries[0].contact) {
            verdict.outside.push(task);
        }
        let is_told = entries.windows(2).all(|two| {
            two[1].maybe_sent && two[0].key == two[1].key && two[0].attempt < two[1].attempt
        });
        if !is_told {
            verdict.untold.push(task);
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(task: i64, attempt: u32, maybe_sent: bool) -> Entry {
        let key = format!("k{task}");
        Entry { task, key, attempt, maybe_sent, contact: format!("u{task}@example.com"), worker: 1 }
    }

    fn verdict(messages: u32, ledger: &[Entry], in_doubt: &[(i64, i64)]) -> Verdict {
        judge(&Case { messages, ledger, in_doubt: &in_doubt.iter().copied().collect() })
    }

    #[test]
    fn the_judge_sees_losses_doubles_and_silence() {
        let good = [entry(1, 1, false), entry(2, 2, true), entry(2, 1, false)];
        assert!(verdict(2, &good, &[(2, 1)]).is_kept());
        assert_eq!(verdict(3, &good, &[(2, 1)]).lost, ["u3@example.com"]);
        assert_eq!(verdict(2, &good, &[(1, 1)]).outside, [2], "in doubt was another one");
        assert_eq!(verdict(2, &good, &[]).doubled, 1);
        let silent = [entry(1, 1, false), entry(1, 2, false)];
        assert_eq!(verdict(1, &silent, &[(1, 1)]).untold, [1]);
        let twice =
            [entry(1, 1, false), Entry { contact: "u1@example.com".into(), ..entry(2, 1, false) }];
        assert_eq!(verdict(1, &twice, &[]).outside, [2], "two tasks of one message");
    }
}
