//! The shim of `tests/kit/faults.c`, loaded before the C library of a program under test.

use crate::stage::Stage;
use gatepost_kit::host::{Ran, has, repository};
use std::process::{Child, Command, Stdio};

/// Builds it by `cc` for this stage; false where there is no `cc`, and the test has said so.
pub(crate) fn is_built(stage: &Stage) -> bool {
    if !has("cc") {
        return false;
    }
    let library = stage.host.path("libfaults.so");
    let source = repository().join("tests/kit/faults.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl");
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// A program with the shim and its wishes.
pub(crate) fn command(
    stage: &Stage,
    program: &str,
    (arguments, wishes): (&[&str], &[(&str, &str)]),
) -> Command {
    let mut command = stage.host.command(program, arguments);
    command.env("LD_PRELOAD", stage.host.path("libfaults.so")).envs(wishes.iter().copied());
    command
}

/// The module drains its queue once.
pub(crate) fn process(stage: &Stage, wishes: &[(&str, &str)]) -> Ran {
    let arguments = ["--command", "process", "--force"];
    Ran::of(&command(stage, "notify/ntemail", (&arguments, wishes)).output().unwrap())
}

/// It stays.
pub(crate) fn follow(stage: &Stage, wishes: &[(&str, &str)]) -> Child {
    let arguments = ["--command", "process", "--follow"];
    let mut command = command(stage, "notify/ntemail", (&arguments, wishes));
    command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
