//! Event handlers in whole installations: the documents' own programs, the shipped samples, the ancestor's libraries, and
//! scripts that misbehave.

use gatepost_kit::host::{Host, examples, has, wait_until};
use gatepost_kit::http_sink::{HttpSink, Reply, Request};
use gatepost_kit::tools::{missing, skipped};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_mins(1);

/// An installation with a project, a stub `smbpasswd` first in the path, and short limits.
fn host() -> Host {
    let host = Host::new();
    let tools = host.path("tools");
    host.program(
        "tools/smbpasswd",
        "#!/bin/sh\necho \"$@ $(cat | tr '\\n' ' ')\" >> smb.log\necho \"Added user.\"\n",
    );
    host.program("tools/sudo", "#!/bin/sh\nshift\nexec \"$@\"\n");
    host.write(
        "etc/gatepost.toml",
        format!(
            "[gate]\npath = \"{}:/usr/bin:/bin\"\nkill_secs = 0.2\nstdout_bytes = 1000000\n\
             [handlers]\nbefore_secs = 3\nafter_secs = 3\nbreaker_failures = 2\nbreaker_secs = 3600\n",
            tools.display()
        ),
    );
    host.gatepost(&["project", "add", "name=Example"]).ended(0);
    host
}

/// Registers one script for one event.
fn register(host: &Host, name: &str, kind: &str, event: &str) {
    host.write(
        &format!("etc/xml/billmgr_mod_{name}.xml"),
        format!(
            "<mgrdata><handler name=\"{name}\" type=\"{kind}\"><event {event}/></handler></mgrdata>"
        ),
    );
}

fn has_cgi() -> bool {
    has("perl")
        && (Command::new("perl").args(["-MCGI", "-e", "1"]).status().unwrap().success()
            || missing("perl's CGI.pm (libcgi-pm-perl)"))
}

fn has_php() -> bool {
    has("php")
        && (Path::new("/var/lib/dpkg/info/php-sqlite3.list").exists() || missing("php-sqlite3"))
}

// S0-3, S0-5, S0-6, S0-8, S0-9, S0-27, S0-29, S0-30, S0-32, S0-56 … S0-62
#[test]
fn the_documents_samba_handler_runs_unchanged_by_mgrctl() {
    if !has_cgi() {
        return;
    }
    let Some(folder) = examples() else {
        skipped("the documents' programs are not here");
        return;
    };
    let host = host();
    let folder = folder.join("event-handlers");
    host.program("addon/samba.pl", &fs::read_to_string(folder.join("samba.pl")).unwrap());
    fs::set_permissions(host.path("addon/samba.pl"), fs::Permissions::from_mode(0o750)).unwrap();
    let mgrctl = |words: &[&str]| {
        host.run("sbin/mgrctl", &[&["-m", "billmgr"], words].concat()).ended(0).stdout
    };
    mgrctl(&["user.add", "name=early"]);
    assert_eq!(host.read("smb.log"), "", "a script alone is no handler");
    let xml = fs::read(folder.join("billmgr_mod_samba.xml")).unwrap();
    host.write("etc/xml/billmgr_mod_samba.xml", xml);
    host.write("etc/debug.conf", "*.external 9\n");
    let said = mgrctl(&["user.edit", "sok=ok", "name=bob", "passwd=pw-of-bob"]);
    assert!(said.contains("id="), "{said}");
    assert_eq!(host.read("smb.log"), "-a bob pw-of-bob pw-of-bob \n");
    mgrctl(&["user.add", "name=al", "passwd=pw-of-al"]);
    mgrctl(&["user.edit", "elid=2"]);
    mgrctl(&["user.edit", "elid=2", "sok=ok", "phone=+79123456789"]);
    assert_eq!(host.read("smb.log").lines().count(), 2, "created twice, read and changed once");
    mgrctl(&["user.delete", "elid=2, 3"]);
    assert_eq!(host.read("smb.log").lines().skip(2).collect::<Vec<_>>(), ["-x 2 ", "-x 3 "]);
    let log = host.read("var/billmgr.log");
    for line in [
        "action EXTINFO Register event 'samba.pl' for action 'user.edit'",
        "action EXTINFO Register event 'samba.pl' for action 'user.delete'",
        &format!("external INFO Executing: {}", host.path("addon/samba.pl").display()),
        "external DEBUG Addon 'addon/samba.pl': printed before its document: Added user.",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    let journal = host.gatepost(&["func", "journal", "-o", "json"]).stdout;
    assert!(!log.contains("pw-of") && !journal.contains("pw-of"), "{log}\n{journal}");
}

// S0-31, S0-43, S0-46, S0-49, S0-65
#[test]
fn the_documents_test_py_takes_the_place_of_a_send() {
    let host = host();
    let (script, xml) = match examples() {
        Some(folder) => {
            let read = |name: &str| {
                fs::read_to_string(folder.join("event-handlers").join(name)).unwrap()
            };
            (read("test.py"), read("billmgr_mod_test.xml"))
        }
        None => (
            "#!/usr/bin/env python3\nprint(\"<doc>\");\nprint(\"<skipaction/>\");\nprint(\"</doc>\");\n".to_owned(),
            "<mgrdata><handler name=\"test.py\" type=\"xml\"><event name=\"register.activationsend\" before=\"yes\"/>\
             </handler></mgrdata>"
                .to_owned(),
        ),
    };
    host.gatepost(&["user", "add", "name=jane", "email=jane@example.com"]).ended(0);
    let send =
        ["func", "register.activationsend", "notice=registration", "user=1", "module=ntemail"];
    host.gatepost(&send).ended(0);
    let queued = || host.sql("SELECT count(*) FROM notifytask");
    let before = queued();
    assert_ne!(before, "0");
    host.program("addon/test.py", &script);
    host.write("etc/xml/billmgr_mod_test.xml", xml);
    register(&host, "later.sh", "cgi", "name=\"notify.send\" after=\"yes\"");
    host.program("addon/later.sh", "#!/bin/sh\ntouch later\necho '<doc/>'\n");
    let said = host.gatepost(&send).ended(0).stdout;
    assert_eq!(said, "OK\n");
    assert_eq!(queued(), before, "nothing was sent");
    assert!(!host.path("later").exists(), "no after handler runs");
    let line = format!("external INFO Executing: {}", host.path("addon/test.py").display());
    assert!(host.read("var/gatepost.log").contains(&line));
    assert!(
        host.sql("SELECT outcome || name FROM journal ORDER BY id DESC LIMIT 1")
            .contains("skipped")
    );
}

// S0-5, S0-6
#[test]
fn a_daemon_reads_registrations_at_its_start_and_exit_makes_it_begin_anew() {
    let host = host();
    host.program(
        "addon/no.sh",
        "#!/bin/sh\necho '<doc><error type=\"value\"><msg>not today</msg></error></doc>'\n",
    );
    let socket = host.path("var/run/api.sock");
    let _daemon = host.start("bin/gatepostd", &[]);
    wait_until(LONG, "the daemon listens", || socket.exists());
    let call = || host.run("sbin/mgrctl", &["-m", "billmgr", "user.add", "name=x"]);
    call().ended(0);
    register(&host, "no.sh", "cgi", "name=\"user.add\" before=\"yes\"");
    call().ended(0);
    host.run("sbin/mgrctl", &["-m", "billmgr", "exit"]).ended(0);
    wait_until(LONG, "the new set is in force", || call().code == Some(65));
    assert!(call().stderr.contains("not today"));
}

// S0-24, S0-63
#[test]
fn the_shipped_samples_are_safe_and_do_nothing_until_they_are_taken_over() {
    if !has_php() {
        return;
    }
    let host = host();
    host.gatepost(&["user", "add", "name=plain"]).ended(0);
    assert_eq!(host.gatepost(&["handler", "list", "-o", "json"]).ended(0).stdout.trim(), "[]");
    for name in ["checkname", "samba", "greeting.php"] {
        fs::copy(host.path("share/addon").join(name), host.path("addon").join(name)).unwrap();
    }
    fs::copy(
        host.path("share/etc/xml/gatepost_mod_samples.xml.disabled"),
        host.path("etc/xml/gatepost_mod_samples.xml"),
    )
    .unwrap();
    let list = host.gatepost(&["handler", "list"]).ended(0).stdout;
    assert_eq!(list.matches("ready").count(), 4, "{list}");
    let refused = host.gatepost(&["func", "user.add", "name=root"]).ended(65);
    assert!(refused.stderr.contains("this name is reserved"), "{}", refused.stderr);
    let password = "s\"e; touch hacked; $(touch hacked) `touch hacked`";
    host.write("password", password);
    host.gatepost(&["func", "user.add", "name=-x;touch hacked", "passwd=@password"]).ended(0);
    host.gatepost(&["func", "user.add", "name=q'; touch hacked", "passwd=@password"]).ended(0);
    assert!(!host.path("hacked").exists());
    assert_eq!(host.read("smb.log"), format!("-s -a q'; touch hacked {password} {password} \n"));
    let desktop = host.gatepost(&["func", "desktop", "-o", "xml"]).ended(0).stdout;
    assert!(desktop.contains("<greeting>Hello operator</greeting>"), "{desktop}");
}

const PHP: &str = r#"#!/usr/bin/env php
<?php
set_include_path(get_include_path() . PATH_SEPARATOR . "PREFIX/include/php");
define('__MODULE__', 'libtest');
require_once 'bill_util.php';
$param = CgiInput(true);
Debug("called\nfor " . $param['func']);
$made = LocalQuery('user.add', array('name' => 'php-' . $param['name'], 'passwd' => 'hunter2 &"'));
$refused = LocalQuery('user.delete', array('elid' => '999'));
$db = new DB('localhost', 'root', '', 'billmgr');
$rows = $db->query("SELECT name FROM user WHERE name = '" . $db->real_escape_string("php-" . $param['name']) . "'");
$row = $rows->fetch_assoc();
echo $undefined_variable_that_php_warns_of;
$told = HttpQuery('SINK/php?token=hunter2', array('a' => 'b c&d'), 'PUT', 'me', 'hunter2', array('X-Own: 1'));
file_put_contents('libtest.out', implode('|', array(
    (string) $made->id, (string) $refused->error['type'], $row['name'], $rows->num_rows, ClientIp(), strlen(RandomStr(12)), $told)));
throw new ISPErrorException('value', 'name', 'a<b');
"#;

const PYTHON: &str = r#"#!/usr/bin/env python3
import sys
sys.path.insert(0, "PREFIX/lib/python")
from billmgr import db, logger, misc
from billmgr.exception import XmlException
logger.init_logging("pytest")
log = logger.get_logger("pytest")
call = misc.CgiInput()
log.extinfo("called for %s\nsecond", call["func"])
made = misc.MgrctlXml("user.add", name="py-" + call["name"], passwd="hunter2")
try:
    misc.MgrctlXml("user.delete", elid="999")
except XmlException as error:
    print(error.as_xml(), file=open("pytest.out", "w"))
row = db.get_first_record_unwrap("SELECT id, name FROM user WHERE name = ?", "py-" + call["name"])
listed = misc.Mgrctl("user", name=row["name"])
told = misc.HttpQuery("SINK/python", {"a": "b c&d"}, "PUT", "me", "hunter2", ["X-Own: 1"])
print(made.findtext("id"), row.as_int("id"), listed[0]["name"], told, file=open("pytest.ok", "w"))
print("<doc/>")
"#;

#[test]
fn scripts_that_use_the_ancestors_libraries_and_prefix_run() {
    if !has_php() {
        return;
    }
    let host = host();
    host.gatepost(&["config", "set", "handlers.after_secs", "30"]).ended(0);
    let moved =
        |_: &Request| Reply::status(302, "it is elsewhere").with_header("Location", "/elsewhere");
    let sink = HttpSink::start(moved);
    let prefix = host.path("tools/mgr5");
    let link = prefix.to_str().unwrap();
    host.gatepost(&["init", "--mgr5", link]).ended(0);
    host.gatepost(&["init", "--mgr5", link]).ended(0);
    assert_eq!(fs::read_link(&prefix).unwrap(), host.root());
    for (name, text) in [("lib.php", PHP), ("lib.py", PYTHON)] {
        host.program(
            &format!("addon/{name}"),
            &text.replace("PREFIX", link).replace("SINK", &sink.url("")),
        );
        register(&host, name, "cgi", "name=\"project.edit\" after=\"yes\" postdata=\"yes\"");
    }
    host.gatepost(&["project", "edit", "1", "name=Brand"]).ended(0);
    let (php, python) = (host.read("libtest.out"), host.read("pytest.ok"));
    let log = host.read("var/gatepost.log");
    assert_eq!(php, "1|missed|php-Brand|1||12|it is elsewhere", "{log}");
    assert_eq!(python, "2 2 py-Brand it is elsewhere\n", "{log}");
    let asked = sink.requests();
    assert_eq!(asked.len(), 2, "a redirect is an answer: {asked:?}");
    for (request, target) in asked.iter().zip(["/php?token=hunter2", "/python"]) {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("PUT", target));
        assert_eq!((request.body.as_str(), request.header("x-own")), ("a=b+c%26d", "1"));
        assert_eq!(request.header("authorization"), "Basic bWU6aHVudGVyMg==");
    }
    assert!(host.read("pytest.out").contains("<error type=\"missed\""));
    let logs = host.read("var/libtest.log") + &host.read("var/pytest.log");
    assert!(
        logs.contains("libtest DEBUG called")
            && logs.contains("EXTINFO called for project.edit\\x0asecond"),
        "{logs}"
    );
    assert!(logs.contains("undefined_variable"), "PHP's warnings are not in the document: {logs}");
    let all = logs + &host.read("var/gatepost.log");
    assert!(!all.contains("hunter2"), "{all}");
    let outcomes =
        host.sql("SELECT group_concat(outcome) FROM journal WHERE function = 'project.edit'");
    assert_eq!(outcomes, "warning,ok", "an uncaught ISPErrorException is an error document");
}

#[test]
fn a_prefix_that_is_something_else_is_left_alone() {
    let host = Host::new();
    host.write("other/mgr5/etc/x", "kept");
    let there = host.path("other/mgr5");
    let refused = host.gatepost(&["init", "--mgr5", there.to_str().unwrap()]).ended(73);
    assert!(refused.stderr.contains("is not this installation"), "{}", refused.stderr);
    assert_eq!(host.read("other/mgr5/etc/x"), "kept");
    let dangling = host.path("other/dangling");
    symlink("/no/such/place", &dangling).unwrap();
    host.gatepost(&["init", "--mgr5", dangling.to_str().unwrap()]).ended(73);
}

/// What a script does wrong; each is registered before its own function.
const BAD: &[(&str, &str)] = &[
    ("project.delete", "sleep 600 & sleep 600"),
    ("user.delete", "yes '<doc>'"),
    (
        "gateway.hold",
        "(trap '' TERM; sleep 600) & (trap '' TERM; sleep 600) & trap '' TERM; sleep 600",
    ),
    ("gateway.delete", "echo '<doc><unclosed></doc>'"),
    ("task.done", "kill -9 $$"),
    ("user.edit", "echo '<doc><param name=\"level\">godlike</param></doc>'"),
    (
        "project.edit",
        "sbin/mgrctl -m billmgr project.edit sok=ok name=inside > again 2>&1; echo '<doc><error type=\"x\"><msg>done</msg></error></doc>'",
    ),
];

#[test]
fn misbehaving_handlers_are_named_and_hold_nobody_up() {
    let host = host();
    let mut registration = String::new();
    for (at, (function, script)) in BAD.iter().enumerate() {
        host.program(&format!("addon/bad{at}.sh"), &format!("#!/bin/sh\n{script}\n"));
        let _ = write!(
            registration,
            "<handler name=\"bad{at}.sh\" type=\"cgi\"><event name=\"{function}\" before=\"yes\"/></handler>"
        );
    }
    host.write("etc/xml/billmgr_mod_bad.xml", format!("<mgrdata>{registration}</mgrdata>"));
    let _daemon = host.start("bin/gatepostd", &[]);
    let socket = host.path("var/run/api.sock");
    wait_until(LONG, "the daemon listens", || socket.exists());
    std::thread::scope(|scope| {
        let call = |function: &'static str| {
            host.gatepost(&["func", function, "elid=1", "sok=ok", "name=x"])
        };
        let running: Vec<_> = BAD
            .iter()
            .map(|(function, _)| (*function, scope.spawn(move || call(function))))
            .collect();
        let began = Instant::now();
        host.gatepost(&["func", "gateway"]).ended(0);
        assert!(began.elapsed() < Duration::from_secs(20), "other calls are answered meanwhile");
        for (function, ran) in running {
            let ran = ran.join().unwrap();
            assert_ne!(ran.code, Some(0), "{function}: {}", ran.stdout);
            assert!(!ran.stderr.trim().is_empty(), "{function} says why");
        }
    });
    let inside = host.read("again");
    assert!(
        inside.contains("final=\"yes\""),
        "a handler's own function is refused to it: {inside}"
    );
    assert_eq!(host.sql("SELECT count(*) FROM project WHERE name = 'inside'"), "0");
    let left = Command::new("pgrep").args(["-f", "^sleep 600$"]).output().unwrap();
    let ours = String::from_utf8_lossy(&left.stdout)
        .lines()
        .filter(|pid| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == host.root())
        })
        .count();
    assert_eq!(ours, 0, "the whole group is ended");
    // What keeps failing is left alone, and said.
    host.gatepost(&["func", "gateway.delete", "elid=1"]);
    let refused = host.gatepost(&["func", "gateway.delete", "elid=1"]).stderr;
    assert!(refused.contains("its breaker is open"), "{refused}");
    let status = host.gatepost(&["status", "-o", "json"]).stdout;
    assert!(status.contains("handler_broken"), "{status}");
    let list = host.gatepost(&["handler", "list"]).ended(0).stdout;
    assert!(list.contains("open for"), "{list}");
}

#[test]
fn a_handler_is_tried_on_a_call_that_the_journal_holds() {
    let host = host();
    host.program(
        "addon/seen.sh",
        "#!/bin/sh\necho \"$PARAM_name $PARAM_note $PARAM_sok\" >> var/seen\necho '<doc/>'\n",
    );
    register(&host, "seen.sh", "cgi", "name=\"project.edit\" before=\"yes\"");
    host.gatepost(&["func", "project.edit", "sok=ok", "elid=1", "name=A & B"]).ended(0);
    host.gatepost(&["func", "project.edit", "sok=ok", "elid=1", "name=Later"]).ended(0);
    let call =
        host.sql("SELECT call FROM journal WHERE function='project.edit' ORDER BY id LIMIT 1");
    let test = ["handler", "test", "seen.sh", "--event", "project.edit", "--call"];
    let shown = host.gatepost(&[&test[..], &[&call]].concat()).ended(0).stdout;
    assert!(shown.contains("PARAM_name=A & B") && shown.contains("PARAM_elid=1"), "{shown}");
    let with_more = [&test[..], &[&call, "note=mine"]].concat();
    host.gatepost(&with_more).ended(0);
    assert_eq!(host.read("var/seen"), "A & B  ok\nLater  ok\nA & B  ok\nA & B mine ok\n");
    assert_eq!(host.sql("SELECT name FROM project"), "Later", "the function itself did not run");
    host.gatepost(&[&test[..], &["no-such-call"]].concat()).ended(66);
}

#[test]
fn the_ancestors_tool_restarts_the_manager_and_calls_as_who_has_signed_in() {
    let host = host();
    host.write("password", "correct horse");
    host.gatepost(&["func", "user.add", "name=bob", "passwd=@password"]).ended(0);
    let mgrctl = |words: &[&str]| host.run("sbin/mgrctl", &[&["-m", "billmgr"], words].concat());
    let socket = host.path("var/run/api.sock");
    let mut daemon = host.start("bin/gatepostd", &[]);
    wait_until(LONG, "the daemon listens", || socket.exists());
    let words = ["-m", "billmgr", "-o", "json", "auth", "-"];
    let opened = host.run_with("sbin/mgrctl", &words, b"username=bob&password=correct+horse");
    let opened = opened.ended(0);
    let opened: serde_json::Value = serde_json::from_str(&opened.stdout).unwrap();
    let auth = format!("auth={}", opened["auth"].as_str().unwrap());
    let who = mgrctl(&["whoami", &auth]).ended(0).stdout;
    assert!(who.contains("name=bob") && who.contains("level=user"), "{who}");
    mgrctl(&["project"]).ended(0);
    mgrctl(&["user", &auth]).ended(77);
    mgrctl(&["whoami", "auth=0123456789012345678901234567890123456789"]).ended(77);
    // a registration acts once the manager has begun anew
    host.program(
        "addon/no.sh",
        "#!/bin/sh\necho '<doc><error><msg>not today</msg></error></doc>'\n",
    );
    register(&host, "no.sh", "cgi", "name=\"desktop\" before=\"yes\"");
    mgrctl(&["desktop"]).ended(0);
    mgrctl(&["-R"]).ended(0);
    let log = || host.read("var/gatepost.log");
    wait_until(LONG, "it has begun anew", || log().contains("begins anew") && socket.exists());
    wait_until(LONG, "the handler acts", || mgrctl(&["desktop"]).stderr.contains("not today"));
    let is_bob = || mgrctl(&["whoami", &auth]).stdout.contains("name=bob");
    wait_until(LONG, "the session stays", is_bob);
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}
