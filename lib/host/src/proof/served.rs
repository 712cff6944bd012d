//! A gate in serve mode, and both ends of the talk with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notice::Answer;
use wire::serve::FromGate;

use super::bench::{Bench, World};
use super::inputs;
use crate::{Child, End, Signal, Stream, Streams, spawn};

/// A frame, or why there is none; None at the end of its stdout.
type Heard = Result<Option<FromGate>, String>;

/// A message under its number.
pub(super) type Asked = (u64, Vec<u8>);

/// A running gate that was told its gateway.
pub(super) struct Served<'a> {
    bench: &'a Bench,
    child: Child,
    tell: Option<Sender<Vec<u8>>>,
    heard: Receiver<Heard>,
}

impl<'a> Served<'a> {
    /// Starts it and configures it.
    pub(super) fn start(bench: &'a Bench) -> Result<Self, String> {
        let complaints = File::create(bench.complaints()).map_err(|error| error.to_string())?;
        let streams = Streams {
            stdin: Stream::Piped,
            stdout: Stream::Piped,
            stderr: Stream::File(complaints),
        };
        let mut child = spawn(&bench.command("serve", World::Live), streams)?;
        let (Some(stdin), Some(stdout)) = (child.take_stdin(), child.take_stdout()) else {
            return Err("it has no stdin".to_owned());
        };
        let served = Self { bench, child, tell: Some(teller(stdin)), heard: listener(stdout) };
        served.tell(inputs::configure(bench));
        Ok(served)
    }

    /// Writes it to stdin, sooner or later.
    pub(super) fn tell(&self, bytes: Vec<u8>) {
        if let Some(tell) = &self.tell {
            // A gate that has closed its stdin is found out by its silence.
            let _ = tell.send(bytes);
        }
    }

    /// The messages at once.
    pub(super) fn tell_all(&self, messages: Vec<Asked>) {
        for (_, frame) in messages {
            self.tell(frame);
        }
    }

    /// Stdin ends here.
    pub(super) fn end_input(&mut self) {
        self.tell = None;
    }

    /// Dies now.
    pub(super) fn kill(&mut self) {
        self.child.tell(Signal::Kill);
        self.child.wait_for(self.bench.deadline());
    }

    /// The next frame.
    pub(super) fn hear(&mut self) -> Result<FromGate, String> {
        let wait = self.bench.deadline();
        match self.heard.recv_timeout(wait) {
            Ok(Ok(Some(frame))) => {
                if let FromGate::Answer(_, answer) = &frame {
                    self.bench.keep(answer.reason.as_bytes());
                    self.bench.keep(answer.reference.as_deref().unwrap_or_default().as_bytes());
                }
                Ok(frame)
            }
            Ok(Err(why)) => Err(why),
            Ok(Ok(None)) | Err(RecvTimeoutError::Disconnected) => {
                Err(format!("its stdout ended: {}", self.end_in_words()))
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("no answer within {} ms", wait.as_millis()))
            }
        }
    }

    /// Hands over the messages, at most so many of them open, and hears an answer to each.
    pub(super) fn exchange(
        &mut self,
        window: usize,
        messages: Vec<Asked>,
    ) -> Result<BTreeMap<u64, Answer>, String> {
        let (mut rest, mut open) = (messages.into_iter(), BTreeSet::new());
        let mut answers = BTreeMap::new();
        loop {
            for (id, frame) in rest.by_ref().take(window - open.len()) {
                self.tell(frame);
                open.insert(id);
            }
            if open.is_empty() {
                return Ok(answers);
            }
            match self.hear()? {
                FromGate::Ping => return Err("a ping that nobody asked for".to_owned()),
                FromGate::Answer(id, answer) if open.remove(&id) => {
                    answers.insert(id, answer);
                }
                FromGate::Answer(id, _) => {
                    return Err(format!("an answer to {id}, which has none to get"));
                }
            }
        }
    }

    /// Ends its input and waits for it to leave.
    pub(super) fn leave(mut self) -> Result<(), String> {
        self.end_input();
        let end = self.child.wait_for(self.bench.deadline());
        match end {
            Some(End::Exited(0)) => Ok(()),
            Some(_) => Err(format!("at the end of its input: {}", self.end_in_words())),
            None => Err("it does not leave at the end of its input".to_owned()),
        }
    }

    /// Whether it has left, or does soon.
    pub(super) fn is_gone(&mut self) -> bool {
        self.child.wait_for(self.bench.deadline()).is_some()
    }

    fn end_in_words(&mut self) -> String {
        match self.child.wait_for(Duration::from_millis(500)) {
            Some(End::Exited(code)) => format!("exit {code}"),
            Some(End::Signalled(signal)) => format!("signal {signal}"),
            _ => "it lives on".to_owned(),
        }
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.bench.keep(&std::fs::read(self.bench.complaints()).unwrap_or_default());
    }
}

/// Writes what it is given; closes stdin when there is no more.
fn teller(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (tell, told) = channel::<Vec<u8>>();
    std::thread::spawn(move || {
        for bytes in told {
            if stdin.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    tell
}

fn listener(stdout: ChildStdout) -> Receiver<Heard> {
    let (say, heard) = channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(stdout);
        loop {
            let frame = FromGate::read(&mut from).map_err(|error| error.to_string());
            let is_last = !matches!(frame, Ok(Some(_)));
            if say.send(frame).is_err() || is_last {
                return;
            }
        }
    });
    heard
}
