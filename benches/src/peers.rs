//! The peers: found where they are installed, else with the words that install them.

use crate::contest::{Ready, Sender};
use crate::sinks::Sink;
use gatepost_kit::host::repository;
use gatepost_kit::tools::find;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where `cargo xtask bench` puts what comes from npm and `PyPI`.
fn folder() -> PathBuf {
    repository().join("target/peers")
}

/// A peer's name with its version, and how its program is begun.
pub(crate) struct Peer {
    /// As a table shows it.
    pub(crate) name: String,
    /// The words before the script's own; without one, how it is installed.
    pub(crate) command: Result<fn() -> Command, String>,
}

/// A package of npm.
pub(crate) fn node(package: &str) -> Peer {
    let cure = format!("npm install --prefix target/peers {package} (and nodejs)");
    let manifest = folder().join("node_modules").join(package).join("package.json");
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    let read: Option<serde_json::Value> = serde_json::from_str(&manifest).ok();
    let version = read.and_then(|read| read["version"].as_str().map(str::to_owned));
    peer(package, version.filter(|_| find("node").is_some()), (start_node, cure))
}

/// A package of `PyPI`, by its name there.
pub(crate) fn python(package: &str) -> Peer {
    let cure = format!("python3 -m pip install --target target/peers/measuring {package}");
    let start = format!("{}-", package.replace('-', "_"));
    let names = fs::read_dir(folder().join("measuring")).into_iter().flatten();
    let version = names.filter_map(|entry| {
        let name = entry.ok()?.file_name().to_string_lossy().into_owned();
        let rest = name.strip_prefix(&start)?.strip_suffix(".dist-info")?;
        Some(rest.to_owned())
    });
    let version = version.max().filter(|_| find("python3").is_some());
    peer(package, version, (start_python, cure))
}

/// What comes with Python itself.
pub(crate) fn python_itself(name: &str) -> Peer {
    let version = find("python3").map(|_| said("python3", &["--version"]).replace("Python ", ""));
    peer(name, version, (start_python, "apt-get install python3".to_owned()))
}

fn peer(name: &str, version: Option<String>, (start, cure): (fn() -> Command, String)) -> Peer {
    match version {
        Some(version) => Peer { name: format!("{name} {version}"), command: Ok(start) },
        None => Peer { name: name.to_owned(), command: Err(cure) },
    }
}

fn start_node() -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", folder().join("node_modules"));
    command.env_remove("NODE_EXTRA_CA_CERTS");
    command
}

/// The interpreter itself: what stands in PATH may be a script that looks for it.
fn start_python() -> Command {
    let python = said("python3", &["-c", "import sys; print(sys.executable)"]);
    let mut command = Command::new(python);
    command.env("PYTHONPATH", folder().join("measuring"));
    command.env_remove("PYTHONDONTWRITEBYTECODE");
    command
}

/// What a program prints, in one line.
pub(crate) fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(find(program).unwrap()).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A program that gets its text on stdin and runs to its end.
pub(crate) struct Program {
    command: Command,
}

impl Program {
    /// This command with this on stdin.
    pub(crate) fn with(mut command: Command, input: &str) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        command.stdin(file).stdout(Stdio::null());
        Self { command }
    }
}

impl Sender for Program {
    fn send(&mut self, _: &mut Sink) {
        assert!(self.command.status().unwrap().success(), "{:?}", self.command);
    }
}

/// A script of `benches/peers` that takes PORT, MESSAGES and more words.
pub(crate) fn script<'a>(
    peer: &Peer,
    file: &'a str,
    words: Vec<String>,
) -> Result<Scripted<'a>, String> {
    peer.command.clone().map(|start| Scripted { start, file, words })
}

/// How a script is started.
pub(crate) struct Scripted<'a> {
    start: fn() -> Command,
    file: &'a str,
    words: Vec<String>,
}

impl<'a> Scripted<'a> {
    /// With this on stdin.
    pub(crate) fn reading(self, input: String) -> Ready<'a> {
        Box::new(move |port| {
            let mut command = (self.start)();
            command.arg(scripts().join(self.file)).arg(port.to_string()).args(&self.words);
            Box::new(Program::with(command, &input))
        })
    }
}

/// Where the peers' programs are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Runs a command with this on stdin to its end, before anything is measured.
pub(crate) fn finish(command: Command, input: &str) {
    let mut program = Program::with(command, input);
    assert!(program.command.status().unwrap().success(), "{:?}", program.command);
}
