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
    life: Life,
}

enum Life {
    /// To be started then.
    Due(Instant),
    /// Since then.
    Running(Child, Instant),
    /// Was asked to leave; killed then.
    Leaving(Child, Instant),
}

impl Keep {
    /// To be started at once, or as soon as the one before it has left.
    pub(crate) fn new((name, program): (&str, Program), rest: Rest, before: Option<Self>) -> Self {
        let life = match before.map(|before| before.life) {
            Some(Life::Due(_)) | None => Life::Due(Instant::now()),
            Some(life) => life,
        };
        Self { name: name.to_owned(), program, rest, life }
    }

    /// Its process, while there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.life {
            Life::Due(_) => None,
            Life::Running(child, _) | Life::Leaving(child, _) => Some(child.pid()),
        }
    }

    /// When it has to be looked at next; None while it runs.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.life {
            Life::Running(..) => None,
            Life::Due(at) | Life::Leaving(_, at) => Some(*at),
        }
    }

    /// Notes its end, starts it when its pause is over or the one before it has left.
    pub(crate) fn look(&mut self, now: Instant, log: &Log) {
        if let Life::Running(child, since) = &mut self.life {
            let Some(end) = child.ended() else { return };
            let pause = self.rest.after(now.duration_since(*since));
            log.warning(&format!(
                "{} ended ({}); started again in {:.1} s",
                self.name,
                words_of(&end),
                pause.as_secs_f64()
            ));
            self.life = Life::Due(now + pause);
        }
        if matches!(self.life, Life::Leaving(..)) && !self.has_left(now, log) {
            return;
        }
        if matches!(self.life, Life::Due(at) if now >= at) {
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
                self.life = Life::Running(child, now);
            }
            Err(why) => {
                let pause = self.rest.after(Duration::ZERO);
                log.error(&format!(
                    "{}: {why}; tried again in {:.1} s",
                    self.name,
                    pause.as_secs_f64()
                ));
                self.life = Life::Due(now + pause);
            }
        }
    }

    /// Asks it to leave. It alone: a gate that it has just started is not to hear of it.
    pub(crate) fn ask_to_leave(&mut self, until: Instant) {
        let life = std::mem::replace(&mut self.life, Life::Due(until));
        self.life = match life {
            Life::Due(at) => Life::Due(at),
            Life::Running(mut child, _) => {
                child.tell_alone(Signal::Terminate);
                Life::Leaving(child, until)
            }
            Life::Leaving(mut child, by) => {
                child.tell_alone(Signal::Terminate);
                Life::Leaving(child, by.min(until))
            }
        };
    }

    /// True once nothing is left of one that was asked to leave; who does not leave in time is killed.
    pub(crate) fn has_left(&mut self, now: Instant, log: &Log) -> bool {
        let Life::Leaving(child, until) = &mut self.life else {
            return matches!(self.life, Life::Due(_));
        };
        match child.ended() {
            None if now < *until => return false,
            None => log.error(&format!("{} did not leave in time and is killed", self.name)),
            Some(End::Exited(0)) => {}
            Some(end) => log.warning(&format!("{} left: {}", self.name, words_of(&end))),
        }
        // dropped, a child that lives is killed with its group
        self.life = Life::Due(now);
        true
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
