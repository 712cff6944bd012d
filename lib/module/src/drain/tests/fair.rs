//! Gateways that fail, rest or are silent beside others, and how urgent messages fare.

use super::kit::{Bench, HandOver, Reply, on_both};
use crate::standing::Probe;
use notice::{GatewayId, Ms, Outcome};
use store::Condition;

/// The gateway that is tried first, and another.
fn two(bench: &mut Bench) -> (GatewayId, GatewayId) {
    let first = bench.add_gateway(None);
    (first, bench.add_gateway_with(|gateway| gateway.priority = 9))
}

fn gateways(bench: &Bench) -> Vec<GatewayId> {
    bench.sent().iter().filter_map(|one| one.gateway).collect()
}

#[test]
fn a_gateway_that_rests_is_given_nothing_until_then_and_gets_its_traffic_back() {
    for outcome in [Outcome::Sent, Outcome::Later] {
        on_both(|bench| {
            let (first, second) = two(bench);
            let is_busy = move |one: &HandOver| one.gateway == Some(first) && one.now.0 < 60_000;
            bench.script(
                move |one| {
                    if is_busy(one) { Reply::Rest(outcome, 60) } else { Reply::Sent }
                },
            );
            bench.enqueue(1, 40);
            bench.drain();
            let had = gateways(bench).iter().filter(|one| **one == first).count();
            assert!((1..=5).contains(&had), "{had}: what was on its way");
            assert_eq!(bench.accepted_by(second), 40 - had);
            bench.advance(59_999);
            bench.enqueue(1, 1);
            bench.turns(3);
            assert_eq!(gateways(bench).last(), Some(&second));
            bench.advance(1);
            bench.enqueue(1, 1);
            bench.turns(3);
            assert_eq!(gateways(bench).last(), Some(&first));
            assert_eq!(bench.gateway_condition(first), Condition::Open);
        });
    }
}

#[test]
fn a_gateway_that_is_down_is_asked_by_its_check_and_gets_its_traffic_back() {
    on_both(|bench| {
        let (first, second) = two(bench);
        bench.probe_by(Probe::Check);
        bench.check(|now| if now.0 < 20_000 { Err("refused".into()) } else { Ok(()) });
        bench.script(move |one| {
            let is_down = one.gateway == Some(first) && one.now.0 < 20_000;
            if is_down { Reply::Unreached } else { Reply::Sent }
        });
        bench.enqueue(1, 20);
        bench.run_for(1_000);
        assert_eq!(bench.accepted_by(second), 20);
        let tried = bench.sent().len();
        bench.run_for(18_000);
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.sent().len(), tried + 1, "no message has to try");
        assert_eq!(bench.accepted_by(second), 21);
        // the next message does not wait until it has answered; what comes then is its own again
        bench.run_for(60_000);
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.gateway_condition(first), Condition::Open);
        bench.enqueue(1, 20);
        bench.run_for(1_000);
        assert_eq!((bench.accepted_by(first), bench.accepted_by(second)), (20, 22));
    });
}

#[test]
fn nothing_is_claimed_for_a_gate_that_does_not_say_what_it_can_do() {
    on_both(|bench| {
        let first = bench.add_gateway_with(|gateway| gateway.gate = "gwmute".into());
        let second = bench.add_gateway_with(|gateway| gateway.priority = 9);
        bench.silence("gwmute");
        bench.enqueue(1, 3);
        bench.drain();
        assert_eq!((bench.accepted_by(first), bench.accepted_by(second)), (0, 3));
        bench.silence("");
        bench.enqueue(1, 3);
        bench.drain();
        assert_eq!((bench.accepted_by(first), bench.accepted_by(second)), (3, 3));
    });
}

#[test]
fn a_gate_that_was_silent_is_looked_at_again_soon() {
    on_both(|bench| {
        bench.add_gateway_with(|gateway| gateway.gate = "gwmute".into());
        bench.silence("gwmute");
        bench.enqueue(1, 1);
        let turned = bench.turn();
        assert_eq!((turned.claimed, turned.soon.map(|at| at.0)), (0, Some(1_000_050)));
    });
}

#[test]
fn the_log_tells_how_long_an_urgent_message_waited_for_its_first_hand_over() {
    on_both(|bench| {
        let urgent = bench.enqueue_urgent(1);
        let ordinary = bench.enqueue(1, 1)[0];
        bench.advance(3_000);
        bench.add_gateway(None);
        bench.script(|one| {
            if one.attempt == 1 { Reply::Document(Outcome::Later, "busy") } else { Reply::Sent }
        });
        bench.run_for(600_000);
        assert_eq!(bench.log_waits(urgent), [Some(3_000), None]);
        assert_eq!(bench.log_waits(ordinary), [None, None]);
    });
}

#[test]
fn the_rest_of_a_gateway_is_there_for_everybody_to_see() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.script(|hand_over| match hand_over.attempt {
            1 => Reply::Rest(Outcome::Later, 30),
            _ => Reply::Sent,
        });
        bench.enqueue(1, 1);
        assert_eq!(bench.rests_until(gateway), None);
        bench.drain();
        assert_eq!(bench.rests_until(gateway), Some(Ms(1_030_000)));
        bench.advance(29_999);
        assert_eq!(bench.rests_until(gateway), Some(Ms(1_030_000)));
        bench.advance(1);
        assert_eq!(bench.rests_until(gateway), None, "it is over");
    });
}

#[test]
fn a_rest_holds_for_a_run_that_begins_meanwhile() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.script(|_| Reply::Rest(Outcome::Later, 30));
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.sent().len(), 1);
        bench.enqueue(1, 1);
        let mut next = bench.another();
        next.script(|_| Reply::Sent);
        next.turns(3);
        assert_eq!(next.sent().len(), 0, "it is left alone");
        next.advance(30_000);
        next.drain();
        assert_eq!(next.accepted(), 2, "the rest is over");
    });
}
