//! Mail from a full queue to an SMTP sink: `ntemail` beside the senders and queues other people use.
//!
//! Every message of Gatepost is rendered for its user, HTML and text each from its own template, and noted in the log;
//! its rate counts the start and the end of the module. The peers' rates are taken by the sink's clock, without their
//! start; the clients among them have no queue at all.

use crate::contest::{self, Clock, Contender, Ready, Sender};
use crate::drain::Plan;
use crate::invoice::{Engine, Invoice, LINE, MARK};
use crate::peers::{self, Program, node, python, python_itself, script, scripts};
use crate::postfix::{self, Load, Queue, smtp_source};
use crate::report::Report;
use crate::sinks::Sink;
use gatepost_kit::host::beside_us;
use gatepost_kit::tools;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use tempfile::NamedTempFile;

const CONNECTIONS: usize = 10;
/// Messages of the counted drain.
const COUNTED: usize = 1_000;

/// A size of message: lines of the body that bring the whole to it, and how many of it the slower peers get.
#[derive(Clone, Copy)]
struct Size {
    words: &'static str,
    bytes: usize,
    lines: usize,
    peers: usize,
}

const SMALL: Size = Size { words: "2 kB", bytes: 2_048, lines: 8, peers: 2_000 };
const LARGE: Size = Size { words: "20 kB", bytes: 20_480, lines: 126, peers: 1_000 };

/// The bench `mail`.
pub(crate) fn run(report: &mut Report) {
    let tasks = report.options.tasks;
    let mut sink = Sink::start("bench-smtp-sink");
    report.say(&format!(
        "Gatepost: {tasks} tasks in SQLite (WAL), one shared notice queued by `notify.mass`, at most {CONNECTIONS} connections; \
         synchronous=NORMAL unless the row says FULL. Postfix syncs each message to the disk before it is accepted; \
         django-post_office keeps its queue in SQLite as Django sets it up; the others have no queue. A message is \
         rendered HTML and text for Gatepost; the clients send one text of the same length."
    ));
    let ours = |engine: Engine, size: Size, settings: &'static str| Contender {
        name: format!("Gatepost, {}{}, {}", engine.word(), durability(settings), size.words),
        messages: tasks,
        clock: Clock::Whole,
        mark: MARK,
        ready: Ok(plan(engine, size, (tasks, settings)).ready()),
    };
    let signed = Plan { gateway: ("gwsmtp", signing), ..plan(Engine::Tera, SMALL, (tasks, "")) };
    let mut contenders = vec![
        ours(Engine::Tera, SMALL, ""),
        ours(Engine::Tera, SMALL, FULL),
        Contender {
            name: format!("Gatepost, Tera, DKIM (RSA 2048), {}", SMALL.words),
            ready: Ok(signed.ready()),
            ..ours(Engine::Tera, SMALL, "")
        },
        ours(Engine::Ejs, SMALL, ""),
        ours(Engine::Xslt, SMALL, ""),
    ];
    contenders.extend(others(SMALL, tasks));
    let rates = contest::run(report, &contenders, &mut sink);
    say_engines(report, |engine| {
        let name = &ours(engine, SMALL, "").name;
        let place = contenders.iter().position(|contender| contender.name == *name);
        rates[place.unwrap()]
    });
    let mut contenders = vec![ours(Engine::Tera, LARGE, "")];
    contenders.extend(others(LARGE, tasks));
    contest::run(report, &contenders, &mut sink);
    count(report, &mut sink);
}

/// How near the engines that take longer come to what they and the rest of the path allow.
fn say_engines(report: &mut Report, rate: impl Fn(Engine) -> f64) {
    let path_us = 1e6 / rate(Engine::Tera);
    let mut words = String::new();
    for engine in [Engine::Ejs, Engine::Xslt] {
        let alone_us = Invoice::of(engine, SMALL.lines).alone_us(engine, COUNTED);
        let share = rate(engine) * (alone_us + path_us) / 1e4;
        let _ = write!(
            words,
            " {}: {alone_us:.0} us alone, so the drain reaches {share:.0} % of what that and the path allow.",
            engine.word()
        );
    }
    report.say(&format!(
        "The same templates, HTML, text and subject, in one thread with nothing around the engine, beside the \
         {path_us:.0} us that the path takes a message with Tera.{words}"
    ));
}

const FULL: &str = "worker_sync = \"full\"\n";

fn durability(settings: &str) -> &'static str {
    if settings == FULL { " FULL" } else { "" }
}

/// What a drain does for each message.
fn count(report: &mut Report, sink: &mut Sink) {
    for settings in ["", FULL] {
        let mut queue = plan(Engine::Tera, SMALL, (COUNTED, settings)).filled(sink.port);
        sink.reset(MARK);
        let Some(counters) = queue.counted() else {
            report.say("Commits, fsyncs and spawns were not counted: apt-get install strace.");
            return;
        };
        report.say(&format!(
            "Counted by strace over a drain of {COUNTED}{}: {} transactions that write, {} fsyncs, {} KiB to files, {} programs \
             started, {} round trips, {} connections.",
            durability(settings),
            counters.commits,
            counters.fsyncs,
            counters.written_bytes / 1024,
            counters.spawns,
            sink.counts().of("answers"),
            sink.counts().of("connections"),
        ));
    }
}

fn others<'a>(size: Size, tasks: usize) -> Vec<Contender<'a>> {
    let few = tasks.min(size.peers);
    let nodemailer = node("nodemailer");
    let smtplib = python_itself("smtplib, Python");
    let post_office = python("django-post_office");
    let connections = vec![few.to_string(), CONNECTIONS.to_string()];
    let text = plain(size);
    let other = |name: &str, messages: usize, ready: Result<Ready<'a>, String>| Contender {
        name: format!("{name}, {}", size.words),
        messages,
        clock: Clock::Sink,
        mark: MARK,
        ready,
    };
    let unmarked = |contender: Contender<'a>| Contender { mark: "", ..contender };
    vec![
        other("the limit: bare client, one round trip", tasks, Ok(bare(size, tasks))),
        unmarked(other(
            "smtp-source -d (client)",
            tasks,
            postfix::needs().map(|()| -> Ready<'a> {
                Box::new(move |port| {
                    Box::new(Program::with(smtp_source(port, tasks, size.bytes), ""))
                })
            }),
        )),
        unmarked(other(
            &format!(
                "Postfix {} (its queue)",
                postfix::needs().map_or_else(|_| String::new(), |()| postfix::version())
            ),
            few,
            postfix::needs().map(|()| -> Ready<'a> {
                let load = Load { messages: few, bytes: size.bytes };
                Box::new(move |port| Box::new(Queue::filled(port, load)))
            }),
        )),
        other(
            &format!("{} (client)", nodemailer.name),
            few,
            script(&nodemailer, "nodemailer.js", connections).map(|it| it.reading(text.clone())),
        ),
        other(
            &format!("{} (its queue)", post_office.name),
            few,
            post_office.command.map(|start| post_office_queue(start, size, few)),
        ),
        other(
            &format!("{} (client)", smtplib.name),
            few,
            script(&smtplib, "smtplib_loop.py", vec![few.to_string()]).map(|it| it.reading(text)),
        ),
    ]
}

/// What it sends is a whole mail, its head counted.
fn bare<'a>(size: Size, messages: usize) -> Ready<'a> {
    Box::new(move |port| {
        let mut command = Command::new(beside_us("bench-raw-smtp"));
        command.args([port.to_string(), messages.to_string(), CONNECTIONS.to_string()]);
        let head = "From: bench@example.com\r\nTo: u@example.com\r\nSubject: Invoice\r\n\r\n";
        let text = format!("{head}{}", plain(size).replace('\n', "\r\n"));
        Box::new(Program::with(command, &text))
    })
}

/// A text that fills the size.
fn plain(size: Size) -> String {
    let lines = (size.bytes - 200) / (LINE.len() + 1);
    format!("{}{MARK}\n", format!("{LINE}\n").repeat(lines))
}

/// django-post_office with a full queue.
struct PostOffice {
    start: fn() -> Command,
    folder: tempfile::TempDir,
    port: u16,
}

impl PostOffice {
    fn command(&self, file: &str) -> Command {
        let mut command = (self.start)();
        command.arg(scripts().join("post_office").join(file));
        command.env("BENCH_DB", self.folder.path().join("queue.db"));
        command.env("BENCH_PORT", self.port.to_string());
        command
    }
}

impl Sender for PostOffice {
    fn send(&mut self, _: &mut Sink) {
        let mut command = self.command("send.py");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
    }
}

fn post_office_queue<'a>(start: fn() -> Command, size: Size, messages: usize) -> Ready<'a> {
    Box::new(move |port| {
        let queue = PostOffice { start, folder: tempfile::tempdir().unwrap(), port };
        let mut command = queue.command("fill.py");
        command.arg(messages.to_string());
        let greeting = "Dear {{ name }}, this is your invoice {{ number }}.\n";
        peers::finish(command, &format!("{greeting}{}", plain(size)));
        Box::new(queue)
    })
}

/// The fields of the gateway.
fn plain_smtp(port: u16) -> Vec<String> {
    let fields = ["host=127.0.0.1", &format!("port={port}"), "security=none", "auth=none"];
    fields.map(str::to_owned).to_vec()
}

/// The same for one that signs, with a key made for this run. A secret is given by a file.
fn signing(port: u16) -> Vec<String> {
    static KEY: LazyLock<NamedTempFile> = LazyLock::new(|| {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(tools::run("openssl", &["genrsa", "2048"]).as_bytes()).unwrap();
        file
    });
    let key = format!("dkim_key=@{}", KEY.path().display());
    let dkim = ["dkim_domain=example.com", "dkim_selector=bench", &key];
    [plain_smtp(port), dkim.map(str::to_owned).to_vec()].concat()
}

/// Gatepost with so many messages of this engine and size, under these settings.
fn plan(engine: Engine, size: Size, (messages, settings): (usize, &'static str)) -> Plan {
    let invoice = Invoice::of(engine, size.lines);
    let extension = engine.word().to_lowercase();
    let subject = format!("[subject]\nen = '''{}'''\n", invoice.subject);
    Plan {
        module: "ntemail",
        messages,
        contact: ("email", |number| format!("u{number}@example.com")),
        gateway: ("gwsmtp", plain_smtp),
        templates: vec![
            (format!("en.ntemail.text.{extension}"), invoice.text),
            (format!("en.ntemail.html.{extension}"), invoice.html),
            ("notice.toml".to_owned(), subject),
        ],
        settings,
    }
}
