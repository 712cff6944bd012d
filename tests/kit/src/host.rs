//! [`Host`]: a whole installation of its own, made from the programs that `cargo xtask test` built.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};

/// In the place of the machine's sendmail: takes nothing, and is no program of ours. Mail without a gateway never leaves
/// an installation of the tests.
const NO_SENDMAIL: &str = "/usr/bin/false";
const SETTINGS: &str = "etc/gatepost.toml";

/// An installation in a temporary folder, removed at the end of the test.
pub struct Host {
    root: PathBuf,
    /// Removed with the value.
    _temporary: Option<tempfile::TempDir>,
}

/// What a program printed and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; None after a signal.
    pub code: Option<i32>,
    /// stdout.
    pub stdout: String,
    /// stderr.
    pub stderr: String,
}

impl Ran {
    /// What a program did that was run by other means than a [`Host`]'s.
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, after a check that it ended with this code.
    #[expect(clippy::return_self_not_must_use, reason = "mostly called for the check")]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Where `cargo xtask test` laid the programs out.
pub fn prefix() -> PathBuf {
    let given = std::env::var_os("GATEPOST_TEST_PREFIX").map(PathBuf::from);
    let prefix = given.unwrap_or_else(|| repository().join("target/prefix"));
    assert!(
        prefix.join("bin/gatepost").is_file(),
        "no programs in {}: run `cargo xtask test`",
        prefix.display()
    );
    prefix
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// The documents' own programs, where they are present; a test that goes without says so.
pub fn examples() -> Option<PathBuf> {
    let folder = std::env::var_os("GATEPOST_EXAMPLES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| repository().join("../shared/spec/examples"));
    folder.is_dir().then_some(folder)
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A fresh installation: `gatepost init` has run.
    pub fn new() -> Self {
        let host = Self::bare();
        host.gatepost(&["init"]).ended(0);
        host.write(SETTINGS, host.read(SETTINGS));
        host
    }

    /// The programs and shipped files alone, before `init`.
    pub fn bare() -> Self {
        let folder = tempfile::Builder::new().prefix("gatepost-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        lay_out(&prefix(), folder.path());
        Self { root: folder.path().to_path_buf(), _temporary: Some(folder) }
    }

    /// An installation that stays: a tree that `cargo xtask install` laid out.
    pub fn at(root: &Path) -> Self {
        Self { root: std::path::absolute(root).unwrap(), _temporary: None }
    }

    /// ROOT.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path under ROOT.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// Writes a file under ROOT, folders included. Settings that name no sendmail name one that refuses.
    pub fn write(&self, relative: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut text = text.as_ref().to_vec();
        if relative == SETTINGS && !String::from_utf8_lossy(&text).contains("sendmail") {
            text.extend_from_slice(
                format!("\n[ntemail]\nsendmail = \"{NO_SENDMAIL}\"\n").as_bytes(),
            );
        }
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a program under ROOT.
    pub fn program(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        let beside = self.write(&format!("{relative}.new"), text);
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(beside, &path).unwrap();
        path
    }

    /// Makes a program of its own of one that installations share by links.
    pub fn unshare(&self, relative: &str) {
        let (path, beside) = (self.path(relative), self.path(&format!("{relative}.new")));
        fs::copy(&path, &beside).unwrap();
        fs::rename(beside, path).unwrap();
    }

    /// Reads a file under ROOT; empty when it is not there.
    pub fn read(&self, relative: &str) -> String {
        fs::read(self.path(relative))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// A command on a program of this installation, with a clean environment.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path(program));
        command.args(arguments).current_dir(self.root()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("LANG", "C.UTF-8");
        command.env("HOME", self.root()).env("NO_COLOR", "1").env("GATEPOST_ROOT", self.root());
        command
    }

    /// Runs a program to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        self.run_with(program, arguments, b"")
    }

    /// Runs a program to its end with something on stdin.
    pub fn run_with(&self, program: &str, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut command = self.command(program, arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let bytes = stdin.to_vec();
        let writer = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran::of(&output)
    }

    /// Starts a program and lets it run; ended when the value is dropped.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Running {
        let log =
            fs::File::create(self.path(&format!("{}.out", program.replace('/', "-")))).unwrap();
        let mut command = self.command(program, arguments);
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Running { child }
    }

    /// The control tool.
    pub fn gatepost(&self, arguments: &[&str]) -> Ran {
        self.run("bin/gatepost", arguments)
    }

    /// Drains a module's queue once, as cron does.
    pub fn process(&self, module: &str) -> Ran {
        self.run(&format!("notify/{module}"), &["--command", "process", "--force"])
    }

    /// As if nobody had written the database for an hour: what was written a moment ago is not read by a glance.
    pub fn let_settle(&self) {
        let database = File::options().write(true).open(self.path("var/gatepost.db")).unwrap();
        database.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    }

    /// Asks the database with Debian's `sqlite3`; the answer without the last newline.
    pub fn sql(&self, statement: &str) -> String {
        let database = self.path("var/gatepost.db");
        let output = Command::new("sqlite3")
            .args(["-cmd", ".timeout 10000"])
            .arg(database)
            .arg(statement)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

fn lay_out(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path).unwrap(), target).unwrap();
        } else if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            lay_out(&path, &target);
        } else if fs::hard_link(&path, &target).is_err() {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A program that runs until this value is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name (`TERM`, `KILL`, `STOP`, `CONT`, `HUP`).
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
    }

    /// Waits until it has ended; its exit code, None after a signal.
    pub fn wait(&mut self, at_most: Duration) -> Option<i32> {
        let mut code = None;
        wait_until(at_most, "the program ends", || match self.child.try_wait().unwrap() {
            Some(status) => {
                code = status.code();
                true
            }
            None => false,
        });
        code
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("TERM");
            let runs = |child: &mut Child| matches!(child.try_wait(), Ok(None));
            crate::tools::comes_true(Duration::from_secs(10), || !runs(&mut self.child));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits for a state, looking every few milliseconds; panics with its name when the time is up.
pub fn wait_until(at_most: Duration, what: &str, is_so: impl FnMut() -> bool) {
    assert!(crate::tools::comes_true(at_most, is_so), "not within {at_most:?}: {what}");
}

/// True if a tool is there. Without it the test says so aloud and is skipped; in continuous integration it fails.
pub fn has(tool: &str) -> bool {
    crate::tools::is_here(tool)
}

/// A program of the workspace that was built beside the one that runs.
pub fn beside_us(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().skip(1).find(|folder| folder.join(name).is_file());
    folder
        .unwrap_or_else(|| {
            panic!("{name} is not built: run `cargo xtask test` or `cargo xtask bench`")
        })
        .join(name)
}
