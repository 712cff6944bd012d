//! The daemon of Gatepost: keeps `process --follow` of every module running.
//!
//! What dies is started again with growing pauses. Incoming messages are fetched on a timer, modules that are
//! not ours are run once a minute, old rows are pruned once an hour. It tells systemd that it is ready and alive.
//! SIGHUP: read the settings and the list of modules again. SIGTERM: the modules finish what is in a gate's hands
//! and leave. It may be process 1 of a container. It never claims, renders or sends anything itself: killing it
//! loses nothing.

mod api;
mod keep;
mod orphans;
mod rest;
mod signals;
mod supervisor;

use anyhow::{Context, Result};
use api::{Api, Platforms};
use clap::Parser;
use config::{Config, Log, Root};
use platform::Platform;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use supervisor::{Ended, Leavers, Supervisor};

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
    let (mut config, mut leavers) = (Config::load(&root)?, Leavers::default());
    let mut log = Arc::new(Log::open(&root, &config, "gatepostd")?);
    let first = open_api(&root, &log);
    let mut api = std::thread::spawn(move || first);
    loop {
        match Supervisor::new(&root, (config, Arc::clone(&log)), leavers).run(&signals) {
            // dropped, it lets the calls that run come to their end
            Ended::Leave => {
                let _ = api.join().map(drop);
                return Ok(());
            }
            Ended::Reload(fresh, left) => (config, leavers) = (*fresh, left),
        }
        if let Ok(opened) = Log::open(&root, &config, "gatepostd") {
            log = Arc::new(opened);
        }
        // A call may take long: the modules do not wait for it.
        let (root, log) = (root.clone(), Arc::clone(&log));
        api = std::thread::spawn(move || {
            let _ = api.join().map(drop);
            open_api(&root, &log)
        });
    }
}

/// Delivery goes on without the door: what stands against it is in the log.
fn open_api(root: &Root, log: &Arc<Log>) -> Option<Api> {
    let open = || -> Result<Api> {
        let platform = Platform::open(root.clone())?;
        platform.reload()?;
        Api::open(root, Platforms::new(platform), Arc::clone(log))
    };
    match open() {
        Ok(api) => Some(api),
        Err(error) => {
            log.error(&format!("api: {error:#}"));
            None
        }
    }
}
