//! An installation that only cron runs: no daemon looks after it, each run does.

use crate::stage::{LONG, Stage};
use gatepost_kit::host::{Host, wait_until};
use std::path::Path;

/// A row of the log that is a year old.
fn age_the_log(host: &Host) {
    let year = "(unixepoch()-365*86400)*1000";
    host.sql(&format!(
        "INSERT INTO notifylog(task,module,attempt,outcome,queued,at) VALUES(1,'ntsms',1,'sent',{year},{year})"
    ));
}

fn logged(host: &Host) -> String {
    host.let_settle();
    host.process("ntsms").ended(0);
    host.sql("SELECT count(*) FROM notifylog")
}

/// The queue is empty each time, which is looked at without opening the database for writing.
#[test]
fn a_log_that_is_too_old_is_deleted_by_a_run_on_an_empty_queue_and_not_by_each() {
    let host = Host::new();
    age_the_log(&host);
    assert_eq!(logged(&host), "0", "the first run of all");
    let told = "SELECT value FROM setting WHERE name='pruned_ms'";
    let first = host.sql(told);
    age_the_log(&host);
    assert_eq!(logged(&host), "1", "the one after that");
    assert_eq!(host.sql(told), first);
    host.sql("UPDATE setting SET value=value-86400*1000 WHERE name='pruned_ms'");
    assert_eq!(logged(&host), "0", "one a day later");
    assert!(host.sql(told) >= first);
}

/// A gate that is asked whether it is well, and thinks.
const THINKS: &str = "#!/bin/sh\n\
    case $2 in\n\
    features) echo '<doc><notify_module>ntemail</notify_module><features><feature name=\"outgoing\"/>\
    <feature name=\"check_connection\"/></features></doc>';;\n\
    check_connection) echo $$ > var/asked.new; mv var/asked.new var/asked; exec sleep 600;;\n\
    esac\n";

#[test]
fn no_gate_that_is_asked_whether_it_is_well_outlives_the_run_that_asked() {
    let mut stage = Stage::new();
    stage.set(&[("gate.check_connection_secs", "300")]);
    stage.host.program("gate/gwthinks", THINKS);
    let gateway = stage.gateway("gwthinks", 1);
    stage.host.sql(&format!(
        "INSERT INTO gatewaystate(gateway,condition,reason,since_ms,next_probe_ms,holds) VALUES({gateway},1,'bad login',1,1,1)"
    ));
    // nobody asks after a gateway that nothing waits for
    stage.queue(1, 1);
    let asked = || stage.host.read("var/asked").trim().to_owned();
    for words in
        [&["--command", "process", "--follow"][..], &["--command", "process", "--for", "0.5"]]
    {
        let mut run = stage.host.start("notify/ntemail", words);
        wait_until(LONG, "the gate is asked", || !asked().is_empty());
        let place = format!("/proc/{}", asked());
        if words.contains(&"--follow") {
            assert!(Path::new(&place).exists());
            run.signal("TERM");
        }
        assert_eq!(run.wait(LONG), Some(0), "{words:?}");
        assert!(!Path::new(&place).exists(), "{words:?}: it is still there");
        stage.host.sql("UPDATE gatewaystate SET next_probe_ms=1");
        std::fs::remove_file(stage.host.path("var/asked")).unwrap();
    }
}
