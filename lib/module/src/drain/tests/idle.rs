//! When a run may leave without a turn. Every other test here checks it too: what looks idle, its turn finds idle.

use super::kit::{Grave, Reply, on_both};
use notice::{Outcome, State};

#[test]
fn an_empty_queue_with_gateways_is_idle_and_so_is_one_that_was_emptied() {
    on_both(|bench| {
        assert!(bench.looks_idle());
        bench.add_gateway(None);
        assert!(bench.looks_idle());
        bench.enqueue(1, 3);
        assert!(!bench.looks_idle(), "they are ready");
        bench.drain();
        assert!(bench.looks_idle());
    });
}

#[test]
fn what_waits_is_idle_until_it_falls_due() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.script(|_| Reply::Document(Outcome::Later, "451 come again"));
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.tasks()[0].state, State::Waiting);
        assert!(bench.looks_idle());
        bench.advance(31_000);
        assert!(!bench.looks_idle());
    });
}

#[test]
fn what_expires_is_idle_until_then() {
    on_both(|bench| {
        bench.pause();
        bench.turn();
        bench.enqueue_until(1, 5_000);
        assert!(bench.looks_idle(), "paused, and known to be");
        bench.advance(5_001);
        assert!(!bench.looks_idle());
    });
}

#[test]
fn a_dead_workers_leases_and_its_row_alone_are_something_to_do() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.enqueue(1, 1);
        let owner = bench.die_as(|_| (), |_| Grave::Ended);
        assert!(!bench.looks_idle());
        bench.lose_row(&owner);
        assert!(!bench.looks_idle(), "leases without a row");
        bench.only_reap();
        assert!(bench.tasks().is_empty());
        assert!(bench.looks_idle());
        bench.die_as(|_| (), |_| Grave::Untouched);
        assert!(!bench.looks_idle(), "a row without leases");
    });
}

#[test]
fn a_pause_that_the_database_does_not_know_of_is_something_to_do() {
    on_both(|bench| {
        bench.pause();
        assert!(!bench.looks_idle());
        bench.turn();
        assert!(bench.looks_idle());
        bench.resume();
        assert!(!bench.looks_idle());
    });
}

#[test]
fn an_event_that_nobody_was_told_of_is_something_to_do() {
    on_both(|bench| {
        bench.raise();
        assert!(bench.looks_idle(), "a module of notices tells nobody");
        bench.serve_handlers();
        assert!(!bench.looks_idle());
    });
}
