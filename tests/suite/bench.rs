//! `gatepost bench`: every message once, no more at a time than allowed, what came of them counted.

use crate::stage::LONG;
use gatepost_kit::host::{Host, wait_until};
use gatepost_kit::terminal::Terminal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;

/// Keeps a ledger of keys, and of how many of it ran at once; the first waits for a second.
const COUNTING: &str = r#"#!/bin/sh
input=$(cat)
case $2 in
features) echo '<doc><features><feature name="outgoing"/></features><notify_module>ntemail</notify_module></doc>' ;;
outgoing)
  mkdir -p var/now
  : > var/now/$$
  until [ -e var/met ]; do
    set -- var/now/*
    [ $# -ge 2 ] && : > var/met
  done
  set -- var/now/*
  key=${input#*key=\"}
  echo "$# ${key%%\"*}" >> var/ledger
  rm var/now/$$
  echo '<doc/>' ;;
esac
"#;

/// Takes every message but says no to it, with the password in its words.
const REFUSING: &str = r#"#!/bin/sh
cat > /dev/null
case $2 in
features) echo '<doc><features><feature name="outgoing"/></features><notify_module>ntemail</notify_module></doc>' ;;
outgoing) echo "no room for open sesame" >&2; exit 67 ;;
esac
"#;

const DESCRIPTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<mgrdata>
  <plugin name="gwtry"><group>gateway</group></plugin>
  <metadata name="gateway.gwtry" type="form"><form>
    <field name="password"><input type="password" name="password"/></field>
  </form></metadata>
</mgrdata>
"#;

/// An installation whose gateway `try` is of that gate.
fn with_gate(text: &str) -> Host {
    let host = Host::bare();
    host.gatepost(&["init", "--demo"]).ended(0);
    host.program("gate/gwtry", text);
    host.write("etc/xml/gatepost_mod_gwtry.xml", DESCRIPTION);
    host.write("password", "open sesame\n");
    let password = format!("password=@{}", host.path("password").display());
    host.gatepost(&["gateway", "add", "gwtry", "name=try", &password]).ended(0);
    host
}

fn bench<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["bench", "try", "--to", "jane@example.com"], more].concat()
}

/// What the counting gate saw: how many at once at most, and every key.
fn ledger(host: &Host) -> (usize, Vec<String>) {
    let text = std::fs::read_to_string(host.path("var/ledger")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let (most, keys): (Vec<usize>, Vec<String>) =
        lines.map(|(count, key)| (count.parse::<usize>().unwrap(), key.to_owned())).unzip();
    (most.into_iter().max().unwrap_or_default(), keys)
}

#[test]
fn every_message_is_handed_over_once_and_no_more_at_a_time_than_said() {
    let host = with_gate(COUNTING);
    let asked = bench(&["--messages", "40", "--at-once", "2", "--yes", "-o", "json"]);
    let ran = host.gatepost(&asked).ended(0);
    assert_eq!(ran.stderr, "", "nobody looks");
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    let of = |row: usize, name: &str| rows[row][name].clone();
    assert_eq!((of(0, "what"), of(1, "what")), ("messages".into(), "starts".into()));
    assert_eq!(
        (of(0, "number"), of(0, "sent"), of(1, "number")),
        (40.into(), 40.into(), 40.into())
    );
    for name in ["seconds", "per_second", "median_ms", "p95_ms", "slowest_ms"] {
        assert!(of(0, name).is_f64() && of(1, name).is_f64(), "{rows}");
    }
    let (most, keys) = ledger(&host);
    assert_eq!((most, keys.len()), (2, 40));
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 40, "each has a key of its own");
    assert_eq!(host.sql("SELECT (SELECT count(*) FROM notifytask) + count(*) FROM notifylog"), "0");
}

#[test]
fn the_concurrency_of_a_gateway_is_the_most() {
    let host = with_gate(COUNTING);
    host.gatepost(&["gateway", "edit", "try", "concurrency=2"]).ended(0);
    let asked = bench(&["--messages", "20", "--at-once", "9", "--yes", "-o", "jsonl"]);
    let ran = host.gatepost(&asked).ended(0);
    assert!(ran.stdout.contains("\"at_once\":2"), "{}", ran.stdout);
    assert_eq!(ledger(&host).0, 2);
}

#[test]
fn a_refusal_is_counted_and_its_reason_shows_no_secret() {
    let host = with_gate(REFUSING);
    let ran = host.gatepost(&bench(&["--messages", "6", "--yes"])).ended(0);
    let row = ran.stdout.lines().nth(1).unwrap_or_default();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells[8..13], ["0", "0", "6", "0", "0"], "sent later never hold unknown: {row}");
    assert!(row.ends_with("exit 67: no room for ***"), "{row}");
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is_sent() {
    let host = with_gate(COUNTING);
    let ran = host.gatepost(&bench(&["--messages", "0", "--yes"])).ended(64);
    assert!(ran.stderr.contains("1..=100000"), "{}", ran.stderr);
    let ran = host.gatepost(&bench(&[])).ended(64);
    let words = "Send 100 real test messages to jane@example.com through gateway try now? \
                 Nobody can be asked here: say --yes";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let ran = host.gatepost(&["bench", "tyr", "--to", "jane@example.com", "--yes"]).ended(66);
    assert!(ran.stderr.contains("2 try"), "{}", ran.stderr);
    host.program("gate/gwtry", "#!/bin/sh\nexit 3\n");
    let ran = host.gatepost(&bench(&["--yes"])).ended(66);
    assert!(ran.stderr.contains("gwtry"), "{}", ran.stderr);
    assert_eq!(ledger(&host).1.len(), 0);
}

#[test]
fn a_person_is_asked_and_sees_it_go_on() {
    let host = with_gate(COUNTING);
    let line = "bin/gatepost bench try --to jane@example.com --messages 5";
    let mut terminal = Terminal::start(&host, line);
    terminal.shows("through gateway try now? [y/N] ");
    terminal.types("n");
    assert_eq!(terminal.ends().0, 64);
    assert_eq!(ledger(&host).1.len(), 0);
    let mut terminal = Terminal::start(&host, line);
    terminal.shows("[y/N] ");
    terminal.types("y");
    terminal.shows("5 of 5 messages");
    let (code, screen) = terminal.ends();
    assert!(code == 0 && screen.contains("WHAT "), "{code}: {screen}");
    assert_eq!(ledger(&host).1.len(), 5);
}

#[test]
fn an_interrupted_measurement_prints_what_it_has() {
    let host = with_gate(COUNTING);
    let asked = bench(&["--messages", "100000", "--yes", "-o", "jsonl"]);
    let mut tool = host.command("bin/gatepost", &asked);
    let tool = tool.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    wait_until(LONG, "some were sent", || ledger(&host).1.len() > 5);
    host.run("/bin/kill", &["-INT", &tool.id().to_string()]).ended(0);
    let ended = tool.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let text = String::from_utf8_lossy(&ended.stdout);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 1, "no starts are measured any more: {text}");
    assert_eq!(rows[0]["sent"], ledger(&host).1.len());
}
