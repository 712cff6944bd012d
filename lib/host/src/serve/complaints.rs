//! What a gate that stays prints on stderr: into `var/GATE.log`, line by line, masked.

use crate::caller::Caller;
use crate::exchange::Tail;
use notice::Mask;
use rustix::io::Errno;
use std::path::PathBuf;
use std::process::ChildStderr;
use std::time::{Duration, Instant};

/// `gate.stderr_bytes` are logged within that time, the rest is dropped.
const SPAN: Duration = Duration::from_mins(1);
/// What is kept for the words about its end.
const TAIL_BYTES: usize = 2 << 10;
const LAST_READS: u32 = 64;

/// The complaints of one gate.
#[derive(Debug)]
pub(super) struct Complaints {
    dir: PathBuf,
    gate: String,
    line_bytes: usize,
    most_bytes: usize,
    tail: Tail,
    /// The begin of a line.
    begun: Vec<u8>,
    /// The line that has begun is too long to be kept: half a secret can't be masked.
    is_skipping: bool,
    left_bytes: usize,
    since: Instant,
}

impl Complaints {
    pub(super) fn new(caller: &Caller, gate: &str) -> Self {
        let (line_bytes, most_bytes) = caller.complaint_limits();
        Self {
            dir: caller.dir().to_path_buf(),
            gate: gate.to_owned(),
            line_bytes,
            most_bytes,
            tail: Tail::new(TAIL_BYTES),
            begun: Vec::new(),
            is_skipping: false,
            left_bytes: most_bytes,
            since: Instant::now(),
        }
    }

    /// Reads once; false at the end of the stream.
    pub(super) fn read(&mut self, stderr: &mut Option<ChildStderr>, mask: &Mask) -> bool {
        match self.read_once(stderr) {
            Ok(0) => false,
            Ok(_) => {
                self.log_lines(mask);
                true
            }
            Err(Errno::INTR | Errno::AGAIN) => true,
            Err(_) => false,
        }
    }

    /// Reads what is there; the last line may have no end.
    pub(super) fn read_to_end(&mut self, stderr: &mut Option<ChildStderr>, mask: &Mask) {
        let mut reads = 0;
        while reads < LAST_READS && matches!(self.read_once(stderr), Ok(1..)) {
            reads += 1;
            self.log_lines(mask);
        }
        if !self.is_skipping && !self.begun.is_empty() {
            self.begun.push(b'\n');
            self.log_lines(mask);
        }
    }

    pub(super) fn tail(&mut self) -> Vec<u8> {
        std::mem::replace(&mut self.tail, Tail::new(TAIL_BYTES)).into_tail()
    }

    fn read_once(&mut self, stderr: &mut Option<ChildStderr>) -> Result<usize, Errno> {
        let Some(stream) = stderr else { return Ok(0) };
        let mut bytes = [0; 4096];
        let read = rustix::io::read(stream, &mut bytes)?;
        self.tail.push(&bytes[..read]);
        self.begun.extend_from_slice(&bytes[..read]);
        Ok(read)
    }

    fn log_lines(&mut self, mask: &Mask) {
        if self.is_skipping {
            let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') else {
                return self.begun.clear();
            };
            self.begun.drain(..=end);
            self.is_skipping = false;
        }
        if let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = self.begun.drain(..=end).collect();
            self.log(&mask.apply(&String::from_utf8_lossy(&lines)));
        }
        if self.begun.len() > self.most_bytes {
            self.begun.clear();
            self.is_skipping = true;
        }
    }

    fn log(&mut self, text: &str) {
        if self.since.elapsed() >= SPAN {
            self.since = Instant::now();
            self.left_bytes = self.most_bytes;
        }
        if text.len() <= self.left_bytes {
            self.left_bytes -= text.len();
            config::log_of_gate(&self.dir, (&self.gate, "serve"), (text, self.line_bytes));
        }
    }
}
