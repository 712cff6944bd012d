//! What a sink counts, and how it is asked: it prints `port N`, then obeys stdin line by line.
//!
//! `reset TEXT` begins anew; from then on TEXT must stand in the last line of every message. `counts` prints one
//! line of names and numbers. The end of stdin ends the sink.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Shared by all connections.
pub(crate) struct Counts {
    began: Instant,
    mark: Mutex<Arc<[u8]>>,
    messages: AtomicU64,
    bytes: AtomicU64,
    wrong: AtomicU64,
    reads: AtomicU64,
    answers: AtomicU64,
    connections: AtomicU64,
    first_us: AtomicU64,
    last_us: AtomicU64,
}

impl Counts {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            mark: Mutex::new(Arc::from([])),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            first_us: AtomicU64::new(u64::MAX),
            last_us: AtomicU64::new(0),
        }
    }

    /// What must stand in the last line of a message.
    pub(crate) fn mark(&self) -> Arc<[u8]> {
        Arc::clone(&self.mark.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Something came in.
    pub(crate) fn read(&self) {
        self.reads.fetch_add(1, Relaxed);
    }

    /// All that had come in was answered, in one write.
    pub(crate) fn answered(&self) {
        self.answers.fetch_add(1, Relaxed);
    }

    /// A message of so many bytes was taken whole.
    pub(crate) fn message(&self, bytes: u64, last_line: &[u8], mark: &[u8]) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        if !contains(last_line, mark) {
            self.wrong.fetch_add(1, Relaxed);
        }
        self.last_us.fetch_max(self.now_us(), Relaxed);
    }

    fn connection(&self) {
        self.connections.fetch_add(1, Relaxed);
        self.first_us.fetch_min(self.now_us(), Relaxed);
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn reset(&self, mark: &str) {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Arc::from(mark.as_bytes());
        let zero = [&self.messages, &self.bytes, &self.wrong, &self.reads, &self.answers];
        for count in zero.into_iter().chain([&self.connections, &self.last_us]) {
            count.store(0, Relaxed);
        }
        self.first_us.store(u64::MAX, Relaxed);
    }

    fn line(&self) -> String {
        let first = self.first_us.load(Relaxed);
        let span = self.last_us.load(Relaxed).saturating_sub(first);
        let counts = [
            ("messages", &self.messages),
            ("bytes", &self.bytes),
            ("wrong", &self.wrong),
            ("reads", &self.reads),
            ("answers", &self.answers),
            ("connections", &self.connections),
        ];
        let words = counts.map(|(name, count)| format!("{name} {}", count.load(Relaxed)));
        format!("{} span_us {span}", words.join(" "))
    }
}

fn contains(line: &[u8], mark: &[u8]) -> bool {
    mark.is_empty() || line.windows(mark.len()).any(|part| part == mark)
}

/// Takes connections, each in a thread of its own, until stdin ends.
pub(crate) fn serve(talk: fn(&TcpStream, &Counts) -> io::Result<()>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let counts = Arc::new(Counts::new());
    let theirs = Arc::clone(&counts);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counts = Arc::clone(&theirs);
            counts.connection();
            std::thread::spawn(move || talk(&stream, &counts));
        }
    });
    say(&format!("port {port}"))?;
    for line in io::stdin().lines() {
        match line?.split_once(' ') {
            Some(("reset", mark)) => {
                counts.reset(mark);
                say("ready")?;
            }
            _ => say(&counts.line())?,
        }
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
