//! Hostile gates: each has a project of its own in one installation, and beside them a good gate delivers.

use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::wait_until;
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;

/// A gate in sh: features as they should be, `outgoing` as the case has it.
fn gate(outgoing: &str) -> String {
    format!(
        "#!/bin/sh\nif [ \"$2\" != outgoing ]; then\n\
         echo '<doc><features><feature name=\"outgoing\"/></features><notify_module>ntemail</notify_module></doc>'\nexit 0\nfi\n{outgoing}\n"
    )
}

/// What becomes of the one message of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sent,
    /// Waits for another attempt.
    Waits,
    /// Waits, and may have been sent.
    MayBeSent,
    Failed,
    /// Stays ready: its gateway is down or held.
    Ready,
}

/// Name, `outgoing` of the gate, fate of the message, words that `gatepost why` says.
type Case = (&'static str, &'static str, Fate, &'static str);

const READ: &str = "cat >/dev/null; ";

const CASES: &[Case] = &[
    (
        "garbage",
        "cat >/dev/null; echo 'Segmentation fault <<<< %'",
        Fate::MayBeSent,
        "exit 0 without a document",
    ),
    (
        "half",
        "cat >/dev/null; printf '<doc><reference>12'",
        Fate::MayBeSent,
        "exit 0 without a document",
    ),
    (
        "gigabyte",
        "cat >/dev/null; exec head -c 1073741824 /dev/zero",
        Fate::MayBeSent,
        "printed more than",
    ),
    ("nothing", "cat >/dev/null", Fate::Sent, "sent"),
    ("early", "echo '<doc/>'; cat >/dev/null", Fate::Sent, "sent"),
    ("deaf", "echo '<doc/>'", Fate::Sent, "sent"),
    ("asleep", "cat >/dev/null; sleep 600", Fate::MayBeSent, "no end within"),
    ("forker", "cat >/dev/null; sleep 5 & echo '<doc/>'", Fate::Sent, "sent"),
    ("talker", "cat >/dev/null; echo 'PHP Warning: x'; echo '<doc/>'", Fate::Sent, "sent"),
    ("killed", "cat >/dev/null; kill -9 $$", Fate::MayBeSent, "signal 9"),
    ("crashed", "cat >/dev/null; kill -11 $$", Fate::MayBeSent, "signal 11"),
    ("exit1", "cat >/dev/null; echo no route >&2; exit 1", Fate::Waits, "exit 1: no route"),
    ("exit2", "cat >/dev/null; exit 2", Fate::Waits, "exit 2"),
    ("exit64", "cat >/dev/null; exit 64", Fate::Waits, "exit 64"),
    (
        "exit65",
        "cat >/dev/null; echo bad address >&2; exit 65",
        Fate::Failed,
        "exit 65: bad address",
    ),
    ("exit67", "cat >/dev/null; exit 67", Fate::Failed, "exit 67"),
    ("exit69", "cat >/dev/null; exit 69", Fate::Waits, "exit 69"),
    ("exit75", "cat >/dev/null; exit 75", Fate::Waits, "exit 75"),
    ("exit77", "cat >/dev/null; exit 77", Fate::Waits, "exit 77"),
    ("exit78", "cat >/dev/null; exit 78", Fate::Waits, "exit 78"),
    ("exit126", "cat >/dev/null; exit 126", Fate::Waits, "exit 126"),
    ("exit127", "cat >/dev/null; exit 127", Fate::Waits, "exit 127"),
    ("exit255", "cat >/dev/null; exit 255", Fate::Waits, "exit 255"),
    ("document", "cat >/dev/null; echo '<doc/>'; exit 1", Fate::Sent, "sent"),
    (
        "refusal",
        "cat >/dev/null; echo '<doc><error type=\"never\">no such box</error></doc>'",
        Fate::Failed,
        "no such box",
    ),
    (
        "doctype",
        "cat >/dev/null; echo '<!DOCTYPE d [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><doc>&e;</doc>'",
        Fate::MayBeSent,
        "exit 0 without a document",
    ),
    (
        "deepxml",
        "cat >/dev/null; i=0; while [ $i -lt 2000 ]; do printf '<a>'; i=$((i+1)); done",
        Fate::MayBeSent,
        "exit 0 without a document",
    ),
];

/// Programs that are no gates: name, text, mode, words that `gatepost why` says.
const NO_GATES: &[(&str, &str, bool, &str)] = &[
    ("absent", "", false, "there is no program"),
    ("notexec", "#!/bin/sh\necho\n", false, "not executable"),
    ("noshebang", "\0\0\0", true, "it is no program"),
    ("interpreter", "#!/no/such/interpreter\n", true, "/no/such/interpreter"),
    ("featgarbage", "#!/bin/sh\necho hello\n", true, "features"),
    ("featempty", "#!/bin/sh\n", true, "features"),
    (
        "featerror",
        "#!/bin/sh\necho '<doc><error type=\"x\">broken install</error></doc>'\n",
        true,
        "broken install",
    ),
    ("featexit", "#!/bin/sh\nexit 1\n", true, "features"),
    ("featother", "#!/bin/sh\necho '<doc><feature name=\"outgoing\"/></doc>'\n", true, "features"),
    (
        "featnone",
        "#!/bin/sh\necho '<doc><features/><notify_module>ntemail</notify_module></doc>'\n",
        true,
        "outgoing",
    ),
    ("featsleep", "#!/bin/sh\nsleep 600\n", true, "features"),
];

fn project(stage: &Stage, name: &str) -> u32 {
    let sql = format!(
        "INSERT INTO project(name,notifyemail) VALUES('{name}','we@example.com') RETURNING id"
    );
    stage.host.sql(&sql).parse().unwrap()
}

fn fate_of(stage: &Stage, task: &str) -> Fate {
    let row = stage.host.sql(&format!("SELECT state, maybe_sent FROM notifytask WHERE id={task}"));
    match row.as_str() {
        "" => Fate::Sent,
        "0|0" => Fate::Ready,
        "2|0" => Fate::Waits,
        "2|1" => Fate::MayBeSent,
        "3|0" | "3|1" => Fate::Failed,
        other => panic!("task {task} is {other}"),
    }
}

// S3-44, S3-51, S3-55, S3-57: every bad gate of the issue, at once
#[test]
fn bad_gates_harm_only_their_own_messages_and_say_why() {
    let mut stage = Stage::with_ledger(0);
    stage.set(&[
        ("gate.outgoing_secs", "2"),
        ("gate.features_secs", "1"),
        ("retry.mail.base_secs", "600"),
        ("retry.mail.cap_secs", "600"),
        ("gateway.breaker_first_secs", "60"),
        ("gateway.breaker_most_secs", "60"),
    ]);
    let mut notifies = String::new();
    let mut expected = Vec::new();
    let cases = CASES
        .iter()
        .map(|(name, script, fate, says)| (*name, Some((gate(script), true)), *fate, *says));
    let no_gates = NO_GATES.iter().map(|(name, text, runs, says)| {
        let file = (*name != "absent").then(|| ((*text).to_owned(), *runs));
        (*name, file, Fate::Ready, *says)
    });
    for (name, file, fate, says) in cases.chain(no_gates) {
        let id = project(&stage, name);
        if let Some((text, runs)) = file {
            let path = format!("gate/gw{name}");
            if runs {
                stage.host.program(&path, &text)
            } else {
                stage.host.write(&path, &text)
            };
        }
        stage.gateway(&format!("gw{name}"), id);
        notifies += &notify(id, id);
        expected.push((name, id, fate, says));
    }
    stage.queue_file("cases.xml", format!("<doc>{notifies}</doc>"));
    stage.queue(1001, 20);
    stage.host.process("ntemail").ended(0);
    let mut wrong = String::new();
    for (name, id, fate, says) in expected {
        let task = stage.host.sql(&format!(
            "SELECT id FROM notifybody WHERE project_id={id} UNION SELECT task FROM notifylog WHERE project={id} LIMIT 1"
        ));
        let why = stage.host.gatepost(&["why", &task]).ended(0).stdout;
        let is = fate_of(&stage, &task);
        if is != fate || !why.contains(says) {
            writeln!(wrong, "{name}: {is:?}, not {fate:?}, or `why` lacks `{says}`: {why}")
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(stage.ledger().len(), 20, "the good gate delivered everything");
}

#[test]
fn what_a_gate_prints_on_stderr_is_in_its_own_log_and_its_owners_alone() {
    let stage = Stage::new();
    let noisy = format!("{READ}echo 'warning: old PHP' >&2; echo '<doc/>'");
    stage.host.program("gate/gwnoisy", &gate(&noisy));
    stage.gateway("gwnoisy", 1);
    stage.queue(1, 2);
    stage.host.process("ntemail").ended(0);
    let log = stage.host.read("var/gwnoisy.log");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].ends_with("gwnoisy EXT outgoing: warning: old PHP"), "{log}");
    let mode = stage.host.path("var/gwnoisy.log").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_gate_that_never_reads_gets_a_message_of_any_size() {
    let stage = Stage::new();
    stage.host.program("gate/gwdeaf", &gate("echo '<doc/>'"));
    stage.gateway("gwdeaf", 1);
    let long = format!("<doc>{}</doc>", notify(1, 1).replace("Number", &"long ".repeat(100_000)));
    stage.queue_file("long.xml", long);
    stage.host.process("ntemail").ended(0);
    assert_eq!(stage.host.sql("SELECT outcome FROM notifylog"), "sent");
}

/// A gate that is broken one way or the other, then repaired: every task is sent, none failed.
fn broken_then_repaired(broken: &str) {
    let stage = Stage::new();
    let counting = format!("{READ}echo x >> var/sent; echo '<doc/>'");
    stage.host.program("gate/gwrepaired", &gate(&format!("{READ}echo x >> var/tries; {broken}")));
    stage.gateway("gwrepaired", 1);
    let messages = 25;
    stage.queue(1, messages);
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    let tries = || stage.host.read("var/tries").lines().count();
    wait_until(LONG, "it was tried and held", || {
        tries() >= 6 && stage.number("SELECT count(*) FROM gatewaystate WHERE condition=1") == 1
    });
    let spent = stage.number("SELECT max(error_count) FROM notifytask");
    assert!(spent <= 1, "an outage spends no attempts, but {spent} were");
    let probed = tries();
    wait_until(LONG, "it is probed while it is held", || tries() > probed);
    assert!(stage.host.gatepost(&["why", "2"]).stdout.contains("held"), "why names the hold");
    stage.host.program("gate/gwrepaired", &gate(&counting));
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    assert_eq!(stage.number("SELECT count(*) FROM notifytask"), 0, "none failed");
    assert_eq!(stage.host.read("var/sent").lines().count(), messages as usize);
    worker.signal("TERM");
    assert_eq!(worker.wait(LONG), Some(0));
}

#[test]
fn a_gate_that_fails_for_hours_and_is_repaired_loses_nothing() {
    broken_then_repaired("exit 1");
}

#[test]
fn a_gate_that_asks_to_be_held_and_is_repaired_loses_nothing() {
    broken_then_repaired("echo '<doc><error type=\"hold\">no credit</error></doc>'");
}

#[test]
fn unknown_modules_gates_and_gateways_are_named_with_a_cure() {
    let stage = Stage::new();
    stage.host.sql("INSERT INTO notifytask(modulename,filename) VALUES('ntnope','/nowhere')");
    let why = stage.host.gatepost(&["why", "1"]).ended(0).stdout;
    assert!(why.contains("ntnope"), "{why}");
    assert!(stage.host.gatepost(&["status"]).stdout.contains("ntnope"));
    let unknown = stage.host.gatepost(&["gateway", "add", "gwnope"]);
    assert_ne!(unknown.code, Some(0));
    assert!(
        unknown.stderr.contains("gwnope") && unknown.stderr.contains("gwsmtp"),
        "{}",
        unknown.stderr
    );
    for arguments in
        [["gateway", "test", "99"], ["gateway", "release", "99"], ["gateway", "delete", "99"]]
    {
        let ran = stage.host.gatepost(&arguments).ended(66);
        assert!(ran.stderr.contains("99"), "{}", ran.stderr);
    }
    let fetched =
        stage.host.run("notify/ntemail", &["--command", "getmessage", "--gate", "99"]).ended(66);
    assert!(fetched.stderr.contains("99"), "{}", fetched.stderr);
    let enqueued = stage.host.gatepost(&["enqueue", "/nowhere.xml", "--module", "ntnope"]);
    assert_ne!(enqueued.code, Some(0));
}
