//! A sink of `programs/`, started and asked.

use gatepost_kit::host::beside_us;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A running sink; it ends with the value.
pub(crate) struct Sink {
    child: Child,
    questions: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

/// What a sink has seen since it was reset.
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// `messages`, `bytes`, `wrong`, `reads`, `answers` or `connections`.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0[name]
    }

    /// From the first connection to the last message.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_micros(self.of("span_us"))
    }
}

impl Sink {
    /// Starts a program that was built beside us.
    pub(crate) fn start(program: &str) -> Self {
        let mut command = Command::new(beside_us(program));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let questions = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = answers.next().unwrap().unwrap();
        let port = first.strip_prefix("port ").unwrap().parse().unwrap();
        Self { child, questions, answers, port }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Counts anew; from now on this text must stand in the last line of every message.
    pub(crate) fn reset(&mut self, mark: &str) {
        assert_eq!(self.ask(&format!("reset {mark}")), "ready");
    }

    /// What it has counted.
    pub(crate) fn counts(&mut self) -> Counts {
        let line = self.ask("counts");
        let words: Vec<&str> = line.split(' ').collect();
        let pairs = words.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].parse().unwrap()));
        Counts(pairs.collect())
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.questions.as_mut().unwrap(), "{question}").unwrap();
        self.answers.next().unwrap().unwrap()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.child.wait();
    }
}
