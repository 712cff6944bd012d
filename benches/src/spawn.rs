//! One gate process a message: `ntemail` beside a bare spawn loop of the same gate, four at once.
//!
//! Both give the gate as many bytes and look at its answer; what `ntemail` does beyond that (claim, render, note,
//! settle, log, its start and its end) is the difference. The two take turns at going first. Processor time is of
//! everybody together: spawner, gates, render child; on a machine with other work it is the steadier figure.

use crate::drain::import_users;
use crate::report::Report;
use crate::rounds::{Case, MICROSECONDS_A_TICK, cpu_ticks};
use gatepost_kit::host::{Host, beside_us};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 7;
const AT_ONCE: usize = 4;
const PYTHON: &str = r#"#!/usr/bin/python3 -IS
import sys
if sys.argv[2:] == ["outgoing"]:
    sys.stdin.buffer.read()
    print("<doc/>")
else:
    print('<doc><features><feature name="outgoing"/><feature name="parallel"/></features><notify_module>ntemail</notify_module></doc>')
"#;

/// What `ntemail` gives the gate for a message of [`fill`], bytes.
const INPUT_BYTES: usize = 1_000;

/// Messages a second, and processor microseconds a message.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    cpu: f64,
}

/// Runs it for a Rust gate and a python3 gate.
pub(crate) fn run(report: &mut Report) {
    measure(report, ("Rust gate", 3_000), |host| {
        std::fs::copy(beside_us("bench-gate"), host.path("gate/bench")).unwrap();
    });
    measure(report, ("python3 gate", 600), |host| {
        host.program("gate/bench", PYTHON);
    });
}

fn measure(report: &mut Report, (name, messages): (&str, usize), place: impl Fn(&Host)) {
    let case = |what: &str| Case::new(&format!("{name}, {what}"));
    let mut rates = [case("bare spawn loop"), case("ntemail")];
    let mut cpu = [case("bare spawn loop"), case("ntemail")];
    let mut ratios = case("ntemail to bare, round by round");
    for round in 0..ROUNDS {
        let host = Host::new();
        place(&host);
        fill(&host, ("bench", AT_ONCE), messages);
        let bare = || bare_loop(&host.path("gate/bench"), messages);
        let ours = || drain(&host, messages);
        let both = if round % 2 == 0 {
            [bare(), ours()]
        } else {
            let ours = ours();
            [bare(), ours]
        };
        for (figures, (rates, cpu)) in both.iter().zip(rates.iter_mut().zip(&mut cpu)) {
            rates.figures.push(figures.rate);
            cpu.figures.push(figures.cpu);
        }
        ratios.figures.push(both[1].rate / both[0].rate);
    }
    report.cases(&rates, "messages/s");
    report.cases(&[ratios], "of bare");
    report.cases(&cpu, "processor us a message");
}

/// Spawns the gate so often, four at once.
fn bare_loop(gate: &Path, messages: usize) -> Figures {
    let frame = "<doc><message></message></doc>";
    let text = "x".repeat(INPUT_BYTES - frame.len());
    let input = format!("<doc><message>{text}</message></doc>");
    timed(messages, || {
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| (0..messages / AT_ONCE).for_each(|_| spawn(gate, &input)));
            }
        });
    })
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

/// Drains a full queue through the same gate, start and end counted.
pub(crate) fn drain(host: &Host, messages: usize) -> Figures {
    let figures = timed(messages, || {
        host.run("notify/ntemail", &["--command", "process", "--force", "--for", "600"]).ended(0);
    });
    assert_eq!(
        host.sql("SELECT count(*) FROM notifylog WHERE outcome='sent'"),
        messages.to_string()
    );
    figures
}

/// Messages in the queue for a gateway of that gate, which may have so many at once.
pub(crate) fn fill(host: &Host, (gate, at_once): (&str, usize), messages: usize) {
    host.gatepost(&["project", "add", "name=Bench", "notifyemail=bench@example.com"]).ended(0);
    host.gatepost(&[
        "gateway",
        "add",
        gate,
        "name=bench",
        "module=ntemail",
        "project=Bench",
        &format!("concurrency={at_once}"),
    ])
    .ended(0);
    let row = |number| format!("u{number},u{number}@example.com");
    import_users(host, "name,email", (0..messages).map(row));
    host.write(
        "templates/bench/en.ntemail.text.tera",
        "Dear {{ user.email }}, this is a message.\n",
    );
    host.write("templates/bench/notice.toml", "[subject]\nen = \"Bench\"\n");
    host.gatepost(&["func", "notify.mass", "notice=bench", "module=ntemail"]).ended(0);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn timed(messages: usize, work: impl FnOnce()) -> Figures {
    let (start, ticks) = (Instant::now(), cpu_ticks());
    work();
    let (took, ticks) = (start.elapsed(), cpu_ticks() - ticks);
    let messages = messages as f64;
    Figures {
        rate: messages / took.as_secs_f64(),
        cpu: ticks as f64 * MICROSECONDS_A_TICK / messages,
    }
}
