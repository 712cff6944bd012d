//! Deliveries to provisioning handlers: how many at once, and what is told.

use super::kit::{Bench, Reply, on_both, rules_of_handlers};
use crate::desk::{RouteKind, route_limits};
use crate::plan::Untold;
use notice::Outcome;

#[test]
fn a_quick_handler_is_claimed_ahead_for_and_a_server_is_not() {
    on_both(|bench| {
        bench.serve_handlers();
        for object in 0..200 {
            bench.enqueue_delivery(1, object);
        }
        let in_hand: Vec<u32> = (0..12).map(|_| bench.turn().in_hand).collect();
        let at_once = rules_of_handlers().at_once;
        assert!(in_hand.iter().any(|count| *count > 2 * at_once), "{in_hand:?}");
        bench.drain();
        assert_eq!(bench.accepted(), 200);
    });
    let server = RouteKind::Server { at_once: 2 };
    let limits = route_limits(server, 1, &rules_of_handlers());
    assert_eq!((limits.concurrency, limits.ahead_ms), (2, 0));
}

// S2-30
#[test]
fn what_is_claimed_ahead_keeps_the_order_of_each_object() {
    on_both(|bench| {
        bench.serve_handlers();
        let tasks: Vec<_> = (0..200).map(|number| bench.enqueue_delivery(1, number % 7)).collect();
        bench.drain();
        let sent = bench.sent();
        assert_eq!(sent.len(), 200);
        for object in 0..7 {
            let wanted: Vec<_> = tasks.iter().skip(object).step_by(7).copied().collect();
            let is_of = |task: &notice::TaskId| wanted.contains(task);
            let got: Vec<_> = sent.iter().map(|one| one.task).filter(is_of).collect();
            assert_eq!(got, wanted, "{object}");
        }
    });
}

#[test]
fn a_turn_says_that_events_wait_to_be_told_and_so_does_one_that_brings_some() {
    on_both(|bench| {
        bench.raise();
        assert_eq!(bench.turn().untold, Untold::None, "a module of notices tells nobody");
        bench.serve_handlers();
        assert_eq!(bench.turn().untold, Untold::Some);
    });
    on_both(|bench: &mut Bench| {
        bench.serve_handlers();
        assert_eq!(bench.turn().untold, Untold::None);
        bench.script(|_| Reply::Document(Outcome::Never, "gone for good"));
        bench.enqueue_delivery(1, 1);
        let untold: Vec<_> = (0..4).map(|_| bench.turn().untold).collect();
        assert!(untold.contains(&Untold::Some), "a failed task is an event");
    });
}
