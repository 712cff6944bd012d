//! `cargo xtask demo` and `cargo xtask demo platform`: set-up, then the demo program of `tests/`.

use crate::{install, packages, steps};
use anyhow::Result;
use std::path::PathBuf;

/// What is shown in place of the main job.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The platform's eight steps.
    Platform,
}

/// Lays the tree out and runs the demo on it.
pub(crate) fn run(part: Option<Part>, root: Option<PathBuf>) -> Result<()> {
    let (folder, words) = match part {
        None => {
            packages::provide(packages::For::Building)?;
            ("target/demo", &[][..])
        }
        Some(Part::Platform) => {
            packages::provide(packages::For::Showing)?;
            packages::provide_python()?;
            ("target/demo-platform", &["platform"][..])
        }
    };
    let root = root.unwrap_or_else(|| steps::repository().join(folder));
    install::run(&root, install::Build::Dev)?;
    let package = ["--locked", "--package", "gatepost-demo"];
    steps::run(steps::cargo().arg("build").args(package).args(steps::hush()))?;
    let mut demo = steps::cargo();
    demo.args(["run", "--quiet"]).args(package).arg("--");
    steps::run(demo.args(words).arg(&root))
}
