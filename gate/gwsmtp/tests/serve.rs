//! The program kept running: many messages over few connections.

use std::collections::BTreeMap;
use std::io::Write;

use gatepost_kit::postfix::{LOGIN, PASSWORD, Postfix};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use notice::{Answer, Outcome};
use wire::serve::FromGate;

use crate::call::{Message, gate, plain};

/// Configures the gate by the first message, hands all over at once and hears it out.
fn serve(messages: &[Message]) -> BTreeMap<u64, Answer> {
    let gate = gate();
    let ran = gate.output("serve", &frames(messages));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let (mut answers, mut stream) = (BTreeMap::new(), &ran.stdout[..]);
    while let Some(told) = FromGate::read(&mut stream).unwrap() {
        let FromGate::Answer(id, answer) = told else { panic!("{told:?}") };
        assert!(answers.insert(id, answer).is_none(), "two answers for {id}");
    }
    assert_eq!(answers.len(), messages.len());
    answers
}

/// What the host says to a gate about these messages.
fn frames(messages: &[Message]) -> Vec<u8> {
    let mut frames = messages[0].configure();
    for (id, message) in (0..).zip(messages) {
        frames.extend(message.frame(id));
    }
    frames
}

fn many(count: usize, fields: &[(&'static str, String)]) -> Vec<Message> {
    let message = |at: usize| {
        let mut message = Message::to("anna@example.test", fields.to_vec());
        message.key = format!("row/{at}/ntemail");
        message.subject = format!("No {at}.");
        message
    };
    (0..count).map(message).collect()
}

#[test]
fn many_messages_take_few_connections_and_writes() {
    let sink = Sink::start();
    let mut fields = plain(sink.port());
    fields.push(("max_connections", "2".into()));
    let messages = many(60, &fields);
    let answers = serve(&messages);
    assert!(answers.values().all(|answer| answer.outcome == Outcome::Sent), "{answers:?}");
    let letters = sink.letters();
    for at in 0..messages.len() {
        let subject = format!("Subject: No {at}.\r\n");
        assert_eq!(letters.iter().filter(|letter| letter.text().contains(&subject)).count(), 1);
    }
    assert!((1..=2).contains(&sink.connections()), "{}", sink.connections());
    sink.wait_for_line("QUIT");
}

#[test]
fn each_message_has_its_own_outcome() {
    let rules = vec![Rule::always("RCPT TO:<bad@", Act::Reply("550 no such user"))];
    let sink = Sink::with(&["PIPELINING", "SIZE 3000"], rules);
    let mut messages = many(6, &plain(sink.port()));
    messages[1].email = "bad@example.test".into();
    messages[2].email = "nobody".into();
    messages[4].html = "<p>word</p>".repeat(1_000);
    let outcomes: Vec<Outcome> =
        serve(&messages).into_values().map(|answer| answer.outcome).collect();
    let (sent, never) = (Outcome::Sent, Outcome::Never);
    assert_eq!(outcomes, [sent, never, never, sent, never, sent]);
}

#[test]
fn an_unfit_gateway_is_told_to_every_message() {
    let mut fields = plain(25);
    fields.push(("max_connections", "many".into()));
    for answer in serve(&many(3, &fields)).into_values() {
        assert_eq!(answer.outcome, Outcome::Hold, "{}", answer.reason);
    }
}

/// The worker is killed: what it handed over is unknown to the queue, sent or not, and is tried again. So
/// what is not begun does not go out.
#[test]
fn a_gate_whose_worker_has_gone_begins_nothing_more() {
    let sink = Sink::with(&["PIPELINING"], vec![Rule::once(".", Act::Silence)]);
    let mut fields = plain(sink.port());
    fields.extend([("max_connections", "1".into()), ("timeout_secs", "1".into())]);
    let messages = many(20, &fields);
    let gate = gate();
    let mut child = gate.start("serve");
    child.stdin.as_mut().unwrap().write_all(&frames(&messages)).unwrap();
    sink.wait_for(1);
    drop(child.stdout.take());
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(sink.letters().len(), 1);
}

#[test]
fn postfix_takes_a_row_of_mail_over_tls() {
    let Some(postfix) = Postfix::start() else { return };
    let fields = [
        ("host", "localhost".to_owned()),
        ("port", postfix.submission_port.to_string()),
        ("security", "starttls".to_owned()),
        ("auth", "password".to_owned()),
        ("login", LOGIN.to_owned()),
        ("password", PASSWORD.to_owned()),
        ("ca_file", postfix.authority().to_str().unwrap().to_owned()),
        ("max_connections", "3".to_owned()),
    ];
    let mut messages = many(40, &fields);
    messages[7].email = "nobody@example.test".into();
    let answers = serve(&messages);
    for (id, answer) in &answers {
        let expected = if *id == 7 { Outcome::Never } else { Outcome::Sent };
        assert_eq!(answer.outcome, expected, "{id}: {}\n{}", answer.reason, postfix.log());
    }
    let mails = postfix.wait_for("anna", messages.len() - 1);
    for at in (0..messages.len()).filter(|at| *at != 7) {
        let subject = format!("Subject: No {at}.");
        let texts = mails.iter().map(|mail| String::from_utf8_lossy(mail));
        assert_eq!(texts.filter(|text| text.contains(&subject)).count(), 1, "{subject}");
    }
}
