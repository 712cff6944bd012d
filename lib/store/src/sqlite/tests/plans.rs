//! How the engine runs each statement, read from its own plan (queue 4.8).

use super::super::call_statements::CALLS;
use super::super::platform_statements::PLATFORM;
use super::super::service_statements::SERVICES;
use super::super::statements::{self as sql, QUEUE, Statement};
use super::{Options, Order, create};
use rusqlite::Connection;

/// Which partial index a statement must walk.
const WALKS: [(Statement, &str); 56] = [
    (sql::OLDEST_OF_OBJECT, "nt_object"),
    (sql::LIVE_OF_OBJECT, "nt_object"),
    (sql::FOLLOW_BLOCKS, "nt_trouble"),
    (sql::UNREAD_ROUTE, "nt_ready"),
    (sql::UNREAD_ROUTE_FORCED, "nt_forced"),
    (sql::NEXT_ROUTE, "nt_ready"),
    (sql::NEXT_ROUTE_FORCED, "nt_forced"),
    (sql::NEXT_BOUND, "nt_bound"),
    (sql::NEXT_BOUND_FORCED, "nt_bound"),
    (sql::NEXT_URGENT, "nt_urgent"),
    (sql::LOG_URGENT, "nl_urgent"),
    (sql::CLAIM, "nt_ready"),
    (sql::CLAIM_FORCED, "nt_forced"),
    (sql::CLAIM_BOUND, "nt_bound"),
    (sql::CLAIM_BOUND_FORCED, "nt_bound"),
    (sql::PROMOTE, "nt_wait"),
    (sql::PROMOTE, "nt_object"),
    (sql::RELEASE, "nt_object"),
    (sql::GIVE_BACK, "nt_object"),
    (sql::DUE_TO_EXPIRE, "nt_expire"),
    (sql::DUE_UNANSWERED, "nt_asked"),
    (sql::FOLLOWED, "nt_follow"),
    (sql::FINISHING, "nt_follow"),
    (sql::LET_GO, "nt_follow"),
    (sql::LET_GO_BEHIND, "nt_follow"),
    (sql::LET_GO_BEHIND, "nt_followed"),
    (sql::NOBODY_FOLLOWS, "nt_followed"),
    (sql::NEXT_OF_OBJECT, "nt_object"),
    (sql::STEP_BACK, "nt_next"),
    (sql::LET_GO_ORPHANS, "nt_follow"),
    (sql::START_STUCK, "nt_wait"),
    (sql::START_STUCK, "nt_object"),
    (sql::ASK_READY, "nt_bound"),
    (sql::ASK_WAITING, "nt_wait"),
    (sql::IN_FLIGHT, "nt_lease"),
    (sql::NEXT_OWNER, "nt_lease"),
    (sql::FIRST_LEASE, "nt_lease"),
    (sql::LEASES_OF, "nt_lease"),
    (sql::DUE_WAITING, "nt_wait"),
    (sql::DUE_ASKED, "nt_asked"),
    (sql::DUE_EXPIRY, "nt_expire"),
    (sql::IDS_SENDING, "nt_lease"),
    (sql::IDS_WAITING, "nt_wait"),
    (sql::IDS_BEHIND, "nt_wait"),
    (sql::IDS_FAILED, "nt_failed"),
    (sql::IDS_ASKED, "nt_asked"),
    (sql::NEXT_MODULE, "nt_ready"),
    (sql::COUNT_ROUTE, "nt_ready"),
    (sql::PLACES_BOUND, "nt_bound"),
    (sql::PLACES_SENDING, "nt_lease"),
    (sql::SENDING, "nt_lease"),
    (sql::PLACES_WAITING, "nt_wait"),
    (sql::PLACES_FAILED, "nt_failed"),
    (sql::PLACES_ASKED, "nt_asked"),
    (sql::PRUNE_FAILED, "nt_failed"),
    (sql::LOG_OF_REFERENCE, "nl_reference"),
];

fn plan(connection: &Connection, statement: &str) -> Vec<String> {
    let mut prepared = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let mut rows = prepared.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get("detail").unwrap());
    }
    plan
}

/// What is wrong with a plan.
fn fault(plan: &[String]) -> Option<&String> {
    plan.iter().find(|line| line.contains("SCAN ") || line.contains("TEMP B-TREE"))
}

fn both_orders(check: impl Fn(&Connection)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.db");
    let mut store = create(&path, Order::Ageing, Options::default()).unwrap();
    check(&store.connection);
    store.rebuild_order(Order::Strict).unwrap();
    check(&store.connection);
}

#[test]
fn no_statement_walks_a_table_or_sorts() {
    both_orders(|connection| {
        for statement in QUEUE.iter().chain(PLATFORM).chain(CALLS).chain(SERVICES) {
            let plan = plan(connection, statement.sql);
            assert_eq!(fault(&plan), None, "{}: {plan:?}", statement.name);
        }
    });
}

#[test]
fn every_statement_walks_its_partial_index() {
    both_orders(|connection| {
        for (statement, index) in WALKS {
            let plan = plan(connection, statement.sql);
            let wanted = format!("INDEX {index} ");
            let walks = plan.iter().any(|line| format!("{line} ").contains(&wanted));
            assert!(walks, "{} does not walk {index}: {plan:?}", statement.name);
        }
    });
}

/// A look at the gauge reads no row of the log, however large, but the part of the index that it counts.
#[test]
fn how_long_urgent_messages_waited_is_read_from_the_index_alone() {
    both_orders(|connection| {
        let plan = plan(connection, sql::LOG_URGENT.sql);
        assert!(plan.iter().all(|line| line.contains("COVERING INDEX nl_urgent ")), "{plan:?}");
    });
}

#[test]
fn a_statement_that_walks_the_queue_by_an_index_is_in_the_list() {
    both_orders(|connection| {
        for statement in QUEUE {
            let plan = plan(connection, statement.sql);
            for line in plan.iter().filter(|line| line.contains("INDEX nt_")) {
                let (_, rest) = line.split_once("INDEX ").unwrap();
                let index = rest.split(' ').next().unwrap();
                let listed = WALKS
                    .iter()
                    .any(|(known, name)| known.name == statement.name && *name == index);
                assert!(
                    listed || statement.name == sql::PLACES_BEHIND.name,
                    "{}: {line}",
                    statement.name
                );
            }
        }
    });
}

#[test]
fn the_known_traps_are_seen() {
    both_orders(|connection| {
        for trap in [
            "SELECT id FROM notifytask WHERE state=?1 AND modulename=?2 ORDER BY ord,id LIMIT 10",
            "SELECT id FROM notifytask WHERE state=0 AND modulename=?2 ORDER BY queued_ms LIMIT 10",
            "SELECT DISTINCT lane FROM notifytask",
        ] {
            assert!(fault(&plan(connection, trap)).is_some(), "{trap}");
        }
        // Without the words of the index the plan says SEARCH and is a walk by rowid all the same.
        let trap = "SELECT min(id) FROM notifytask WHERE modulename=?1 AND lane=?2 AND object=?3";
        assert!(plan(connection, trap).iter().all(|line| !line.contains("nt_object")));
    });
}
