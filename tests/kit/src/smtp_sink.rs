//! A small SMTP server in threads that behaves as told and keeps what it gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What to do when something is said.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answer with this line (without line end) in place of the usual one.
    Reply(&'static str),
    /// Answer, then close.
    ReplyAndClose(&'static str),
    /// Close without an answer.
    Close,
    /// The usual answer, then close.
    AnswerAndClose,
    /// No answer; what is said next is answered.
    Skip,
    /// Never answer; the connection stays open until the other end or the sink goes.
    Silence,
    /// Answer one byte every 100 ms without end.
    Trickle,
}

/// When a line begins with `when` (in upper case), `act`, at most `times` times. The greeting is
/// asked as `CONNECT`, the end of a message as `.`, either of them and all lines as `*`; a message
/// that begins is asked as `BODY`, and if that is answered, it is not kept and its end has no answer.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The line's beginning.
    pub when: &'static str,
    /// What is done.
    pub act: Act,
    /// How often; after that the usual happens.
    pub times: u32,
    /// How often the usual happens before that.
    pub after: u32,
}

impl Rule {
    /// A rule that holds always.
    pub fn always(when: &'static str, act: Act) -> Self {
        Self { when, act, times: u32::MAX, after: 0 }
    }

    /// A rule for the first time only.
    pub fn once(when: &'static str, act: Act) -> Self {
        Self { when, act, times: 1, after: 0 }
    }

    /// A rule for one time, after so many times of the usual.
    pub fn once_after(after: u32, when: &'static str, act: Act) -> Self {
        Self { when, act, times: 1, after }
    }
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The MAIL command's argument, parameters included.
    pub sender: String,
    /// The addresses of the RCPT commands that were taken.
    pub recipients: Vec<String>,
    /// The message, dots unstuffed, CRLF lines.
    pub content: Vec<u8>,
}

impl Letter {
    /// The message as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

#[derive(Default)]
struct Seen {
    letters: Vec<Letter>,
    lines: Vec<String>,
    reads: Vec<String>,
    connections: usize,
    open: usize,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    offers: Vec<&'static str>,
    rules: Mutex<Vec<Rule>>,
    over: AtomicBool,
    /// The most connections at once, and what the others are told.
    bears: Mutex<Option<(usize, &'static str)>>,
    /// How much the next connection is listened to.
    listens_bytes: Mutex<Option<usize>>,
    /// How long it thinks about each message.
    takes: Mutex<Duration>,
}

const OFFERS: [&str; 4] = ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 33554432"];

/// The server; it goes when the value goes.
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Sink {
    /// Offers PIPELINING, 8BITMIME, SMTPUTF8, SIZE and takes everything.
    pub fn start() -> Self {
        Self::with(&OFFERS, vec![])
    }

    /// The same on this port: a server that is back.
    pub fn at(port: u16) -> Self {
        Self::listening(TcpListener::bind(("127.0.0.1", port)).unwrap(), &OFFERS, vec![])
    }

    /// Offers these lines in answer to EHLO and follows these rules, the first that fits.
    pub fn with(offers: &[&'static str], rules: Vec<Rule>) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").unwrap(), offers, rules)
    }

    fn listening(listener: TcpListener, offers: &[&'static str], rules: Vec<Rule>) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            changed: Condvar::new(),
            offers: offers.to_vec(),
            rules: Mutex::new(rules),
            over: AtomicBool::new(false),
            bears: Mutex::new(None),
            listens_bytes: Mutex::new(None),
            takes: Mutex::default(),
        });
        let ours = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), theirs) = (stream, Arc::clone(&ours)) else { continue };
                {
                    let mut seen = theirs.seen.lock().unwrap();
                    seen.connections += 1;
                    seen.open += 1;
                }
                std::thread::spawn(move || {
                    receive(&stream, &theirs);
                    drop(stream);
                    theirs.seen.lock().unwrap().open -= 1;
                    theirs.changed.notify_all();
                });
            }
        });
        Self { address, shared }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on thinks so long about each message, when it has all of it.
    pub fn take_its_time(&self, each: Duration) {
        *self.shared.takes.lock().unwrap() = each;
    }

    /// How many messages it has taken so far.
    pub fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().letters.len()
    }

    /// What it has taken so far.
    pub fn letters(&self) -> Vec<Letter> {
        self.shared.seen.lock().unwrap().letters.clone()
    }

    /// Waits for so many messages, at most 10 s.
    pub fn wait_for(&self, letters: usize) -> Vec<Letter> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut seen = self.shared.seen.lock().unwrap();
        while seen.letters.len() < letters {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {letters} messages came", seen.letters.len());
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
        seen.letters.clone()
    }

    /// Waits until this line was said, at most 10 s.
    pub fn wait_for_line(&self, line: &str) {
        let limit = Duration::from_secs(10);
        let seen = self.shared.seen.lock().unwrap();
        let unsaid = |seen: &mut Seen| !seen.lines.iter().any(|said| said == line);
        let waited = self.shared.changed.wait_timeout_while(seen, limit, unsaid).unwrap();
        assert!(!waited.1.timed_out(), "`{line}` is not among {:?}", waited.0.lines);
    }

    /// Every command line so far, of all connections.
    pub fn lines(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().lines.clone()
    }

    /// What came in with each read, as text: shows what left the other end in one write.
    pub fn reads(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().reads.clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }

    /// From now on takes so many connections at once; any other is told these words, and closed.
    pub fn bear(&self, connections: usize, words: &'static str) {
        *self.shared.bears.lock().unwrap() = Some((connections, words));
    }

    /// The next connection is closed when it has said so many bytes, in the middle of whatever they are;
    /// what is behind them is never read.
    pub fn hear_out(&self, bytes: usize) {
        *self.shared.listens_bytes.lock().unwrap() = Some(bytes);
    }

    /// Waits until no connection is open, at most 10 s.
    pub fn wait_until_left(&self) {
        let limit = Duration::from_secs(10);
        let seen = self.shared.seen.lock().unwrap();
        let busy = |seen: &mut Seen| seen.open > 0;
        let waited = self.shared.changed.wait_timeout_while(seen, limit, busy).unwrap();
        assert!(!waited.1.timed_out(), "{} connections are open", waited.0.open);
    }

    /// Follows other rules from now on.
    pub fn follow(&self, rules: Vec<Rule>) {
        *self.shared.rules.lock().unwrap() = rules;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Notes each read.
struct Noted<'a> {
    stream: &'a TcpStream,
    shared: &'a Shared,
    /// What may still be read.
    left_bytes: usize,
}

impl Read for Noted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = buffer.len().min(self.left_bytes);
        let got = self.stream.read(&mut buffer[..room])?;
        self.left_bytes -= got;
        let text = String::from_utf8_lossy(&buffer[..got]).into_owned();
        self.shared.seen.lock().unwrap().reads.push(text);
        Ok(got)
    }
}

/// The transaction of one connection.
#[derive(Default)]
struct Transaction {
    sender: Option<String>,
    recipients: Vec<String>,
}

fn receive(stream: &TcpStream, shared: &Shared) {
    let bears = *shared.bears.lock().unwrap();
    let open = shared.seen.lock().unwrap().open;
    match bears {
        Some((most, words)) if open > most => {
            perform(stream, shared, Some(&Act::ReplyAndClose(words)), words);
        }
        _ => talk(stream, shared),
    }
}

fn talk(stream: &TcpStream, shared: &Shared) {
    // Several replies in a row must not wait for each other's acknowledgement.
    let _ = stream.set_nodelay(true);
    let left_bytes = shared.listens_bytes.lock().unwrap().take().unwrap_or(usize::MAX);
    let mut lines = BufReader::with_capacity(1 << 20, Noted { stream, shared, left_bytes });
    let mut transaction = Transaction::default();
    if answer(stream, shared, "CONNECT", "220 sink ESMTP").is_none() {
        return;
    }
    let mut line = Vec::new();
    while !shared.over.load(Ordering::SeqCst) {
        line.clear();
        if !matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            return;
        }
        let said = String::from_utf8_lossy(&line).trim_end().to_owned();
        shared.seen.lock().unwrap().lines.push(said.clone());
        shared.changed.notify_all();
        let usual = usual(&said, &mut transaction, shared);
        let Some(reply) = answer(stream, shared, &said, &usual) else { return };
        if said.to_ascii_uppercase().starts_with("RCPT") && !reply.starts_with('2') {
            transaction.recipients.pop();
        }
        if reply.starts_with("354") && take(&mut lines, &mut transaction, shared).is_none() {
            return;
        }
        if reply.starts_with("221") {
            return;
        }
    }
}

fn usual(said: &str, transaction: &mut Transaction, shared: &Shared) -> String {
    let upper = said.to_ascii_uppercase();
    let argument = said.split_once(':').map(|(_, rest)| rest.trim().to_owned());
    match upper.split([' ', ':']).next().unwrap_or_default() {
        "EHLO" => {
            let mut lines = vec!["sink"];
            lines.extend(&shared.offers);
            let last = lines.len() - 1;
            let mark = |at: usize| if at == last { ' ' } else { '-' };
            let lines = lines.iter().enumerate().map(|(at, line)| format!("250{}{line}", mark(at)));
            lines.collect::<Vec<_>>().join("\r\n")
        }
        "HELO" | "NOOP" => "250 sink".into(),
        "AUTH" => "235 welcome".into(),
        "MAIL" => {
            *transaction = Transaction { sender: argument, recipients: vec![] };
            "250 sender ok".into()
        }
        "RCPT" => {
            let address = argument.unwrap_or_default();
            transaction.recipients.push(address.trim_matches(['<', '>']).to_owned());
            "250 recipient ok".into()
        }
        "DATA" if transaction.sender.is_none() => "503 no sender".into(),
        "DATA" if transaction.recipients.is_empty() => "554 no valid recipients".into(),
        "DATA" => "354 go on".into(),
        "RSET" => {
            *transaction = Transaction::default();
            "250 forgotten".into()
        }
        "QUIT" => "221 bye".into(),
        _ => "500 what?".into(),
    }
}

/// Reads a message and answers its dot. None when the connection is over.
fn take(
    lines: &mut BufReader<Noted>,
    transaction: &mut Transaction,
    shared: &Shared,
) -> Option<()> {
    let mut content = Vec::new();
    let early = act_for(shared, "BODY");
    if early.is_some() {
        perform(lines.get_ref().stream, shared, early.as_ref(), "452 not now")?;
    }
    loop {
        let mut line = Vec::new();
        if !matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            return None;
        }
        if line == b".\r\n" {
            break;
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
    let taken = std::mem::take(transaction);
    if early.is_some() {
        return Some(());
    }
    let letter = Letter { sender: taken.sender?, recipients: taken.recipients, content };
    let stream = lines.get_ref().stream;
    if letter.recipients.is_empty() {
        return perform(stream, shared, act_for(shared, ".").as_ref(), "554 for nobody").map(drop);
    }
    let takes = *shared.takes.lock().unwrap();
    if !takes.is_zero() {
        std::thread::sleep(takes);
    }
    // Kept before the answer: a sink that takes a message and then dies is one of the cases.
    let act = act_for(shared, ".");
    let good = match &act {
        Some(Act::Reply(text) | Act::ReplyAndClose(text)) => text.starts_with('2'),
        Some(Act::Close | Act::AnswerAndClose | Act::Skip | Act::Silence | Act::Trickle) | None => {
            true
        }
    };
    if good {
        shared.seen.lock().unwrap().letters.push(letter);
        shared.changed.notify_all();
    }
    perform(stream, shared, act.as_ref(), "250 2.0.0 taken as SINK1").map(drop)
}

fn answer(stream: &TcpStream, shared: &Shared, said: &str, usual: &str) -> Option<String> {
    perform(stream, shared, act_for(shared, said).as_ref(), usual)
}

fn act_for(shared: &Shared, said: &str) -> Option<Act> {
    let said = said.to_ascii_uppercase();
    let mut rules = shared.rules.lock().unwrap();
    let rule = rules.iter_mut().find(|rule| {
        let fits = match rule.when {
            "" => said.is_empty(),
            "*" => said != "BODY",
            when => said.starts_with(&when.to_ascii_uppercase()),
        };
        fits && rule.times > 0
    })?;
    if rule.after > 0 {
        rule.after -= 1;
        return None;
    }
    rule.times = rule.times.saturating_sub(1);
    Some(rule.act.clone())
}

/// The answer that was given; None when the connection is over.
fn perform(
    mut stream: &TcpStream,
    shared: &Shared,
    act: Option<&Act>,
    usual: &str,
) -> Option<String> {
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    match act {
        None => say(usual).map(|()| usual.to_owned()),
        Some(Act::Reply(text)) => say(text).map(|()| (*text).to_owned()),
        Some(Act::ReplyAndClose(text)) => {
            say(text);
            None
        }
        Some(Act::AnswerAndClose) => {
            say(usual);
            None
        }
        Some(Act::Skip) => Some(usual.to_owned()),
        Some(Act::Close) => None,
        Some(Act::Silence) => {
            let _ = stream.read(&mut vec![0; 1 << 16]);
            None
        }
        Some(Act::Trickle) => {
            while !shared.over.load(Ordering::SeqCst) && stream.write_all(b"2").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
            None
        }
    }
}
