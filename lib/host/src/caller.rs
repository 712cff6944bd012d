//! Who starts programs: one ROOT with its environment and limits.

use crate::{Environment, Limits, Listed, Program, Ran, Stop, run, run_until};
use config::{Config, Root};
use notice::Mask;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A command of a gate and what it gets on stdin.
pub(crate) struct Call<'a> {
    pub(crate) command: &'static str,
    pub(crate) input: &'a [u8],
}

/// How the programs of one ROOT are started. Made once, cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    dir: PathBuf,
    environment: Environment,
    limits: Limits,
    deadlines: config::Gate,
    line_bytes: usize,
    stop: Option<Arc<Stop>>,
}

/// How long a gate in serve mode is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeTimes {
    /// For the answer to a message.
    pub answer: Duration,
    /// For its first word, and for the answer to a ping.
    pub hello: Duration,
    /// After such a silence it gets a ping.
    pub ping: Duration,
    /// After such a time without a message it is sent home.
    pub idle: Duration,
    /// From the end of its stdin to SIGTERM, and from there to SIGKILL.
    pub leave: Duration,
}

impl Caller {
    /// As the settings say.
    pub fn new(root: &Root, config: &Config) -> Self {
        hear_of_ends();
        let gate = &config.gate;
        Self {
            dir: root.folder().to_path_buf(),
            environment: Environment::new(config.child_environment()),
            limits: Limits {
                deadline: gate.features,
                kill_after: gate.kill,
                stdout_bytes: gate.stdout_bytes,
                stderr_bytes: gate.stderr_bytes,
            },
            deadlines: gate.clone(),
            line_bytes: config.log.line_bytes,
            stop: None,
        }
    }

    /// The same; its runs end when `stop` is raised.
    #[must_use]
    pub fn until(&self, stop: Arc<Stop>) -> Self {
        Self { stop: Some(stop), ..self.clone() }
    }

    /// ROOT.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The environment of its programs.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// `PATH --command COMMAND`, with the limits of that command (`gate.*_secs`); a command without a
    /// limit of its own gets that of `outgoing`.
    pub fn command(&self, path: &Path, command: &str) -> Program {
        let deadline = match command {
            "features" => self.deadlines.features,
            "formtune" => self.deadlines.formtune,
            "check_connection" => self.deadlines.check_connection,
            "ingoing" => self.deadlines.ingoing,
            _ => self.deadlines.outgoing,
        };
        Program {
            path: path.to_path_buf(),
            args: vec!["--command".into(), command.into()],
            dir: self.dir.clone(),
            environment: self.environment.clone(),
            limits: Limits { deadline, ..self.limits },
        }
    }

    /// The same with a limit of the caller's.
    pub fn command_within(&self, path: &Path, command: &str, deadline: Duration) -> Program {
        let mut program = self.command(path, command);
        program.limits.deadline = deadline;
        program
    }

    /// How long a gate in serve mode is waited for.
    pub fn serve_times(&self) -> ServeTimes {
        ServeTimes {
            answer: self.deadlines.outgoing,
            hello: self.deadlines.check_connection,
            ping: self.deadlines.serve_ping,
            idle: self.deadlines.serve_idle,
            leave: self.deadlines.kill,
        }
    }

    /// What ends its runs.
    pub(crate) fn stop(&self) -> Option<Arc<Stop>> {
        self.stop.clone()
    }

    /// The longest line of a log, and how much of stderr is kept.
    pub(crate) fn complaint_limits(&self) -> (usize, usize) {
        (self.line_bytes, self.limits.stderr_bytes)
    }

    /// Runs it.
    pub fn run(&self, program: &Program, input: &[u8]) -> Ran {
        match &self.stop {
            Some(stop) => run_until(program, input, stop),
            None => run(program, input),
        }
    }

    /// Runs a command of a gate; what it prints on stderr goes to `var/GATE.log`, masked.
    pub(crate) fn run_gate(&self, gate: &Listed, call: &Call<'_>, mask: &Mask) -> Ran {
        let ran = self.run(&self.command(&gate.path, call.command), call.input);
        if !ran.stderr_tail.is_empty() {
            let text = mask.apply(&String::from_utf8_lossy(self.whole_lines(&ran.stderr_tail)));
            config::log_of_gate(&self.dir, (&gate.name, call.command), (&text, self.line_bytes));
        }
        ran
    }

    /// Where the beginning was cut off, the first line goes too: half a secret can't be masked.
    fn whole_lines<'a>(&self, tail: &'a [u8]) -> &'a [u8] {
        if tail.len() < self.limits.stderr_bytes {
            return tail;
        }
        let end_of_first = tail.iter().position(|byte| *byte == b'\n');
        &tail[end_of_first.map_or(tail.len(), |at| at + 1)..]
    }
}

/// Who started us may have left SIGCHLD ignored; the system would then throw exit codes away, and every
/// outcome without a document would be unknown. A handler that does nothing much brings them back.
fn hear_of_ends() {
    if is_sigchld_ignored() {
        // Without it outcomes are unknown rather than wrong.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::default());
    }
}

fn is_sigchld_ignored() -> bool {
    const BIT: u64 = 1 << (signal_hook::consts::SIGCHLD - 1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.unwrap_or(0) & BIT != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::End;

    const INNER: &str = "GATEPOST_TEST_INNER";

    /// Runs itself once more, started by a program that ignores SIGCHLD.
    #[test]
    fn exit_codes_are_learned_even_where_sigchld_was_ignored() {
        let root = Root::at(Path::new("/")).unwrap();
        let caller = Caller::new(&root, &Config::defaults(&root).unwrap());
        let sh = |script: &str| Program {
            args: vec!["-c".into(), script.into()],
            ..caller.command(Path::new("/bin/sh"), "outgoing")
        };
        if config::variable(INNER).is_some() {
            assert!(!is_sigchld_ignored());
            assert_eq!(caller.run(&sh("exit 5"), b"").end, End::Exited(5));
            return;
        }
        let this = std::env::current_exe().unwrap();
        let name = "caller::tests::exit_codes_are_learned_even_where_sigchld_was_ignored";
        let script = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
                      os.execv(sys.argv[1], sys.argv[1:])";
        let mut outer = caller.command(Path::new("/usr/bin/env"), "outgoing");
        outer.args = ["python3", "-c", script].map(Into::into).to_vec();
        outer.args.extend([this.into(), "--exact".into(), name.into()]);
        outer.environment = outer.environment.with([(INNER, "1")]);
        let ran = caller.run(&outer, b"");
        let shown = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.end == End::Exited(0) && shown.contains("1 passed"), "{shown}");
    }
}
