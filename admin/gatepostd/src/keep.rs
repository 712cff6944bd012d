//! One module that is kept running, and the lock that keeps a second daemon out.

use crate::rest::Rest;
use anyhow::{Context, Result, bail};
use config::{Log, Root};
use host::{Child, End, Program, Signal, Stream, Streams};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// A program that is started again whenever it ends.
pub(crate) struct Keep {
    /// Its name, for the log.
    pub(crate) name: String,
    program: Program,
    rest: Rest,
    running: Option<(Child, Instant)>,
    next_start: Instant,
}

impl Keep {
    /// To be started at once.
    pub(crate) fn new(name: &str, program: Program, rest: Rest) -> Self {
        Self { name: name.to_owned(), program, rest, running: None, next_start: Instant::now() }
    }

    /// Its process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|(child, _)| child.pid())
    }

    /// True while it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|(child, _)| child.ended().is_none())
    }

    /// When it has to be looked at next; None while it runs.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.running.is_none().then_some(self.next_start)
    }

    /// Notes its end, starts it when its pause is over.
    pub(crate) fn look(&mut self, now: Instant, log: &Log) {
        if let Some((child, since)) = &mut self.running {
            let Some(end) = child.ended() else { return };
            let pause = self.rest.after(now.duration_since(*since));
            log.warning(&format!(
                "{} ended ({}); started again in {:.1} s",
                self.name,
                words_of(&end),
                pause.as_secs_f64()
            ));
            self.running = None;
            self.next_start = now + pause;
        }
        if now >= self.next_start {
            self.start(now, log);
        }
    }

    fn start(&mut self, now: Instant, log: &Log) {
        // Our end of its stdin stays open as long as we live: it leaves when it reads the end.
        let streams =
            Streams { stdin: Stream::Piped, stdout: Stream::Inherited, stderr: Stream::Inherited };
        match host::spawn(&self.program, streams) {
            Ok(child) => {
                log.note(&format!("{} started as process {}", self.name, child.pid()));
                self.running = Some((child, now));
            }
            Err(why) => {
                let pause = self.rest.after(Duration::ZERO);
                log.error(&format!(
                    "{}: {why}; tried again in {:.1} s",
                    self.name,
                    pause.as_secs_f64()
                ));
                self.next_start = now + pause;
            }
        }
    }

    /// Asks it to leave.
    pub(crate) fn ask_to_leave(&mut self) {
        if let Some((child, _)) = &mut self.running {
            child.tell(Signal::Terminate);
        }
    }

    /// Waits for its end, kills it when the time is up.
    pub(crate) fn wait_for_end(&mut self, until: Instant, log: &Log) {
        let Some((mut child, _)) = self.running.take() else { return };
        let left = until.saturating_duration_since(Instant::now());
        match child.wait_for(left) {
            Some(End::Exited(0)) => {}
            Some(end) => log.warning(&format!("{} left: {}", self.name, words_of(&end))),
            None => log.error(&format!("{} did not leave in time and is killed", self.name)),
        }
    }
}

/// How it ended, for a person.
pub(crate) fn words_of(end: &End) -> String {
    match end {
        End::Exited(code) => format!("exit code {code}"),
        End::Signalled(number) => format!("signal {number}"),
        End::Deadline => "its time was up".to_owned(),
        End::OutputLimit => "it printed too much".to_owned(),
        End::Stopped => "stopped".to_owned(),
        End::NotStarted(why) => why.clone(),
    }
}

/// The lock of the one daemon of this installation; it names our process.
pub(crate) fn only_one(root: &Root) -> Result<File> {
    let path = root.path("var/run/gatepostd.lock");
    let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file =
        open.with_context(|| format!("can't open `{}`; has `gatepost init` run?", path.display()))?;
    if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        bail!("another gatepostd runs here already, process {}; two are never needed", pid.trim());
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}
