//! gwsmtp in serve mode under a worker: each mail once over few connections. Where the server or the worker dies, what
//! is unknown may come twice, and nothing else.

use crate::stage::{LONG, Stage};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use std::collections::BTreeMap;

const PROCESS: [&str; 3] = ["--command", "process", "--force"];
const CONNECTIONS: usize = 4;

fn stage(sink: &Sink) -> Stage {
    let stage = Stage::new();
    let (port, most) = (format!("port={}", sink.port()), format!("max_connections={CONNECTIONS}"));
    let relay = ["gateway", "add", "gwsmtp", "project=1", "name=relay", "host=127.0.0.1", &port];
    stage.host.gatepost(&[&relay[..], &["security=none", &most]].concat()).ended(0);
    stage
}

/// How often each contact has its mail. A mail that came twice says by its Message-ID that it is the same.
fn arrivals(sink: &Sink) -> BTreeMap<String, usize> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for letter in sink.letters() {
        let [contact] = &letter.recipients[..] else { panic!("{:?}", letter.recipients) };
        let text = letter.text();
        let id = text.lines().find(|line| line.starts_with("Message-ID: ")).unwrap();
        all.entry(contact.clone()).or_default().push(id.to_owned());
    }
    for (contact, ids) in &all {
        assert!(ids.iter().all(|id| *id == ids[0]), "{contact}: {ids:?}");
    }
    all.into_iter().map(|(contact, ids)| (contact, ids.len())).collect()
}

fn assert_all_came(arrivals: &BTreeMap<String, usize>, messages: u32) {
    let lost: Vec<String> = (1..=messages)
        .map(|number| format!("u{number}@example.com"))
        .filter(|contact| !arrivals.contains_key(contact))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

#[test]
fn each_mail_goes_out_once_through_one_child_and_few_connections() {
    let sink = Sink::start();
    let stage = stage(&sink);
    let messages = 300;
    stage.queue(1, messages);
    stage.host.process("ntemail").ended(0);
    assert_eq!(stage.unfinished(), 0);
    let arrivals = arrivals(&sink);
    assert_all_came(&arrivals, messages);
    assert!(arrivals.values().all(|times| *times == 1), "{arrivals:?}");
    assert_eq!(stage.number("SELECT count(*) FROM notifylog WHERE outcome='sent'"), 300);
    // On a machine that stands still one may go home idle, and another come.
    assert!(sink.connections() < 5 * CONNECTIONS, "{}", sink.connections());
    assert!(stage.host.read("var/gatepost.log").contains(": served 300 messages in "));
}

#[test]
fn a_server_that_fails_in_the_middle_of_a_row_doubles_just_what_is_unknown() {
    let sink = Sink::start();
    let stage = stage(&sink);
    sink.follow(vec![
        Rule::once_after(10, ".", Act::Close),
        Rule::once_after(10, ".", Act::Reply("451 not now")),
        Rule::once_after(10, ".", Act::AnswerAndClose),
        Rule::once_after(15, "MAIL", Act::ReplyAndClose("421 enough")),
        Rule::once_after(40, "MAIL", Act::Close),
        Rule::once_after(20, "RCPT", Act::Close),
        Rule::once_after(30, "DATA", Act::Close),
        Rule::once_after(25, "DATA", Act::AnswerAndClose),
    ]);
    let messages = 200;
    stage.queue(1, messages);
    stage.drain();
    let arrivals = arrivals(&sink);
    assert_all_came(&arrivals, messages);
    let unknown = stage.host.sql("SELECT contact FROM notifylog WHERE outcome='unknown'");
    let unknown: Vec<&str> = unknown.lines().collect();
    for (contact, times) in &arrivals {
        let in_doubt = unknown.iter().filter(|one| *one == contact).count();
        assert!(*times <= 1 + in_doubt, "{contact} came {times} times, unknown: {unknown:?}");
    }
    // The two whose dot was there, and the one that was said to a server that had gone.
    assert!((1..=3).contains(&unknown.len()), "{unknown:?}");
}

#[test]
fn a_worker_killed_over_a_mail_server_doubles_no_more_than_it_had_in_hand() {
    let sink = Sink::start();
    let stage = stage(&sink);
    let messages = 600;
    stage.queue(1, messages);
    let mut in_doubt = 0;
    for round in 1..=3 {
        let mut worker = stage.host.start("notify/ntemail", &PROCESS);
        sink.wait_for(round * 100);
        worker.signal("KILL");
        worker.wait(LONG);
        in_doubt += stage.in_doubt().len();
        sink.wait_until_left();
    }
    stage.drain();
    let arrivals = arrivals(&sink);
    assert_all_came(&arrivals, messages);
    let doubled: usize = arrivals.values().map(|times| times - 1).sum();
    assert!(doubled <= in_doubt, "{doubled} came twice, {in_doubt} were in doubt");
}
