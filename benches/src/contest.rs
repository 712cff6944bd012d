//! Several senders in turn, round after round, to one sink.

use crate::report::Report;
use crate::rounds::Case;
use crate::sinks::Sink;
use crate::usage::{TICKS_A_SECOND, Tree, ticks_of};
use serde_json::json;
use std::process::Command;
use std::time::Instant;

/// Has its messages ready.
pub(crate) trait Sender {
    /// Sends them all to the sink.
    fn send(&mut self, sink: &mut Sink);

    /// After the time was taken: a look at what it left.
    fn check(&mut self) {}
}

/// By whose clock a sender's time is taken.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    /// From before its start to after its end.
    Whole,
    /// The sink's: from the first connection to the last message.
    Sink,
}

/// One who takes part.
pub(crate) struct Contender<'a> {
    /// Who, as the table says.
    pub(crate) name: String,
    /// How many.
    pub(crate) messages: usize,
    /// Its clock.
    pub(crate) clock: Clock,
    /// What stands in the last line of each message; empty when it can't be told what to send.
    pub(crate) mark: &'static str,
    /// Makes it ready to send to this port, or says how it would be installed.
    pub(crate) ready: Result<Ready<'a>, String>,
}

/// Makes a sender that sends to this port.
pub(crate) type Ready<'a> = Box<dyn Fn(u16) -> Box<dyn Sender> + 'a>;

/// The figures of one, each once a round.
struct Row {
    name: String,
    messages: usize,
    missing: Option<String>,
    rate: Case,
    /// The first contender's rate to its own, in the same round.
    ahead: Case,
    cpu: Case,
    sink_cpu: Case,
    peak: Case,
    answers: Case,
    reads: Case,
    bytes: Case,
}

impl Row {
    fn of(contender: &Contender<'_>) -> Self {
        let case = || Case::new(&contender.name);
        Self {
            name: contender.name.clone(),
            messages: contender.messages,
            missing: contender.ready.as_ref().err().cloned(),
            rate: case(),
            ahead: case(),
            cpu: case(),
            sink_cpu: case(),
            peak: case(),
            answers: case(),
            reads: case(),
            bytes: case(),
        }
    }

    fn cells(&self) -> String {
        if let Some(cure) = &self.missing {
            return format!("| {} | not installed: {cure} | | | | | | | |", self.name);
        }
        format!(
            "| {} | {:.0} | {:.0}–{:.0} | {:.2} | {:.3} | {:.0} | {:.2} | {:.0} | {} |",
            self.name,
            self.rate.median(),
            self.rate.least(),
            self.rate.most(),
            self.ahead.median(),
            self.cpu.median(),
            self.peak.median(),
            self.answers.median(),
            self.bytes.median(),
            self.messages
        )
    }

    fn json(&self) -> serde_json::Value {
        if let Some(cure) = &self.missing {
            return json!({"name": self.name, "not_installed": cure});
        }
        json!({
            "name": self.name,
            "messages": self.messages,
            "messages_a_second": self.rate.json(),
            "first_to_this": self.ahead.json(),
            "cpu_seconds_a_thousand": self.cpu.json(),
            "sink_cpu_seconds_a_thousand": self.sink_cpu.json(),
            "peak_mib": self.peak.json(),
            "round_trips_a_message": self.answers.json(),
            "reads_a_message": self.reads.json(),
            "bytes_a_message": self.bytes.json(),
        })
    }
}

/// Lets them send in turn, so often, and reports one table. The first is what the others are compared with; who begins
/// changes from round to round. Messages a second of each, the median; NaN of those that are not installed.
pub(crate) fn run(report: &mut Report, contenders: &[Contender<'_>], sink: &mut Sink) -> Vec<f64> {
    let rounds = report.options.rounds;
    let mut rows: Vec<Row> = contenders.iter().map(Row::of).collect();
    for round in 0..rounds {
        for place in 0..contenders.len() {
            let number = (place + round) % contenders.len();
            if let Ok(ready) = &contenders[number].ready {
                report.progress(&format!("round {} of {rounds}: {}", round + 1, rows[number].name));
                measure(&contenders[number], ready, (sink, &mut rows[number]));
            }
        }
        let ours = rows[0].rate.figures[round];
        for row in rows.iter_mut().filter(|row| row.missing.is_none()) {
            row.ahead.figures.push(ours / row.rate.figures[round]);
        }
    }
    let head = "| who | messages/s, median | least–most | first ÷ this | CPU s per 1,000 | peak MiB | round trips a message | bytes a message | messages |\n\
                |---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    let lines: Vec<String> = rows.iter().map(Row::cells).collect();
    let figures: Vec<_> = rows.iter().map(Row::json).collect();
    let figures = json!({"rounds": rounds, "rows": figures});
    report.table(&format!("{head}{}", lines.join("\n")), figures);
    let rate = |row: &Row| if row.missing.is_none() { row.rate.median() } else { f64::NAN };
    rows.iter().map(rate).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn measure(contender: &Contender<'_>, ready: &Ready<'_>, (sink, row): (&mut Sink, &mut Row)) {
    let mut sender = ready(sink.port);
    // what was written to make it ready must not be written out in its time
    Command::new("sync").status().unwrap();
    sink.reset(contender.mark);
    let tree = Tree { but: sink.pid() };
    let (watch, before, sink_before) = (tree.watch(), tree.ticks(), ticks_of(sink.pid()));
    let start = Instant::now();
    sender.send(sink);
    let whole = start.elapsed();
    let (ticks, sink_ticks) = (tree.ticks() - before, ticks_of(sink.pid()) - sink_before);
    let peak = watch.end();
    sender.check();
    let counts = sink.counts();
    let name = &contender.name;
    assert_eq!(counts.of("messages"), contender.messages as u64, "{name}: messages that came");
    assert_eq!(counts.of("wrong"), 0, "{name}: messages without their last line");
    let messages = contender.messages as f64;
    let took = match contender.clock {
        Clock::Whole => whole,
        Clock::Sink => counts.span(),
    };
    let seconds_a_thousand = |ticks: u64| ticks as f64 / TICKS_A_SECOND * 1_000.0 / messages;
    row.rate.figures.push(messages / took.as_secs_f64());
    row.cpu.figures.push(seconds_a_thousand(ticks));
    row.sink_cpu.figures.push(seconds_a_thousand(sink_ticks));
    row.peak.figures.push(peak);
    row.answers.figures.push(counts.of("answers") as f64 / messages);
    row.reads.figures.push(counts.of("reads") as f64 / messages);
    row.bytes.figures.push(counts.of("bytes") as f64 / messages);
}
