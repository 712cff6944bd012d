//! Serve mode: one child, many messages (DESIGN 5).

use std::collections::BTreeMap;
use std::time::Instant;

use notice::{Answer, Outcome};
use wire::features::Features;
use wire::serve::{FromGate, TextForm, append_ping};

use super::Verdict::{Failed, Hint, Passed};
use super::bench::Bench;
use super::carries::Decoded;
use super::inputs::{Message, hostile_texts};
use super::served::{Asked, Served};
use super::service::Mood;
use super::{Finding, Verdict, inputs};

/// More at once than that proves nothing more.
const WINDOW_MOST: usize = 32;
/// Messages handed over in a row, at least.
const ROUNDS: usize = 3;

/// How a check ended and what was seen.
type Seen = Result<(Verdict, String), String>;

/// Every check has a child of its own, so that each failure has one name.
pub(super) fn serve(bench: &Bench, features: &Features) -> Vec<Finding> {
    let announced = features.window.map_or(1, |window| usize::try_from(window).unwrap_or(1));
    let first = one(bench);
    // A gate whose service ours is not may take long to find that out, each time.
    let sends = matches!(first, Ok((Passed, _)));
    let window = if sends { announced.clamp(1, WINDOW_MOST) } else { 1 };
    let form = TextForm::of(features);
    let checks: [(&'static str, Seen); 8] = [
        ("serve, one message", first),
        ("serve, messages one after another", in_a_row(bench, window)),
        ("serve, hostile texts", hostile(bench, (window, form))),
        ("serve, ping", ping(bench, window)),
        ("serve, service fails", failing_service(bench)),
        ("serve, end of input with messages open", drained(bench, window)),
        ("serve, input ends inside a frame", cut(bench)),
        ("serve, killed with messages open", killed(bench, window)),
    ];
    let mut report: Vec<_> = checks.into_iter().map(|(check, seen)| finding(check, seen)).collect();
    report.push(announcement(features));
    report
}

fn finding(check: &'static str, seen: Seen) -> Finding {
    match seen {
        Ok((verdict, words)) => Finding::new(check, verdict, words),
        Err(words) => Finding::new(check, Failed, words),
    }
}

fn announcement(features: &Features) -> Finding {
    const CHECK: &str = "serve, features";
    match (features.has("outgoing"), features.window) {
        (false, _) => Finding::new(
            CHECK,
            Failed,
            "does not list outgoing: list it too, for callers that know no serve mode",
        ),
        (true, None) => Finding::new(
            CHECK,
            Hint,
            "announces no <window>: it gets a message only when it has answered the one before",
        ),
        (true, Some(0)) => Finding::new(CHECK, Failed, "announces a window of 0"),
        (true, Some(window)) => Finding::new(CHECK, Passed, format!("a window of {window}")),
    }
}

/// Texts of messages by number, and what the service got of each.
struct Batch {
    texts: BTreeMap<u64, String>,
}

impl Batch {
    fn of(texts: impl IntoIterator<Item = String>) -> Self {
        Self { texts: (100..).zip(texts).collect() }
    }

    /// `check` keeps the texts of one check apart from those of another.
    fn plain(check: &str, count: usize) -> Self {
        Self::of((0..count).map(|at| format!("proof served {check} {at} end")))
    }

    /// True when one of them has come to the service.
    fn is_in(&self, requests: &[Vec<u8>]) -> bool {
        requests
            .iter()
            .map(|request| Decoded::of(request))
            .any(|request| self.texts.values().any(|text| request.carries(text)))
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked_in(TextForm::Escaped)
    }

    fn asked_in(&self, form: TextForm) -> Vec<Asked> {
        let asked = |(id, text): (&u64, &String)| {
            let key = format!("proof-served-{id}");
            (*id, inputs::served(*id, &Message { key: &key, ..Message::of(text) }, form))
        };
        self.texts.iter().map(asked).collect()
    }

    /// What became of them, by answers and by what the service got since the last look.
    fn judge(&self, bench: &Bench, answers: &BTreeMap<u64, Answer>) -> Seen {
        let requests = bench.service.take_requests();
        let requests: Vec<_> = requests.iter().map(|request| Decoded::of(request)).collect();
        let files = Decoded::of(&bench.files());
        let times = |text: &String| {
            let by_net = requests.iter().filter(|request| request.carries(text)).count();
            if by_net == 0 { usize::from(files.carries(text)) } else { by_net }
        };
        let arrived: Vec<_> = self.texts.values().map(times).collect();
        if let Some(often) = arrived.iter().find(|times| **times > 1) {
            return Err(format!("a text was handed over {often} times"));
        }
        if let Some(unknown) = answers.values().find(|it| it.outcome == Outcome::Unknown) {
            return Err(format!("unknown: {}", unknown.reason));
        }
        let not_sent = answers.values().find(|answer| answer.outcome != Outcome::Sent);
        match (not_sent, arrived.contains(&1), arrived.contains(&0)) {
            (Some(answer), ..) => Ok((Hint, format!("{}: {}", answer.outcome, answer.reason))),
            (None, true, true) => Err("sent, but not every text arrived as it was".to_owned()),
            (None, false, _) => Ok((Hint, "sent, but our service saw no text".to_owned())),
            (None, true, false) => Ok((Passed, format!("{} sent", self.texts.len()))),
        }
    }
}

fn one(bench: &Bench) -> Seen {
    bench.service.take_requests();
    let batch = Batch::plain("one", 1);
    let mut served = Served::start(bench)?;
    let answers = served.exchange(1, batch.asked())?;
    served.leave()?;
    batch.judge(bench, &answers)
}

/// More than a window.
fn in_a_row(bench: &Bench, window: usize) -> Seen {
    bench.service.take_requests();
    let batch = Batch::plain("row", window * ROUNDS);
    let mut served = Served::start(bench)?;
    let begun = Instant::now();
    let answers = served.exchange(window, batch.asked())?;
    let took = begun.elapsed().as_micros() / u128::from(answers.len().max(1) as u64);
    served.leave()?;
    let (verdict, words) = batch.judge(bench, &answers)?;
    Ok((verdict, format!("{words}, {window} at once, {took} µs each")))
}

/// None of these texts was sent one-shot.
fn hostile(bench: &Bench, (window, form): (usize, TextForm)) -> Seen {
    bench.service.take_requests();
    let batch = Batch::of(hostile_texts().into_iter().map(|(_, text)| format!("{text} served")));
    let mut served = Served::start(bench)?;
    let answers = served.exchange(window, batch.asked_in(form))?;
    served.leave()?;
    batch.judge(bench, &answers)
}

/// It is answered, whatever else is going on.
fn ping(bench: &Bench, window: usize) -> Seen {
    let mut served = Served::start(bench)?;
    let asked: Vec<_> = Batch::plain("ping", window).asked();
    let mut wanted = asked.len() + 1;
    served.tell_all(asked);
    let mut ping = Vec::new();
    append_ping(&mut ping).map_err(|error| error.to_string())?;
    served.tell(ping);
    let begun = Instant::now();
    let mut words = None;
    while wanted > 0 {
        wanted -= 1;
        match served.hear() {
            Ok(FromGate::Answer(..)) => {}
            Ok(FromGate::Ping) if words.is_some() => return Err("answered twice".to_owned()),
            Ok(FromGate::Ping) => {
                words = Some(format!("answered in {} ms", begun.elapsed().as_millis()));
            }
            Err(why) => return Err(format!("{why}; answer <doc command=\"ping\"/> with itself")),
        }
    }
    served.leave()?;
    bench.service.take_requests();
    words.map(|words| (Passed, words)).ok_or_else(|| "a message was answered twice".to_owned())
}

/// A failure is an answer, and the child goes on.
fn failing_service(bench: &Bench) -> Seen {
    let batch = Batch::plain("failing", 3);
    let mut asked = batch.asked().into_iter();
    let mut served = Served::start(bench)?;
    let mut words = Vec::new();
    for mood in [Mood::Busy, Mood::Silent, Mood::Good] {
        bench.service.set_mood(mood);
        let answered = served.exchange(1, asked.by_ref().take(1).collect());
        bench.service.set_mood(Mood::Good);
        let answered = answered.map_err(|why| format!("after {}: {why}", words.join(", ")))?;
        let was_read = batch.is_in(&bench.service.take_requests());
        if mood == Mood::Silent && was_read && answered.values().any(says_later) {
            return Err("the service broke off when it had read the message, and the answer is later: it would be \
                        sent twice; answer <error type=\"unknown\">"
                .to_owned());
        }
        words.extend(answered.into_values().map(|answer| answer.outcome.to_string()));
    }
    served.leave()?;
    bench.service.take_requests();
    Ok((Passed, format!("busy, silent, good: {}", words.join(", "))))
}

fn says_later(answer: &Answer) -> bool {
    answer.outcome == Outcome::Later
}

/// What it has taken it answers, then it leaves.
fn drained(bench: &Bench, window: usize) -> Seen {
    bench.service.take_requests();
    let batch = Batch::plain("drained", window);
    let mut served = Served::start(bench)?;
    served.tell_all(batch.asked());
    served.end_input();
    let mut answers = BTreeMap::new();
    while answers.len() < batch.texts.len() {
        match served.hear()? {
            FromGate::Answer(id, answer) if batch.texts.contains_key(&id) => {
                if answers.insert(id, answer).is_some() {
                    return Err(format!("{id} is answered twice"));
                }
            }
            other => return Err(out_of_place(&other)),
        }
    }
    served.leave()?;
    batch.judge(bench, &answers)
}

/// A frame that was not due, in words.
pub(super) fn out_of_place(frame: &FromGate) -> String {
    match frame {
        FromGate::Ping => "a ping that nobody asked for".to_owned(),
        FromGate::Answer(id, Answer { outcome, reason, .. }) => {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            format!("an answer to {id}, which has none to get: {outcome}{why}")
        }
    }
}

/// Who calls has died: half a message is none.
fn cut(bench: &Bench) -> Seen {
    bench.service.take_requests();
    let before = bench.files().len();
    let mut served = Served::start(bench)?;
    let (_, mut frame) = Batch::plain("cut", 1).asked().swap_remove(0);
    frame.truncate(frame.len() - 6);
    served.tell(frame);
    served.end_input();
    let heard = served.hear();
    let gone = served.is_gone();
    let acted = !bench.service.take_requests().is_empty() || bench.files().len() != before;
    match (acted, heard, gone) {
        (true, ..) => Err("was acted on: send nothing unless the frame is whole".to_owned()),
        (false, Ok(frame), _) => Err(out_of_place(&frame)),
        (false, Err(_), false) => Err("it does not leave".to_owned()),
        (false, Err(_), true) => Ok((Passed, "nothing was sent".to_owned())),
    }
}

/// The next child must not suffer from what the last one left lying about.
fn killed(bench: &Bench, window: usize) -> Seen {
    let mut served = Served::start(bench)?;
    served.tell_all(Batch::plain("killed", window).asked());
    served.kill();
    drop(served);
    let mut served = Served::start(bench)?;
    let answers = served.exchange(1, Batch::plain("next", 1).asked())?;
    served.leave()?;
    bench.service.take_requests();
    let outcomes: Vec<_> = answers.values().map(|answer| answer.outcome.word()).collect();
    Ok((Passed, format!("the next child says {}", outcomes.join(", "))))
}
