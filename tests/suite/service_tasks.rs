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

/// Notes where it begins and ends; at three at once it waits for the others.
const LONG_OPEN: &str = r#"#!/bin/sh
echo start >> var/ledger
if test -e var/together; then until test "$(grep -c start var/ledger)" = 3; do sleep 0.02; done; else sleep 0.2; fi
echo end >> var/ledger
echo "OK --id=$$"
"#;

#[test]
fn a_server_does_no_more_at_once_than_its_row_allows() {
    let host = Host::new();
    call(&host, &["project.add", "name=Brand"]);
    call(&host, &["user.add", "name=bob"]);
    for name in ["open", "suspend", "resume", "close"] {
        host.program(&format!("scripts/{name}.sh"), LONG_OPEN);
    }
    let path = format!("path={}", host.path("scripts").display());
    let row = ["processing.add", "module=pmshell", "transport=local", &path, "product_type=ftp"];
    call(&host, &[&row[..], &["concurrency=1"]].concat());
    call(&host, &["product.add", "name=FTP", "type=ftp"]);
    let open_three = || {
        host.write("var/ledger", "");
        for _ in 0..3 {
            call(&host, &["service.open", "user=1", "product=FTP"]);
        }
        wait_until(LONG, "all are open", || {
            host.process("nthandler").ended(0);
            host.sql("SELECT count(*) FROM service WHERE state<>'active'") == "0"
        });
        host.read("var/ledger")
    };
    assert_eq!(open_three(), "start\nend\n".repeat(3), "one after the other");
    // two workers have the limit in common
    let mut other = host.start("notify/nthandler", &["--command", "process", "--follow"]);
    host.write("var/ledger", "");
    for _ in 0..6 {
        call(&host, &["service.open", "user=1", "product=FTP"]);
    }
    wait_until(LONG, "all are open", || {
        host.run("notify/nthandler", &["--command", "process", "--force"]).ended(0);
        host.sql("SELECT count(*) FROM service WHERE state<>'active'") == "0"
    });
    assert_eq!(host.read("var/ledger"), "start\nend\n".repeat(6), "one after the other");
    other.signal("TERM");
    assert_eq!(other.wait(LONG), Some(0));
    // the same script: each ends only when all three have begun
    call(&host, &["processing.edit", "sok=ok", "elid=1", "concurrency=3"]);
    host.write("var/together", "");
    assert_eq!(open_three(), "start\n".repeat(3) + &"end\n".repeat(3), "at once");
}

const OWN: &str = r#"#!/bin/sh
case $2 in
features) echo '<doc><features><feature name="open"/></features></doc>' ;;
open) cat > var/own.xml; echo '<doc><itemparam name="externalid">u12</itemparam></doc>' ;;
esac
"#;

const OWN_FORM: &str = r#"<mgrdata>
  <plugin name="pmown"><group>processing_module</group></plugin>
  <metadata name="processing.pmown" type="form"><form>
    <field name="ip"><input type="text" name="ip" required="yes" identifier="yes"/></field>
  </form></metadata>
</mgrdata>
"#;

/// `docs/service.md`, "A program of your own".
#[test]
fn a_program_of_others_opens_a_service_by_the_same_commands() {
    let host = Host::new();
    call(&host, &["project.add", "name=Brand"]);
    call(&host, &["user.add", "name=bob"]);
    host.program("processing/pmown", OWN);
    host.write("etc/xml/gatepost_mod_pmown.xml", OWN_FORM);
    host.gatepost(&["processing", "add", "pmown", "name=mine", "product_type=own"]).ended(64);
    let row = ["processing", "add", "pmown", "name=mine", "product_type=own", "ip=192.0.2.10"];
    host.gatepost(&row).ended(0);
    call(&host, &["product.add", "name=Own", "type=own"]);
    call(&host, &["service.open", "user=1", "product=Own", "addon.disk=5"]);
    host.process("nthandler").ended(0);
    assert_eq!(host.sql("SELECT state, externalid FROM service"), "active|u12");
    let input = host.read("var/own.xml");
    for part in [
        "attempt=\"1\" maybe_sent=\"0\"",
        "<module>pmown</module>",
        "<xmlparams>&lt;doc&gt;&lt;ip&gt;192.0.2.10&lt;/ip&gt;&lt;/doc&gt;</xmlparams>",
        "<addon name=\"disk\">5</addon>",
    ] {
        assert!(input.contains(part), "{part} in {input}");
    }
    let refused = host.gatepost(&["func", "service.suspend", "elid=1"]);
    assert_ne!(refused.code, Some(0), "its features do not name suspend");
}

/// The shipped templates and their `notice.toml`, as they are.
#[test]
fn a_finished_open_and_a_task_that_failed_for_good_send_the_shipped_notices() {
    let host = host();
    call(&host, &["user.add", "name=petr", "email=petr@example.com", "level=admin", "quiet=on"]);
    call(&host, &["agent.status", "agent=petr", "status=ready"]);
    call(&host, &["service.open", "user=bob", "product=FTP"]);
    drain(&host, OPENED);
    let inbox = "SELECT user.name, inbox.subject, inbox.text FROM inbox JOIN user ON user.id=inbox.user \
                 ORDER BY inbox.id DESC LIMIT 1";
    let newest = |what: &str, words: &[&str]| {
        wait_until(LONG, what, || {
            host.process("nthandler").ended(0);
            host.process("ntinternal").ended(0);
            let newest = host.sql(inbox);
            words.iter().all(|words| newest.contains(words))
        });
    };
    newest("the client is told", &["bob|FTP is ready|FTP is ready to use."]);
    let inboxes = || host.sql("SELECT count(*) FROM inbox");
    assert_eq!(inboxes(), "2", "his registration and this");
    call(&host, &["service.open", "user=bob", "product=FTP"]);
    drain(&host, "echo 'no room' >&2; exit 1");
    let failed = host.sql("SELECT id FROM notifytask WHERE modulename='pmshell' AND state=3");
    let what = format!("task {failed} of pmshell has failed");
    newest("the staff is told", &[&format!("petr|[WARNING] {what}|{what}")]);
    assert_eq!(inboxes(), "3");
    let mail =
        "SELECT priority FROM notifytask WHERE modulename='ntemail' ORDER BY id DESC LIMIT 1";
    assert_eq!(host.sql(mail), "8", "petr gets it by mail too, with the priority of the notice");
}
