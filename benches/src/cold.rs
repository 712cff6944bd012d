//! How long a start takes, above a bare exec of a program that does nothing.

use crate::report::Report;
use crate::rounds::Case;
use gatepost_kit::host::{Host, beside_us};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 101;

/// Makes the command of one case.
type Starter<'a> = Box<dyn Fn() -> Command + 'a>;

/// Runs it.
pub(crate) fn run(report: &mut Report) {
    let host = Host::new();
    // the first run of a day deletes what is too old
    host.process("ntemail").ended(0);
    host.let_settle();
    let process = || host.command("notify/ntemail", &["--command", "process", "--force"]);
    let programs: [(&str, Starter<'_>); 5] = [
        ("bare exec", Box::new(|| Command::new(beside_us("bench-bare")))),
        (
            "ntemail features",
            Box::new(|| host.command("notify/ntemail", &["--command", "features"])),
        ),
        ("gwfile features", Box::new(|| host.command("gate/gwfile", &["--command", "features"]))),
        ("ntemail process, empty queue", Box::new(process)),
        (
            "the same, first after a change",
            Box::new(|| {
                host.let_settle();
                process()
            }),
        ),
    ];
    let mut times: Vec<Case> = programs.iter().map(|(name, _)| Case::new(name)).collect();
    for _ in 0..ROUNDS {
        for (case, (_, command)) in times.iter_mut().zip(&programs) {
            case.figures.push(start_ms(command()));
        }
    }
    report.cases(&times, "ms");
    let mut memory: Vec<Case> = programs.iter().map(|(name, _)| Case::new(name)).collect();
    for (case, (_, command)) in memory.iter_mut().zip(&programs) {
        case.figures.extend((0..5).map(|_| peak_mib(&command())));
    }
    report.cases(&memory, "MiB");
}

fn start_ms(mut command: Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    assert!(command.status().unwrap().success());
    start.elapsed().as_secs_f64() * 1_000.0
}

/// Peak resident memory, by Debian's `time`.
fn peak_mib(command: &Command) -> f64 {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let kib: f64 = text.lines().last().and_then(|line| line.trim().parse().ok()).unwrap();
    kib / 1_024.0
}
