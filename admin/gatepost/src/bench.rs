//! `gatepost bench`: what a gateway can do, measured with real test messages beside the queue; and for comparison
//! what as many bare starts of its gate cost.

use crate::arguments::Format;
use crate::ask;
use crate::failure::Result;
use crate::output::{self, Table};
use crate::session::Session;
use clap::Args;
use notice::{Answer, Outcome};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Measure a gateway: real test messages through its gate, beside the queue
///
/// Every message is handed over by one start of the gate, like `gateway test --to`, and reaches the contact. The
/// second line of the table is the same number of starts for `--command features`: what a start costs without the
/// service behind it. Nothing is queued, logged or tried again. Ctrl-C waits for the messages in hands and prints
/// what was measured; a second one ends at once.
#[derive(Args)]
pub(crate) struct Bench {
    /// Id or name of a gateway that sends
    gateway: String,
    /// The contact that gets every message: an address or a number of your own
    #[arg(long, value_name = "CONTACT")]
    to: String,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,
    /// So many at a time, but never more than the gateway's concurrency
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    at_once: u32,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

const COLUMNS: &[&str] = &[
    "what",
    "number",
    "at_once",
    "seconds",
    "per_second",
    "median_ms",
    "p95_ms",
    "slowest_ms",
    "sent",
    "later",
    "never",
    "hold",
    "unknown",
    "reason",
];

/// Those of them that are numbers with a point.
const MEASURES: [&str; 5] = ["seconds", "per_second", "median_ms", "p95_ms", "slowest_ms"];

const OUTCOMES: [Outcome; 5] =
    [Outcome::Sent, Outcome::Later, Outcome::Never, Outcome::Hold, Outcome::Unknown];

/// Runs it.
pub(crate) fn run(session: &mut Session, what: &Bench) -> Result<()> {
    let bench = session.platform.bench(&what.gateway, &what.to)?;
    let gateway = bench.gateway();
    let at_once = gateway.concurrency.map_or(what.at_once, |most| what.at_once.min(most.max(1)));
    if !what.yes {
        let rate = gateway.rate_per_sec.map(|rate| format!(", faster than its rate of {rate}/s"));
        ask::sure(&format!(
            "Send {} real test messages to {} through gateway {} now{}?",
            what.messages,
            what.to,
            gateway.name,
            rate.unwrap_or_default()
        ))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let pace = Pace { times: what.messages, at_once, stop: &stop };
    let sent = pace.run("messages", |number| bench.send(number));
    let starts = Pace { times: sent.count(), ..pace };
    let started = starts.run("starts", |_| bench.start());
    let mut table = Table::new(COLUMNS, COLUMNS.len());
    table.rows.push(sent.row(at_once, &outcomes(&sent.results)));
    if started.count() > 0 {
        table.rows.push(started.row(at_once, &vec![String::new(); OUTCOMES.len() + 1]));
    }
    print(&table, session.format)
}

/// How often, how many at a time, and what ends it early.
struct Pace<'a> {
    times: u32,
    at_once: u32,
    stop: &'a AtomicBool,
}

/// What was measured.
struct Measured<T> {
    what: &'static str,
    took: Duration,
    /// Of every run, sorted.
    each: Vec<Duration>,
    results: Vec<T>,
}

impl Pace<'_> {
    /// Runs it with the numbers from 1, on as many threads as may be at once.
    fn run<T: Send>(&self, what: &'static str, work: impl Fn(u32) -> T + Sync) -> Measured<T> {
        let begun = AtomicU32::new(0);
        let began = Instant::now();
        let mut measured =
            Measured { what, took: Duration::ZERO, each: Vec::new(), results: Vec::new() };
        let (ended, ends) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.at_once.min(self.times) {
                let (ended, begun, work) = (ended.clone(), &begun, &work);
                scope.spawn(move || {
                    while !self.stop.load(Ordering::SeqCst) {
                        let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
                        if number > self.times {
                            return;
                        }
                        let began = Instant::now();
                        let result = work(number);
                        let _ = ended.send((began.elapsed(), result));
                    }
                });
            }
            drop(ended);
            for (took, result) in ends {
                measured.each.push(took);
                measured.results.push(result);
                output::progress(&format!("{} of {} {what}", measured.each.len(), self.times));
            }
        });
        output::progress("");
        measured.took = began.elapsed();
        measured.each.sort();
        measured
    }
}

impl<T> Measured<T> {
    fn count(&self) -> u32 {
        u32::try_from(self.each.len()).unwrap_or(u32::MAX)
    }

    fn row(&self, at_once: u32, rest: &[String]) -> Vec<String> {
        let seconds = self.took.as_secs_f64();
        let row = [
            self.what.to_owned(),
            self.count().to_string(),
            at_once.to_string(),
            format!("{seconds:.2}"),
            format!("{:.1}", f64::from(self.count()) / seconds.max(f64::EPSILON)),
            milliseconds(at_share(&self.each, 50)),
            milliseconds(at_share(&self.each, 95)),
            milliseconds(at_share(&self.each, 100)),
        ];
        row.into_iter().chain(rest.iter().cloned()).collect()
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// The shortest time that so many of a hundred runs did not exceed; of sorted times.
fn at_share(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// How many of each outcome, and the first reason that was no success.
fn outcomes(answers: &[Answer]) -> Vec<String> {
    let count = |outcome| answers.iter().filter(|answer| answer.outcome == outcome).count();
    let first = answers.iter().find(|answer| answer.outcome != Outcome::Sent);
    let reason = first.map(|answer| answer.reason.clone()).unwrap_or_default();
    OUTCOMES.iter().map(|outcome| count(*outcome).to_string()).chain([reason]).collect()
}

/// As a table; to a program the measures are numbers too.
fn print(table: &Table, format: Option<Format>) -> Result<()> {
    let mut rows = output::json_rows(table);
    for row in &mut rows {
        for name in MEASURES {
            let Some(cell) = row.get_mut(name) else { continue };
            if let Some(number) = cell.as_str().and_then(|text| text.parse::<f64>().ok()) {
                *cell = number.into();
            }
        }
    }
    match format {
        Some(Format::Json) => {
            let text = serde_json::to_string_pretty(&Value::Array(rows)).unwrap_or_default();
            Ok(output::print_json(&format!("{text}\n"))?)
        }
        Some(Format::Jsonl) => Ok(output::print_json(&output::lines(rows))?),
        _ => Ok(output::table(table, format)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_time_that_was_measured() {
        let times: Vec<_> = (1..=20).map(Duration::from_millis).collect();
        let at = |percent| at_share(&times, percent).as_millis();
        assert_eq!((at(50), at(95), at(100)), (10, 19, 20));
        assert_eq!(at_share(&times[..1], 50), Duration::from_millis(1));
        assert_eq!(at_share(&[], 95), Duration::ZERO);
    }

    #[test]
    fn who_is_told_to_stop_begins_nothing() {
        let stop = AtomicBool::new(false);
        let pace = Pace { times: 50, at_once: 1, stop: &stop };
        let measured = pace.run("runs", |number| {
            stop.store(number == 3, Ordering::SeqCst);
            number
        });
        assert_eq!(measured.results, [1, 2, 3]);
    }
}
