//! Short messages from a full queue to an HTTP sink: `ntsms` with `gwhttp` beside the clients other people use.
//!
//! Gatepost's rate counts the start and the end of the module; the peers have no queue, and theirs are taken by the
//! sink's clock, without their start.

use crate::contest::{self, Clock, Contender, Ready};
use crate::drain::Plan;
use crate::peers::{Program, node, python, script};
use crate::report::Report;
use crate::sinks::Sink;
use gatepost_kit::host::beside_us;
use std::process::Command;

/// In every text.
const MARK: &str = "bench-end";
const CONNECTIONS: usize = 64;
/// What the slower peers get.
const FEW: usize = 2_000;
const COUNTED: usize = 1_000;
const FORM: &str = "to=%2B79120000000&text=Your%20invoice%202026-0118%20is%20ready.%20Please%20pay%20it%20in%20time.%20bench-end";
const TEXT: &str = "Your invoice 2026-0118 is ready. Please pay it in time. bench-end";

/// The bench `sms`.
pub(crate) fn run(report: &mut Report) {
    let tasks = report.options.tasks;
    let mut sink = Sink::start("bench-http-sink");
    report.say(&format!(
        "Gatepost: {tasks} tasks in SQLite (WAL, synchronous=NORMAL), one shared notice queued by `notify.mass`, text \
         rendered by Tera for each user, {CONNECTIONS} connections. All others are clients without a queue that post \
         the same form again and again."
    ));
    let few = tasks.min(FEW);
    let (undici, requests, apprise) = (node("undici"), python("requests"), python("apprise"));
    let client = |name: String, messages: usize, ready: Result<Ready<'static>, String>| Contender {
        name,
        messages,
        clock: Clock::Sink,
        mark: MARK,
        ready,
    };
    let words = |messages: usize| vec![messages.to_string(), CONNECTIONS.to_string()];
    let post = |input: &'static str| {
        move |it: crate::peers::Scripted<'static>| it.reading(input.to_owned())
    };
    let contenders = [
        Contender {
            name: format!("Gatepost, Tera, gwhttp, {CONNECTIONS} at once"),
            messages: tasks,
            clock: Clock::Whole,
            mark: MARK,
            ready: Ok(plan(tasks).ready()),
        },
        client(
            format!("the limit: bare client, {CONNECTIONS} connections"),
            tasks,
            Ok(ours("bench-raw-http", tasks)),
        ),
        client(
            format!("reqwest, {CONNECTIONS} connections"),
            tasks,
            Ok(ours("bench-reqwest", tasks)),
        ),
        client(
            format!("{}, {CONNECTIONS} connections", undici.name),
            tasks,
            script(&undici, "undici.js", words(tasks)).map(post(FORM)),
        ),
        client(
            format!("{}, one Session", requests.name),
            few,
            script(&requests, "requests_loop.py", words(few)).map(post(FORM)),
        ),
        client(
            format!("{}, json://", apprise.name),
            few,
            script(&apprise, "apprise_loop.py", words(few)).map(post(TEXT)),
        ),
    ];
    contest::run(report, &contenders, &mut sink);
    count(report, &mut sink);
}

/// What a drain does for each message.
fn count(report: &mut Report, sink: &mut Sink) {
    let mut queue = plan(COUNTED).filled(sink.port);
    sink.reset(MARK);
    let Some(counters) = queue.counted() else {
        report.say("Commits, fsyncs and spawns were not counted: apt-get install strace.");
        return;
    };
    report.say(&format!(
        "Counted by strace over a drain of {COUNTED}: {} transactions that write, {} fsyncs, {} KiB to files, {} programs \
         started, {} round trips, {} connections.",
        counters.commits,
        counters.fsyncs,
        counters.written_bytes / 1024,
        counters.spawns,
        sink.counts().of("answers"),
        sink.counts().of("connections"),
    ));
}

/// A client of `programs/`.
fn ours(program: &'static str, messages: usize) -> Ready<'static> {
    Box::new(move |port| {
        let mut command = Command::new(beside_us(program));
        command.args([port.to_string(), messages.to_string(), CONNECTIONS.to_string()]);
        Box::new(Program::with(command, FORM))
    })
}

fn plan(messages: usize) -> Plan {
    Plan {
        module: "ntsms",
        messages,
        contact: ("phone", |number| format!("+7912{number:07}")),
        gateway: ("gwhttp", |port| {
            vec![
                format!("url=http://127.0.0.1:{port}/send"),
                "content_type=form".to_owned(),
                "body=to={phone}&text={message}".to_owned(),
            ]
        }),
        templates: vec![
            (
                "en.ntsms.text.tera".to_owned(),
                format!("Your invoice {{{{ number }}}} is ready. Please pay it in time. {MARK}\n"),
            ),
            ("notice.toml".to_owned(), String::new()),
        ],
        settings: "",
    }
}
