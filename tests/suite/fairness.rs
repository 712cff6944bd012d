//! Nobody waits for somebody else's gateway: bad gates beside a good one, caps, failover and the way back.

use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::{Running, wait_until};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use std::cell::Cell;
use std::time::Instant;

const FOLLOW: [&str; 4] = ["--command", "process", "--follow", "--force"];
/// Each with a project of its own, so a route of its own.
const GATES: [&str; 4] = ["gwbusy", "gwdead", "gwslow", "gwgood"];
/// What a gate in serve mode may have at once.
const WINDOW: usize = 8;
const EACH: u32 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speed {
    OneShot,
    Serve,
}

/// As many gateways, routes, and full queues.
fn stage(speed: Speed, gates: &[&str]) -> Stage {
    let mut stage = Stage::new();
    stage.set(&[("gate.outgoing_secs", "600"), ("gate.features_secs", "600")]);
    if speed == Speed::Serve {
        stage.set(&[("gate.env.FAIR_SERVES", "\"1\"")]);
    }
    for (gate, project) in gates.iter().zip(1..) {
        if project > 1 {
            let row = format!("{project},'{gate}','we@example.com'");
            stage.host.sql(&format!("INSERT INTO project(id,name,notifyemail) VALUES({row})"));
        }
        stage.host.program(&format!("gate/{gate}"), include_str!("../programs/fair_gate.py"));
        stage.gateway(gate, project);
        let notifies: Vec<String> = (1..=EACH).map(|number| notify(number, project)).collect();
        stage.queue_file(gate, format!("<doc>{}</doc>", notifies.concat()));
    }
    stage
}

/// How many messages were handed to a gate.
fn handed(stage: &Stage, gate: &str) -> usize {
    stage.host.read("var/handed").lines().filter(|line| line.starts_with(gate)).count()
}

/// How many attempts the log has of a gate.
fn logged(stage: &Stage, gate: &str, outcome: &str) -> u64 {
    stage.number(&format!(
        "SELECT count(*) FROM notifylog WHERE outcome GLOB '{outcome}'
         AND gateway=(SELECT id FROM gateway WHERE name='{gate}')"
    ))
}

fn has_sent(stage: &Stage, gate: &str, messages: u32) -> bool {
    logged(stage, gate, "sent") == u64::from(messages)
}

/// Rows of a gate's route in these states.
fn rows(stage: &Stage, gate: &str, states: &str) -> u64 {
    stage.number(&format!(
        "SELECT count(*) FROM notifytask WHERE state IN ({states})
         AND lane='p'||(SELECT project FROM gateway WHERE name='{gate}')"
    ))
}

fn ended(mut worker: Running) {
    worker.signal("TERM");
    assert_eq!(worker.wait(LONG), Some(0));
}

fn the_good_one_is_done_while_the_slow_one_holds_its_first(speed: Speed) {
    let stage = stage(speed, &GATES);
    let worker = stage.host.start("notify/ntemail", &FOLLOW);
    let most = if speed == Speed::Serve { WINDOW } else { 1 };
    wait_until(LONG, "the good one has everything", || has_sent(&stage, "gwgood", EACH));
    assert_eq!(handed(&stage, "gwgood"), EACH as usize);
    wait_until(LONG, "the slow one had its chance", || handed(&stage, "gwslow") > 0);
    // nothing has come out of the slow one, and what it holds is what it may hold
    assert_eq!(logged(&stage, "gwslow", "*"), 0);
    assert!(handed(&stage, "gwslow") <= most, "{}", handed(&stage, "gwslow"));
    // who asks to be left alone is: what was not on its way to it stays ready, nothing spent
    wait_until(LONG, "its answers are written", || {
        rows(&stage, "gwbusy", "2") > 0 && rows(&stage, "gwbusy", "1") == 0
    });
    let busy = handed(&stage, "gwbusy");
    assert!(busy <= most, "{busy}");
    assert_eq!(rows(&stage, "gwbusy", "2"), busy as u64);
    assert_eq!(rows(&stage, "gwbusy", "0"), u64::from(EACH) - busy as u64);
    // who can't be reached costs nobody an attempt
    assert_eq!(rows(&stage, "gwdead", "0,1"), u64::from(EACH));
    let spent = "SELECT count(*) FROM notifytask WHERE lane='p2' AND error_count>0";
    assert_eq!(stage.number(spent), 0);
    // one more for the good one goes out at once, with all of that around it
    stage.queue_file("more", format!("<doc>{}</doc>", notify(99, 4)));
    wait_until(LONG, "it is sent", || has_sent(&stage, "gwgood", EACH + 1));
    assert_eq!(handed(&stage, "gwgood"), EACH as usize + 1);
    assert!(handed(&stage, "gwslow") <= most, "it still holds its first");
    assert_eq!(handed(&stage, "gwbusy"), busy, "it is still left alone");
    stage.host.write("var/go", "");
    wait_until(LONG, "the slow one goes on", || has_sent(&stage, "gwslow", EACH));
    assert_eq!(handed(&stage, "gwslow"), EACH as usize);
    ended(worker);
}

#[test]
fn bad_gates_started_for_each_message_hold_back_no_other() {
    the_good_one_is_done_while_the_slow_one_holds_its_first(Speed::OneShot);
}

#[test]
fn bad_gates_in_serve_mode_hold_back_no_other() {
    the_good_one_is_done_while_the_slow_one_holds_its_first(Speed::Serve);
}

#[test]
fn a_gate_that_does_not_say_what_it_can_do_holds_back_no_other() {
    let stage = stage(Speed::OneShot, &["gwmute", "gwgood"]);
    let worker = stage.host.start("notify/ntemail", &FOLLOW);
    wait_until(LONG, "the good one has everything", || has_sent(&stage, "gwgood", EACH));
    assert_eq!((handed(&stage, "gwmute"), rows(&stage, "gwmute", "0")), (0, u64::from(EACH)));
    stage.host.write("var/go", "");
    wait_until(LONG, "it speaks, and is given its messages", || has_sent(&stage, "gwmute", EACH));
    ended(worker);
}

/// What was handed over is counted before the time is read, so a slow machine can only make it fewer.
#[test]
fn a_rate_is_kept_from_the_first_message_on_and_slows_its_gateway_alone() {
    for speed in [Speed::OneShot, Speed::Serve] {
        let stage = stage(speed, &["gwgood", "gwfree"]);
        stage.host.sql("UPDATE gateway SET rate_per_sec=1 WHERE name='gwgood'");
        let begun = Instant::now();
        let worker = stage.host.start("notify/ntemail", &FOLLOW);
        wait_until(LONG, "the free one has everything, the other something", || {
            let handed = handed(&stage, "gwgood");
            let most = 1 + begun.elapsed().as_secs();
            assert!(handed as u64 <= most, "{handed} of {most}");
            has_sent(&stage, "gwfree", EACH) && handed > 1
        });
        assert_ne!(rows(&stage, "gwgood", "0"), 0, "{speed:?}: it still has its share before it");
        ended(worker);
    }
}

fn relay(stage: &Stage, name: &str, (port, priority): (u16, u32)) {
    let words = [format!("name={name}"), format!("port={port}"), format!("priority={priority}")];
    let mut arguments =
        vec!["gateway", "add", "gwsmtp", "project=1", "host=127.0.0.1", "security=none"];
    arguments.extend(words.iter().map(String::as_str));
    stage.host.gatepost(&arguments).ended(0);
}

#[test]
fn a_gateway_that_is_down_is_replaced_by_the_next_and_gets_its_traffic_back() {
    let (first, second) = (Sink::start(), Sink::start());
    let port = first.port();
    let stage = Stage::new();
    relay(&stage, "first", (port, 1));
    relay(&stage, "second", (second.port(), 2));
    let worker = stage.host.start("notify/ntemail", &FOLLOW);
    let number = Cell::new(0);
    let one_goes_out = || {
        number.set(number.get() + 1);
        stage.queue(number.get(), 1);
        wait_until(LONG, "it is sent", || stage.unfinished() == 0);
    };
    (0..3).for_each(|_| one_goes_out());
    assert_eq!((first.letters().len(), second.letters().len()), (3, 0));
    let before = first.letters().len();
    // kept connections end, and there are no others
    first.follow(vec![Rule::always("MAIL", Act::ReplyAndClose("421 going down"))]);
    drop(first);
    (0..3).for_each(|_| one_goes_out());
    assert_eq!(second.letters().len(), 3, "the second has taken over");
    let condition = || stage.host.sql("SELECT condition FROM gatewaystate WHERE gateway=1");
    assert_ne!(condition(), "0", "the first is not open");
    let first = Sink::at(port);
    wait_until(LONG, "the first is asked while the second works, and open again", || {
        one_goes_out();
        condition() == "0"
    });
    let (back, elsewhere) = (first.letters().len(), second.letters().len());
    (0..3).for_each(|_| one_goes_out());
    assert_eq!((first.letters().len(), second.letters().len()), (back + 3, elsewhere));
    let all = before + first.letters().len() + second.letters().len();
    assert_eq!(all, number.get() as usize, "each went out once");
    ended(worker);
}

/// Cron's worker leaves when there is nothing to do, but not before it has heard whether the gateway is well again.
#[test]
fn a_worker_that_does_not_stay_brings_back_a_gateway_that_was_down() {
    let sink = Sink::start();
    let port = sink.port();
    let stage = Stage::new();
    relay(&stage, "only", (port, 1));
    drop(sink);
    stage.queue(1, 3);
    stage.host.process("ntemail").ended(0);
    assert_eq!(stage.unfinished(), 3);
    let sink = Sink::at(port);
    stage.drain();
    assert_eq!(sink.letters().len(), 3);
    assert_eq!(stage.number("SELECT count(*) FROM notifylog WHERE outcome<>'sent'"), 0);
}

#[test]
fn a_run_whose_time_is_over_waits_for_a_slow_gateway_and_goes_on_with_the_others() {
    let mut stage = stage(Speed::OneShot, &["gwslow", "gwgood"]);
    stage.set(&[("queue.process_secs", "0.1")]);
    let mut run = stage.host.start("notify/ntemail", &["--command", "process"]);
    wait_until(LONG, "the good one is done", || has_sent(&stage, "gwgood", EACH));
    stage.queue_file("more", format!("<doc>{}</doc>", notify(99, 2)));
    wait_until(LONG, "what came later is sent too", || has_sent(&stage, "gwgood", EACH + 1));
    assert_eq!(handed(&stage, "gwslow"), 1, "it holds its first");
    stage.host.write("var/go", "");
    assert_eq!(run.wait(LONG), Some(0));
    // its time is over: what the slow one still has waits for the next run
    assert_eq!(handed(&stage, "gwslow"), 1);
    assert_eq!(rows(&stage, "gwslow", "0"), u64::from(EACH) - 1);
}
