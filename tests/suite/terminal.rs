//! What a person at a terminal sees, and a program without one does not: progress, questions, who delivers already.

use crate::stage::{LONG, Stage};
use gatepost_kit::host::{Host, wait_until};
use gatepost_kit::terminal::Terminal;

const PROCESS: &str = "notify/ntemail --command process";

#[test]
fn a_run_shows_its_progress_on_a_terminal() {
    let stage = Stage::with_ledger(100);
    stage.queue(1, 40);
    let mut terminal = Terminal::start(&stage.host, PROCESS);
    terminal.shows(" sent, ");
    terminal.shows(" left");
    terminal.shows("40 sent, 0 waiting, 0 failed");
    let (code, screen) = terminal.ends();
    assert_eq!((code, stage.unfinished()), (0, 0), "{screen}");
    let sent = screen.match_indices(" sent").map(|(at, _)| screen[..at].rsplit([' ', 'K']).next());
    let on_the_way = sent.flatten().filter(|number| !["0", "40"].contains(number));
    assert!(on_the_way.count() > 0, "it is shown while it runs: {screen}");
}

/// As cron runs it: mail from cron is for what went wrong.
#[test]
fn a_run_without_a_terminal_is_silent() {
    let stage = Stage::with_ledger(0);
    stage.queue(1, 5);
    let ran = stage.host.run("notify/ntemail", &["--command", "process"]).ended(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert_eq!(stage.ledger().len(), 5);
}

#[test]
fn beside_a_daemon_a_run_says_who_delivers() {
    let stage = Stage::with_ledger(0);
    let _daemon = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    wait_until(LONG, "it works", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    let (code, screen) = Terminal::start(&stage.host, PROCESS).ends();
    assert_eq!(code, 0, "{screen}");
    let words =
        "ntemail: a daemon (gatepostd or `process --follow`) delivers this queue; it was woken";
    assert!(screen.contains(words), "{screen}");
    let ran = stage.host.run("notify/ntemail", &["--command", "process"]).ended(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "cron hears nothing");
}

#[test]
fn over_a_hundred_tasks_are_changed_after_a_yes_alone() {
    let stage = Stage::with_ledger(0);
    stage.mass(101);
    let cancel = ["cancel", "--module", "ntemail"];
    let ran = stage.host.gatepost(&cancel).ended(64);
    assert!(ran.stderr.contains("Nobody can be asked here: say --yes"), "{}", ran.stderr);
    let line = format!("bin/gatepost {}", cancel.join(" "));
    for answer in ["n", ""] {
        let mut terminal = Terminal::start(&stage.host, &line);
        terminal.shows("cancel 101 tasks? [y/N] ");
        terminal.types(answer);
        let (code, screen) = terminal.ends();
        assert!(code == 64 && screen.contains("left as it is"), "{code}: {screen}");
        assert_eq!(stage.unfinished(), 101);
    }
    let mut terminal = Terminal::start(&stage.host, &line);
    terminal.shows("[y/N] ");
    terminal.types("y");
    let (code, screen) = terminal.ends();
    assert!(code == 0 && screen.contains("cancel: 101 tasks"), "{code}: {screen}");
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_hundred_tasks_are_changed_without_a_question() {
    let stage = Stage::with_ledger(0);
    stage.mass(100);
    let ran = stage.host.gatepost(&["cancel", "--module", "ntemail"]).ended(0);
    assert_eq!(ran.stdout, "cancel: 100 tasks\n");
}

/// Its service takes one password.
const GATE: &str = r#"#!/bin/sh
input=$(cat)
case $2 in
features) echo '<doc><features><feature name="check_connection"/><feature name="outgoing"/></features><notify_module>ntsms</notify_module></doc>' ;;
check_connection)
  case $input in
  *'<password>open sesame</password>'*) echo '<doc/>' ;;
  *) echo '<doc><error type="hold">the service knows no such password</error></doc>' ;;
  esac ;;
outgoing) echo '<doc/>' ;;
esac
"#;

const DESCRIPTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<mgrdata>
  <plugin name="gwask"><group>gateway</group></plugin>
  <metadata name="gateway.gwask" type="form"><form>
    <field name="server"><input type="text" name="server" required="yes" identifier="yes"/></field>
    <field name="password"><input type="password" name="password" required="yes"/></field>
    <field name="sender"><input type="text" name="sender"/></field>
  </form></metadata>
  <lang name="en">
    <messages name="gateway_include"><msg name="gwask">Asking service</msg></messages>
    <messages name="gateway.gwask">
      <msg name="server">Server</msg><msg name="hint_server">Where the service is</msg>
      <msg name="password">Password</msg><msg name="sender">Sender</msg>
    </messages>
  </lang>
</mgrdata>
"#;

/// Answers each question of the form in turn: the words it is known by, and the answer.
fn answer(terminal: &mut Terminal, answers: &[(&str, &str)]) {
    for (question, answer) in answers {
        terminal.shows(question);
        terminal.types(answer);
    }
}

#[test]
fn gateway_add_asks_field_by_field_and_again_after_a_refusal() {
    let host = Host::new();
    host.program("gate/gwask", GATE);
    host.write("etc/xml/gatepost_mod_gwask.xml", DESCRIPTION);
    let mut terminal = Terminal::start(&host, "bin/gatepost gateway add gwask");
    terminal.shows("* must be filled in");
    answer(
        &mut terminal,
        &[
            ("Phone format (asis, e164, digits): ", "digits"),
            ("Parts at most: ", ""),
            ("Latin letters: ", ""),
            ("Where the service is\r\nServer *: ", "sms.example"),
            ("Password * (not shown): ", "open window"),
            ("Sender: ", "North"),
        ],
    );
    terminal.shows("the service knows no such password");
    assert_eq!(host.sql("SELECT count(*) FROM gateway"), "0", "nothing is saved half");
    answer(
        &mut terminal,
        &[
            ("Ask again, with these answers in brackets? [y/N] ", "y"),
            ("Phone format (asis, e164, digits) [digits]: ", ""),
            ("Parts at most: ", ""),
            ("Latin letters: ", ""),
            ("Server * [sms.example]: ", ""),
            ("Password * (not shown): ", "open sesame"),
            ("Sender [North]: ", "South"),
        ],
    );
    let (code, screen) = terminal.ends();
    assert!(code == 0 && screen.contains("added gateway 1"), "{code}: {screen}");
    assert!(!screen.contains("window") && !screen.contains("sesame"), "not echoed: {screen}");
    let saved = host.gatepost(&["func", "gateway.edit", "elid=1"]).ended(0).stdout;
    for value in ["sms.example", "South", "digits"] {
        assert!(saved.contains(value), "{saved}");
    }
}

#[test]
fn without_a_terminal_gateway_add_asks_nobody() {
    let host = Host::new();
    host.program("gate/gwask", GATE);
    host.write("etc/xml/gatepost_mod_gwask.xml", DESCRIPTION);
    let ran = host.gatepost(&["gateway", "add", "gwask"]).ended(64);
    assert!(ran.stderr.contains("give the fields as NAME=VALUE: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("server password sender"), "{}", ran.stderr);
}
