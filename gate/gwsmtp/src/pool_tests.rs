//! The pool against a server that misbehaves at every point: what each message is told must fit what
//! the server has.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use gatepost_gate::{Failure, FailureKind, Fields, GatewayParams, Sent};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};

use crate::account::Account;
use crate::address::Address;
use crate::envelope::{Envelope, Partial, Ready};
use crate::pool::{Owed, Parcel, Pool, Waiting};

const PATIENCE: Duration = Duration::from_mins(1);

fn pool(sink: &Sink, connections: usize) -> Arc<Pool> {
    let (port, most) = (sink.port().to_string(), connections.to_string());
    let fields = [
        ("host", "127.0.0.1"),
        ("port", &port),
        ("security", "none"),
        ("timeout_secs", "2"),
        ("max_connections", &most),
    ];
    let fields: Fields = fields.into_iter().collect();
    Pool::of(Arc::new(Account::read(&GatewayParams::new(Fields::new(), fields)).unwrap()))
}

fn letter(number: usize, recipients: &[&str]) -> Ready {
    let recipients = recipients.iter().map(|text| Address::parse(text).unwrap()).collect();
    let partial = Partial::AllOrNothing;
    let envelope = Envelope { sender: None, recipients, partial, id: format!("m{number}@x") };
    Ready { envelope, content: format!("X-Number: {number}\r\n\r\n.\r\n").into_bytes() }
}

type Told = (usize, Result<Sent, Failure>);

/// Does this with the outcome.
struct Then<F>(F);

impl<F: FnOnce(Result<Sent, Failure>) + Send> Owed for Then<F> {
    fn is_there(&self) -> bool {
        true
    }

    fn tell(self: Box<Self>, ended: Result<Sent, Failure>) {
        (self.0)(ended);
    }
}

fn give(pool: &Arc<Pool>, ready: Ready, number: usize, told: &mpsc::Sender<Told>) {
    let told = told.clone();
    let owed = Box::new(Then(move |ended| told.send((number, ended)).unwrap()));
    pool.take(Waiting::Built(Parcel { ready, owed, returns: 0 }));
}

fn hear(told: &Receiver<Told>, count: usize) -> BTreeMap<usize, Result<Sent, Failure>> {
    let mut all = BTreeMap::new();
    for at in 0..count {
        let (number, ended) = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{at} of {count} messages have an outcome: {all:?}"));
        assert!(all.insert(number, ended).is_none(), "two outcomes for {number}");
    }
    assert!(told.try_recv().is_err(), "more outcomes than messages");
    all
}

/// Hands these messages over and compares what is told with what came.
fn run(sink: &Sink, connections: usize, messages: &[&[&str]]) -> Vec<&'static str> {
    let pool = pool(sink, connections);
    let (tell, told) = channel();
    for (number, recipients) in messages.iter().enumerate() {
        give(&pool, letter(number, recipients), number, &tell);
    }
    let ended = hear(&told, messages.len());
    pool.leave();
    compared(sink, ended)
}

/// What each was told, which must fit what came.
fn compared(sink: &Sink, ended: BTreeMap<usize, Result<Sent, Failure>>) -> Vec<&'static str> {
    let letters = sink.letters();
    let mut words = Vec::new();
    for (number, ended) in ended {
        let mark = format!("X-Number: {number}\r\n");
        let came = letters.iter().filter(|letter| letter.text().contains(&mark)).count();
        let (word, fits) = match &ended {
            Ok(_) => ("sent", came == 1),
            Err(Failure { kind: FailureKind::Unknown, .. }) => ("unknown", came <= 1),
            Err(Failure { kind: FailureKind::Later, .. }) => ("later", came == 0),
            Err(Failure { kind: FailureKind::Never, .. }) => ("never", came == 0),
            Err(Failure { kind: FailureKind::Unreached, .. }) => ("unreached", came == 0),
            Err(Failure { kind: FailureKind::Hold, .. }) => ("hold", came == 0),
        };
        assert!(fits, "{number} came {came} times and was said to be {ended:?}");
        words.push(word);
    }
    words
}

const GOOD: &[&str] = &["a@example.test"];
const BAD: &[&str] = &["bad@example.test"];

#[test]
fn a_row_of_messages_takes_one_round_trip_each() {
    let sink = Sink::start();
    let pool = pool(&sink, 1);
    let (tell, told) = channel();
    let (go, wait) = channel();
    // The connection stands still with the outcome of the first in its hand until the others wait.
    let all_wait = move |_: Result<Sent, Failure>| wait.recv().unwrap();
    pool.take(Waiting::Built(Parcel {
        ready: letter(0, GOOD),
        owed: Box::new(Then(all_wait)),
        returns: 0,
    }));
    sink.wait_for(1);
    let row = 50;
    for number in 1..=row {
        give(&pool, letter(number, GOOD), number, &tell);
    }
    go.send(()).unwrap();
    assert!(hear(&told, row).values().all(Result::is_ok));
    pool.leave();
    sink.wait_for_line("QUIT");
    let reads = sink.reads();
    assert_eq!(sink.connections(), 1);
    // EHLO, the first one's envelope and content, the second one's envelope; then one each; QUIT.
    assert_eq!(reads.len(), 4 + row + 1, "{reads:#?}");
    let joined = reads.iter().filter(|read| {
        read.starts_with("X-Number") && read.contains("\r\n.\r\nMAIL") && read.ends_with("DATA\r\n")
    });
    assert_eq!(joined.count(), row - 1);
}

#[test]
fn a_server_that_does_not_pipeline_is_asked_step_by_step() {
    let sink = Sink::with(&["8BITMIME"], vec![]);
    assert_eq!(run(&sink, 1, &[GOOD, BAD, GOOD]), ["sent"; 3]);
    let of = |word: &str| sink.reads().iter().filter(|read| read.starts_with(word)).count();
    assert_eq!((of("MAIL"), of("RCPT"), of("DATA"), of("X-Number")), (3, 3, 3, 3));
    assert!(
        sink.reads().iter().all(|read| read.matches("\r\n").count() == 1 || !read.contains("MAIL"))
    );
}

/// Every reply of three messages in a row, the greeting first, on one connection and on more: dropped,
/// cut off before and after, 421, refused for now and for good, no reply at all, one too many.
#[test]
fn nothing_is_lost_or_doubled_wherever_the_server_fails() {
    let acts = [
        Act::Skip,
        Act::Close,
        Act::AnswerAndClose,
        Act::Reply("421 too many connections"),
        Act::ReplyAndClose("421 closing"),
        Act::Reply("451 not now"),
        Act::Reply("550 never"),
        Act::Reply("garbage"),
        Act::Reply("354 go on"),
        Act::Reply("250-this\r\n250-and\r\n250 that"),
        Act::Reply("250 one\r\n250 too many"),
    ];
    let offers: [&[&str]; 2] = [&["PIPELINING", "SIZE 0"], &[]];
    std::thread::scope(|scope| {
        for act in &acts {
            for at in 0..20 {
                scope.spawn(move || {
                    for offers in offers {
                        let rule = Rule::once_after(at, "*", act.clone());
                        let sink = Sink::with(offers, vec![rule]);
                        let messages = [GOOD, &["a@x.test", "b@x.test"], GOOD];
                        let words = run(&sink, 1 + at as usize % 2, &messages);
                        let hurt = words.iter().filter(|word| **word != "sent").count();
                        // A whole connection may fail all that waits; else one message pays at most, two
                        // where the second was what a missing reply belonged to.
                        assert!(hurt <= 2 || at < 2, "{offers:?} {at} {act:?}: {words:?}");
                    }
                });
            }
        }
    });
}

/// The server goes after each single byte that the client says: in the middle of a command, of a body, of
/// the dot, between the dot and the next one's envelope.
#[test]
fn nothing_is_lost_or_doubled_wherever_the_line_is_cut() {
    let messages = [GOOD; 3];
    for offers in [&["PIPELINING", "SIZE 0"][..], &[]] {
        let whole = Sink::with(offers, vec![]);
        assert_eq!(run(&whole, 1, &messages), ["sent"; 3]);
        whole.wait_until_left();
        let reads = whole.reads();
        let (hello, bytes) = (reads[0].len(), reads.iter().map(String::len).sum());
        for cut in 0..bytes {
            let sink = Sink::with(offers, vec![]);
            sink.hear_out(cut);
            let words = run(&sink, 1, &messages);
            let hurt = words.iter().filter(|word| **word != "sent").count();
            // Where no session came about, nothing that waits has one.
            assert!(hurt <= 1 || cut < hello, "{offers:?} after {cut} bytes: {words:?}");
        }
    }
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_costs_nothing() {
    let one = |sink: &Sink| {
        let pool = pool(sink, 1);
        let (tell, told) = channel();
        give(&pool, letter(0, GOOD), 0, &tell);
        assert!(hear(&told, 1)[&0].is_ok());
        (pool, tell, told)
    };
    let whole = Sink::start();
    let (pool, ..) = one(&whole);
    let bytes = whole.reads().iter().map(String::len).sum();
    pool.leave();
    let sink = Sink::start();
    sink.hear_out(bytes);
    let (pool, tell, told) = one(&sink);
    sink.wait_until_left();
    for number in 1..=3 {
        give(&pool, letter(number, GOOD), number, &tell);
    }
    assert!(hear(&told, 3).values().all(Result::is_ok));
    pool.leave();
    assert_eq!((sink.letters().len(), sink.connections()), (4, 2));
}

/// Else the reply to the next one's MAIL would be taken for that to the dot.
#[test]
fn a_message_is_not_sent_by_the_reply_to_another_command() {
    for offers in [&["PIPELINING"][..], &[]] {
        let sink = Sink::with(offers, vec![Rule::once(".", Act::Skip)]);
        assert_eq!(run(&sink, 1, &[GOOD; 3]), ["unknown", "sent", "sent"], "{offers:?}");
    }
}

/// Three messages behind one that was sent, on one connection whose server follows these rules from the
/// second on. All three wait when the connection goes on, so that the content of each leaves together with
/// the envelope of the next.
fn in_a_row(sink: &Sink, rules: Vec<Rule>) -> Vec<&'static str> {
    let pool = pool(sink, 1);
    let (tell, told) = channel();
    let (go, wait) = channel();
    let all_wait = move |_: Result<Sent, Failure>| wait.recv().unwrap();
    let owed = Box::new(Then(all_wait));
    pool.take(Waiting::Built(Parcel { ready: letter(0, GOOD), owed, returns: 0 }));
    sink.wait_for(1);
    sink.follow(rules);
    for number in 1..=3 {
        give(&pool, letter(number, GOOD), number, &tell);
    }
    go.send(()).unwrap();
    let ended = hear(&told, 3);
    pool.leave();
    compared(sink, ended)
}

/// The reply to the dot is missing, and a refusal of the next one's envelope stands in its place: shown by a
/// reply that fits no command, or by the last one that never comes.
#[test]
fn a_message_is_not_refused_by_the_reply_to_another_command() {
    let refused = Rule::once_after(1, "MAIL", Act::Reply("450 not this one"));
    let out_of_turn = vec![refused.clone()];
    let rcpt = Rule::once_after(1, "RCPT", Act::Reply("550 nobody"));
    let data = Rule::once_after(1, "DATA", Act::Reply("503 for whom"));
    let never_comes = vec![refused, rcpt.clone(), data.clone()];
    let taken_and_never_comes = vec![rcpt, data];
    for mut rules in [out_of_turn, never_comes, taken_and_never_comes] {
        rules.push(Rule::once(".", Act::Skip));
        let shown = format!("{rules:?}");
        let sink = Sink::with(&["PIPELINING"], vec![]);
        assert_eq!(in_a_row(&sink, rules), ["unknown", "sent", "sent"], "{shown}");
    }
}

/// A reply that is there before its command is none to it: the message is not said at all, and is sent only
/// where a server takes it. A refusal that came early is one.
#[test]
fn a_reply_that_came_before_its_command_is_no_answer_to_it() {
    for (early, word) in [
        ("354 go on\r\n250 taken, whatever it is", "later"),
        ("354 go on\r\n354 and on", "later"),
        ("354 go on\r\n450 not now", "later"),
        ("354 go on\r\n552 too large", "never"),
    ] {
        let refuse = Rule::once(".", Act::Reply("554 not this one"));
        let sink = Sink::with(&["PIPELINING"], vec![]);
        let rules = vec![Rule::once("DATA", Act::Reply(early)), refuse.clone()];
        // the next one's content is what the server refuses: of the first not a byte came
        assert_eq!(in_a_row(&sink, rules), [word, "never", "sent"], "{early:?}");
        assert!(!sink.reads().iter().any(|read| read.contains("X-Number: 1")), "{early:?}");
        let sink = Sink::with(&[], vec![]);
        let rules = vec![Rule::once("DATA", Act::Reply(early)), refuse];
        assert_eq!(in_a_row(&sink, rules), [word, "never", "sent"], "step by step, {early:?}");
    }
}

#[test]
fn a_session_that_went_wrong_for_the_server_is_followed_by_another() {
    let sink = Sink::with(&["PIPELINING"], vec![]);
    let wrong = Rule::once_after(1, "DATA", Act::Reply("503 bad sequence"));
    assert_eq!(in_a_row(&sink, vec![wrong]), ["sent", "later", "sent"]);
    assert_eq!(sink.connections(), 2);
}

#[test]
fn a_server_that_speaks_before_it_is_greeted_is_told_nothing() {
    let rules = vec![Rule::always("CONNECT", Act::Reply("220 sink\r\n250 and all is well"))];
    let sink = Sink::with(&["PIPELINING"], rules);
    assert_eq!(run(&sink, 1, &[GOOD]), ["later"]);
    assert_eq!(sink.lines(), Vec::<String>::new());
}

#[test]
fn a_refused_recipient_costs_its_own_message_alone() {
    for offers in [&["PIPELINING"][..], &[]] {
        let refuse = Rule::always("RCPT TO:<bad@", Act::Reply("550 no such user"));
        let sink = Sink::with(offers, vec![refuse]);
        let both = &["a@example.test", "bad@example.test"][..];
        let words = run(&sink, 1, &[GOOD, BAD, GOOD, both, GOOD, BAD, BAD, GOOD]);
        assert_eq!(words, ["sent", "never", "sent", "never", "sent", "never", "never", "sent"]);
        assert_eq!(sink.connections(), 1);
        let resets = sink.lines().iter().filter(|line| *line == "RSET").count();
        assert_eq!(resets, 4);
    }
}

#[test]
fn a_server_that_says_yes_to_a_message_for_nobody_keeps_its_place_in_the_row() {
    let rules = vec![
        Rule::always("RCPT TO:<bad@", Act::Reply("550 no such user")),
        Rule::once_after(1, "DATA", Act::Reply("354 go on")),
    ];
    let sink = Sink::with(&["PIPELINING"], rules);
    assert_eq!(run(&sink, 1, &[GOOD, BAD, GOOD]), ["sent", "never", "sent"]);
    assert_eq!(sink.connections(), 1);
    assert_eq!(sink.letters().len(), 2);
}

#[test]
fn a_message_over_the_servers_size_is_never_sent_and_holds_up_no_other() {
    let sink = Sink::with(&["PIPELINING", "SIZE 1000"], vec![]);
    let pool = pool(&sink, 1);
    let (tell, told) = channel();
    for number in 0..3 {
        let mut ready = letter(number, GOOD);
        ready.content.resize(if number == 1 { 2_000 } else { 500 }, b'x');
        give(&pool, ready, number, &tell);
    }
    let ended = hear(&told, 3);
    assert!(ended[&0].is_ok() && ended[&2].is_ok());
    assert_eq!(ended[&1].as_ref().unwrap_err().kind, FailureKind::Never);
    assert_eq!(sink.connections(), 1);
}

/// A body that did not leave whole is surely not there, however far it came.
#[test]
fn a_message_cut_off_before_its_dot_is_not_unknown() {
    for (act, kind) in [
        (Act::Close, FailureKind::Later),
        (Act::ReplyAndClose("552 too large"), FailureKind::Never),
        (Act::ReplyAndClose("421 going down"), FailureKind::Later),
    ] {
        let sink = Sink::with(&["PIPELINING"], vec![Rule::once("BODY", act.clone())]);
        let pool = pool(&sink, 1);
        let (tell, told) = channel();
        let mut large = letter(0, GOOD);
        large.content.resize(24 << 20, b'x');
        give(&pool, large, 0, &tell);
        give(&pool, letter(1, GOOD), 1, &tell);
        let ended = hear(&told, 2);
        assert_eq!(ended[&0].as_ref().unwrap_err().kind, kind, "{act:?}: {ended:?}");
        assert!(ended[&1].is_ok(), "{act:?}: {ended:?}");
        assert_eq!(sink.letters().len(), 1);
    }
}

#[test]
fn a_connection_that_serves_a_few_messages_only_is_followed_by_another() {
    for end in [Act::ReplyAndClose("421 enough"), Act::Close] {
        // The third MAIL of the first connection, and of each that follows.
        let rules = (0..4).map(|_| Rule::once_after(2, "MAIL", end.clone())).collect();
        let sink = Sink::with(&["PIPELINING"], rules);
        assert_eq!(run(&sink, 1, &[GOOD; 10]), ["sent"; 10], "{end:?}");
        assert_eq!(sink.connections(), 5, "{end:?}");
    }
}

#[test]
fn what_no_server_takes_is_told_to_all_that_wait() {
    let sink = Sink::with(&[], vec![Rule::always("CONNECT", Act::ReplyAndClose("554 go away"))]);
    assert_eq!(run(&sink, 4, &[GOOD; 5]), ["hold"; 5]);
    let sink = Sink::with(&[], vec![Rule::always("CONNECT", Act::Close)]);
    assert_eq!(run(&sink, 4, &[GOOD; 5]), ["unreached"; 5]);
}

#[test]
fn connections_follow_what_the_server_bears() {
    let sink = Sink::start();
    sink.bear(3, "421 too many connections");
    assert_eq!(run(&sink, 10, &[GOOD; 400]), ["sent"; 400]);
    // Refused ones are asked for ever more seldom: after 50, 100, 200 messages.
    assert!((3..=12).contains(&sink.connections()), "{}", sink.connections());
}

#[test]
fn a_connection_is_kept_for_the_next_message_and_not_for_ever() {
    let sink = Sink::start();
    let pool = pool(&sink, 1);
    let (tell, told) = channel();
    for number in 0..3 {
        give(&pool, letter(number, GOOD), number, &tell);
        assert!(hear(&told, 1)[&number].is_ok());
    }
    assert_eq!(sink.connections(), 1);
    sink.wait_for_line("QUIT");
}

#[test]
fn an_idle_connection_says_farewell_when_the_gate_leaves() {
    let sink = Sink::start();
    assert_eq!(run(&sink, 2, &[GOOD]), ["sent"]);
    sink.wait_for_line("QUIT");
    assert_eq!(sink.connections(), 1);
}

#[test]
fn a_reply_that_does_not_come_holds_up_no_message_while_a_connection_is_idle() {
    let sink = Sink::with(&["PIPELINING"], vec![]);
    let pool = pool(&sink, 2);
    let (tell, told) = channel();
    // both connections have carried something, and are idle
    for number in 0..20 {
        give(&pool, letter(number, GOOD), number, &tell);
    }
    hear(&told, 20);
    sink.follow(vec![Rule::once(".", Act::Silence)]);
    give(&pool, letter(20, GOOD), 20, &tell);
    sink.wait_for(21);
    for number in 21..24 {
        give(&pool, letter(number, GOOD), number, &tell);
    }
    // long before the first gives up, which takes four times its timeout
    let soon =
        || told.recv_timeout(Duration::from_secs(2)).map(|(number, ended)| (number, ended.is_ok()));
    assert_eq!([soon(), soon(), soon()], [Ok((21, true)), Ok((22, true)), Ok((23, true))]);
}
