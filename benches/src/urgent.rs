//! Urgent messages, one after another, while a mailing drains; and the same with a worker that has nothing else to do.
//!
//! `ntemail --follow` drains through a gate in serve mode. This process queues each urgent message by a function call,
//! as a web application does, and the gate tells when it has it. Commit and arrival are read from one clock.

use crate::report::Report;
use crate::rounds::Case;
use crate::spawn::fill;
use config::Root;
use gatepost_kit::host::{Host, beside_us, wait_until};
use notice::{Fields, ModuleName};
use platform::{Caller, Platform};
use serde_json::json;
use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Urgent messages beside a mailing at most: it may be gone before.
const URGENT: usize = 500;
/// To an idle worker.
const WAKES: usize = 200;
/// What the gate may have at once.
const WINDOW: usize = 64;
const LONG: Duration = Duration::from_mins(1);

/// The bench `urgent`.
pub(crate) fn run(report: &mut Report) {
    let tasks = report.options.tasks;
    report.say(&format!(
        "`ntemail --follow` and a gate in serve mode with a window of {WINDOW}; {tasks} ordinary tasks wait and drain \
         in the same route, or none. Urgent ones are queued with priority 9, one after another, by another process. \
         From the commit: from the return of the call that queued it (its fsync is over) to the gate; from the call: \
         the call and its fsync are in it."
    ));
    let mut stage = Stage::full(tasks);
    let (drained, busy) = stage.beside_a_mailing();
    report.say(&format!(
        "{} urgent messages while {drained} of {tasks} ordinary ones went out.",
        busy[0].figures.len()
    ));
    let idle = Stage::full(1).wake_an_idle_worker();
    table(report, &[&busy[..], &idle[..]].concat());
}

/// An installation with a full queue, and what its gate tells.
struct Stage {
    host: Host,
    platform: Platform,
    arrivals: Receiver<Instant>,
    messages: usize,
}

impl Stage {
    fn full(messages: usize) -> Self {
        let host = Host::new();
        std::fs::copy(beside_us("bench-arrivals"), host.path("gate/bench")).unwrap();
        fill(&host, ("bench", WINDOW), messages);
        let socket = UnixDatagram::bind(host.path("var/arrivals")).unwrap();
        let (sender, arrivals) = channel();
        std::thread::spawn(move || {
            while socket.recv(&mut [0; 256]).is_ok() && sender.send(Instant::now()).is_ok() {}
        });
        let platform = Platform::open(Root::at(host.root()).unwrap()).unwrap();
        Self { host, platform, arrivals, messages }
    }

    /// How many ordinary messages went out meanwhile, and how long the urgent ones took.
    fn beside_a_mailing(&mut self) -> (usize, [Case; 2]) {
        let worker = self.host.start("notify/ntemail", &["--command", "process", "--follow"]);
        wait_until(LONG, "the mailing has begun", || self.sent() > 0);
        let before = self.sent();
        let mut cases =
            ["while a mailing drains, from the commit", "the same, from the call"].map(Case::new);
        while cases[0].figures.len() < URGENT && self.has_more() {
            self.one(&mut cases);
        }
        let drained = self.sent() - before;
        worker.signal("TERM");
        (drained.saturating_sub(cases[0].figures.len()), cases)
    }

    fn wake_an_idle_worker(&mut self) -> [Case; 2] {
        let worker = self.host.start("notify/ntemail", &["--command", "process", "--follow"]);
        let mut cases =
            ["to an idle worker, from the commit", "the same, from the call"].map(Case::new);
        for already in 0..WAKES {
            wait_until(LONG, "it is idle", || self.sent() == self.messages + already);
            self.one(&mut cases);
        }
        worker.signal("TERM");
        cases
    }

    /// Queues an urgent message, and waits for it at the gate.
    fn one(&mut self, [from_commit, from_call]: &mut [Case; 2]) {
        let to = format!("urgent{}@example.com", from_commit.figures.len());
        let params = [
            ("notice", "bench"),
            ("to", &to),
            ("lang", "en"),
            ("module", ModuleName::EMAIL),
            ("priority", "9"),
        ];
        let params: Fields = params.into_iter().collect();
        let called = Instant::now();
        self.platform.call("notify.send", &params, &Caller::operator()).unwrap();
        let committed = Instant::now();
        let arrived =
            self.arrivals.recv_timeout(LONG).unwrap_or_else(|_| panic!("`{to}` did not arrive"));
        let since = |begin| arrived.saturating_duration_since(begin).as_secs_f64() * 1e3;
        from_commit.figures.push(since(committed));
        from_call.figures.push(since(called));
    }

    fn has_more(&mut self) -> bool {
        let module = ModuleName::new(ModuleName::EMAIL).unwrap();
        let store = self.platform.store();
        !store::read(store, |seen| seen.ready_routes(&module, false)).unwrap().is_empty()
    }

    /// Whatever has gone out so far.
    fn sent(&self) -> usize {
        self.host.sql("SELECT coalesce(max(id),0) FROM notifylog").parse().unwrap()
    }
}

fn table(report: &mut Report, cases: &[Case]) {
    let mut lines =
        "| case | p50 ms | p99 ms | max ms | messages |\n|---|---:|---:|---:|---:|".to_owned();
    let mut rows = Vec::new();
    for case in cases {
        let [p50, p99, most] = [50, 99, 100].map(|share| case.percentile(share));
        let (name, messages) = (&case.name, case.figures.len());
        let _ = write!(lines, "\n| {name} | {p50:.2} | {p99:.2} | {most:.2} | {messages} |");
        rows.push(json!({"name": name, "p50": p50, "p99": p99, "max": most, "messages": messages}));
    }
    report.table(&lines, json!({"unit": "ms", "rows": rows}));
}
