//! gwsmtp in serve mode under a worker: each mail once over few connections. Where the server or the worker dies, what
//! is unknown may come twice, and nothing else.

use crate::judge::{Case, Played, enter, judge};
use crate::stage::{CONNECTIONS, LONG, Stage};
use gatepost_kit::ledger::{DROPPED, DeliveryPath, repeats};
use gatepost_kit::smtp_sink::{Act, Rule};
use std::collections::BTreeSet;

const PROCESS: [&str; 3] = ["--command", "process", "--force"];

#[test]
fn each_mail_goes_out_once_through_one_child_and_few_connections() {
    let stage = Stage::mailing(0);
    // a file of its own: links of other tests come and go, and each change of a gate asks for another child
    stage.host.unshare("gate/gwsmtp");
    let messages = 300;
    stage.queue(1, messages);
    stage.host.process("ntemail").ended(0);
    assert_eq!(stage.unfinished(), 0);
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &BTreeSet::new() };
    let verdict = judge(&case);
    assert!(verdict.is_kept() && verdict.doubled == 0, "{verdict:?}");
    assert_eq!(stage.number("SELECT count(*) FROM notifylog WHERE outcome='sent'"), 300);
    // On a machine that stands still one may go home idle, and another come.
    let connections = stage.sink().connections();
    assert!(connections < 5 * CONNECTIONS, "{connections}");
    let log = stage.host.read("var/gatepost.log");
    assert!(log.contains(": served 300 messages in "), "{log}");
}

#[test]
fn a_server_that_fails_in_the_middle_of_a_row_doubles_just_what_is_unknown() {
    let stage = Stage::mailing(0);
    let each = 200;
    for round in 0..repeats() {
        stage.sink().follow(vec![
            Rule::once_after(10, ".", Act::Close),
            Rule::once_after(10, ".", Act::Reply("451 not now")),
            Rule::once_after(10, ".", Act::AnswerAndClose),
            Rule::once_after(15, "MAIL", Act::ReplyAndClose("421 enough")),
            Rule::once_after(40, "MAIL", Act::Close),
            Rule::once_after(20, "RCPT", Act::Close),
            Rule::once_after(30, "DATA", Act::Close),
            Rule::once_after(25, "DATA", Act::AnswerAndClose),
        ]);
        let before = stage.unknown().len();
        stage.queue(round * each + 1, each);
        stage.drain();
        // The two whose dot was there, and the one that was said to a server that had gone.
        let unknown = stage.unknown().len() - before;
        assert!((1..=3).contains(&unknown), "{:?}", stage.unknown());
    }
    let messages = repeats() * each;
    let case = Case { messages, ledger: &stage.ledger(), in_doubt: &stage.unknown() };
    let rounds = repeats() * 8;
    let verdict = enter(&Played { path: DeliveryPath::Smtp, point: DROPPED, rounds }, &case);
    assert!(verdict.is_kept(), "{verdict:?}");
}

#[test]
fn a_worker_killed_over_a_mail_server_doubles_no_more_than_it_had_in_hand() {
    let stage = Stage::mailing(0);
    let messages = 600;
    stage.queue(1, messages);
    let mut in_doubt = BTreeSet::new();
    for round in 1..=3 {
        let mut worker = stage.host.start("notify/ntemail", &PROCESS);
        stage.wait_for_entries(round * 100);
        worker.signal("KILL");
        worker.wait(LONG);
        in_doubt.extend(stage.in_doubt());
        stage.let_gates_leave();
    }
    stage.drain();
    let verdict = judge(&Case { messages, ledger: &stage.ledger(), in_doubt: &in_doubt });
    assert!(verdict.is_kept(), "{verdict:?}");
}
