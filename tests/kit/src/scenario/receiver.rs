//! The program that is told of events.

use super::LONG;
use crate::host::{examples, repository, wait_until};
use crate::http_sink::{HttpSink, Reply};
use crate::tools::free_port;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What receives the events: the documents' flask program, or a receiver of ours.
pub(super) enum Receiver {
    Flask(Child, u16),
    Ours(HttpSink),
}

impl Receiver {
    pub(super) fn start() -> Self {
        let folder = examples().map(|folder| folder.join("provisioning"));
        let has_flask = || python(&["-c", "import flask"]).status();
        match folder.filter(|_| has_flask().is_ok_and(|status| status.success())) {
            Some(folder) => flask(&folder),
            None => Self::Ours(HttpSink::start(|request| Reply::ok(request.body.clone()))),
        }
    }

    /// As the `task` of a provisioning handler.
    pub(super) fn task(&self) -> String {
        match self {
            Self::Flask(_, port) => format!("127.0.0.1:{port}/api"),
            Self::Ours(sink) => format!("{}/api", sink.address()),
        }
    }

    /// Its name for a person.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Flask(..) => "the documents' flask_handler.py",
            Self::Ours(_) => "a receiver of ours",
        }
    }
}

fn flask(folder: &Path) -> Receiver {
    let port = free_port();
    let words = ["-m", "flask", "--app", "flask_handler", "run", "--port", &port.to_string()];
    let child = python(&words).current_dir(folder).spawn().unwrap();
    let receiver = Receiver::Flask(child, port);
    wait_until(LONG, "flask listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    receiver
}

/// With the packages that `cargo xtask` fetches, silent.
fn python(words: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(words).env("PYTHONPATH", repository().join("target/peers/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Self::Flask(child, _) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
