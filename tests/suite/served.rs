//! Gates in serve mode under a worker: every message once, whatever the gate, the worker or an operator does. What
//! was handed over is counted in the gate's own ledger.

use crate::judge::{Case, Verdict, judge};
use crate::stage::{LONG, Stage};
use gatepost_kit::host::wait_until;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const WINDOW: usize = 8;
const PROCESS: [&str; 3] = ["--command", "process", "--force"];
const FOLLOW: [&str; 4] = ["--command", "process", "--follow", "--force"];

/// What the gate's children did: the word, and which child.
fn doings(stage: &Stage) -> Vec<(String, u32)> {
    let text = stage.host.read("var/served");
    let doing = |line: &str| {
        let (word, pid) = line.rsplit_once(' ').unwrap();
        (word.to_owned(), pid.parse().unwrap())
    };
    text.lines().map(doing).collect()
}

fn count(stage: &Stage, word: &str) -> usize {
    doings(stage).iter().filter(|(did, _)| did == word).count()
}

/// The number behind a word, the largest of all children.
fn figure(stage: &Stage, word: &str) -> Option<usize> {
    let of = |(did, _): (String, u32)| did.strip_prefix(word)?.parse().ok();
    doings(stage).into_iter().filter_map(of).max()
}

fn verdict(stage: &Stage, messages: u32, in_doubt: &BTreeSet<(i64, i64)>) -> Verdict {
    let sent = stage.number("SELECT count(DISTINCT task) FROM notifylog WHERE outcome='sent'");
    assert_eq!((sent, stage.unfinished()), (u64::from(messages), 0));
    assert_eq!(
        stage.number("SELECT count(*) FROM notifytask"),
        0,
        "nothing failed, nobody is asked"
    );
    judge(&Case { messages, ledger: &stage.ledger(), in_doubt })
}

/// Every message went out once, and nobody was told of a second attempt.
fn assert_once(stage: &Stage, messages: u32) {
    let verdict = verdict(stage, messages, &BTreeSet::new());
    assert!(verdict.is_kept() && verdict.doubled == 0, "{verdict:?}");
    assert!(stage.ledger().iter().all(|entry| entry.attempt == 1 && !entry.maybe_sent));
}

/// `served N messages in W writes` of each child, from the log.
fn served_in(stage: &Stage) -> Vec<(u32, u32)> {
    let log = stage.host.read("var/gatepost.log");
    let figures = |line: &str| {
        let (_, rest) = line.split_once(": served ")?;
        let words: Vec<&str> = rest.split(' ').collect();
        Some((words[0].parse().unwrap(), words[3].parse().unwrap()))
    };
    log.lines().filter_map(figures).collect()
}

#[test]
fn every_message_of_a_serving_gate_goes_out_once_through_one_child() {
    let stage = Stage::serving("");
    stage.queue(1, 200);
    stage.host.process("ntemail").ended(0);
    assert_once(&stage, 200);
    assert_eq!((count(&stage, "start"), count(&stage, "end")), (1, 1), "{:?}", doings(&stage));
    assert_eq!(count(&stage, "configure gwserve"), 1);
}

#[test]
fn answers_come_in_any_order_the_window_is_used_and_never_exceeded() {
    let stage = Stage::serving("reverse");
    let messages = 120;
    stage.queue(1, messages);
    stage.host.process("ntemail").ended(0);
    assert_once(&stage, messages);
    assert_eq!(figure(&stage, "most-"), Some(WINDOW));
    // A gate that answers a whole window at once is given a whole window at once.
    let [(served, writes)] = served_in(&stage)[..] else { panic!("one child") };
    assert_eq!(served, messages);
    assert!(writes <= messages / 3, "{writes} writes for {messages} messages");
}

/// Transactions so far, as `SQLite` counts them in the header of its index of the log (`iChange`). The file lives while
/// a worker has the database open.
fn commits(stage: &Stage) -> u32 {
    let index = std::fs::read(stage.host.path("var/gatepost.db-shm")).unwrap();
    u32::from_ne_bytes(index[8..12].try_into().unwrap())
}

#[test]
fn one_commit_settles_and_claims_for_many_messages() {
    let stage = Stage::serving("reverse");
    let mut worker = stage.host.start("notify/ntemail", &FOLLOW);
    wait_until(LONG, "it has begun", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    let before = commits(&stage);
    let messages = 160;
    stage.queue(1, messages);
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    let commits = commits(&stage) - before;
    worker.signal("TERM");
    assert_eq!(worker.wait(LONG), Some(0));
    assert_once(&stage, messages);
    assert!(commits <= messages / 2, "{commits} commits for {messages} messages");
}

#[test]
fn a_gateway_that_sets_less_than_the_window_gets_less() {
    let stage = Stage::serving("reverse");
    stage.host.sql("UPDATE gateway SET concurrency=3");
    stage.queue(1, 30);
    stage.host.process("ntemail").ended(0);
    assert_once(&stage, 30);
    assert_eq!(figure(&stage, "most-"), Some(3));
}

#[test]
fn a_gate_killed_with_messages_in_hand_loses_none_and_just_those_are_unknown() {
    let stage = Stage::serving("die");
    let messages = 60;
    stage.queue(1, messages);
    stage.drain();
    let held = figure(&stage, "fault-").unwrap();
    let unknown = stage.unknown();
    assert_eq!(unknown.len(), held, "as many as it had read and not answered");
    let verdict = verdict(&stage, messages, &unknown);
    assert!(verdict.is_kept() && verdict.doubled == held, "{verdict:?}");
    assert_eq!(count(&stage, "start"), 2, "it was started again, once");
}

#[test]
fn whatever_a_gate_says_out_of_turn_ends_it_and_loses_nothing() {
    for mode in ["garbage", "wrong", "twice", "huge", "never"] {
        let mut stage = Stage::serving(mode);
        stage.set(&[("gate.outgoing_secs", "1")]);
        let messages = 40;
        stage.queue(1, messages);
        stage.drain();
        let held = figure(&stage, "fault-").unwrap();
        let unknown = stage.unknown();
        // The message it answered twice was answered.
        let unanswered = if mode == "twice" { held - 1 } else { held };
        let verdict = verdict(&stage, messages, &unknown);
        assert!(verdict.is_kept(), "{mode}: {verdict:?}");
        assert!(unknown.len() >= unanswered && unknown.len() <= WINDOW, "{mode}: {unknown:?}");
        assert_eq!(count(&stage, "start"), 2, "{mode}: {:?}", doings(&stage));
    }
}

#[test]
fn a_message_that_kills_its_gate_goes_alone_in_the_end() {
    let stage = Stage::serving("poison");
    let messages = 30;
    stage.queue(1, messages);
    let of_poison = |stage: &Stage| {
        stage.ledger().into_iter().filter(|entry| entry.contact.starts_with("u7@")).count()
    };
    wait_until(LONG, "it was tried often, and the others are sent", || {
        stage.host.process("ntemail").ended(0);
        of_poison(&stage) >= 6 && stage.unfinished() == 1
    });
    let beside = |doing: &(String, u32)| {
        let (attempt, others) = doing.0.strip_prefix("poisoned-")?.split_once('-').unwrap();
        Some((attempt.parse::<u32>().unwrap(), others.parse::<u32>().unwrap()))
    };
    let beside: Vec<_> = doings(&stage).iter().filter_map(beside).collect();
    assert!(beside.len() >= 6, "{beside:?}");
    assert!(beside.iter().all(|(attempt, others)| *attempt < 3 || *others == 0), "{beside:?}");
    let mut handed: BTreeMap<String, usize> = BTreeMap::new();
    for entry in stage.ledger().into_iter().filter(|entry| !entry.contact.starts_with("u7@")) {
        *handed.entry(entry.contact).or_default() += 1;
    }
    assert!(handed.values().all(|times| *times <= 3), "{handed:?}");
    stage.host.write("var/cured", "");
    stage.drain();
    let verdict = verdict(&stage, messages, &stage.unknown());
    assert!(verdict.is_kept(), "{verdict:?}");
}

#[test]
fn a_message_that_hangs_takes_no_other_along() {
    let mut stage = Stage::serving("hang");
    stage.set(&[("gate.outgoing_secs", "1")]);
    let messages = 40;
    stage.queue(1, messages);
    stage.drain();
    let ledger = stage.ledger();
    let hung = ledger.iter().find(|entry| entry.contact.starts_with("u7@")).unwrap();
    let unknown = stage.unknown();
    assert_eq!(unknown, BTreeSet::from([(hung.task, 1)]), "it alone");
    let verdict = verdict(&stage, messages, &unknown);
    assert!(verdict.is_kept() && verdict.doubled == 1, "{verdict:?}");
    let why = stage.host.sql("SELECT reason FROM notifylog WHERE outcome='unknown'");
    assert_eq!(why, "no answer within 1.0 s, killed");
}

#[test]
fn a_gate_that_can_not_start_costs_no_attempt() {
    let stage = Stage::serving("unfit");
    stage.queue(1, 20);
    stage.drain();
    assert_once(&stage, 20);
    assert_eq!(count(&stage, "start"), 1);
    assert!(stage.host.read("var/gwserve.log").contains("serve: no such account"));
}

#[test]
fn a_worker_killed_with_messages_in_hand_doubles_no_more_than_those() {
    let stage = Stage::serving_slowly(5);
    let messages = 120;
    stage.queue(1, messages);
    let mut in_doubt = BTreeSet::new();
    for round in 1..=3 {
        let mut worker = stage.host.start("notify/ntemail", &PROCESS);
        stage.wait_for_entries(round * 25);
        worker.signal("KILL");
        worker.wait(LONG);
        let now = stage.in_doubt();
        assert!(now.len() <= WINDOW, "{now:?}");
        in_doubt.extend(now);
        let children = |stage: &Stage| (count(stage, "start"), count(stage, "end"));
        wait_until(LONG, "the child sees the end of its input, and leaves", || {
            let (started, left) = children(&stage);
            started == left
        });
    }
    stage.drain();
    let verdict = verdict(&stage, messages, &in_doubt);
    assert!(verdict.is_kept(), "{verdict:?}");
}

#[test]
fn sigterm_sends_the_child_home_before_the_worker_leaves() {
    let stage = Stage::serving_slowly(5);
    stage.queue(1, 60);
    let mut worker = stage.host.start("notify/ntemail", &PROCESS);
    stage.wait_for_entries(20);
    worker.signal("TERM");
    assert_eq!(worker.wait(LONG), Some(0));
    assert_eq!(count(&stage, "end"), 1, "its child has left");
    stage.drain();
    assert_once(&stage, 60);
}

#[test]
fn a_gateway_edited_under_load_drains_its_child_and_gets_another() {
    let stage = Stage::serving_slowly(5);
    stage.queue(1, 120);
    let mut worker = stage.host.start("notify/ntemail", &FOLLOW);
    stage.wait_for_entries(20);
    stage.host.sql("UPDATE gateway SET name='renamed', version=version+1");
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    worker.signal("TERM");
    assert_eq!(worker.wait(LONG), Some(0));
    assert_once(&stage, 120);
    let told: Vec<String> = doings(&stage).into_iter().map(|(word, _)| word).collect();
    let place = |word: &str| told.iter().position(|one| one == word).unwrap();
    assert!(place("configure gwserve") < place("end"), "{told:?}");
    assert!(place("end") < place("configure renamed"), "one after the other: {told:?}");
}

#[test]
fn a_gate_replaced_by_a_one_shot_one_is_called_as_what_it_is_now() {
    let stage = Stage::serving_slowly(5);
    stage.queue(1, 60);
    let mut worker = stage.host.start("notify/ntemail", &FOLLOW);
    stage.wait_for_entries(15);
    let one_shot = "#!/bin/sh\nif [ \"$2\" = features ]; then\necho '<doc><features><feature name=\"outgoing\"/></features>\
        <notify_module>ntemail</notify_module></doc>'\nelse\ncat >/dev/null; echo one >> var/one\nfi\n";
    stage.host.program("gate/gwserve", one_shot);
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    worker.signal("TERM");
    assert_eq!(worker.wait(LONG), Some(0));
    let one_shot = stage.host.read("var/one").lines().count();
    assert_ne!(one_shot, 0);
    assert_eq!(stage.ledger().len() + one_shot, 60);
}

#[test]
fn a_silent_gate_is_asked_whether_it_is_there_and_an_idle_one_goes_home() {
    let mut stage = Stage::serving("");
    stage.set(&[("gate.serve_ping_secs", "0.1"), ("gate.serve_idle_secs", "1")]);
    stage.queue(1, 1);
    let mut worker = stage.host.start("notify/ntemail", &FOLLOW);
    wait_until(LONG, "it was pinged and sent home", || {
        count(&stage, "ping") >= 3 && count(&stage, "end") == 1
    });
    stage.queue(2, 1);
    wait_until(LONG, "it is back", || stage.unfinished() == 0);
    let started: BTreeMap<u32, usize> = doings(&stage)
        .into_iter()
        .filter(|(word, _)| word == "start")
        .fold(BTreeMap::new(), |mut all, (_, pid)| {
            *all.entry(pid).or_default() += 1;
            all
        });
    assert_eq!(started.len(), 2);
    worker.signal("TERM");
    assert_eq!(worker.wait(Duration::from_secs(20)), Some(0));
    assert_once(&stage, 2);
}
