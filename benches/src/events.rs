//! 10,000 `user.edit` calls with three provisioning handlers: is every event delivered, in order for each handler and
//! object, and how quick is that beside a plain reqwest loop that posts the same bodies to the same sink?
//!
//! The plain loop keeps connections as `nthandler` does and has as many calls in flight: for each handler eight threads,
//! the objects shared out among them. What `nthandler` does beyond it (claim, sign, note, settle, log, promote the next,
//! its start and its end) is the difference. The two take turns at going first.

use crate::report::Report;
use crate::rounds::{Case, MICROSECONDS_A_TICK, cpu_ticks};
use config::Root;
use gatepost_kit::host::Host;
use gatepost_kit::http_sink::{HttpSink, Reply, Request};
use notice::Fields;
use platform::{Caller, Platform};
use reqwest::blocking::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const EDITS: usize = 10_000;
const USERS: usize = 100;
const HANDLERS: usize = 3;
/// `provisioning.at_once`, which is for each handler.
const AT_ONCE: usize = 8;
/// Nothing here takes longer.
const LONG_SECS: &str = "1800";

/// Deliveries a second, and processor microseconds a delivery.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    cpu: f64,
}

/// The bench `events`.
pub(crate) fn run(report: &mut Report) {
    let case = |what: &str| Case::new(what);
    let mut calls = case("user.edit, its event and three tasks in one transaction");
    let mut rates = [case("plain reqwest loop"), case("nthandler")];
    let mut cpu = [case("plain reqwest loop"), case("nthandler")];
    let mut ratios = case("nthandler to plain, round by round");
    let mut found = Found::default();
    let mut bodies = Vec::new();
    for round in 0..=ROUNDS {
        let sink = HttpSink::start(|_| Reply::ok(""));
        let host = installation(&sink);
        let calls_a_second = edit(&host);
        let first = (round % 2 == 1).then(|| plain(&sink, &bodies));
        let before = sink.requests().len();
        let ours = deliver(&host);
        let requests = sink.requests().split_off(before);
        found.look(&requests);
        bodies = requests;
        if round == 0 {
            // it was for the bodies, and for warm caches
            continue;
        }
        let plain = first.unwrap_or_else(|| plain(&sink, &bodies));
        calls.figures.push(calls_a_second);
        for (figures, (rates, cpu)) in [plain, ours].iter().zip(rates.iter_mut().zip(&mut cpu)) {
            rates.figures.push(figures.rate);
            cpu.figures.push(figures.cpu);
        }
        ratios.figures.push(ours.rate / plain.rate);
    }
    report.say(&found.words());
    report.cases(&[calls], "calls/s");
    report.cases(&rates, "deliveries/s");
    report.cases(&[ratios], "of plain");
    report.cases(&cpu, "processor us a delivery");
}

fn installation(sink: &HttpSink) -> Host {
    let host = Host::new();
    host.gatepost(&["project", "add", "name=Bench"]).ended(0);
    for number in 1..=HANDLERS {
        let task = format!("task={}", sink.url(&format!("/{number}")));
        let name = format!("name=h{number}");
        host.gatepost(&["func", "provisioning.add", &name, "event=clients.update", &task]).ended(0);
    }
    host.gatepost(&["func", "cachemanager.restart"]).ended(0);
    host
}

/// Creates the users and edits them; edits a second.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn edit(host: &Host) -> f64 {
    let mut platform = Platform::open(Root::at(host.root()).unwrap()).unwrap();
    let mut call = |name: &str, params: &[(&str, &str)]| {
        let params: Fields = params.iter().copied().collect();
        platform.call(name, &params, &Caller::operator()).unwrap();
    };
    for number in 1..=USERS {
        call("user.add", &[("name", &format!("u{number}"))]);
    }
    let began = Instant::now();
    for number in 0..EDITS {
        let user = (number % USERS + 1).to_string();
        call("user.edit", &[("sok", "ok"), ("elid", &user), ("realname", &number.to_string())]);
    }
    EDITS as f64 / began.elapsed().as_secs_f64()
}

/// Drains the queue, start and end counted.
fn deliver(host: &Host) -> Figures {
    let figures = timed(|| {
        let words = ["--command", "process", "--force", "--for", LONG_SECS];
        host.run("notify/nthandler", &words).ended(0);
    });
    assert_eq!(host.sql("SELECT count(*) FROM notifytask WHERE modulename='nthandler'"), "0");
    figures
}

/// Posts what was delivered once more.
fn plain(sink: &HttpSink, requests: &[Request]) -> Figures {
    // a second installation is refused and changes nothing
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().tls_certs_only([]).no_proxy();
    let client = client.pool_idle_timeout(Duration::from_secs(2)).build().unwrap();
    let mut shares: BTreeMap<(&str, u64), Vec<&Request>> = BTreeMap::new();
    for request in requests {
        let share = Edit::of(request).object % AT_ONCE as u64;
        shares.entry((&request.target, share)).or_default().push(request);
    }
    assert_eq!(shares.len(), HANDLERS * AT_ONCE);
    timed(|| {
        std::thread::scope(|scope| {
            for ((target, _), share) in &shares {
                let (client, url) = (&client, sink.url(target));
                scope.spawn(move || share.iter().for_each(|one| post(client, &url, one)));
            }
        });
    })
}

fn post(client: &Client, url: &str, request: &Request) {
    let headers = request.headers.iter().filter(|(name, _)| name.starts_with("webhook-"));
    let post = client.post(url).header("Content-Type", "application/json");
    let post = headers.fold(post, |post, (name, value)| post.header(name, value));
    let response = post.body(request.body.clone()).send().unwrap();
    assert!(response.status().is_success() && response.bytes().unwrap().is_empty());
}

/// One edit as a handler saw it.
struct Edit {
    object: u64,
    number: usize,
}

impl Edit {
    fn of(request: &Request) -> Self {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        Self {
            object: body["event"]["object_id"].as_u64().unwrap(),
            number: body["data"]["realname"].as_str().unwrap().parse().unwrap(),
        }
    }
}

/// What was wrong in all rounds together.
#[derive(Default)]
struct Found {
    deliveries: usize,
    lost: usize,
    twice: usize,
    out_of_order: usize,
}

impl Found {
    fn look(&mut self, requests: &[Request]) {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<(&str, u64), usize> = BTreeMap::new();
        for request in requests {
            let edit = Edit::of(request);
            if !seen.insert((request.target.as_str(), edit.number)) {
                self.twice += 1;
            }
            let before = last.insert((&request.target, edit.object), edit.number);
            if before.is_some_and(|before| before > edit.number) {
                self.out_of_order += 1;
            }
        }
        self.deliveries += requests.len();
        self.lost += HANDLERS * EDITS - seen.len();
    }

    fn words(&self) -> String {
        let Self { deliveries, lost, twice, out_of_order } = self;
        assert!(*lost == 0 && *out_of_order == 0, "an event was lost or overtaken");
        format!(
            "{deliveries} deliveries of {EDITS} edits of {USERS} users to {HANDLERS} handlers, {} runs: \
             lost {lost}, twice {twice}, out of order for a handler and object {out_of_order}",
            ROUNDS + 1
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn timed(work: impl FnOnce()) -> Figures {
    let (start, ticks) = (Instant::now(), cpu_ticks());
    work();
    let (took, ticks) = (start.elapsed(), cpu_ticks() - ticks);
    let deliveries = (HANDLERS * EDITS) as f64;
    Figures {
        rate: deliveries / took.as_secs_f64(),
        cpu: ticks as f64 * MICROSECONDS_A_TICK / deliveries,
    }
}
