//! `cargo xtask bench [NAME]`: release programs, then the load harness of `benches/`.

use crate::{install, packages, steps};
use anyhow::Result;

/// Builds with optimisation and measures.
pub(crate) fn run(names: &[String]) -> Result<()> {
    packages::provide(packages::For::Measuring)?;
    let prefix = steps::repository().join("target/prefix-release");
    install::run(&prefix, install::Build::Release)?;
    steps::run(steps::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "gatepost-benches",
    ]))?;
    let mut harness = steps::cargo();
    harness.args([
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "gatepost-benches",
        "--bin",
        "gatepost-benches",
        "--",
    ]);
    steps::run(harness.args(names).env("GATEPOST_TEST_PREFIX", &prefix))
}
