//! `cargo xtask test`: set-up, format, lints, every test, and the crash ledger that the suite's scenarios wrote.

use crate::ledger::Rows;
use crate::{install, packages, steps};
use anyhow::Result;

/// Runs it; a filter leaves format, lints and the ledger out.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    packages::provide(packages::For::Testing)?;
    packages::provide_peers()?;
    if filter.is_none() {
        steps::run(steps::cargo().args(["fmt", "--all", "--check"]))?;
        let lints = ["--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        steps::run(steps::cargo().arg("clippy").args(steps::hush()).args(lints))?;
    }
    let prefix = steps::repository().join("target/prefix");
    install::run(&prefix, install::Build::Dev)?;
    let mut cargo = steps::cargo();
    cargo
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .env("GATEPOST_TEST_PREFIX", &prefix);
    if let Some(filter) = filter {
        return steps::run(cargo.arg(filter));
    }
    let rows = Rows::new()?;
    rows.told(&mut cargo);
    let ran = steps::run(&mut cargo);
    let judged = rows.judge();
    ran.and(judged.map(drop))
}
