//! `cargo xtask demo`: set-up, then the demo program of `tests/`.

use crate::{install, packages, steps};
use anyhow::Result;
use std::path::PathBuf;

/// Lays the tree out and runs the demo on it.
pub(crate) fn run(root: Option<PathBuf>) -> Result<()> {
    packages::provide(packages::For::Building)?;
    let root = root.unwrap_or_else(|| steps::repository().join("target/demo"));
    install::run(&root, install::Build::Dev)?;
    steps::run(
        steps::cargo()
            .args(["run", "--quiet", "--locked", "--package", "gatepost-demo", "--"])
            .arg(&root),
    )
}
