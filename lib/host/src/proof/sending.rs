//! The command that sends: what goes in, what comes out, what the service saw.

use std::io::Write as _;
use std::time::Duration;

use notice::{Answer, Mask, Outcome, Reach};

use super::Verdict::{Failed, Hint, Passed};
use super::bench::{Bench, World};
use super::carries::carries;
use super::inputs::{Message, PLAIN};
use super::service::Mood;
use super::{Finding, inputs};
use crate::outcome::{answer_of, end_in_words};
use crate::{End, Limits, Ran, Stream, Streams, spawn};

/// Between two pieces of a slow input.
const PAUSE: Duration = Duration::from_millis(100);
const PIECES: usize = 4;

/// Gates run side by side.
const SIDE_BY_SIDE: usize = 4;

/// What became of one input.
struct Handed {
    ran: Ran,
    answer: Answer,
    /// How many requests carried the text.
    carried: usize,
}

impl Handed {
    fn words(&self) -> String {
        let reason = &self.answer.reason;
        let outcome = match self.answer.reach {
            Reach::Unreached => "later, no attempt spent".to_owned(),
            Reach::Reached => self.answer.outcome.to_string(),
        };
        match (reason.is_empty(), self.carried) {
            (true, 0) => outcome,
            (true, count) => format!("{outcome}; the service got the text {count} times"),
            (false, _) => format!("{outcome}: {reason}"),
        }
    }

    /// What breaks the contract whatever the input was.
    fn fault(&self) -> Option<String> {
        match (&self.ran.end, self.answer.outcome) {
            (End::Exited(_), Outcome::Unknown) => {
                Some(format!("unknown: {}; print a document or nothing", self.answer.reason))
            }
            (End::Exited(_), _) => None,
            _ => Some(self.answer.reason.clone()),
        }
    }
}

fn hand_over(bench: &Bench, input: &[u8], text: &str) -> Handed {
    bench.service.take_requests();
    let (ran, answer) = bench.send(input, World::Live);
    Handed { ran, answer, carried: times_carried(bench, text) }
}

fn times_carried(bench: &Bench, text: &str) -> usize {
    let requests = bench.service.take_requests();
    let by_net = requests.iter().filter(|request| carries(request, text)).count();
    if by_net == 0 { usize::from(carries(&bench.files(), text)) } else { by_net }
}

/// Every text must arrive as it is, once.
pub(super) fn texts(bench: &Bench) -> Vec<Finding> {
    let plain = hand_over(bench, &inputs::outgoing(bench, &Message::of(PLAIN), World::Live), PLAIN);
    let arrives = plain.carried > 0;
    let mut report = vec![plain_text(&plain)];
    for (check, text) in inputs::hostile_texts() {
        let handed =
            hand_over(bench, &inputs::outgoing(bench, &Message::of(&text), World::Live), &text);
        report.push(hostile_text(check, &handed, arrives));
    }
    report
}

fn plain_text(handed: &Handed) -> Finding {
    const CHECK: &str = "plain text";
    match (handed.fault(), handed.carried, handed.answer.outcome) {
        (Some(fault), _, _) => Finding::new(CHECK, Failed, fault),
        (None, 1, Outcome::Sent) => Finding::new(CHECK, Passed, handed.words()),
        (None, 0, Outcome::Sent) => Finding::new(
            CHECK,
            Hint,
            "sent, but our service saw no text: give the gate's fields as NAME=VALUE, url={proof_url} among them",
        ),
        (None, 0, _) => Finding::new(
            CHECK,
            Hint,
            format!("{}; give the gate's fields as NAME=VALUE", handed.words()),
        ),
        (None, 1, _) => Finding::new(
            CHECK,
            Hint,
            format!("the service took it, the gate says {}", handed.words()),
        ),
        (None, count, _) => Finding::new(CHECK, Failed, format!("was handed over {count} times")),
    }
}

fn hostile_text(check: &'static str, handed: &Handed, plain_arrives: bool) -> Finding {
    match (handed.fault(), handed.carried, handed.answer.outcome) {
        (Some(fault), _, _) => Finding::new(check, Failed, fault),
        (None, 0, Outcome::Sent) if plain_arrives => Finding::new(
            check,
            Failed,
            "sent, but it did not arrive as it was: look at how it is encoded",
        ),
        (None, 0 | 1, _) => Finding::new(check, Passed, handed.words()),
        (None, count, _) => Finding::new(check, Failed, format!("was handed over {count} times")),
    }
}

/// Inputs that are slow, cut, empty, or shaped otherwise.
pub(super) fn inputs(bench: &Bench) -> Vec<Finding> {
    let whole = inputs::outgoing(bench, &Message::of(PLAIN), World::Live);
    vec![
        declared_params(bench),
        without_phone(bench),
        slow_input(bench, &whole),
        cut_input(bench, "half a document", &whole[..whole.len() / 2]),
        // The text is complete, the document is not.
        cut_input(bench, "all but the end of a document", &whole[..whole.len() - 12]),
        cut_input(bench, "empty input", b""),
    ]
}

/// S3-75.
fn declared_params(bench: &Bench) -> Finding {
    const CHECK: &str = "xmlparams with an XML declaration";
    let handed = hand_over(bench, &inputs::declared(bench, &Message::of(PLAIN)), PLAIN);
    match handed.fault() {
        Some(fault) => Finding::new(CHECK, Failed, fault),
        None => Finding::new(CHECK, Passed, handed.words()),
    }
}

/// S3-77.
fn without_phone(bench: &Bench) -> Finding {
    const CHECK: &str = "no phone";
    let message = Message { phone: "", ..Message::of(PLAIN) };
    let handed = hand_over(bench, &inputs::outgoing(bench, &message, World::Live), PLAIN);
    match (handed.fault(), handed.answer.outcome, handed.carried) {
        (Some(fault), _, _) => Finding::new(CHECK, Failed, fault),
        (None, Outcome::Sent, 1..) => Finding::new(
            CHECK,
            Hint,
            "was handed over all the same; right only if the gate needs no phone",
        ),
        _ => Finding::new(CHECK, Passed, handed.words()),
    }
}

fn slow_input(bench: &Bench, input: &[u8]) -> Finding {
    const CHECK: &str = "slow input";
    bench.service.take_requests();
    let ran = match run_slowly(bench, input) {
        Ok(ran) => ran,
        Err(why) => return Finding::new(CHECK, Failed, why),
    };
    let answer = answer_of(&ran, &Mask::default());
    let handed = Handed { answer, ran, carried: times_carried(bench, PLAIN) };
    match handed.fault() {
        Some(fault) => Finding::new(CHECK, Failed, format!("{fault}; read stdin to its end")),
        None => Finding::new(CHECK, Passed, handed.words()),
    }
}

/// In pieces, with a pause after each: a gate must read to the end, not as much as is there.
fn run_slowly(bench: &Bench, input: &[u8]) -> Result<Ran, String> {
    let streams = Streams { stdin: Stream::Piped, stdout: Stream::Piped, stderr: Stream::Nothing };
    let program = bench.command("outgoing", World::Live);
    let Limits { deadline, stdout_bytes, .. } = program.limits;
    let mut child = spawn(&program, streams)?;
    let (stdin, stdout) = (child.take_stdin(), child.take_stdout());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err("it has no stdin".to_owned());
    };
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        let read = std::io::Read::take(stdout, stdout_bytes as u64);
        std::io::copy(&mut { read }, &mut output).map(|_| output)
    });
    for piece in input.chunks(input.len().div_ceil(PIECES)) {
        // A gate that has enough may close its stdin.
        let _ = stdin.write_all(piece);
        child.wait_for(PAUSE);
    }
    drop(stdin);
    let end = child.wait_for(deadline).unwrap_or(End::Deadline);
    child.finish(Duration::ZERO);
    let stdout = reader.join().ok().and_then(Result::ok).unwrap_or_default();
    Ok(Ran { end, stdout, stderr_tail: Vec::new(), took: deadline, input_written: true })
}

/// Who calls has died: nothing may be sent.
fn cut_input(bench: &Bench, check: &'static str, input: &[u8]) -> Finding {
    let before = bench.files().len();
    bench.service.take_requests();
    let (ran, answer) = bench.send(input, World::Live);
    let asked = bench.service.take_requests().len() + usize::from(bench.files().len() != before);
    match (&ran.end, asked, answer.outcome) {
        (End::Exited(_), 1.., _) => {
            Finding::new(check, Failed, "was acted on: send nothing unless the document is whole")
        }
        (End::Exited(_), 0, Outcome::Sent) => Finding::new(
            check,
            Hint,
            "nothing was sent, yet the answer says sent: print an error document",
        ),
        (End::Exited(_), 0, outcome) => {
            Finding::new(check, Passed, format!("{outcome}: {}", answer.reason))
        }
        _ => Finding::new(check, Failed, format!("did not end by itself: {}", end_in_words(&ran))),
    }
}

/// A service that is away, busy, or breaks off.
pub(super) fn services(bench: &Bench) -> Vec<Finding> {
    let live = inputs::outgoing(bench, &Message::of(PLAIN), World::Live);
    bench.service.set_mood(Mood::Busy);
    let busy = hand_over(bench, &live, PLAIN);
    bench.service.set_mood(Mood::Silent);
    let silent = hand_over(bench, &live, PLAIN);
    bench.service.set_mood(Mood::Good);
    let dead_input = inputs::outgoing(bench, &Message::of(PLAIN), World::Dead);
    let (ran, answer) = bench.send(&dead_input, World::Dead);
    let dead = Handed { ran, answer, carried: 0 };
    // A gate whose service is no network has nothing to say here.
    let networked = busy.carried + silent.carried > 0 && bench.files().is_empty();
    vec![
        dead_service(&dead, networked),
        busy_service(&busy, networked),
        silent_service(&silent, networked),
    ]
}

fn dead_service(handed: &Handed, networked: bool) -> Finding {
    const CHECK: &str = "service can't be reached";
    match (handed.fault(), handed.answer.outcome, handed.answer.reach) {
        (Some(fault), ..) => Finding::new(CHECK, Failed, fault),
        (None, Outcome::Sent, _) if networked => Finding::new(
            CHECK,
            Hint,
            "the answer says sent: print <error type=\"unreached\"> and the message waits",
        ),
        (None, Outcome::Later, Reach::Reached) => Finding::new(
            CHECK,
            Passed,
            format!("{}; type unreached would spend no attempt", handed.words()),
        ),
        _ => Finding::new(CHECK, Passed, handed.words()),
    }
}

fn busy_service(handed: &Handed, networked: bool) -> Finding {
    const CHECK: &str = "service answers 503";
    match (handed.fault(), handed.answer.outcome) {
        (Some(fault), _) => Finding::new(CHECK, Failed, fault),
        (None, Outcome::Sent) if networked => Finding::new(
            CHECK,
            Hint,
            "the answer says sent: print <error type=\"later\"> and it is tried again",
        ),
        _ => Finding::new(CHECK, Passed, handed.words()),
    }
}

/// Here "unknown" is the honest answer.
fn silent_service(handed: &Handed, networked: bool) -> Finding {
    const CHECK: &str = "service breaks off";
    match (&handed.ran.end, handed.answer.outcome) {
        (End::Exited(_), Outcome::Sent) if networked => Finding::new(
            CHECK,
            Hint,
            "the answer says sent, but nobody knows: print plain text and exit 0",
        ),
        (End::Exited(_), Outcome::Later) if networked && handed.carried > 0 => Finding::new(
            CHECK,
            Failed,
            "it says later, but the service had read the message, and it would be sent twice: print plain text and exit 0",
        ),
        (End::Exited(_), _) => Finding::new(CHECK, Passed, handed.words()),
        _ => Finding::new(CHECK, Failed, handed.answer.reason.clone()),
    }
}

/// `parallel`: several at once must not disturb one another.
pub(super) fn side_by_side(bench: &Bench) -> Finding {
    const CHECK: &str = "several at once";
    let input = inputs::outgoing(bench, &Message::of(PLAIN), World::Live);
    let answers = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..SIDE_BY_SIDE).map(|_| scope.spawn(|| bench.send(&input, World::Live).1)).collect();
        runs.into_iter().filter_map(|run| run.join().ok()).collect::<Vec<_>>()
    });
    bench.service.take_requests();
    let same = answers.iter().all(|answer| answer.outcome == answers[0].outcome);
    if same && answers.len() == SIDE_BY_SIDE {
        return Finding::new(CHECK, Passed, format!("{SIDE_BY_SIDE} times {}", answers[0].outcome));
    }
    let words: Vec<_> = answers.iter().map(|answer| answer.outcome.word()).collect();
    Finding::new(
        CHECK,
        Failed,
        format!("answers differ: {}; do not list parallel", words.join(", ")),
    )
}
