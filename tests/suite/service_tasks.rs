//! Service tasks, whole: what a program in `processing/` gets from nthandler, and what becomes of its answer.

use gatepost_kit::host::{Host, wait_until};

use crate::stage::LONG;

/// Notes its commands and input, then does what the test wrote down.
const PROGRAM: &str = r#"#!/bin/sh
case $2 in
features) echo '<doc><features><feature name="open"/><feature name="suspend"/><feature name="resume"/><feature name="close"/><feature name="setparam"/></features></doc>' ;;
*) cat > var/input.xml; echo "$2" >> var/ran; . var/then ;;
esac
"#;
const OPENED: &str = "echo '<doc><itemparam name=\"externalid\">u1</itemparam><itemparam name=\"node\">n7</itemparam></doc>'";

fn host() -> Host {
    let host = Host::new();
    for (key, value) in
        [("retry.processing.base_secs", "0.02"), ("retry.processing.cap_secs", "0.05")]
    {
        host.gatepost(&["config", "set", key, value]).ended(0);
    }
    host.program("processing/pmshell", PROGRAM);
    call(&host, &["project.add", "name=Brand"]);
    call(&host, &["user.add", "name=bob"]);
    call(&host, &["processing.add", "module=pmshell", "ip=192.0.2.1", "path=/srv"]);
    call(&host, &["product.add", "name=FTP", "type=ftp"]);
    host
}

fn call(host: &Host, words: &[&str]) {
    let all: Vec<&str> = std::iter::once("func").chain(words.iter().copied()).collect();
    host.gatepost(&all).ended(0);
}

/// Drains until no task can go on by itself.
fn drain(host: &Host, then: &str) {
    host.write("var/then", then);
    wait_until(LONG, "every task ends or waits for a person", || {
        host.process("nthandler").ended(0);
        host.sql("SELECT count(*) FROM notifytask WHERE modulename='pmshell' AND state<3") == "0"
    });
}

fn state(host: &Host) -> String {
    host.sql("SELECT state FROM service WHERE id=1")
}

// S1-22, S1-23, S1-24, S1-35
#[test]
fn what_an_open_answers_is_kept_and_given_back() {
    let host = host();
    call(&host, &["service.open", "user=1", "product=FTP"]);
    drain(&host, OPENED);
    assert_eq!((state(&host).as_str(), host.read("var/ran").as_str()), ("active", "open\n"));
    assert_eq!(
        host.sql(
            "SELECT group_concat(name||'='||value) FROM (SELECT * FROM itemparam ORDER BY name)"
        ),
        "externalid=u1,node=n7"
    );
    assert!(host.read("var/input.xml").contains("<password>"));
    let event =
        "SELECT count(*) FROM event WHERE events_id='clients.subscriptions.activate' AND told=1";
    wait_until(LONG, "the event is told", || {
        host.process("nthandler").ended(0);
        host.sql(event) == "1"
    });
    call(&host, &["service.suspend", "elid=1"]);
    drain(&host, "echo '<doc/>'");
    let input = host.read("var/input.xml");
    assert!(input.contains("externalid=\"u1\"") && !input.contains("<password>"), "{input}");
    assert_eq!(state(&host), "suspended");
}

// S1-26
#[test]
fn an_open_is_tried_once_and_the_others_three_times() {
    let host = host();
    call(&host, &["service.open", "user=1", "product=FTP"]);
    drain(&host, "echo 'no room' >&2; exit 1");
    assert_eq!(host.read("var/ran"), "open\n");
    assert!(
        host.sql("SELECT err_info FROM notifytask WHERE modulename='pmshell' AND state=3")
            .contains("no room")
    );
    assert_eq!(state(&host), "opening");
    host.write("var/then", OPENED);
    host.gatepost(&["retry", "--state", "failed", "--yes"]).ended(0);
    drain(&host, OPENED);
    assert_eq!(state(&host), "active");
    host.write("var/ran", "");
    call(&host, &["service.suspend", "elid=1"]);
    drain(&host, "exit 1");
    assert_eq!(host.read("var/ran"), "suspend\nsuspend\nsuspend\n");
    assert_eq!(state(&host), "active");
}

#[test]
fn who_can_not_tell_is_asked_about_for_good_and_who_was_not_reached_waits() {
    let host = host();
    call(&host, &["service.open", "user=1", "product=FTP"]);
    // exit 0 without a document
    drain(&host, ":");
    assert_eq!(host.read("var/ran"), "open\n");
    let until = "SELECT state, (run_at/1000-strftime('%s','now'))/86400 > 10000 FROM notifytask WHERE modulename='pmshell'";
    assert_eq!(host.sql(until), "4|1", "a person is asked, and nobody ends it for him");
    // he says that it was not done, and the server is away at first
    host.gatepost(&["retry", "--state", "asked", "--yes"]).ended(0);
    host.write(
        "var/then",
        "echo '<doc><error type=\"unreached\"><msg>no route</msg></error></doc>'",
    );
    host.process("nthandler").ended(0);
    assert_eq!(
        host.sql("SELECT state||error_count FROM notifytask WHERE modulename='pmshell'"),
        "20",
        "it waits and pays nothing"
    );
    assert!(host.read("var/input.xml").contains("maybe_sent=\"1\""));
    drain(&host, OPENED);
    assert_eq!(state(&host), "active");
}

// S1-26
#[test]
fn a_worker_killed_in_the_middle_of_a_suspend_leaves_a_task_for_a_person() {
    let host = host();
    call(&host, &["service.open", "user=1", "product=FTP"]);
    drain(&host, OPENED);
    host.write("var/ran", "");
    host.write(
        "var/then",
        "until test -e var/go; do sleep 0.02; done; echo over >> var/ran; echo '<doc/>'",
    );
    call(&host, &["service.suspend", "elid=1"]);
    let mut worker = host.start("notify/nthandler", &["--command", "process", "--force"]);
    wait_until(LONG, "the program runs", || host.read("var/ran") == "suspend\n");
    worker.signal("KILL");
    assert_eq!(worker.wait(LONG), None, "killed");
    // the next worker starts nothing again, whether the program still runs or has ended
    host.process("nthandler").ended(0);
    host.write("var/go", "");
    wait_until(LONG, "the program ends", || host.read("var/ran").ends_with("over\n"));
    host.process("nthandler").ended(0);
    assert_eq!(host.read("var/ran"), "suspend\nover\n", "it ran once");
    let task = "SELECT state||' '||err_info FROM notifytask WHERE modulename='pmshell'";
    assert!(host.sql(task).starts_with("4 "), "{}", host.sql(task));
    assert_eq!(state(&host), "active", "nobody knows that it is suspended");
    // a person says that it was not done
    host.gatepost(&["retry", "--state", "asked", "--yes"]).ended(0);
    drain(&host, "echo '<doc/>'");
    assert_eq!(
        (state(&host).as_str(), host.read("var/ran").as_str()),
        ("suspended", "suspend\nover\nsuspend\n")
    );
}
