//! Runs the whole gate contract on a gate and reports: the code of `gatepost gate test PATH`.
//!
//! The gate gets good, hostile, slow and dying inputs in a folder of its own, with a service of ours on
//! loopback at the end of every address and proxy we can give it. *Failed* is what breaks the contract
//! (DESIGN 5); a *hint* is what the contract allows and an operator will regret.

mod bench;
mod calls;
mod carries;
mod inputs;
mod sending;
mod served;
mod service;
mod serving;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use notice::Fields;
use wire::features::Features;

use crate::Environment;
use bench::Bench;

/// What is to be proved.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The gate.
    pub program: &'a Path,
    /// Fields of its form. What is missing is made up by name: `url`, `host`, `port`, `login`,
    /// `password`, `token`, `sender`, `folder` … point at our service and folder.
    pub params: &'a Fields,
    /// The environment gates get, without proxies.
    pub environment: Environment,
    /// The most one command may take.
    pub deadline: Duration,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// Allowed, and unwise.
    Hint,
    /// Against the contract.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Hint => "hint",
            Self::Failed => "failed",
        })
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen, and what to do about it.
    pub words: String,
}

impl Finding {
    /// False for what breaks the contract.
    pub fn passed(&self) -> bool {
        self.verdict != Verdict::Failed
    }

    fn new(check: &'static str, verdict: Verdict, words: impl Into<String>) -> Self {
        Self { check, verdict, words: words.into() }
    }
}

/// Runs every check the gate's features ask for, in order. Fails only when our own folder or service
/// can't be made.
pub fn prove(subject: &Subject<'_>) -> io::Result<Vec<Finding>> {
    let bench = Bench::set_up(subject)?;
    let (finding, features) = calls::features(&bench);
    let mut report = vec![finding];
    let Some(features) = features else { return Ok(report) };
    report.push(calls::unknown_command(&bench));
    report.extend(offered(&bench, &features));
    report.push(bench.secrets());
    Ok(report)
}

/// What `features` does not list is never called (S3-44).
fn offered(bench: &Bench, features: &Features) -> Vec<Finding> {
    let mut report = Vec::new();
    if features.has("formtune") {
        report.extend(calls::formtune(bench));
    }
    if features.has("check_connection") {
        report.extend(calls::check_connection(bench));
    }
    if features.has("outgoing") {
        report.extend(sending::texts(bench));
        report.extend(sending::inputs(bench));
        report.extend(sending::services(bench));
    }
    if features.has("outgoing") && features.has("parallel") {
        report.push(sending::side_by_side(bench));
    }
    if features.has("serve") {
        report.extend(serving::serve(bench, features));
    }
    if features.has("ingoing") {
        report.push(calls::ingoing(bench));
    }
    report
}

#[cfg(test)]
mod tests;
