//! What a turn costs, counted and not timed (queue 4.8).

use super::super::statements::{self as sql, QUEUE};
use super::{Options, Order, Sqlite, create};
use crate::conformance::{demand, module, task};
use crate::{
    Accepted, Claimed, Demand, Done, Durability, Lease, NewTask, Owner, Pool, Settlement, Store,
    Turn,
};
use notice::{ModuleName, Ms, Route, TaskId};
use rusqlite::StatementStatus;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Routes of three handlers, in their order.
const HANDLERS: [&str; 3] = ["h1", "h2", "h3"];

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
        crate::read(&mut store, |seen| seen.urgent_routes(&module)).unwrap();
        store.connection.execute("UPDATE notifytask SET priority=5", []).unwrap();
        crate::read(&mut store, |seen| seen.urgent_routes(&module)).unwrap();
        steps.push(counted(&store, StatementStatus::VmStep));
    }
    assert_eq!(steps[0], steps[1]);
}

/// Settles what was claimed and claims the next of every handler.
fn deliver(store: &mut Sqlite, done: &[Done], now: Ms) -> Vec<Claimed> {
    let owner = Owner("w1".to_owned());
    let want = HANDLERS.map(|name| Demand {
        module: module(ModuleName::HANDLER),
        pool: Pool::Route(Route::from_column(name.to_owned())),
        ..demand(20)
    });
    crate::write(store, Durability::Crash, |tx| tx.turn(&owner, done, &want, now)).unwrap().claimed
}

fn settled(claimed: &Claimed, settlement: Settlement) -> Done {
    let (lease, reason) = (claimed.lease, "503".to_owned());
    Done { lease, settlement, reason, log: None, effects: Vec::new() }
}

/// Each event of one object goes to three handlers in their order.
fn queue_deliveries(store: &mut Sqlite, events: u32) {
    crate::write(store, Durability::Crash, |tx| {
        for _ in 0..events {
            let mut follows = None;
            for name in HANDLERS {
                let delivery = NewTask {
                    module: module(ModuleName::HANDLER),
                    route: Route::from_column(name.to_owned()),
                    object: "7".to_owned(),
                    follows,
                    ..task()
                };
                let Accepted::New(id) = tx.enqueue(&[delivery], Ms(1))?[0] else { panic!() };
                follows = Some(id);
            }
        }
        Ok::<_, crate::StoreError>(())
    })
    .unwrap();
}

/// Steps of the engine to queue and deliver so many events of one object; every delivery of the second handler
/// fails once before it ends well.
fn steps_of_deliveries(events: u32) -> f64 {
    let (_folder, mut store) = make();
    counted(&store, StatementStatus::VmStep);
    queue_deliveries(&mut store, events);
    let (mut now, mut ended, mut done) = (1, BTreeMap::new(), Vec::new());
    loop {
        now += 10;
        let claimed = deliver(&mut store, &done, Ms(now));
        if claimed.is_empty() {
            break;
        }
        done = claimed
            .iter()
            .map(|one| {
                let fails = one.route.as_str() == HANDLERS[1] && one.attempt == 1;
                if !fails {
                    ended.entry(one.route.clone()).or_insert_with(Vec::new).push(one.lease.task);
                }
                let later = Settlement::Wait { at: Ms(now + 5), spent: true, maybe_sent: false };
                settled(one, if fails { later } else { Settlement::Gone })
            })
            .collect();
    }
    for (route, ids) in &ended {
        assert_eq!(ids.len(), events as usize, "{route}");
        assert!(ids.is_sorted(), "{route} was out of order");
    }
    f64::from(counted(&store, StatementStatus::VmStep))
}

#[test]
fn deliveries_to_one_object_cost_the_same_each() {
    let (few, many) = (steps_of_deliveries(200), steps_of_deliveries(4_000));
    let ratio = many / few;
    println!("600 deliveries take {few} steps, 12,000 take {many}: ratio {ratio:.1} for 20");
    assert!(few > 200_000.0, "nothing was counted: {few}");
    assert!(ratio < 22.0, "{ratio}");
}

/// Steps to put back so many failed tasks of one object, the youngest first.
fn steps_of_retries(tasks: u32) -> f64 {
    let (_folder, mut store) = make();
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{tasks})
         INSERT INTO notifytask(modulename,lane,object,state,run_at,error_count) SELECT 'nthandler','h1','7',3,1,1 FROM n"
    );
    store.connection.execute_batch(&sql).unwrap();
    let ids: Vec<TaskId> = (1..=i64::from(tasks)).rev().map(TaskId).collect();
    counted(&store, StatementStatus::VmStep);
    let retried = crate::write(&mut store, Durability::Crash, |tx| tx.retry(&ids, Ms(5)));
    assert_eq!(retried.unwrap(), tasks);
    f64::from(counted(&store, StatementStatus::VmStep))
}

#[test]
fn putting_back_the_failed_tasks_of_one_object_costs_the_same_each() {
    let ratio = steps_of_retries(10_000) / steps_of_retries(500);
    assert!(ratio < 22.0, "{ratio}");
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
