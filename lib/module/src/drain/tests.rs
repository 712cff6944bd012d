//! Drains over both stores with scripted gates, in virtual time.

mod fair;
mod graves;
mod handlers;
mod idle;
mod kit;
mod order;
mod outages;
mod stage;

use kit::{Reply, on_both};
use notice::{Outcome, State};

#[test]
fn everything_that_is_ready_is_sent_and_logged() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        let tasks = bench.enqueue(1, 30);
        bench.drain();
        assert_eq!(bench.sent().len(), 30);
        assert_eq!(bench.log_of(tasks[0]), ["sent"]);
        assert_eq!(bench.tally().sent, 30);
        assert!(bench.tasks().is_empty());
        assert_eq!(bench.gateway_condition(gateway), store::Condition::Open);
    });
}

// S3-20
#[test]
fn without_a_usable_gateway_the_rows_stay_ready_and_pay_nothing() {
    on_both(|bench| {
        bench.enqueue(1, 3);
        bench.run_for(86_400_000);
        assert!(bench.tasks().iter().all(|task| task.state == State::Ready && task.attempt == 0));
    });
}

// S3-77: no contact, no gate
#[test]
fn a_user_without_a_contact_is_refused_before_any_gate() {
    on_both(|bench| {
        bench.add_gateway(None);
        let task = bench.enqueue_for(1, "<user><id>1</id></user>");
        bench.drain();
        assert!(bench.sent().is_empty());
        assert_eq!(bench.log_of(task), ["never"]);
        assert!(bench.log_reason(task).starts_with("no_contact"));
        assert_eq!(bench.log_subject(task), ("welcome".into(), String::new()));
        assert!(bench.tasks().is_empty());
    });
}

// S3-77
#[test]
fn a_contact_that_is_no_address_is_refused_and_the_log_says_which_and_for_what() {
    on_both(|bench| {
        bench.add_gateway(None);
        let task = bench.enqueue_for(1, "<user><id>1</id><email>no&#10;where</email></user>");
        bench.drain();
        assert!(bench.sent().is_empty());
        assert_eq!(bench.log_of(task), ["never"]);
        assert_eq!(bench.log_subject(task), ("welcome".into(), "no\u{fffd}where".into()));
        assert!(bench.log_reason(task).contains("is no mail address"));
    });
}

#[test]
fn a_blocked_contact_is_refused_before_any_gate() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.block("u1@x.y", "bounced for a month");
        let task = bench.enqueue(1, 1)[0];
        bench.drain();
        assert!(bench.sent().is_empty());
        assert!(bench.log_reason(task).contains("bounced for a month; `gatepost contact unblock`"));
        assert_eq!(bench.log_subject(task), ("welcome".into(), "u1@x.y".into()));
    });
}

#[test]
fn what_is_queued_for_a_deleted_user_never_goes_out() {
    on_both(|bench| {
        bench.add_gateway(None);
        let task = bench.enqueue(1, 1)[0];
        bench.make_and_delete_user();
        bench.drain();
        assert!(bench.sent().is_empty());
        assert_eq!(bench.log_of(task), ["never"]);
        assert!(bench.log_reason(task).starts_with("user_gone: "));
        assert_eq!(bench.log_subject(task), ("welcome".into(), String::new()));
    });
}

// S3-51: never by document
#[test]
fn what_a_gate_refuses_fails_with_its_reason() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.script(|_| Reply::Document(Outcome::Never, "550 no such user"));
        bench.enqueue(1, 1);
        bench.drain();
        let task = &bench.tasks()[0];
        assert_eq!((task.state, task.err_info.as_str()), (State::Failed, "550 no such user"));
    });
}

#[test]
fn an_unknown_outcome_is_tried_on_the_same_gateway_only() {
    on_both(|bench| {
        let first = bench.add_gateway(None);
        bench.set_on_unknown(first, notice::OnUnknown::Retry);
        bench.script(|hand_over| {
            if hand_over.attempt == 1 {
                Reply::Nothing(Outcome::Unknown, "signal 9")
            } else {
                Reply::Sent
            }
        });
        let task = bench.enqueue(1, 1)[0];
        bench.drain();
        // another gateway, preferred by its number, does not get it
        let other = bench.add_gateway_with(|gateway| gateway.priority = -1);
        bench.run_for(600_000);
        let sent = bench.sent();
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|one| one.gateway == Some(first) && one.gateway != Some(other)));
        assert!(sent[1].maybe_sent);
        assert_eq!(sent[0].key, sent[1].key);
        assert_eq!(bench.log_of(task), ["unknown", "sent"]);
    });
}

#[test]
fn an_unknown_outcome_asks_a_person_where_the_gateway_says_so_and_fails_after_a_day() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.set_on_unknown(gateway, notice::OnUnknown::Ask);
        bench.script(|_| Reply::Nothing(Outcome::Unknown, "deadline"));
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.tasks()[0].state, State::Asked);
        bench.run_for(23 * 3_600_000);
        assert_eq!(bench.tasks()[0].state, State::Asked);
        bench.run_for(2 * 3_600_000);
        assert_eq!(bench.tasks()[0].state, State::Failed);
        assert_eq!(bench.sent().len(), 1);
    });
}

// DESIGN 6: later once, then never
#[test]
fn a_template_that_fails_is_tried_once_more_and_then_given_up() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.script(|_| Reply::NotRendered("a.tera, line 3: no such filter"));
        bench.enqueue(1, 1);
        bench.drain();
        assert_eq!(bench.tasks()[0].state, State::Waiting);
        bench.run_for(120_000);
        let task = &bench.tasks()[0];
        assert_eq!((task.state, task.error_count), (State::Failed, 2));
        assert!(task.err_info.contains("line 3"));
        assert!(bench.sent().is_empty());
    });
}

#[test]
fn a_missing_render_program_costs_nobody_an_attempt() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.script(
            |hand_over| {
                if hand_over.now.0 < 5_000_000 { Reply::NoRenderer } else { Reply::Sent }
            },
        );
        bench.enqueue(1, 2);
        bench.run_for(3_000_000);
        assert!(bench.tasks().iter().all(|task| task.error_count == 0));
        bench.run_for(7_200_000);
        assert_eq!(bench.sent().len(), 2);
    });
}

// S3-32
#[test]
fn while_paused_only_forced_tasks_go_out_and_the_rest_waits_unharmed() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.pause();
        bench.enqueue(1, 3);
        let forced = bench.enqueue_forced(1);
        bench.run_for(5 * 86_400_000);
        assert_eq!(bench.sent().iter().map(|one| one.task).collect::<Vec<_>>(), [forced]);
        assert!(bench.tasks().iter().all(|task| task.state == State::Ready && task.attempt == 0));
        bench.resume();
        bench.run_for(1_000);
        assert_eq!(bench.sent().len(), 4);
    });
}

// S3-32: a pause that begins after the claim
#[test]
fn what_is_claimed_when_the_pause_begins_is_given_back() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.enqueue(1, 4);
        bench.pause_at_hand_over(2);
        bench.drain();
        assert_eq!(bench.sent().len(), 2);
        let waiting = bench.tasks();
        assert_eq!(waiting.len(), 2);
        assert!(waiting.iter().all(|task| task.state == State::Ready && task.attempt == 0));
    });
}

#[test]
fn an_expired_task_is_not_handed_over() {
    on_both(|bench| {
        bench.add_gateway(None);
        let task = bench.enqueue_until(1, 10_000);
        bench.advance(10_001);
        bench.drain();
        assert!(bench.sent().is_empty());
        assert_eq!(bench.log_of(task), ["expired"]);
    });
}

// S3-27, DESIGN 2: one bad entry does not hold the others
#[test]
fn a_file_is_split_at_its_first_claim_and_removed() {
    on_both(|bench| {
        bench.add_gateway(None);
        let path = bench.write_file("1", &["a@x.y", "", "c@x.y"]);
        bench.enqueue_file("1");
        bench.drain();
        let contacts: Vec<String> = bench.sent().iter().map(|one| one.contact.clone()).collect();
        assert_eq!(contacts, ["a@x.y", "c@x.y"]);
        assert!(!path.exists());
        assert!(bench.tasks().is_empty());
    });
}

#[test]
fn a_bad_file_fails_with_its_place_and_a_missing_one_after_three_looks() {
    on_both(|bench| {
        bench.add_gateway(None);
        std::fs::write(bench.file_path("bad"), "<doc>\n<notify>").unwrap();
        bench.enqueue_file("bad");
        bench.enqueue_file("missing");
        bench.drain();
        let tasks = bench.tasks();
        assert_eq!(tasks[0].state, State::Failed);
        assert!(tasks[0].err_info.contains("line"), "{}", tasks[0].err_info);
        assert_eq!(tasks[1].state, State::Waiting);
        bench.run_for(600_000);
        assert_eq!(bench.tasks()[1].state, State::Failed);
        assert_eq!(bench.tasks()[1].error_count, 3);
    });
}

// queue 3.1: a zombie must not start the send
#[test]
fn a_lost_lease_is_not_handed_over_and_settles_nothing() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.enqueue(1, 1);
        bench.steal_at_hand_over();
        bench.turns(3);
        assert_eq!(bench.sent().len(), 0);
        bench.steal_after_hand_over();
        bench.turns(3);
        assert!(!bench.sent().is_empty());
        assert_eq!((bench.tally().sent, bench.tasks().len()), (0, 1));
        assert!(bench.tally().lost > 0);
    });
}

// queue 3.1
#[test]
fn a_dead_worker_is_settled_by_its_notes() {
    on_both(|bench| {
        let gateway = bench.add_gateway_with(|gateway| gateway.concurrency = Some(5));
        bench.set_on_unknown(gateway, notice::OnUnknown::Retry);
        let tasks = bench.enqueue(1, 3);
        bench.die_with(|task| match tasks.iter().position(|known| *known == task) {
            Some(0) => kit::Grave::Ended,
            Some(1) => kit::Grave::Started,
            _ => kit::Grave::Untouched,
        });
        bench.run_for(600_000);
        let sent: Vec<_> = bench.sent();
        let of = |task| sent.iter().filter(|one| one.task == task).collect::<Vec<_>>();
        assert_eq!(of(tasks[0]).len(), 0, "its end was noted: it is not sent again");
        assert_eq!(bench.log_of(tasks[0]), ["sent"]);
        assert_eq!(of(tasks[1]).len(), 1);
        assert!(of(tasks[1])[0].maybe_sent, "the gate is told");
        assert_eq!(of(tasks[2]).len(), 1);
        assert!(!of(tasks[2])[0].maybe_sent && of(tasks[2])[0].attempt == 1, "unpenalised");
        assert!(bench.tasks().is_empty());
    });
}

#[test]
fn a_task_that_three_workers_died_of_is_poison() {
    on_both(|bench| {
        let gateway = bench.add_gateway(None);
        bench.set_on_unknown(gateway, notice::OnUnknown::Retry);
        let task = bench.enqueue(1, 1)[0];
        for _ in 0..3 {
            bench.die_with(|_| kit::Grave::Started);
            bench.only_reap();
            bench.advance(3_600_000);
        }
        let row = &bench.tasks()[0];
        assert_eq!((row.id, row.state), (task, State::Failed));
        assert!(row.err_info.starts_with("poison"), "{}", row.err_info);
    });
}

#[test]
fn a_clean_stop_leaves_nothing_leased() {
    on_both(|bench| {
        bench.add_gateway(None);
        bench.enqueue(1, 10);
        bench.stop_at_hand_over(1);
        bench.turn();
        bench.drain_to_the_end();
        assert_eq!(bench.sent().len(), 1);
        assert!(bench.tasks().iter().all(|task| task.state == State::Ready && task.attempt == 0));
    });
}

/// The notes are written anew at a mebibyte: with what is in hand, and nothing else.
#[test]
fn what_was_taken_back_is_in_no_notes_that_are_written_anew() {
    const REASON: &str = "no such user, says a server that is fond of its own words; ";
    let long: &str = REASON.repeat(30).leak();
    on_both(|bench| {
        bench.add_gateway(None);
        let first = bench.enqueue(1, 2_000)[0];
        let mut is_read = false;
        bench.script(move |hand_over| {
            if hand_over.task == first && !std::mem::replace(&mut is_read, true) {
                return Reply::Unread;
            }
            Reply::Document(Outcome::Never, long)
        });
        bench.drain();
        assert_eq!(bench.log_of(first), ["never"]);
        let notes = bench.notes();
        assert!(notes.len() < 1_000 * long.len(), "{} bytes, never written anew", notes.len());
        let of_first = format!("start {first} ");
        assert!(!notes.lines().any(|line| line.starts_with(&of_first)), "{of_first}");
    });
}
