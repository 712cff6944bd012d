//! What a broken gateway must not do to a queue.

use super::kit::{Reply, on_both};
use crate::standing::Probe;
use notice::{Outcome, State};
use store::Condition;

const HOURS: i64 = 3_600_000;

// issue: broken for two hours and then repaired: every task is sent
#[test]
fn a_gate_broken_for_two_hours_and_repaired_sends_every_task() {
    for broken in [
        Reply::Nothing(Outcome::Later, "exit code 1"),
        Reply::Unreached,
        Reply::NotStarted,
        Reply::Document(Outcome::Hold, "535 bad password"),
    ] {
        on_both(|bench| {
            let (gateway, broken) = (bench.add_gateway(None), broken.clone());
            bench.script(
                move |hand_over| {
                    if hand_over.now.0 < 2 * HOURS { broken.clone() } else { Reply::Sent }
                },
            );
            let tasks = bench.enqueue(1, 50);
            bench.run_for(2 * HOURS);
            assert!(bench.tasks().iter().all(|task| task.state != State::Failed));
            bench.run_for(HOURS);
            assert_eq!(bench.accepted(), 50);
            assert!(bench.tasks().is_empty(), "{:?}", bench.tasks());
            assert_eq!(bench.log_of(tasks[0]).last().map(String::as_str), Some("sent"));
            assert_eq!(bench.gateway_condition(gateway), Condition::Open);
            let asked = bench.sent().len();
            assert!(asked < 50 + 140, "an outage is probed, not stormed: {asked}");
        });
    }
}

#[test]
fn an_outage_longer_than_the_age_buries_nothing() {
    on_both(|bench| {
        // three days of mail's age, four days of outage
        bench.add_gateway(None);
        bench.script(|hand_over| {
            let is_broken = hand_over.now.0 < 96 * HOURS;
            if is_broken { Reply::Nothing(Outcome::Later, "exit code 1") } else { Reply::Sent }
        });
        bench.enqueue(1, 5);
        bench.run_for(97 * HOURS);
        assert_eq!(bench.accepted(), 5);
    });
}

#[test]
fn five_failures_without_a_document_hold_the_gateway_and_give_the_attempts_back() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.script(|_| Reply::Nothing(Outcome::Later, "exit code 1"));
        bench.enqueue(1, 8);
        bench.drain();
        assert!(matches!(
            bench.gateway_condition(gateway),
            Condition::Held { by_person: false, .. }
        ));
        let tasks = bench.tasks();
        assert!(tasks.iter().all(|task| task.state == State::Ready), "{tasks:?}");
        assert!(tasks.iter().all(|task| task.error_count == 0 && task.attempt == 0), "{tasks:?}");
    });
}

#[test]
fn a_held_gateway_keeps_its_tasks_and_is_released_by_its_check() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.probe_by(Probe::Check);
        bench.check(|now| if now.0 < 600_000 { Err("535 bad password".into()) } else { Ok(()) });
        bench.script(|hand_over| {
            let is_bad = hand_over.now.0 < 600_000;
            if is_bad { Reply::Document(Outcome::Hold, "535 bad password") } else { Reply::Sent }
        });
        bench.enqueue(1, 5);
        bench.run_for(60_000);
        assert!(matches!(bench.gateway_condition(gateway), Condition::Held { .. }));
        assert!(
            bench.tasks().iter().all(|task| task.state == State::Ready && task.error_count == 0)
        );
        let before = bench.sent().len();
        bench.run_for(9 * 60_000 - 1_000);
        assert_eq!(bench.sent().len(), before, "probed by its check alone");
        bench.run_for(10 * 60_000);
        assert_eq!(bench.accepted(), 5);
    });
}

#[test]
fn a_hold_that_the_check_does_not_confirm_is_about_the_message() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.probe_by(Probe::Check);
        bench.check(|_| Ok(()));
        bench.script(|_| Reply::Document(Outcome::Hold, "sender refused"));
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.gateway_condition(gateway), Condition::Open);
        let task = &bench.tasks()[0];
        assert_eq!((task.state, task.error_count), (State::Waiting, 1));
    });
}

#[test]
fn what_a_gate_says_in_words_is_retried_by_the_table_and_given_up_by_age() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.script(|_| Reply::Document(Outcome::Later, "451 busy"));
        bench.enqueue(1, 1);
        bench.run_for(80 * HOURS);
        let task = &bench.tasks()[0];
        assert_eq!(task.state, State::Failed);
        assert!(task.err_info.starts_with("gave up after"), "{}", task.err_info);
        let tries = bench.sent().len();
        assert!((75..160).contains(&tries), "{tries} tries in three days");
    });
}

#[test]
fn a_gateway_held_by_a_person_gets_nothing_until_the_time_he_gave() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.hold_by_person(gateway, 3 * HOURS);
        bench.enqueue(1, 3);
        bench.run_for(2 * HOURS);
        assert!(bench.sent().is_empty());
        bench.run_for(2 * HOURS);
        assert_eq!(bench.accepted(), 3);
    });
}

// the claim is committed by then
#[test]
fn a_store_that_fails_after_a_claim_strands_nothing() {
    // the view is the first read; projects, deleted users, and blocked contacts are read of what was claimed
    for read in [2, 3, 4] {
        on_both(|bench| {
            bench.add_gateway(None);
            let gone = bench.enqueue(1, 1)[0];
            bench.make_and_delete_user();
            let stranger = bench.enqueue_for(1, "<user><id>9</id></user>");
            let alive = |number| format!("<user><id>{number}</id><email>u@x.y</email></user>");
            let tasks = [2, 3, 4].map(|number| bench.enqueue_for(1, &alive(number)));
            bench.enqueue_file("bad");
            std::fs::write(bench.file_path("bad"), "<doc>").unwrap();
            let error = bench.fail_at_read(read);
            assert!(error.is_passing(), "{error}");
            assert!(bench.tasks().iter().any(|task| task.state == State::Sending));
            bench.drain();
            let mut sent: Vec<_> = bench.sent().iter().map(|one| one.task).collect();
            sent.sort_unstable();
            assert_eq!(sent, tasks);
            assert!(bench.sent().iter().all(|one| one.attempt == 1 && !one.maybe_sent));
            assert_eq!([bench.log_of(stranger), bench.log_of(gone)], [["never"]; 2]);
            assert_eq!((bench.tally().back, bench.tally().lost), (5, 0));
            let left = bench.tasks();
            assert_eq!(left.len(), 1, "the bad file: {left:?}");
            assert_eq!(left[0].state, State::Failed);
        });
    }
}

#[test]
fn the_log_has_a_line_for_a_gateway_that_shuts_and_one_for_its_return() {
    on_both(|bench| {
        let gateway = bench.add_gateway_with(|gateway| gateway.name = "relay".into());
        let end = 1_000_000 + HOURS;
        bench.script(
            move |hand_over| {
                if hand_over.now.0 < end { Reply::Unreached } else { Reply::Sent }
            },
        );
        bench.enqueue(1, 20);
        bench.run_for(HOURS / 2);
        let down = format!("WARNING gateway {gateway} relay is down: connection refused");
        assert_eq!(bench.lines(), [down.as_str()], "one for all its trials");
        bench.run_for(HOURS);
        let well = format!("INFO gateway {gateway} relay is used again");
        assert_eq!(bench.lines(), [down, well]);
    });
}

#[test]
fn the_log_says_why_a_gateway_is_held() {
    on_both(|bench| {
        let gateway = bench.add_gateway_with(|gateway| gateway.name = "relay".into());
        bench.probe_by(Probe::Check);
        bench.check(|_| Err("535 bad password".into()));
        bench.script(|_| Reply::Document(Outcome::Hold, "535 no"));
        bench.enqueue(1, 1);
        bench.drain();
        let why = "535 no; its check_connection fails too: 535 bad password";
        assert_eq!(bench.lines(), [format!("WARNING gateway {gateway} relay is held: {why}")]);
    });
}
