//! `cargo xtask bench [NAME]`: release programs, peers, then the load harness of `benches/`.

use crate::{install, packages, steps};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// The benches there are.
pub(crate) const NAMES: [&str; 9] =
    ["mail", "sms", "spawn", "serve", "urgent", "cold", "events", "call", "claim"];

/// What the harness is told beside the names.
#[derive(Args)]
pub(crate) struct Wishes {
    /// mail, sms: messages of a drain, 10000 to 1000000; urgent: of the mailing
    #[arg(long, default_value_t = 10_000)]
    tasks: usize,
    /// mail, sms: rounds, everybody once in each
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Write all figures to this file, too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Put the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
}

impl Wishes {
    fn words(&self) -> Result<Vec<String>> {
        let mut words =
            vec![format!("--tasks={}", self.tasks), format!("--rounds={}", self.rounds)];
        if let Some(file) = &self.json {
            let file = std::path::absolute(file).context("can't find the current folder")?;
            words.push(format!("--json={}", file.display()));
        }
        words.extend(self.write.then(|| "--write".to_owned()));
        Ok(words)
    }
}

/// Builds with optimisation and measures.
pub(crate) fn run(names: &[String], wishes: &Wishes) -> Result<()> {
    packages::provide(packages::For::Measuring)?;
    if names.is_empty() || names.iter().any(|name| name == "mail" || name == "sms") {
        packages::provide_rivals();
    }
    let prefix = steps::repository().join("target/prefix-release");
    install::run(&prefix, install::Build::Release)?;
    let package = ["--release", "--locked", "--package", "gatepost-benches"];
    steps::run(steps::cargo().arg("build").args(package).args(steps::hush()))?;
    let mut harness = steps::cargo();
    harness.args(["run", "--quiet"]).args(package).args(["--bin", "gatepost-benches", "--"]);
    harness.args(names).args(wishes.words()?);
    steps::run(harness.env("GATEPOST_TEST_PREFIX", &prefix))
}
