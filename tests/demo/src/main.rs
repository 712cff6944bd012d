//! The main job on real input, with local receivers: what `cargo xtask demo` runs; the platform: `demo platform`.
//!
//! `gatepost-demo platform ROOT` goes through the eight steps of the platform and ends with 1 when one goes wrong.
//! `gatepost-demo ROOT` takes a tree that `cargo xtask install` laid out, makes two projects, gateways and 500 users,
//! queues a mix of notices, drains the queue as cron would, and says what was sent, refused and waits, and why; it ends
//! with 1 and the reasons when that is not what should come out. ROOT and what the receivers got stay to be looked at. It never touches a ROOT it did not make itself.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a demo talks, and ends when it can't go on"
)]

mod platform;
mod scene;
mod tell;

use gatepost_kit::host::Host;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["platform", root] => {
            scene::clear(Path::new(root), &platform::MADE);
            platform::run(root, Host::at(Path::new(root)))
        }
        [root] => {
            scene::clear(Path::new(root), &["var", "etc", "templates", "receivers", "gate/gwdemo"]);
            main_job(root, &Host::at(Path::new(root)))
        }
        _ => ExitCode::from(64),
    }
}

fn main_job(root: &str, host: &Host) -> ExitCode {
    let start = Instant::now();
    println!("== {root}: two projects, 500 users, five gateways");
    host.gatepost(&["init"]).ended(0);
    let receivers = scene::Receivers::start();
    scene::projects(host);
    let relay = scene::gateways(host, &receivers);
    scene::users(host);
    scene::templates(host);
    drop(relay);

    println!(
        "== queueing: registration in three engines, sms, the inbox, and an urgent one behind the bulk"
    );
    scene::notices(host);
    tell::queue(host);

    println!("== draining, as cron would");
    for module in ["ntemail", "ntsms", "ntinternal"] {
        let begin = Instant::now();
        let ran = host.run(&format!("notify/{module}"), &["--command", "process"]);
        println!(
            "   notify/{module} --command process   exit {}, {:.1} s",
            ran.code.unwrap(),
            begin.elapsed().as_secs_f64()
        );
        print!("{}{}", ran.stdout, ran.stderr);
    }
    receivers.keep(host);
    let outcome = tell::Outcome::of(host, &receivers);
    outcome.tell(host);
    tell::one_mail(host);
    println!("\n== {:.1} s in all. Look around:", start.elapsed().as_secs_f64());
    println!("   {root}/receivers/     mail as .eml, sms as JSON lines");
    println!("   {root}/bin/gatepost   status, log, queue, why ID, inbox USER, gateway list");
    let faults = outcome.faults();
    if faults.is_empty() {
        println!("== everything came out as it should");
        return ExitCode::SUCCESS;
    }
    for fault in faults {
        println!("   FAILED  {fault}");
    }
    ExitCode::FAILURE
}
