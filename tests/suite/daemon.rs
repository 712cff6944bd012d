//! The daemon: restarts what dies, hears HUP and TERM, keeps its timer, tells systemd, lives as process 1.

use crate::judge::{Case, judge};
use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::{has, wait_until};
use gatepost_kit::tools::is_root;
use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Process ids under which the daemon has started a module, by its log.
fn starts(stage: &Stage, module: &str) -> Vec<u32> {
    let mark = format!("{module} started as process ");
    let log = stage.host.read("var/gatepost.log");
    let pids = log.lines().filter_map(|line| line.split_once(&mark));
    pids.map(|(_, pid)| pid.trim().parse().unwrap()).collect()
}

#[test]
fn a_killed_module_is_started_again_with_growing_pauses() {
    let stage = Stage::with_ledger(0);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    for death in 0..3 {
        wait_until(LONG, "it has started", || starts(&stage, "ntemail").len() == death + 1);
        let pid = starts(&stage, "ntemail")[death].to_string();
        wait_until(LONG, "it works", || {
            stage.number(&format!("SELECT count(*) FROM notifyworker WHERE pid={pid}")) == 1
        });
        let number = u32::try_from(death).unwrap() + 1;
        stage.queue(number, 1);
        wait_until(LONG, "it delivers", || {
            stage.ledger().len() == number as usize && stage.unfinished() == 0
        });
        Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    }
    wait_until(LONG, "it has started", || starts(&stage, "ntemail").len() == 4);
    let log = stage.host.read("var/gatepost.log");
    for pause in ["started again in 0.1 s", "started again in 0.2 s", "started again in 0.4 s"] {
        assert!(log.contains(&format!("ntemail ended (signal 9); {pause}")), "{pause}: {log}");
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

#[test]
fn sighup_reads_settings_and_modules_again_and_loses_nothing() {
    let mut stage = Stage::with_ledger(20);
    stage.set(&[("daemon.modules", "[\"ntsms\"]")]);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "ntsms has started", || starts(&stage, "ntsms").len() == 1);
    assert!(starts(&stage, "ntemail").is_empty());
    stage.queue(1, 60);
    stage.set(&[("daemon.modules", "[\"ntsms\", \"ntemail\"]")]);
    daemon.signal("HUP");
    stage.wait_for_entries(5);
    daemon.signal("HUP");
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    let verdict =
        judge(&Case { messages: 60, ledger: &stage.ledger(), in_doubt: &BTreeSet::new() });
    assert!(verdict.is_kept(), "{verdict:?}");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

#[test]
fn a_mistake_in_the_settings_costs_a_running_daemon_nothing() {
    let stage = Stage::with_ledger(0);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "ntsms has started", || starts(&stage, "ntsms").len() == 1);
    // it has read its settings, too
    let pid = starts(&stage, "ntsms")[0];
    wait_until(LONG, "it works", || {
        stage.number(&format!("SELECT count(*) FROM notifyworker WHERE pid={pid}")) == 1
    });
    let good = stage.host.read("etc/gatepost.toml");
    stage.host.write("etc/gatepost.toml", format!("{good}\n[queue\n"));
    daemon.signal("HUP");
    let log = || stage.host.read("var/gatepost.log");
    wait_until(LONG, "it is told", || log().contains("the settings stay as they were"));
    assert!(log().contains("etc/gatepost.toml"), "{}", log());
    stage.host.write("etc/gatepost.toml", good);
    stage.queue(1, 3);
    wait_until(LONG, "it delivers", || stage.unfinished() == 0 && stage.ledger().len() == 3);
    assert_eq!(starts(&stage, "ntsms").len(), 1, "nothing was restarted");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

#[test]
fn sigterm_lets_the_gates_finish_and_leaves_within_the_grace() {
    let mut stage = Stage::with_ledger(300);
    stage.set(&[("queue.grace_secs", "10")]);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    stage.queue(1, 100);
    stage.wait_for_entries(5);
    let from = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
    assert!(from.elapsed() < Duration::from_secs(10), "{:?}", from.elapsed());
    let sending = stage.number("SELECT count(*) FROM notifytask WHERE state=1");
    let (words, doubts) = (stage.host.read("var/gatepost.log"), stage.in_doubt());
    assert!(sending == 0 && doubts.is_empty(), "{sending} sending, {doubts:?}: {words}");
    let log = stage.number("SELECT count(*) FROM notifylog WHERE outcome='sent'");
    assert_eq!(stage.ledger().len() as u64, log, "every hand-over was settled");
    assert!(log < 100);
}

/// Waits until the test lets it go.
const SLOW_GATE: &str = r#"#!/bin/sh
case $2 in
features) echo '<doc><features><feature name="outgoing"/></features><notify_module>ntemail</notify_module></doc>' ;;
*) cat > /dev/null; echo began >> var/began; until test -e var/go; do sleep 0.05; done; echo '<doc/>' ;;
esac
"#;

#[test]
fn a_reload_starts_each_module_as_soon_as_the_one_before_it_has_left() {
    let mut stage = Stage::new();
    stage.set(&[("queue.grace_secs", "60")]);
    stage.host.program("gate/gwslow", SLOW_GATE);
    stage.gateway("gwslow", 1);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    stage.queue(1, 1);
    wait_until(LONG, "the gate has it", || stage.host.path("var/began").exists());
    daemon.signal("HUP");
    wait_until(LONG, "ntsms is started again", || starts(&stage, "ntsms").len() == 2);
    assert_eq!(starts(&stage, "ntemail").len(), 1, "it waits for its gate");
    stage.host.write("var/go", "");
    wait_until(LONG, "ntemail is started again", || starts(&stage, "ntemail").len() == 2);
    assert_eq!(stage.number("SELECT count(*) FROM notifylog WHERE outcome='sent'"), 1);
    assert_eq!(stage.host.read("var/began"), "began\n", "and its message went out once");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

#[test]
fn a_sigterm_that_meets_a_reload_ends_it_for_good() {
    let stage = Stage::with_ledger(300);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    stage.queue(1, 100);
    stage.wait_for_entries(5);
    daemon.signal("HUP");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
    let log = stage.host.read("var/gatepost.log");
    assert!(log.contains("leaves"), "{log}");
}

#[test]
fn incoming_messages_are_fetched_on_the_timer() {
    let mut stage = Stage::new();
    stage.set(&[("daemon.getmessage_secs", "0.2")]);
    stage.host.program(
        "gate/gwin",
        "#!/bin/sh\ncase \"$2\" in\nfeatures) echo '<doc><features><feature name=\"ingoing\"/></features><notify_module>ntemail</notify_module></doc>';;\n\
         ingoing) cat >/dev/null; echo x >> var/asked; echo '<doc><messages/></doc>';;\nesac\n",
    );
    let gateway = stage.gateway("gwin", 1);
    stage.host.sql(&format!("UPDATE gateway SET gateway_type=2 WHERE id={gateway}"));
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "it was asked again and again", || {
        stage.host.read("var/asked").lines().count() >= 3
    });
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

#[test]
fn systemd_is_told_when_the_daemon_is_ready_and_when_it_leaves() {
    let stage = Stage::new();
    let path = stage.host.path("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let mut command = stage.host.command("bin/gatepostd", &[]);
    let mut daemon = command.env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().unwrap();
    let heard = |word: &str| {
        let mut bytes = [0; 4096];
        loop {
            let length = socket.recv(&mut bytes).unwrap();
            if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == word) {
                break;
            }
        }
    };
    heard("READY=1");
    Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap();
    heard("STOPPING=1");
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn as_process_1_of_a_container_it_delivers_and_buries_orphans() {
    if !is_root() || !has("unshare") {
        return;
    }
    let stage = Stage::new();
    stage.host.program(
        "gate/gworphan",
        "#!/bin/sh\nif [ \"$2\" = features ]; then echo '<doc><features><feature name=\"outgoing\"/></features><notify_module>ntemail</notify_module></doc>'; exit; fi\n\
         cat >/dev/null; sh -c 'echo $$ >> var/orphans; exec sleep 0.2' >/dev/null 2>&1 & echo '<doc/>'\n",
    );
    stage.gateway("gworphan", 1);
    let notifies: Vec<String> = (1..=5).map(|number| notify(number, 1)).collect();
    stage.queue_file("five.xml", format!("<doc>{}</doc>", notifies.concat()));
    let root = stage.host.root().to_str().unwrap().to_owned();
    let daemon = stage.host.path("bin/gatepostd");
    let arguments = [
        "--fork",
        "--pid",
        "--mount-proc",
        "--kill-child",
        daemon.to_str().unwrap(),
        "--root",
        &root,
    ];
    let mut container = stage.host.start("/usr/bin/unshare", &arguments);
    wait_until(LONG, "all is sent", || {
        stage.number("SELECT count(*) FROM notifylog WHERE outcome='sent'") == 5
    });
    let children = || {
        let output =
            Command::new("pgrep").args(["-P", &container.pid().to_string()]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let init = children();
    let zombies = || {
        let output =
            Command::new("ps").args(["-o", "stat=,comm=", "--ppid", &init]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with('Z')).count()
    };
    wait_until(LONG, "five orphans were made", || {
        stage.host.read("var/orphans").lines().count() == 5
    });
    wait_until(LONG, "they are buried", || {
        let output = Command::new("ps").args(["-o", "comm=", "--ppid", &init]).output().unwrap();
        !String::from_utf8_lossy(&output.stdout).contains("sleep") && zombies() == 0
    });
    Command::new("kill").args(["-TERM", &init]).status().unwrap();
    assert_eq!(container.wait(LONG), Some(0), "process 1 hears SIGTERM");
}

#[test]
fn a_second_daemon_is_refused_and_says_who_runs() {
    let stage = Stage::with_ledger(0);
    let mut first = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "it has started", || starts(&stage, "ntemail").len() == 1);
    for state in ["CONT", "STOP"] {
        // a stopped one keeps its lock
        first.signal(state);
        let ran = stage.host.run("bin/gatepostd", &[]).ended(78);
        let says = format!("another gatepostd runs here already, process {};", first.pid());
        assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    }
    first.signal("CONT");
    stage.queue(1, 20);
    wait_until(LONG, "all is sent", || stage.unfinished() == 0);
    assert_eq!(stage.ledger().len(), 20, "by the first one");
    first.signal("TERM");
    assert_eq!(first.wait(LONG), Some(0));
}

#[test]
fn a_stopped_worker_that_keeps_the_queues_lock_keeps_nobody_from_delivering() {
    let mut stage = Stage::with_ledger(0);
    stage.set(&[("queue.lease_secs", "1"), ("queue.extend_secs", "0.2")]);
    let mut stopped = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    wait_until(LONG, "it works", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    wait_until(LONG, "it is stopped outside a transaction", || {
        stopped.signal("STOP");
        let is_free = stage.database_is_free();
        if !is_free {
            stopped.signal("CONT");
        }
        is_free
    });
    stage.queue(1, 5);
    // as cron would, without --force
    wait_until(LONG, "the next run takes over", || {
        stage.host.run("notify/ntemail", &["--command", "process"]).ended(0);
        stage.unfinished() == 0
    });
    stopped.signal("CONT");
    stopped.signal("TERM");
    assert_eq!(stopped.wait(LONG), Some(0));
    assert_eq!(stage.ledger().len(), 5, "nothing is doubled");
}

#[test]
fn the_modules_of_a_killed_daemon_finish_what_is_in_hand_and_leave() {
    let stage = Stage::with_ledger(200);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "it has started", || starts(&stage, "ntemail").len() == 1);
    let modules = gatepost_kit::tools::descendants(daemon.pid(), 1);
    stage.queue(1, 40);
    stage.wait_for_entries(2);
    daemon.signal("KILL");
    assert_eq!(daemon.wait(LONG), None);
    let lives = |pid: &u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    wait_until(LONG, "its modules leave", || !modules.iter().any(lives));
    assert_eq!(stage.in_doubt(), []);
    assert_ne!(stage.unfinished(), 0, "they left before all was sent");
    let mut next = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "the next one's modules send the rest", || stage.unfinished() == 0);
    assert_eq!(stage.ledger().len(), 40, "nothing is doubled");
    next.signal("TERM");
    assert_eq!(next.wait(LONG), Some(0));
}
