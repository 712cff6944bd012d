//! One gate process a message: `ntemail` beside a bare spawn loop of the same gate, four at once.

use crate::rounds::{Case, print};
use gatepost_kit::host::{Host, beside_us};
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 5;
const AT_ONCE: usize = 4;
const PYTHON: &str = r#"#!/usr/bin/python3 -IS
import sys
if sys.argv[2:] == ["outgoing"]:
    sys.stdin.buffer.read()
    print("<doc/>")
else:
    print('<doc><features><feature name="outgoing"/><feature name="parallel"/></features><notify_module>ntemail</notify_module></doc>')
"#;

/// Runs it for a Rust gate and a python3 gate.
pub(crate) fn run() {
    measure("Rust gate", 2_000, |host| {
        std::fs::copy(beside_us("bench-gate"), host.path("gate/bench")).unwrap();
    });
    measure("python3 gate", 200, |host| {
        host.program("gate/bench", PYTHON);
    });
}

fn measure(name: &str, messages: usize, place: impl Fn(&Host)) {
    let mut bare = Case::new(&format!("{name}, bare spawn loop"));
    let mut ours = Case::new(&format!("{name}, ntemail"));
    for _ in 0..ROUNDS {
        let host = Host::new();
        place(&host);
        bare.figures.push(bare_loop(&host.path("gate/bench"), messages));
        ours.figures.push(drain(&host, messages));
    }
    print(&[bare, ours], "messages/s");
    println!();
}

/// Spawns the gate so often, four at once, with 1 kB of input; messages a second.
fn bare_loop(gate: &Path, messages: usize) -> f64 {
    let input = format!("<doc><message>{}</message></doc>", "x".repeat(1_000));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| (0..messages / AT_ONCE).for_each(|_| spawn(gate, &input)));
        }
    });
    rate(messages, start)
}

fn spawn(gate: &Path, input: &str) {
    let mut child = Command::new(gate)
        .args(["--command", "outgoing"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout.trim_ascii_end(), b"<doc/>");
}

/// Drains a full queue through the same gate; messages a second, start-up counted.
fn drain(host: &Host, messages: usize) -> f64 {
    fill(host, messages);
    let start = Instant::now();
    let ran = host.run("notify/ntemail", &["--command", "process", "--force", "--for", "600"]);
    let rate = rate(messages, start);
    ran.ended(0);
    assert_eq!(
        host.sql("SELECT count(*) FROM notifylog WHERE outcome='sent'"),
        messages.to_string()
    );
    rate
}

fn fill(host: &Host, messages: usize) {
    host.gatepost(&["project", "add", "name=Bench", "notifyemail=bench@example.com"]).ended(0);
    host.gatepost(&[
        "gateway",
        "add",
        "bench",
        "name=bench",
        "module=ntemail",
        "project=Bench",
        "concurrency=4",
    ])
    .ended(0);
    let mut users = "name,email\n".to_owned();
    for number in 0..messages {
        writeln!(users, "u{number},u{number}@example.com").unwrap();
    }
    host.run_with("bin/gatepost", &["user", "import", "-", "--project", "Bench"], users.as_bytes())
        .ended(0);
    host.write(
        "templates/bench/en.ntemail.text.tera",
        "Dear {{ user.name }}, this is a message.\n",
    );
    host.write("templates/bench/notice.toml", "[subject]\nen = \"Bench\"\n");
    host.gatepost(&["func", "notify.mass", "notice=bench", "module=ntemail"]).ended(0);
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(messages: usize, start: Instant) -> f64 {
    messages as f64 / start.elapsed().as_secs_f64()
}
