//! `cargo xtask test`: set-up, format, lints, every test.

use crate::{install, packages, steps};
use anyhow::Result;

/// Runs it; a filter leaves format and lints out.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    packages::provide(packages::For::Testing)?;
    packages::provide_peers()?;
    if filter.is_none() {
        steps::run(steps::cargo().args(["fmt", "--all", "--check"]))?;
        steps::run(steps::cargo().args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))?;
    }
    let prefix = steps::repository().join("target/prefix");
    install::run(&prefix, install::Build::Dev)?;
    let mut cargo = steps::cargo();
    cargo
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .env("GATEPOST_TEST_PREFIX", &prefix);
    if let Some(filter) = filter {
        cargo.arg(filter);
    }
    steps::run(&mut cargo)
}
