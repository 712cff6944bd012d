//! One worker process: questions to it, its calls while they are answered, what it registers, its end.

use super::outbox::Outbox;
use host::{Child, End, Program, Signal, Stream, Streams};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wire::frames::{append_frame, read_frame};

/// The script; its first frame says how it is to work.
pub(super) const SCRIPT: &str = include_str!("worker.py");
/// Longest frame either way.
const FRAME_BYTES: usize = 16 << 20;
/// So much of the end of stderr is kept.
const STDERR_BYTES: usize = 64 << 10;
/// Calls of plugins' own threads at once; more are refused.
const THREADS: usize = 64;
/// What a worker that is to end gets to say where it hung.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What the worker needs of its host.
pub(super) trait Outside: Send + Sync {
    /// A call by a plugin.
    fn serve(&self, nested: &Nested) -> Result<Value, Told>;
    /// A line by a plugin.
    fn log(&self, weight: &str, plugin: &str, text: &str);
    /// The worker has ended and is reaped.
    fn ended(&self, worker: &Arc<Worker>, end: &End);
}

/// A call by a plugin. `args` are tagged values.
pub(super) struct Nested {
    id: u64,
    pub(super) name: String,
    pub(super) args: Vec<Value>,
}

/// An error that a plugin is told.
pub(super) struct Told {
    /// `ProcessingError`, `InvalidDataInput`, `PermissionDenied`.
    pub(super) kind: &'static str,
    pub(super) value: Value,
    /// Leads back to our own error, when the plugin lets it pass.
    pub(super) origin: Option<usize>,
}

/// What a plugin raised.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    /// One of the three, or `unexpected`.
    pub(super) kind: String,
    pub(super) value: Value,
    /// The backtrace.
    pub(super) trace: String,
    pub(super) origin: Option<usize>,
}

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// What was asked is no longer registered.
    Gone,
    Raised(Box<Raised>),
    Overrun,
    /// The worker ended.
    Ended,
}

/// A registration of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) plugin: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Callback,
    Status,
    Shared,
    Middleware,
}

/// A question to the worker.
pub(super) struct Question<'a> {
    /// `do` and what belongs to it.
    pub(super) body: Value,
    /// Whose code will run.
    pub(super) plugin: &'a str,
    pub(super) limit: Duration,
}

/// Answers the calls of the plugin that is asked.
pub(super) type Serve<'a> = dyn FnMut(&Nested) -> Result<Value, Told> + 'a;

pub(super) struct Worker {
    outbox: Outbox,
    child: Mutex<Child>,
    desk: Mutex<Desk>,
    registrations: Mutex<BTreeMap<u64, Registration>>,
    stderr: Mutex<Vec<u8>>,
    threads: AtomicUsize,
    /// It broke the protocol, was told to leave, or overran: whatever it still says, nothing new is asked.
    is_doomed: AtomicBool,
    /// Whose end it was, once that is known.
    blamed: OnceLock<Option<String>>,
}

#[derive(Default)]
struct Desk {
    last: u64,
    waiting: HashMap<u64, Waiting>,
    /// Plugins that were being waited for at the end.
    left: Option<Vec<String>>,
}

struct Waiting {
    plugin: String,
    incoming: Sender<Incoming>,
}

enum Incoming {
    Answer(Result<Value, Trouble>),
    Nested(Nested),
}

impl Worker {
    /// Starts a worker and its threads. The text of a failure names the program and the cure.
    pub(super) fn start(
        program: &Program,
        begin: &Value,
        outside: Arc<dyn Outside>,
    ) -> Result<Arc<Self>, String> {
        let piped = || Stream::Piped;
        let streams = Streams { stdin: piped(), stdout: piped(), stderr: piped() };
        let mut child = host::spawn(program, streams)?;
        let lost = || "the worker's streams are not there".to_owned();
        let stdin = child.take_stdin().ok_or_else(lost)?;
        let stdout = child.take_stdout().ok_or_else(lost)?;
        let stderr = child.take_stderr().ok_or_else(lost)?;
        let worker = Arc::new(Self {
            outbox: Outbox::new(stdin).map_err(|error| error.to_string())?,
            child: Mutex::new(child),
            desk: Mutex::default(),
            registrations: Mutex::default(),
            stderr: Mutex::default(),
            threads: AtomicUsize::new(0),
            is_doomed: AtomicBool::new(false),
            blamed: OnceLock::new(),
        });
        worker.outbox.send(SCRIPT.as_bytes());
        worker.tell(begin);
        let (flusher, complaints) = (Arc::clone(&worker), Arc::clone(&worker));
        std::thread::spawn(move || flusher.outbox.flush());
        let printed = Arc::clone(&outside);
        let stderr = std::thread::spawn(move || complaints.read_stderr(stderr, printed.as_ref()));
        let reader = Arc::clone(&worker);
        std::thread::spawn(move || {
            reader.read(stdout, &outside);
            let end = reader.bury();
            // What it said last is there once its stderr ends; a grandchild may hold that open.
            wait_until(LAST_WORDS, || stderr.is_finished());
            outside.ended(&reader, &end);
        });
        Ok(worker)
    }

    /// Asks, and serves the calls of the plugin meanwhile; the time of those is not the plugin's.
    pub(super) fn ask(
        &self,
        question: Question<'_>,
        serve: &mut Serve<'_>,
    ) -> Result<Value, Trouble> {
        let (number, incoming) = self.enlist(question.plugin)?;
        let mut body = question.body;
        body["id"] = number.into();
        if !self.tell(&body) {
            self.strike(number);
            return Err(Trouble::Ended);
        }
        let answer = self.wait(&incoming, question.limit, serve);
        self.strike(number);
        answer
    }

    fn wait(
        &self,
        incoming: &Receiver<Incoming>,
        limit: Duration,
        serve: &mut Serve<'_>,
    ) -> Result<Value, Trouble> {
        let mut until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match incoming.recv_timeout(left) {
                Ok(Incoming::Answer(answer)) => return answer,
                Ok(Incoming::Nested(nested)) => {
                    let began = Instant::now();
                    self.reply(nested.id, serve(&nested));
                    until += began.elapsed();
                }
                Err(RecvTimeoutError::Timeout) => return Err(Trouble::Overrun),
                Err(RecvTimeoutError::Disconnected) => return Err(Trouble::Ended),
            }
        }
    }

    fn enlist(&self, plugin: &str) -> Result<(u64, Receiver<Incoming>), Trouble> {
        let mut desk = self.desk();
        if desk.left.is_some() || self.is_doomed() {
            return Err(Trouble::Ended);
        }
        desk.last += 1;
        let number = desk.last;
        let (sender, receiver) = channel();
        let waiting = Waiting { plugin: plugin.to_owned(), incoming: sender };
        desk.waiting.insert(number, waiting);
        Ok((number, receiver))
    }

    fn strike(&self, number: u64) {
        self.desk().waiting.remove(&number);
    }

    /// What is registered of that kind under one of the names, in order of registration.
    pub(super) fn registered(&self, kind: Kind, keys: &[&str]) -> Vec<Registration> {
        let registrations = lock(&self.registrations);
        registrations
            .values()
            .filter(|one| one.kind == kind && keys.contains(&one.key.as_str()))
            .cloned()
            .collect()
    }

    /// Everything that is registered.
    pub(super) fn all_registered(&self) -> Vec<Registration> {
        lock(&self.registrations).values().cloned().collect()
    }

    /// The end of what it complained about.
    pub(super) fn stderr_tail(&self) -> String {
        String::from_utf8_lossy(&lock(&self.stderr)).into_owned()
    }

    /// Plugins that were being waited for when it ended.
    pub(super) fn left_waiting(&self) -> Vec<String> {
        self.desk().left.clone().unwrap_or_default()
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.is_doomed.load(Ordering::Relaxed)
    }

    /// From now on nothing is asked of it. True for the first who says so.
    pub(super) fn doom(&self) -> bool {
        !self.is_doomed.swap(true, Ordering::Relaxed)
    }

    /// It has ended, because of that plugin.
    pub(super) fn blame(&self, plugin: Option<String>) {
        // It ends once.
        let _ = self.blamed.set(plugin);
    }

    /// Because of which plugin it ended, if anybody can tell; waits a moment for the end.
    pub(super) fn blamed(&self) -> Option<String> {
        const PATIENCE: Duration = Duration::from_secs(3);
        wait_until(PATIENCE, || self.blamed.get().is_some());
        self.blamed.get().cloned().flatten()
    }

    /// True when its reader still answers: the interpreter as a whole does not hang.
    pub(super) fn answers(&self, within: Duration) -> bool {
        let (sender, receiver) = channel();
        let number = {
            let mut desk = self.desk();
            desk.last += 1;
            let number = desk.last;
            desk.waiting.insert(number, Waiting { plugin: String::new(), incoming: sender });
            number
        };
        self.tell(&json!({ "do": "ping", "id": number }));
        let answered = receiver.recv_timeout(within).is_ok();
        self.strike(number);
        answered
    }

    /// Ends it; before that it says on stderr where each of its threads stands.
    pub(super) fn kill(&self) {
        let mut child = lock(&self.child);
        child.tell(Signal::Terminate);
        child.wait_for(LAST_WORDS);
        child.tell(Signal::Kill);
    }

    /// Waits for its end, at most so long; then it is killed.
    pub(super) fn finish(&self, patience: Duration) {
        let mut child = lock(&self.child);
        if child.wait_for(patience).is_none() {
            child.tell(Signal::Kill);
            child.wait_for(LAST_WORDS);
        }
    }

    fn tell(&self, message: &Value) -> bool {
        let mut frame = Vec::new();
        let body = message.to_string();
        append_frame(&mut frame, body.as_bytes()).is_ok() && self.outbox.send(&frame)
    }

    fn reply(&self, number: u64, answer: Result<Value, Told>) {
        let message = match answer {
            Ok(value) => json!({ "re": number, "ok": value }),
            Err(told) => json!({
                "re": number,
                "error": { "kind": told.kind, "value": told.value, "origin": told.origin },
            }),
        };
        // A worker that is gone needs no answer.
        self.tell(&message);
    }

    fn read(self: &Arc<Self>, stdout: std::process::ChildStdout, outside: &Arc<dyn Outside>) {
        let mut stdout = std::io::BufReader::with_capacity(64 << 10, stdout);
        while let Ok(Some(frame)) = read_frame(&mut stdout, FRAME_BYTES) {
            let Ok(Value::Object(message)) = serde_json::from_slice(&frame) else { break };
            if self.take(message, outside).is_none() {
                break;
            }
        }
    }

    /// One message of the worker; None: it makes no sense.
    fn take(
        self: &Arc<Self>,
        mut message: Map<String, Value>,
        outside: &Arc<dyn Outside>,
    ) -> Option<()> {
        if let Some(number) = message.get("re") {
            let waiting = self.desk().waiting.remove(&number.as_u64()?);
            if let Some(waiting) = waiting {
                // Who no longer waits needs no answer.
                let _ = waiting.incoming.send(Incoming::Answer(answer_of(message)?));
            }
        } else if message.contains_key("call") {
            let within = message.get("in").and_then(Value::as_u64);
            self.pass_on(nested_of(&mut message)?, within, outside);
        } else if let Some(weight) = message.get("log") {
            let text = |name: &str| message.get(name).and_then(Value::as_str);
            outside.log(weight.as_str()?, text("plugin")?, text("text")?);
        } else if let Some(added) = message.get("add") {
            let one = registration_of(added)?;
            lock(&self.registrations).insert(one.number, one);
        } else if let Some(dropped) = message.get("drop") {
            lock(&self.registrations).remove(&dropped.as_u64()?);
        } else if !message.contains_key("ready") {
            return None;
        }
        Some(())
    }

    /// To the caller who waits for that plugin; calls of a plugin's own threads get a thread.
    fn pass_on(self: &Arc<Self>, nested: Nested, within: Option<u64>, outside: &Arc<dyn Outside>) {
        let waiter =
            within.and_then(|number| Some(self.desk().waiting.get(&number)?.incoming.clone()));
        let nested = match waiter {
            Some(waiter) => match waiter.send(Incoming::Nested(nested)) {
                Err(std::sync::mpsc::SendError(Incoming::Nested(nested))) => nested,
                Ok(()) | Err(_) => return,
            },
            None => nested,
        };
        if self.threads.fetch_add(1, Ordering::Relaxed) >= THREADS {
            self.threads.fetch_sub(1, Ordering::Relaxed);
            let value = "too many calls of plugins at once".into();
            self.reply(nested.id, Err(Told { kind: "ProcessingError", value, origin: None }));
            return;
        }
        let (worker, outside) = (Arc::clone(self), Arc::clone(outside));
        std::thread::spawn(move || {
            worker.reply(nested.id, outside.serve(&nested));
            worker.threads.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// What is printed is logged; the end of it is kept, for it may say who crashed.
    fn read_stderr(&self, mut stderr: std::process::ChildStderr, outside: &dyn Outside) {
        let mut buffer = vec![0; 8 << 10];
        let mut line = Vec::new();
        while let Ok(bytes @ 1..) = stderr.read(&mut buffer) {
            let mut tail = lock(&self.stderr);
            tail.extend_from_slice(&buffer[..bytes]);
            let over = tail.len().saturating_sub(STDERR_BYTES);
            tail.drain(..over);
            drop(tail);
            for part in buffer[..bytes].split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") || line.len() > 8 << 10 {
                    outside.log("dbug", "", String::from_utf8_lossy(&line).trim_end());
                    line.clear();
                }
            }
        }
    }

    /// After the last frame: the process is ended and reaped, who waited hears of it.
    fn bury(&self) -> End {
        const PATIENCE: Duration = Duration::from_secs(1);
        self.doom();
        self.outbox.close();
        let end = {
            let mut child = lock(&self.child);
            let end = child.wait_for(PATIENCE);
            child.tell(Signal::Kill);
            end.or_else(|| child.wait_for(PATIENCE)).unwrap_or(End::Stopped)
        };
        let mut desk = self.desk();
        let mut left: Vec<_> = desk.waiting.drain().map(|(_, waiting)| waiting.plugin).collect();
        left.retain(|plugin| !plugin.is_empty());
        desk.left = Some(left);
        end
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }
}

fn answer_of(mut message: Map<String, Value>) -> Option<Result<Value, Trouble>> {
    if let Some(value) = message.remove("ok") {
        return Some(Ok(value));
    }
    if message.contains_key("gone") {
        return Some(Err(Trouble::Gone));
    }
    let error = message.get_mut("error")?;
    let raised = Raised {
        kind: error.get("kind")?.as_str()?.to_owned(),
        trace: error.get("trace")?.as_str()?.to_owned(),
        origin: error.get("origin").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok()),
        value: error.get_mut("value")?.take(),
    };
    Some(Err(Trouble::Raised(Box::new(raised))))
}

fn nested_of(message: &mut Map<String, Value>) -> Option<Nested> {
    let Some(Value::Array(args)) = message.remove("args") else { return None };
    let name = message.get("call")?.as_str()?.to_owned();
    Some(Nested { id: message.get("id")?.as_u64()?, name, args })
}

fn registration_of(added: &Value) -> Option<Registration> {
    let text = |name: &str| Some(added.get(name)?.as_str()?.to_owned());
    let kind = match text("kind")?.as_str() {
        "callback" => Kind::Callback,
        "status" => Kind::Status,
        "shared" => Kind::Shared,
        "middleware" => Kind::Middleware,
        _ => return None,
    };
    let number = added.get("number")?.as_u64()?;
    Some(Registration { number, kind, key: text("key")?, plugin: text("plugin")? })
}

fn wait_until(most: Duration, is_so: impl Fn() -> bool) {
    let until = Instant::now() + most;
    while !is_so() && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

pub(super) fn lock<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
