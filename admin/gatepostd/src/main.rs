//! The daemon of Gatepost: keeps `process --follow` of every module running.
//!
//! What dies is started again with growing pauses. Incoming messages are fetched on a timer, modules that are
//! not ours are run once a minute, old rows are pruned once an hour. It tells systemd that it is ready and alive.
//! SIGHUP: read the settings and the list of modules again. SIGTERM: the modules finish what is in a gate's hands
//! and leave. It may be process 1 of a container. It never claims, renders or sends anything itself: killing it
//! loses nothing.

mod keep;
mod orphans;
mod rest;
mod signals;
mod supervisor;

use anyhow::{Context, Result};
use clap::Parser;
use config::{Config, Log, Root};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use supervisor::{Ended, Supervisor};

/// The daemon of Gatepost: keeps the modules running. Signals: HUP reads the settings again, TERM ends it gently.
#[derive(Parser)]
#[command(name = "gatepostd", version)]
struct Arguments {
    /// The installation; default: `GATEPOST_ROOT`, else the folder this program is installed in
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

const EX_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "gatepostd: {error:#}");
            ExitCode::from(EX_CONFIG)
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let root = Root::find(arguments.root.as_deref())?;
    config::take_owner(&root)?;
    config::refuse_if_writable_by_others(&root)?;
    let _only = keep::only_one(&root)?;
    let signals = signals::listen().context("can't listen to signals")?;
    loop {
        let config = Config::load(&root)?;
        let log = Log::open(&root, &config, "gatepostd")?;
        match Supervisor::new(&root, config, log).run(&signals) {
            Ended::Leave => return Ok(()),
            Ended::Reload => {}
        }
    }
}
