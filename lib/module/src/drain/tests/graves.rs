//! What the dead leave, by what is left of them.

use super::kit::{Bench, Grave, on_both};
use notice::{OnUnknown, State, TaskId};
use store::Worker;

/// A worker dies with three tasks in hand: one sent and noted so, one begun, one untouched.
fn a_death(bench: &mut Bench, row: impl Fn(&mut Worker)) -> (Vec<TaskId>, String) {
    let gateway = bench.add_gateway_with(|gateway| gateway.concurrency = Some(5));
    bench.set_on_unknown(gateway, OnUnknown::Retry);
    let tasks = bench.enqueue(1, 3);
    let owner = bench.die_as(row, |task| match tasks.iter().position(|known| *known == task) {
        Some(0) => Grave::Ended,
        Some(1) => Grave::Started,
        _ => Grave::Untouched,
    });
    (tasks, owner)
}

/// Nothing is sent twice, and only what was begun is in doubt.
fn assert_by_notes(bench: &mut Bench, tasks: &[TaskId]) {
    bench.run_for(600_000);
    let doubts: Vec<_> = bench.sent().iter().map(|one| (one.task, one.maybe_sent)).collect();
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(doubts.contains(&(tasks[1], true)) && doubts.contains(&(tasks[2], false)));
    assert_eq!(bench.log_of(tasks[0]), ["sent"]);
    assert!(bench.tasks().is_empty());
}

// queue 3.1
#[test]
fn a_dead_worker_under_another_host_name_is_settled_by_its_notes() {
    on_both(|bench| {
        let (tasks, _) = a_death(bench, |worker| worker.host = "before-the-rename".into());
        bench.only_reap();
        assert_eq!(bench.log_of(tasks[0]), ["sent"], "at once: its lock is free");
        assert_by_notes(bench, &tasks);
    });
}

#[test]
fn an_owner_without_lock_and_row_is_settled_by_its_notes() {
    on_both(|bench| {
        let (tasks, owner) = a_death(bench, |_| ());
        bench.lose_lock(&owner);
        bench.lose_row(&owner);
        assert_by_notes(bench, &tasks);
    });
}

// it may live: its lock file was removed under it
#[test]
fn an_owner_without_a_lock_that_beats_keeps_its_leases_until_they_run_out() {
    on_both(|bench| {
        let (tasks, owner) = a_death(bench, |_| ());
        bench.lose_lock(&owner);
        bench.only_reap();
        assert!(bench.tasks().iter().all(|task| task.state == State::Sending));
        assert_eq!(bench.tasks().len(), 3);
        assert_by_notes(bench, &tasks);
    });
}

#[test]
fn an_owner_without_a_lock_that_is_silent_for_two_leases_is_dead() {
    on_both(|bench| {
        let silent = |worker: &mut Worker| worker.beat = worker.beat.plus(-120_000);
        let (tasks, owner) = a_death(bench, silent);
        bench.lose_lock(&owner);
        bench.only_reap();
        assert!(bench.tasks().iter().all(|task| task.state != State::Sending));
        assert_by_notes(bench, &tasks);
    });
}

// notes are not synced: a power cut may have taken their end
#[test]
fn an_owner_of_another_boot_leaves_everything_in_doubt() {
    on_both(|bench| {
        let (_, owner) = a_death(bench, |worker| worker.boot_id = "another".into());
        bench.lose_lock(&owner);
        bench.only_reap();
        assert!(bench.tasks().iter().all(|task| task.state != State::Sending));
        bench.run_for(600_000);
        assert_eq!(bench.sent().len(), 3);
        assert!(bench.sent().iter().all(|one| one.maybe_sent));
    });
}
