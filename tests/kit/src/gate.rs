//! Calls a gate as a module does, one command, one document.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::host::Ran;

/// A gate and the folder it runs in, ROOT for it.
pub struct GateCall {
    program: PathBuf,
    root: tempfile::TempDir,
}

impl GateCall {
    /// A gate in a fresh ROOT with `var/attach`.
    pub fn of(program: impl AsRef<Path>) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var/attach")).unwrap();
        Self { program: program.as_ref().to_path_buf(), root }
    }

    /// The folder it runs in.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Runs one command to its end, with nothing in its environment but PATH.
    pub fn run(&self, command: &str, input: &[u8]) -> Ran {
        Ran::of(&self.output(command, input))
    }

    /// The same, with what it printed as bytes.
    pub fn output(&self, command: &str, input: &[u8]) -> Output {
        let mut child = self.start(command);
        // A gate that does not want its input is no fault of the test.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// The same, not waited for.
    pub fn start(&self, command: &str) -> Child {
        Command::new(&self.program)
            .args(["--command", command])
            .current_dir(self.root.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}
