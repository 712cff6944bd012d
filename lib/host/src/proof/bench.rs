//! Where a gate is tried: a folder, an environment, a service, and every run's output kept.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use notice::{Answer, Fields, Mask};
use tempfile::TempDir;

use super::service::Service;
use super::{Finding, Subject, Verdict};
use crate::outcome::answer_of;
use crate::{Environment, Limits, Program, Ran, run};

/// A value no program makes up by itself.
const SECRET: &str = "proof-Secret&42";

/// The part of it that no encoding changes.
const SECRET_CORE: &[u8] = b"proof-Secret";

/// Whether there is anybody at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum World {
    /// Our service answers.
    Live,
    /// Nothing listens on the port.
    Dead,
}

pub(super) struct Bench {
    program: PathBuf,
    folder: TempDir,
    environment: Environment,
    given: Fields,
    deadline: Duration,
    pub(super) service: Service,
    dead_port: u16,
    printed: Mutex<Vec<u8>>,
}

impl Bench {
    pub(super) fn set_up(subject: &Subject<'_>) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["var/out", "var/run", "etc"] {
            std::fs::create_dir_all(folder.path().join(name))?;
        }
        let dead_port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self {
            program: std::path::absolute(subject.program)?,
            folder,
            environment: subject.environment.clone(),
            given: subject.params.clone(),
            deadline: subject.deadline,
            service: Service::start()?,
            dead_port,
            printed: Mutex::default(),
        })
    }

    /// A command as the host would start it.
    pub(super) fn command(&self, command: &str, world: World) -> Program {
        let proxy = format!("http://127.0.0.1:{}", self.port(world));
        let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
        let direct = [("NO_PROXY", "127.0.0.1,localhost"), ("no_proxy", "127.0.0.1,localhost")];
        Program {
            path: self.program.clone(),
            args: vec!["--command".into(), command.into()],
            dir: self.folder.path().to_path_buf(),
            environment: self.environment.with(names.map(|name| (name, &proxy))).with(direct),
            limits: Limits { deadline: self.deadline, ..Limits::default() },
        }
    }

    pub(super) fn run(&self, command: &str, input: &[u8], world: World) -> Ran {
        let ran = run(&self.command(command, world), input);
        self.keep(&ran.stderr_tail);
        ran
    }

    /// Runs `outgoing` and reads its answer.
    pub(super) fn send(&self, input: &[u8], world: World) -> (Ran, Answer) {
        let ran = self.run("outgoing", input, world);
        self.keep(&ran.stdout);
        let answer = answer_of(&ran, &Mask::default());
        (ran, answer)
    }

    /// The gateway's fields: the given ones over made-up ones.
    pub(super) fn params(&self, world: World) -> Fields {
        let port = self.port(world).to_string();
        let url = format!("http://127.0.0.1:{port}/proof");
        let mut params: Fields = [
            ("url", url.as_str()),
            ("host", "127.0.0.1"),
            ("server", "127.0.0.1"),
            ("port", &port),
            ("login", "proof"),
            ("username", "proof"),
            ("password", SECRET),
            ("token", SECRET),
            ("key", SECRET),
            ("sender", "Proof & Co"),
            ("from", "proof@localhost"),
            ("folder", "var/out"),
        ]
        .into_iter()
        .collect();
        for (name, value) in self.given.iter() {
            let value = value.replace("{proof_url}", &url);
            params.set(name, if world == World::Dead { self.dead(&value) } else { value });
        }
        params
    }

    /// A given address is led to the closed port too when it names ours.
    fn dead(&self, value: &str) -> String {
        let live = format!("127.0.0.1:{}", self.port(World::Live));
        value.replace(&live, &format!("127.0.0.1:{}", self.dead_port))
    }

    /// The most one command, or one answer, may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    fn port(&self, world: World) -> u16 {
        match world {
            World::Live => self.service.port(),
            World::Dead => self.dead_port,
        }
    }

    /// Where a child that stays complains, and how the bench hears of it.
    pub(super) fn complaints(&self) -> PathBuf {
        self.folder.path().join("complaints")
    }

    /// Keeps what was printed, to be looked through for secrets.
    pub(super) fn keep(&self, output: &[u8]) {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.extend_from_slice(output);
        printed.push(b'\n');
    }

    /// Everything the gate wrote under its folder, for gates whose service is a file.
    pub(super) fn files(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in
            std::fs::read_dir(self.folder.path().join("var/out")).into_iter().flatten().flatten()
        {
            all.extend(std::fs::read(entry.path()).unwrap_or_default());
            all.push(b'\n');
        }
        all
    }

    /// Whether anything the gate printed shows a secret.
    pub(super) fn secrets(&self) -> Finding {
        const CHECK: &str = "secrets stay inside";
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = printed.windows(SECRET_CORE.len()).any(|window| window == SECRET_CORE);
        if shown {
            let words =
                "an answer or stderr shows the password or token: leave it out of error texts";
            return Finding::new(CHECK, Verdict::Failed, words);
        }
        Finding::new(CHECK, Verdict::Passed, "no answer and no stderr shows the password or token")
    }
}
