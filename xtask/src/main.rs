//! What people type in this repository.
//!
//! ```text
//! cargo xtask demo      set everything up, send a mix of notices to local receivers, leave it to look at
//! cargo xtask demo platform
//!                       set everything up, go through the eight steps of the platform, check each
//! cargo xtask test      set everything up, check format and lints, run every test
//! cargo xtask install   build and lay the tree out under a prefix
//! cargo xtask bench     measure against the peers
//! cargo xtask ledger    kill, stop, fail and cut at every point, and count what was lost and doubled
//! ```
//! It starts compilers and package managers; it never touches a running installation.
#![expect(
    clippy::disallowed_methods,
    reason = "this program is a door of its own: it runs the toolchain"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person who typed it"
)]

mod bench;
mod demo;
mod install;
mod ledger;
mod packages;
mod steps;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What people type in this repository", version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Set everything up, send a mix of notices to local receivers, leave ROOT to look at
    Demo {
        /// `platform`: handlers, services, provisioning and plugins instead, in eight steps that are checked
        part: Option<demo::Part>,
        /// Where ROOT is made; default: target/demo, target/demo-platform
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Set everything up, check format and lints, run every test
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Build with optimisation and measure against the peers
    Bench {
        /// Only these
        #[arg(value_parser = bench::NAMES)]
        names: Vec<String>,
        #[command(flatten)]
        wishes: bench::Wishes,
    },
    /// Kill, stop, fail and cut at every point of every path; print what was lost and doubled
    Ledger(ledger::Wishes),
    /// Build the programs and lay the tree out under a prefix
    Install {
        /// The folder that becomes ROOT, for example /usr/local/gatepost
        #[arg(long)]
        prefix: PathBuf,
        /// Build quickly and unoptimised, as `demo` and `test` do
        #[arg(long)]
        dev: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<()> {
    match what {
        What::Demo { part, root } => demo::run(part, root),
        What::Test { filter } => test::run(filter.as_deref()),
        What::Bench { names, wishes } => bench::run(&names, &wishes),
        What::Ledger(wishes) => ledger::run(&wishes),
        What::Install { prefix, dev } => {
            packages::provide(packages::For::Building)?;
            let build = if dev { install::Build::Dev } else { install::Build::Release };
            install::run(&prefix, build)
        }
    }
}
