//! What a turn costs, counted and not timed (queue 4.8).

use super::super::statements::{self as sql, QUEUE};
use super::{Options, Order, Sqlite, create};
use crate::conformance::{demand, task};
use crate::{Done, Durability, Lease, Owner, Settlement, Store, Turn};
use notice::Ms;
use rusqlite::StatementStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn make() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let store = create(&path, Order::Ageing, Options::default()).unwrap();
    (folder, store)
}

/// Rows of a mailing, written as fast as the engine can.
fn fill(store: &Sqlite, rows: u32) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})
         INSERT INTO notifytask(modulename,lane,queued_ms,ready_ms) SELECT 'ntemail','p1',i,i FROM n"
    );
    store.connection.execute_batch(&sql).unwrap();
}

fn turn(store: &mut Sqlite, leases: &[Lease], count: u32) -> Turn {
    let done: Vec<Done> = leases
        .iter()
        .map(|lease| Done {
            lease: *lease,
            settlement: Settlement::Gone,
            reason: String::new(),
            log: None,
            effects: Vec::new(),
        })
        .collect();
    let owner = Owner("w1".to_owned());
    let want = [demand(count)];
    crate::write(store, Durability::Crash, |tx| tx.turn(&owner, &done, &want, Ms(1))).unwrap()
}

fn leases(turn: &Turn) -> Vec<Lease> {
    turn.claimed.iter().map(|one| one.lease).collect()
}

/// The sum of a counter over every statement of the queue; starts it again.
fn counted(store: &Sqlite, status: StatementStatus) -> i32 {
    let of = |statement: &sql::Statement| {
        store.connection.prepare_cached(statement.sql).unwrap().reset_status(status)
    };
    QUEUE.iter().map(of).sum()
}

#[test]
fn a_turn_is_one_commit() {
    let (_folder, mut store) = make();
    let commits = Arc::new(AtomicU32::new(0));
    let hook = Arc::clone(&commits);
    store
        .connection
        .commit_hook(Some(move || {
            hook.fetch_add(1, Ordering::SeqCst);
            false
        }))
        .unwrap();
    let tasks = vec![task(); 300];
    store.write(Durability::Power, &mut |tx| tx.enqueue(&tasks, Ms(1)).map(|_| ())).unwrap();
    assert_eq!(commits.swap(0, Ordering::SeqCst), 1);
    let mut held = Vec::new();
    for number in 1..=4 {
        let turned = turn(&mut store, &held, 100);
        held = leases(&turned);
        assert_eq!((turned.lost.len(), held.len()), (0, if number < 4 { 100 } else { 0 }));
        assert_eq!(commits.swap(0, Ordering::SeqCst), 1, "turn {number}");
    }
}

#[test]
fn an_idle_turn_writes_nothing() {
    let (folder, mut store) = make();
    turn(&mut store, &[], 100);
    let wal = folder.path().join("gatepost.db-wal");
    let before = std::fs::metadata(&wal).unwrap().len();
    for _ in 0..50 {
        assert_eq!(turn(&mut store, &[], 100), Turn::default());
    }
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), before);
}

/// Steps of the engine for one turn that finishes 50 and claims 50, in a queue of that many rows.
fn steps_of_a_turn(rows: u32) -> f64 {
    let (_folder, mut store) = make();
    fill(&store, rows);
    let held = leases(&turn(&mut store, &[], 50));
    counted(&store, StatementStatus::VmStep);
    counted(&store, StatementStatus::FullscanStep);
    let claimed = turn(&mut store, &held, 50).claimed.len();
    assert_eq!(claimed, 50);
    assert_eq!(counted(&store, StatementStatus::FullscanStep), 0);
    assert_eq!(counted(&store, StatementStatus::Sort), 0);
    f64::from(counted(&store, StatementStatus::VmStep))
}

#[test]
fn a_claim_costs_the_same_at_any_depth() {
    let (shallow, deep) = (steps_of_a_turn(2_000), steps_of_a_turn(100_000));
    assert!(shallow > 1_000.0, "nothing was counted: {shallow}");
    let ratio = deep / shallow;
    println!(
        "a turn of 50 takes {shallow} steps at 2,000 rows, {deep} at 100,000: ratio {ratio:.3}"
    );
    assert!(ratio < 1.1, "{ratio}");
}

#[test]
fn looking_for_work_costs_the_same_at_any_depth() {
    let mut steps = Vec::new();
    for rows in [100, 20_000] {
        let (_folder, mut store) = make();
        fill(&store, rows);
        let module = crate::conformance::mail();
        counted(&store, StatementStatus::VmStep);
        crate::read(&mut store, |seen| seen.ready_routes(&module, false)).unwrap();
        crate::read(&mut store, |seen| seen.bound_gateways(&module, false)).unwrap();
        crate::read(&mut store, |seen| seen.next_due()).unwrap();
        steps.push(counted(&store, StatementStatus::VmStep));
    }
    assert_eq!(steps[0], steps[1]);
}

#[test]
fn every_statement_stays_prepared() {
    let statements = QUEUE.len()
        + super::super::platform_statements::PLATFORM.len()
        + super::super::call_statements::CALLS.len()
        + super::super::service_statements::SERVICES.len();
    // Beside these stand those that `user` and `project` make from their columns.
    assert!(statements + 20 < super::super::STATEMENTS_LIMIT, "{statements}");
}
