//! Several programs on one queue: every message goes out once, nobody is kept from delivering.

use crate::judge::{Case, judge};
use crate::stage::{Entry, LONG, Stage};
use gatepost_kit::host::wait_until;
use std::collections::{BTreeMap, BTreeSet};

const PROCESS: [&str; 3] = ["--command", "process", "--force"];
const FOLLOW: [&str; 3] = ["--command", "process", "--follow"];

fn assert_once(stage: &Stage, messages: u32) -> Vec<Entry> {
    let ledger = stage.ledger();
    let verdict = judge(&Case { messages, ledger: &ledger, in_doubt: &BTreeSet::new() });
    assert!(verdict.is_kept() && verdict.doubled == 0, "{verdict:?}");
    ledger
}

#[test]
fn eight_drains_at_once_each_send_something_and_nothing_goes_out_twice() {
    let stage = Stage::with_ledger(25);
    let messages = 640;
    stage.mass(messages);
    let mut workers: Vec<_> =
        (0..8).map(|_| stage.host.command("notify/ntemail", &PROCESS).spawn().unwrap()).collect();
    for worker in &mut workers {
        assert_eq!(worker.wait().unwrap().code(), Some(0));
    }
    let mut sent: BTreeMap<u32, u32> = workers.iter().map(|worker| (worker.id(), 0)).collect();
    for entry in assert_once(&stage, messages) {
        *sent.get_mut(&entry.worker).unwrap() += 1;
    }
    assert!(sent.values().all(|count| *count > 0), "by process: {sent:?}");
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_second_daemon_is_refused_and_a_forced_one_doubles_nothing() {
    let stage = Stage::with_ledger(20);
    let mut first = stage.host.start("notify/ntemail", &FOLLOW);
    wait_until(LONG, "it has begun", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    let second = stage.host.run("notify/ntemail", &FOLLOW).ended(75);
    assert!(second.stderr.contains("--force"), "{}", second.stderr);
    let forced =
        stage.host.start("notify/ntemail", &["--command", "process", "--follow", "--force"]);
    wait_until(LONG, "both have begun", || stage.number("SELECT count(*) FROM notifyworker") == 2);
    stage.queue(1, 200);
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    let workers: BTreeSet<u32> =
        assert_once(&stage, 200).iter().map(|entry| entry.worker).collect();
    assert_eq!(workers, BTreeSet::from([first.pid(), forced.pid()]), "both worked");
    first.signal("TERM");
    assert_eq!(first.wait(LONG), Some(0));
}

#[test]
fn cron_leaves_the_queue_to_a_daemon_that_lives() {
    let stage = Stage::with_ledger(0);
    let daemon = stage.host.start("notify/ntemail", &FOLLOW);
    wait_until(LONG, "it has begun", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    stage.queue(1, 5);
    let cron = stage.host.run("notify/ntemail", &["--command", "process"]).ended(0);
    assert_eq!((cron.stdout.as_str(), cron.stderr.as_str()), ("", ""), "cron mails every word");
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    assert!(assert_once(&stage, 5).iter().all(|entry| entry.worker == daemon.pid()));
}

#[test]
fn a_stopped_daemon_that_keeps_its_lock_keeps_nobody_from_delivering() {
    let mut stage = Stage::with_ledger(0);
    stage.set(&[("queue.lease_secs", "1"), ("queue.extend_secs", "0.2")]);
    let mut daemon = stage.host.start("notify/ntemail", &FOLLOW);
    wait_until(LONG, "it has begun", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    wait_until(LONG, "it is stopped outside a transaction", || {
        daemon.signal("STOP");
        let is_free = stage.database_is_free();
        if !is_free {
            daemon.signal("CONT");
        }
        is_free
    });
    stage.queue(1, 5);
    wait_until(LONG, "cron delivers", || {
        stage.host.run("notify/ntemail", &["--command", "process"]).ended(0);
        stage.unfinished() == 0
    });
    let is_ours = |entry: &Entry| entry.worker != daemon.pid();
    assert!(assert_once(&stage, 5).iter().all(is_ours));
    daemon.signal("CONT");
    stage.queue(6, 5);
    wait_until(LONG, "the daemon is back", || stage.unfinished() == 0);
    assert_once(&stage, 10);
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

#[test]
fn a_second_gatepostd_is_refused_by_name_of_the_first() {
    let stage = Stage::with_ledger(0);
    let first = stage.host.start("bin/gatepostd", &[]);
    let lock = || stage.host.read("var/run/gatepostd.lock");
    wait_until(LONG, "it has its lock", || lock().trim() == first.pid().to_string());
    let second = stage.host.run("bin/gatepostd", &[]);
    assert_ne!(second.code, Some(0));
    assert!(second.stderr.contains(&first.pid().to_string()), "{}", second.stderr);
}

#[test]
fn two_runs_of_cron_do_not_meet() {
    let stage = Stage::with_ledger(300);
    stage.queue(1, 12);
    let mut first = stage.host.start("notify/ntemail", &["--command", "process"]);
    stage.wait_for_entries(1);
    let second = stage.host.run("notify/ntemail", &["--command", "process"]).ended(0);
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), ("", ""));
    assert_eq!(first.wait(LONG), Some(0));
    assert!(assert_once(&stage, 12).iter().all(|entry| entry.worker == first.pid()));
}
