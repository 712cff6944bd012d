//! Kill -9 at every named point, a worker that sleeps past its lease, SIGTERM under load: nothing is lost, doubles
//! only in the declared window, and the harness is red where the product is broken on purpose (queue 4.4).

use crate::judge::{Case, Verdict, judge};
use crate::stage::{LONG, Stage, say};
use gatepost_kit::host::wait_until;
use std::collections::BTreeSet;
use std::time::Duration;

/// The points of queue 4.4, as the environment names them.
const POINTS: [&str; 8] = [
    "before_claim",
    "in_claim",
    "after_claim",
    "mid_send",
    "after_send",
    "in_finish",
    "after_finish",
    "random",
];
/// Messages queued before each round.
const EACH: u32 = 8;

/// Rounds at each point; the long run sets 125.
fn rounds() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "the test's own setting, read once")]
    let given = std::env::var("GATEPOST_KILL_ROUNDS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// What came of all rounds at one point.
struct Killed {
    kills: u32,
    messages: u32,
    verdict: Verdict,
    sent: u64,
}

fn kill_at(point: &str, mut stage: Stage) -> Killed {
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
        kills += u32::from(ran.code.is_none());
        in_doubt.extend(stage.in_doubt());
    }
    stage.drain();
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt });
    let sent = stage.number("SELECT count(DISTINCT contact) FROM notifylog WHERE outcome='sent'");
    assert_eq!(stage.host.sql("PRAGMA integrity_check"), "ok");
    Killed { kills, messages, verdict, sent }
}

// What is promised of a death at any point (queue 3.4)
#[test]
fn nothing_is_lost_at_any_kill_point_and_doubles_stay_in_the_window() {
    assert_kept_at_every_point(|| Stage::with_ledger(2));
}

#[test]
fn a_gate_in_serve_mode_makes_no_difference_to_what_a_death_may_double() {
    assert_kept_at_every_point(|| Stage::serving_slowly(2));
}

fn assert_kept_at_every_point(stage: fn() -> Stage) {
    let mut wrong = Vec::new();
    let mut table = vec!["point          kills messages handed doubled in-doubt lost".to_owned()];
    for point in POINTS {
        let killed = kill_at(point, stage());
        let verdict = &killed.verdict;
        table.push(format!(
            "{point:<14} {:>5} {:>8} {:>6} {:>7} {:>8} {:>4}",
            killed.kills,
            killed.messages,
            verdict.handed,
            verdict.doubled,
            verdict.allowed,
            verdict.lost.len()
        ));
        let is_right = verdict.is_kept() && killed.sent == u64::from(killed.messages);
        if !is_right || killed.kills < rounds() {
            wrong.push(format!(
                "{point}: {} sent, {} kills, {verdict:?}",
                killed.sent, killed.kills
            ));
        }
    }
    for line in &table {
        say(line);
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
    assert_fenced(Stage::with_ledger(40));
}

#[test]
fn a_worker_that_sleeps_while_its_gate_serves_is_fenced_when_it_wakes() {
    assert_fenced(Stage::serving_slowly(40));
}

fn assert_fenced(mut stage: Stage) {
    stage.set(&[("queue.lease_secs", "1"), ("queue.extend_secs", "0.2")]);
    let messages = 120;
    stage.queue(1, messages);
    let mut zombie = stage.host.start("notify/ntemail", &["--command", "process", "--force"]);
    stage.wait_for_entries(10);
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
    // A send it had noted and not yet begun may still go out; the other worker was told of each of these.
    let ledger = stage.ledger();
    let is_noted = |task| in_doubt.iter().any(|(noted, _)| *noted == task);
    let unnoted: Vec<_> = ledger[before..].iter().filter(|late| !is_noted(late.task)).collect();
    assert!(unnoted.is_empty(), "{unnoted:?}: it began nothing more");
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt });
    assert!(verdict.is_kept(), "{verdict:?}");
    let sent = "SELECT count(*), count(DISTINCT task) FROM notifylog WHERE outcome='sent'";
    assert_eq!(
        stage.host.sql(sent),
        format!("{messages}|{messages}"),
        "what it brought changed nothing"
    );
}

#[test]
fn sigterm_under_load_doubles_nothing() {
    let stage = Stage::with_ledger(30);
    let messages = 150;
    stage.queue(1, messages);
    for stop in 1..=3 {
        let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--force"]);
        stage.wait_for_entries(stop * 20);
        worker.signal("TERM");
        assert_eq!(worker.wait(LONG), Some(0));
        assert_eq!(
            stage.number("SELECT count(*) FROM notifytask WHERE state=1"),
            0,
            "no lease is left"
        );
        assert_eq!(stage.in_doubt(), []);
    }
    assert_ne!(stage.unfinished(), 0, "it stopped while there was work");
    stage.drain();
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &BTreeSet::new() });
    assert!(verdict.is_kept() && verdict.doubled == 0, "{verdict:?}");
    let told = stage.ledger().iter().filter(|entry| entry.maybe_sent || entry.attempt > 1).count();
    assert_eq!(told, 0, "nobody was told of another attempt");
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
