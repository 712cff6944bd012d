//! A gate in serve mode beside the same gate started for each message, and a plain loop in one process.
//!
//! The loop reads a document as the gate does and answers it, with no queue, no pipe and nobody else: what is lost
//! from there to serve mode is what `ntemail`, the database and the pipe cost. The three take turns at going first.

use crate::report::Report;
use crate::rounds::Case;
use crate::spawn::{drain, fill};
use gatepost_kit::host::{Host, beside_us};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;
use wire::serve::{FromGate, ToGate};

const ROUNDS: usize = 5;
const LOOPS: usize = 50_000;
const SERVED: usize = 20_000;
/// What both gates announce.
const WINDOW: usize = 64;
const PYTHON: &str = include_str!("../programs/serving.py");
/// As long as what `ntemail` writes for a message of [`fill`].
const TEXT_BYTES: usize = 300;

/// A gate in each of its three ways.
struct Contest {
    name: &'static str,
    /// Messages that are given to it one process each.
    once: usize,
    /// The plain loop, messages a second.
    plain: fn() -> f64,
    /// Puts it under this name into `gate/`.
    place: fn(&Host, &str),
}

/// Runs it for a Rust gate and a python3 gate.
pub(crate) fn run(report: &mut Report) {
    measure(
        report,
        &Contest {
            name: "Rust gate",
            once: 3_000,
            plain: rust_loop,
            place: |host, name| {
                std::fs::copy(beside_us("bench-serving"), host.path(&format!("gate/{name}")))
                    .unwrap();
            },
        },
    );
    measure(
        report,
        &Contest {
            name: "python3 gate",
            once: 300,
            plain: python_loop,
            place: |host, name| {
                host.program(&format!("gate/{name}"), PYTHON);
            },
        },
    );
}

fn measure(report: &mut Report, contest: &Contest) {
    let Contest { name, once, plain, place } = *contest;
    let case = |what: &str| Case::new(&format!("{name}, {what}"));
    let mut cases =
        [case("a loop in one process"), case("serve mode"), case("one process a message")];
    for round in 0..ROUNDS {
        let through = |gate: &str, at_once, messages| {
            let host = Host::new();
            place(&host, "bench");
            place(&host, "once");
            fill(&host, (gate, at_once), messages);
            drain(&host, messages).rate
        };
        for turn in 0..cases.len() {
            let at = (turn + round) % cases.len();
            let figure = match at {
                0 => plain(),
                1 => through("bench", WINDOW, SERVED),
                _ => through("once", 4, once),
            };
            cases[at].figures.push(figure);
        }
    }
    report.cases(&cases, "messages/s");
}

fn document() -> String {
    let text = "x".repeat(TEXT_BYTES);
    format!(
        "<doc command=\"outgoing\" id=\"1\"><task id=\"1\" key=\"k\" attempt=\"1\" maybe_sent=\"0\"/>\
         <message>{text}</message><subject/><user><email>u1@example.com</email></user></doc>"
    )
}

/// Reads the message and the answer, as the gate and the host do.
fn rust_loop() -> f64 {
    let (message, answer) = (document(), b"<doc id=\"1\"/>");
    let started = Instant::now();
    for _ in 0..LOOPS {
        let told = ToGate::parse(message.as_bytes()).unwrap();
        let heard = FromGate::parse(answer).unwrap();
        std::hint::black_box((told, heard));
    }
    rate(LOOPS, started)
}

fn python_loop() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("serving.py");
    std::fs::write(&program, PYTHON).unwrap();
    let started = Instant::now();
    let mut child = Command::new("python3")
        .args(["-I", "-S"])
        .arg(&program)
        .args(["loop", &LOOPS.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(document().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    rate(LOOPS, started)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(messages: usize, started: Instant) -> f64 {
    messages as f64 / started.elapsed().as_secs_f64()
}
