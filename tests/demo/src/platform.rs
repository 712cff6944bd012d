//! The platform in eight steps, each checked: what `cargo xtask demo platform` runs.

use gatepost_kit::host::Host;
use gatepost_kit::scenario::{STEPS, Scenario, Step};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::time::Instant;

/// What an earlier run left under ROOT.
pub(crate) const MADE: [&str; 8] =
    ["var", "etc", "templates", "addon", "plugins", "stubs", "scripts", "gate/gwin"];

/// Plays the steps; the first that goes wrong is named and ends it.
pub(crate) fn run(root: &str, host: Host) -> ExitCode {
    let start = Instant::now();
    // The reason is told with its step.
    set_hook(Box::new(|panic| {
        println!("   FAILED  {}", panic.payload_as_str().unwrap_or("no reason"));
        println!("           {}", panic.location().map(ToString::to_string).unwrap_or_default());
    }));
    let set_up = || {
        host.gatepost(&["init"]).ended(0);
        Scenario::new(host)
    };
    let Ok(mut scenario) = attempt(set_up) else { return failed("the set-up") };
    println!("== {root}: a fresh installation and a real gatepostd");
    println!("   {}", scenario.around());
    for (number, step) in STEPS.iter().enumerate() {
        if tell(&mut scenario, number + 1, step).is_err() {
            return failed(&format!("step {}", number + 1));
        }
    }
    if attempt(|| scenario.stop()).is_err() {
        return failed("the daemon's leave");
    }
    println!(
        "\n== all eight steps are as they should be, {:.1} s in all. Look around:",
        secs(start)
    );
    println!("   {root}/var/gatepost.log     what the daemon and the programs said");
    println!(
        "   {root}/bin/gatepost         log, handler list, provisioning, service, plugin list"
    );
    ExitCode::SUCCESS
}

fn tell(scenario: &mut Scenario, number: usize, step: &Step) -> Result<(), Panicked> {
    println!("\n{number}. {}", step.title);
    let begin = Instant::now();
    let seen = attempt(|| scenario.play(step))?;
    println!("   ok, {:>4.1} s  {seen}", secs(begin));
    Ok(())
}

fn secs(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// The reason has been told.
struct Panicked;

fn attempt<T>(act: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| Panicked)
}

fn failed(what: &str) -> ExitCode {
    println!("\n== {what} went wrong");
    ExitCode::FAILURE
}
