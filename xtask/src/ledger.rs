//! `cargo xtask ledger`: the crash ledger, made by the scenarios of `tests/suite` and judged here.

use crate::{install, packages, steps};
use anyhow::{Result, bail};
use clap::Args;
use gatepost_kit::ledger::{DeliveryPath, FILE, Ledger, ROUNDS, SHORT_ROUNDS};
use gatepost_kit::page;
use std::path::PathBuf;
use std::process::Command;

/// The page that `--write` writes, and its mark there.
const PAGE: &str = "docs/reliability.md";
const MARK: &str = "ledger";

/// The files of `tests/suite` that keep rows.
const SCENARIOS: [&str; 4] = ["crash::", "faults::", "power::", "served_mail::"];

/// What may be asked for.
#[derive(Args)]
pub(crate) struct Wishes {
    /// Four kills a point and path: what continuous integration runs
    #[arg(long, conflicts_with = "rounds")]
    short: bool,
    /// Kills a point, all paths together
    #[arg(long, default_value_t = 1_000)]
    rounds: u32,
    /// Put the table into docs/reliability.md
    #[arg(long)]
    write: bool,
}

/// Where the scenarios put their rows.
pub(crate) struct Rows {
    file: PathBuf,
}

impl Rows {
    /// A new file, empty.
    pub(crate) fn new() -> Result<Self> {
        let file = steps::repository().join("target/ledger-rows");
        std::fs::write(&file, "")?;
        Ok(Self { file })
    }

    /// Tells the tests.
    pub(crate) fn told(&self, cargo: &mut Command) {
        cargo.env(FILE, &self.file);
    }

    /// Prints the table; anything that is wrong with it is an error.
    pub(crate) fn judge(&self) -> Result<Ledger> {
        let ledger = Ledger::read(&std::fs::read_to_string(&self.file)?);
        println!("\ncrash ledger:\n\n{}\n{}", ledger.table(), ledger.sum());
        let faults = ledger.faults();
        if !faults.is_empty() {
            bail!("the crash ledger is red:\n{}", faults.join("\n"));
        }
        Ok(ledger)
    }
}

/// Runs the scenarios, prints the table.
pub(crate) fn run(wishes: &Wishes) -> Result<()> {
    packages::provide(packages::For::Testing)?;
    let prefix = steps::repository().join("target/prefix");
    install::run(&prefix, install::Build::Dev)?;
    let paths = u32::try_from(DeliveryPath::ALL.len())?;
    let rounds = if wishes.short { SHORT_ROUNDS } else { wishes.rounds.div_ceil(paths) };
    println!("{rounds} kills at each point of {paths} paths");
    let now = page::now();
    let rows = Rows::new()?;
    let mut cargo = steps::cargo();
    cargo.args(["test", "--locked", "--package", "gatepost-tests", "--test", "suite", "--"]);
    cargo.args(SCENARIOS).env("GATEPOST_TEST_PREFIX", &prefix).env(ROUNDS, rounds.to_string());
    rows.told(&mut cargo);
    let ran = steps::run(&mut cargo);
    let ledger = rows.judge()?;
    ran?;
    if wishes.write {
        let text = format!("{}\n{}.\n\n({now})", ledger.table(), ledger.sum());
        page::write(PAGE, &[(MARK.to_owned(), text)]);
        println!("written: {PAGE}");
    }
    Ok(())
}
