//! Who starts programs: one ROOT with its environment and limits.

use crate::{Environment, Limits, Program, Ran, Stop, run, run_until};
use config::{Config, Root};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How the programs of one ROOT are started. Made once, cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    dir: PathBuf,
    environment: Environment,
    limits: Limits,
    deadlines: config::Gate,
    stop: Option<Arc<Stop>>,
}

impl Caller {
    /// As the settings say.
    pub fn new(root: &Root, config: &Config) -> Self {
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

    /// Runs it.
    pub fn run(&self, program: &Program, input: &[u8]) -> Ran {
        match &self.stop {
            Some(stop) => run_until(program, input, stop),
            None => run(program, input),
        }
    }
}
