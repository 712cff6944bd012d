//! Kill -9 at every named point, a worker that sleeps past its lease, SIGTERM under load, gates that are killed: nothing
//! is lost, doubles only in the declared window, and the harness is red where the product is broken on purpose (queue
//! 4.4). Each on every path a message can take.

use crate::judge::{Case, Played, Verdict, enter, judge};
use crate::stage::{LONG, Stage, say};
use gatepost_kit::host::wait_until;
use gatepost_kit::ledger::{
    DeliveryPath, GATE_KILLED, KILL_POINTS, STOPPED, TERMINATED, repeats, rounds,
};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

/// Messages queued before each round.
const EACH: u32 = 8;
/// A long run says so often how far it is, in kills.
const SAYS: u32 = 100;

const PROCESS: [&str; 3] = ["--command", "process", "--force"];

/// What came of all rounds at one point.
struct Killed {
    kills: u32,
    messages: u32,
    verdict: Verdict,
    sent: u64,
}

fn kill_at(point: &'static str, path: DeliveryPath) -> Killed {
    let mut stage = Stage::on(path, 2);
    stage.set(&[("queue.poison_crashes", "1000")]);
    let mut in_doubt = BTreeSet::new();
    let (mut kills, mut messages) = (0, 0);
    // A round that ends before its point is passed is no kill: it is played again, with a bound.
    for round in 0..rounds() * 4 {
        if kills == rounds() {
            break;
        }
        stage.queue(messages + 1, EACH);
        messages += EACH;
        // at another passing each time; the random point: at another moment
        let word = if point == "random" {
            "random:150".to_owned()
        } else {
            format!("{point}:{}", 1 + round % 5)
        };
        let ran = stage.sabotaged(&word);
        assert!(ran.code.is_none() || ran.code == Some(0), "{point}: {ran:?}");
        if ran.code.is_none() {
            kills += 1;
            if kills.is_multiple_of(SAYS) {
                say(&format!("{} / {point}: {kills} of {} kills", path.word(), rounds()));
            }
        }
        in_doubt.extend(stage.in_doubt());
    }
    stage.drain();
    stage.let_gates_leave();
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt };
    let verdict = enter(&Played { path, point, rounds: kills }, &case);
    let sent = stage.number("SELECT count(DISTINCT contact) FROM notifylog WHERE outcome='sent'");
    assert_eq!(stage.host.sql("PRAGMA integrity_check"), "ok");
    Killed { kills, messages, verdict, sent }
}

// What is promised of a death at any point (queue 3.4)
#[test]
fn nothing_is_lost_at_any_kill_point_and_doubles_stay_in_the_window() {
    assert_kept_at_every_point(DeliveryPath::OneShot);
}

#[test]
fn a_gate_in_serve_mode_makes_no_difference_to_what_a_death_may_double() {
    assert_kept_at_every_point(DeliveryPath::Serve);
}

#[test]
fn a_mail_server_gets_every_mail_whatever_point_its_worker_dies_at() {
    assert_kept_at_every_point(DeliveryPath::Smtp);
}

fn assert_kept_at_every_point(path: DeliveryPath) {
    let mut wrong = Vec::new();
    for point in KILL_POINTS {
        let killed = kill_at(point, path);
        let verdict = &killed.verdict;
        let is_right = verdict.is_kept() && killed.sent == u64::from(killed.messages);
        if !is_right || killed.kills < rounds() {
            wrong.push(format!(
                "{point}: {} sent, {} kills, {verdict:?}",
                killed.sent, killed.kills
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_harness_is_red_when_rows_are_deleted_before_they_are_sent() {
    let stage = Stage::with_ledger(2);
    let messages = 300;
    stage.queue(1, messages);
    let mut command = stage.host.command("notify/ntemail", &["--command", "process", "--force"]);
    let mut child = command.env("GATEPOST_KILL_AT", "delete_before_send").spawn().unwrap();
    stage.wait_for_entries(40);
    child.kill().unwrap();
    child.wait().unwrap();
    let in_doubt = stage.in_doubt().into_iter().collect();
    stage.drain();
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt });
    assert!(!verdict.lost.is_empty(), "{verdict:?}");
    assert!(!verdict.is_kept());
}

#[test]
fn the_harness_is_red_when_the_fence_is_off() {
    let stage = Stage::with_ledger(60);
    let messages = 300;
    stage.queue(1, messages);
    let start = || {
        let mut command =
            stage.host.command("notify/ntemail", &["--command", "process", "--force"]);
        command.env("GATEPOST_KILL_AT", "fence_off").spawn().unwrap()
    };
    let mut first = start();
    stage.wait_for_entries(10);
    let mut second = start();
    first.wait().unwrap();
    second.wait().unwrap();
    stage.drain();
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &BTreeSet::new() });
    assert!(verdict.doubled > 0 && !verdict.is_kept(), "{verdict:?}");
}

#[test]
fn a_worker_that_sleeps_past_its_leases_is_fenced_when_it_wakes() {
    assert_fenced(DeliveryPath::OneShot);
}

#[test]
fn a_worker_that_sleeps_while_its_gate_serves_is_fenced_when_it_wakes() {
    assert_fenced(DeliveryPath::Serve);
}

#[test]
fn a_worker_that_sleeps_over_a_mail_server_is_fenced_when_it_wakes() {
    assert_fenced(DeliveryPath::Smtp);
}

fn assert_fenced(path: DeliveryPath) {
    let mut stage = Stage::on(path, 40);
    stage.set(&[("queue.lease_secs", "1"), ("queue.extend_secs", "0.2")]);
    let each = 120;
    let mut in_doubt = BTreeSet::new();
    for round in 0..repeats() {
        in_doubt.extend(sleep_past_the_leases(&stage, round * each + 1, each));
    }
    let (messages, rounds) = (repeats() * each, repeats());
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt };
    let verdict = enter(&Played { path, point: STOPPED, rounds }, &case);
    assert!(verdict.is_kept(), "{verdict:?}");
    let sent = "SELECT count(*), count(DISTINCT task) FROM notifylog WHERE outcome='sent'";
    let what = "what it brought changed nothing";
    assert_eq!(stage.host.sql(sent), format!("{messages}|{messages}"), "{what}");
}

/// What was in doubt when the worker was stopped.
fn sleep_past_the_leases(stage: &Stage, from: u32, messages: u32) -> BTreeSet<(i64, i64)> {
    let before = stage.ledger().len();
    stage.queue(from, messages);
    let mut zombie = stage.host.start("notify/ntemail", &PROCESS);
    stage.wait_for_entries(before + 10);
    wait_until(LONG, "it is stopped outside a transaction", || {
        zombie.signal("STOP");
        let is_free = stage.database_is_free();
        if !is_free {
            zombie.signal("CONT");
        }
        is_free
    });
    let in_doubt: BTreeSet<_> = stage.in_doubt().into_iter().collect();
    assert_ne!(stage.number("SELECT count(*) FROM notifytask WHERE state=1"), 0, "it holds leases");
    stage.drain();
    let before = stage.ledger().len();
    zombie.signal("CONT");
    assert_eq!(zombie.wait(LONG), Some(0));
    stage.let_gates_leave();
    // A send it had noted and not yet begun may still go out; the other worker was told of each of these.
    let ledger = stage.ledger();
    let is_noted = |task| in_doubt.iter().any(|(noted, _)| *noted == task);
    let unnoted: Vec<_> = ledger[before..].iter().filter(|late| !is_noted(late.task)).collect();
    assert!(unnoted.is_empty(), "{unnoted:?}: it began nothing more");
    in_doubt
}

#[test]
fn sigterm_under_load_doubles_nothing() {
    assert_terminated(DeliveryPath::OneShot, 30);
}

#[test]
fn sigterm_finishes_what_a_serving_gate_has_in_hand_and_doubles_nothing() {
    assert_terminated(DeliveryPath::Serve, 5);
}

#[test]
fn sigterm_over_a_mail_server_doubles_nothing() {
    assert_terminated(DeliveryPath::Smtp, 20);
}

fn assert_terminated(path: DeliveryPath, each_ms: u32) {
    let stage = Stage::on(path, each_ms);
    let (each, stops) = (150, 3);
    for round in 0..repeats() {
        stage.queue(round * each + 1, each);
        let before = stage.ledger().len();
        for stop in 1..=stops {
            let mut worker = stage.host.start("notify/ntemail", &PROCESS);
            stage.wait_for_entries(before + stop * 20);
            worker.signal("TERM");
            assert_eq!(worker.wait(LONG), Some(0));
            let leases = "SELECT count(*) FROM notifytask WHERE state=1";
            assert_eq!(stage.number(leases), 0, "no lease is left");
            assert_eq!(stage.in_doubt(), []);
        }
        assert_ne!(stage.unfinished(), 0, "it stopped while there was work");
        stage.drain();
    }
    let messages = repeats() * each;
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &BTreeSet::new() };
    let rounds = repeats() * u32::try_from(stops).unwrap();
    let verdict = enter(&Played { path, point: TERMINATED, rounds }, &case);
    assert!(verdict.is_kept() && verdict.doubled == 0, "{verdict:?}");
    let told = stage.ledger().iter().filter(|entry| entry.maybe_sent || entry.attempt > 1).count();
    assert_eq!(told, 0, "nobody was told of another attempt");
}

#[test]
fn a_gate_killed_with_a_message_in_hand_leaves_just_that_one_unknown() {
    assert_unknown_after_the_gates_death(DeliveryPath::OneShot, 60);
}

#[test]
fn a_serving_gate_killed_at_any_moment_leaves_its_window_unknown_and_nothing_else() {
    assert_unknown_after_the_gates_death(DeliveryPath::Serve, 5);
}

#[test]
fn gwsmtp_killed_at_any_moment_leaves_its_window_unknown_and_nothing_else() {
    assert_unknown_after_the_gates_death(DeliveryPath::Smtp, 20);
}

fn assert_unknown_after_the_gates_death(path: DeliveryPath, each_ms: u32) {
    let stage = Stage::on(path, each_ms);
    let (each, deaths) = (100, 3);
    for round in 0..repeats() {
        stage.queue(round * each + 1, each);
        let before = stage.ledger().len();
        let mut worker = stage.host.start("notify/ntemail", &PROCESS);
        for death in 1..=deaths {
            stage.wait_for_entries(before + death * 20);
            // one of them: five in a row would hold the gateway and give back what they have cost
            let mut gate = None;
            wait_until(LONG, "it runs a gate", || {
                gate = Stage::gates_of(&worker).pop();
                gate.is_some()
            });
            let gate = gate.map(|pid| pid.to_string());
            Command::new("kill").arg("-KILL").args(gate).output().unwrap();
        }
        assert_eq!(worker.wait(LONG), Some(0));
        stage.drain();
    }
    let messages = repeats() * each;
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &stage.unknown() };
    let rounds = repeats() * u32::try_from(deaths).unwrap();
    let verdict = enter(&Played { path, point: GATE_KILLED, rounds }, &case);
    assert!(verdict.is_kept() && verdict.allowed > 0, "{verdict:?}");
}

#[test]
fn a_task_that_kills_its_workers_is_failed_as_poison() {
    let stage = Stage::with_ledger(60);
    stage.queue(1, 1);
    let is_failed = || stage.number("SELECT count(*) FROM notifytask WHERE state=3") == 1;
    wait_until(Duration::from_secs(30), "it is failed", || {
        stage.sabotaged("mid_send");
        is_failed()
    });
    assert!(stage.host.sql("SELECT err_info FROM notifytask").starts_with("poison: 3 workers"));
    assert!(stage.ledger().len() <= 3);
}
