//! What is said to the server, and what becomes of its answers.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use gatepost_kit::tools::free_port;

use crate::call::{Message, check, plain};

#[test]
fn a_message_takes_two_round_trips_with_pipelining() {
    let sink = Sink::start();
    let ended = Message::to("a@example.test", plain(sink.port())).send();
    assert_eq!(ended.outcome, "sent", "{}", ended.reason);
    let letters = sink.wait_for(1);
    assert_eq!(letters[0].recipients, ["a@example.test"]);
    assert!(letters[0].sender.starts_with("<notify@example.test> SIZE="), "{}", letters[0].sender);
    let reads = sink.reads();
    let together =
        |parts: &[&str]| reads.iter().any(|read| parts.iter().all(|part| read.contains(part)));
    assert!(together(&["MAIL FROM", "RCPT TO", "DATA"]), "{reads:?}");
    // One write for body and dot.
    assert!(reads.iter().any(|read| read.contains("Subject: Hi") && read.ends_with("\r\n.\r\n")));
}

#[test]
fn a_server_without_extensions_is_served_step_by_step() {
    let sink = Sink::with(&[], vec![Rule::always("EHLO", Act::Reply("502 what?"))]);
    let ended = Message::to("a@example.test", plain(sink.port())).send();
    assert_eq!(ended.outcome, "sent", "{}", ended.reason);
    let lines = sink.lines();
    assert!(lines[1].starts_with("HELO ["), "{lines:?}");
    assert_eq!(lines[2], "MAIL FROM:<notify@example.test>");
    assert!(sink.reads().iter().all(|read| !(read.contains("MAIL") && read.contains("RCPT"))));
}

#[test]
fn every_answer_has_its_outcome() {
    // S3-51: the answer by document; DESIGN 5: the outcomes.
    for (rule, outcome) in [
        (Rule::always("CONNECT", Act::ReplyAndClose("421 too busy")), "later"),
        (Rule::always("CONNECT", Act::ReplyAndClose("554 go away")), "hold"),
        (Rule::always("CONNECT", Act::Close), "unreached"),
        (Rule::always("CONNECT", Act::Reply("HTTP/1.1 400 Bad Request")), "hold"),
        (Rule::always("EHLO", Act::Close), "later"),
        (Rule::always("MAIL", Act::Reply("451 try later")), "later"),
        (Rule::always("MAIL", Act::ReplyAndClose("421 shutting down")), "later"),
        (Rule::always("MAIL", Act::Reply("553 not yours")), "hold"),
        (Rule::always("MAIL", Act::Reply("552 too much")), "never"),
        (Rule::always("RCPT", Act::Reply("450 greylisted")), "later"),
        (Rule::always("RCPT", Act::Reply("550 no such user")), "never"),
        (Rule::always("RCPT", Act::Reply("530 authenticate first")), "hold"),
        (Rule::always("RCPT", Act::Close), "later"),
        (Rule::always("DATA", Act::Reply("452 full")), "later"),
        (Rule::always("DATA", Act::Reply("554 no")), "never"),
        (Rule::always(".", Act::Reply("452 full")), "later"),
        (Rule::always(".", Act::Reply("554 spam")), "never"),
        (Rule::always(".", Act::Close), "unknown"),
        (Rule::always(".", Act::Reply("garbage")), "unknown"),
        (Rule::always("QUIT", Act::Close), "sent"),
    ] {
        let shown = format!("{rule:?}");
        let sink = Sink::with(&["PIPELINING"], vec![rule.clone()]);
        let ended = Message::to("a@example.test", plain(sink.port())).send();
        assert_eq!(ended.outcome, outcome, "{shown}: {}", ended.reason);
        let sink = Sink::with(&[], vec![rule]);
        let ended = Message::to("a@example.test", plain(sink.port())).send();
        assert_eq!(ended.outcome, outcome, "{shown}, step by step: {}", ended.reason);
    }
}

#[test]
fn nobody_there_spends_no_attempt() {
    let ended = Message::to("a@example.test", plain(free_port())).send();
    assert_eq!(ended.outcome, "unreached");
    assert!(ended.reason.contains("can't connect to 127.0.0.1:"), "{}", ended.reason);
}

#[test]
fn a_silent_or_slow_server_is_given_up_in_time() {
    for (when, act, outcome) in [
        ("CONNECT", Act::Silence, "unreached"),
        ("CONNECT", Act::Trickle, "unreached"),
        ("RCPT", Act::Trickle, "later"),
        (".", Act::Silence, "unknown"),
    ] {
        let sink = Sink::with(&["PIPELINING"], vec![Rule::always(when, act)]);
        let mut fields = plain(sink.port());
        fields.push(("timeout_secs", "1".into()));
        let ended = Message::to("a@example.test", fields).send();
        assert_eq!(ended.outcome, outcome, "{when}: {}", ended.reason);
    }
}

/// A server that takes connections and is then as slow as it can be about TLS: it says these bytes, then one
/// every 100 ms, a hundred at most. Tells how many the other end has heard out.
fn slow_about_tls(first: &'static [u8], drips: bool) -> (u16, JoinHandle<usize>) {
    const MOST: usize = 100;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(first).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        for count in 0..MOST {
            let has_gone = match stream.read(&mut [0; 4096]) {
                Ok(bytes) => bytes == 0,
                Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            };
            if has_gone || drips && stream.write_all(&[0]).is_err() {
                return count;
            }
        }
        MOST
    });
    (port, server)
}

#[test]
fn a_tls_handshake_ends_in_time_however_the_server_draws_it_out() {
    // the head of a record of 16 KiB: what drips on may still be a handshake
    let record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc";
    for (first, drips, words) in [
        (&b""[..], false, "the server did not answer in time"),
        (record, true, "the server takes too long"),
    ] {
        let (port, server) = slow_about_tls(first, drips);
        let mut fields = plain(port);
        fields.extend([("security", "tls".into()), ("timeout_secs", "1".into())]);
        let ended = Message::to("a@example.test", fields).send();
        assert_eq!(ended.outcome, "unreached", "{}", ended.reason);
        assert!(ended.reason.contains(words), "{}", ended.reason);
        assert!(server.join().unwrap() < 100, "it was heard out to the end");
    }
}

#[test]
fn the_policy_decides_when_one_of_several_addresses_is_refused() {
    for offers in [&["PIPELINING"][..], &[]] {
        let refuse = || vec![Rule::always("RCPT TO:<bad@", Act::Reply("550 no such user"))];
        let sink = Sink::with(offers, refuse());
        let contact = "a@example.test, bad@example.test, b@example.test";
        let ended = Message::to(contact, plain(sink.port())).send();
        assert_eq!(ended.outcome, "never");
        assert!(ended.reason.contains("bad@example.test"), "{}", ended.reason);
        assert!(sink.letters().is_empty());

        let sink = Sink::with(offers, refuse());
        let mut fields = plain(sink.port());
        fields.push(("partial", "rest".into()));
        let ended = Message::to(contact, fields).send();
        assert_eq!(ended.outcome, "sent", "{}", ended.reason);
        assert_eq!(sink.wait_for(1)[0].recipients, ["a@example.test", "b@example.test"]);
    }
}

#[test]
fn a_server_that_wants_a_message_for_nobody_gets_none() {
    // RFC 2920 3.1: the recipient is refused, DATA accepted all the same.
    let rules = vec![
        Rule::always("RCPT", Act::Reply("550 no such user")),
        Rule::always("DATA", Act::Reply("354 go on")),
    ];
    let sink = Sink::with(&["PIPELINING"], rules);
    let ended = Message::to("a@example.test", plain(sink.port())).send();
    assert_eq!(ended.outcome, "never", "{}", ended.reason);
    assert!(sink.letters().is_empty());
    assert_eq!(sink.reads().last().map(String::as_str), Some("QUIT\r\n"));
    // The lone dot, by itself.
    assert!(sink.reads().iter().any(|read| read == ".\r\n"), "{:?}", sink.reads());

    // A server that refused the sender and wants a message all the same gets nothing more.
    let rules = vec![
        Rule::always("MAIL", Act::Reply("553 not yours")),
        Rule::always("DATA", Act::Reply("354 go on")),
    ];
    let sink = Sink::with(&["PIPELINING"], rules);
    let ended = Message::to("a@example.test", plain(sink.port())).send();
    assert_eq!(ended.outcome, "hold", "{}", ended.reason);
    assert!(sink.letters().is_empty());
    assert_eq!(sink.lines().last().map(String::as_str), Some("DATA"));
}

#[test]
fn an_address_beyond_ascii_needs_smtputf8() {
    let sink = Sink::start();
    let ended = Message::to("почта@пример.рф", plain(sink.port())).send();
    assert_eq!(ended.outcome, "sent", "{}", ended.reason);
    let letter = &sink.wait_for(1)[0];
    assert!(letter.sender.contains(" SMTPUTF8"), "{}", letter.sender);
    assert!(letter.sender.contains(" BODY=8BITMIME"), "{}", letter.sender);
    assert_eq!(letter.recipients, ["почта@xn--e1afmkfd.xn--p1ai"]);
    let old = Sink::with(&["PIPELINING"], vec![]);
    let ended = Message::to("почта@пример.рф", plain(old.port())).send();
    assert_eq!(ended.outcome, "never", "{}", ended.reason);
    let ended = Message::to("info@пример.рф", plain(old.port())).send();
    assert_eq!(ended.outcome, "sent", "a domain alone goes as ASCII: {}", ended.reason);
}

#[test]
fn a_message_over_the_servers_size_is_not_even_begun() {
    let sink = Sink::with(&["SIZE 1000", "PIPELINING"], vec![]);
    let mut message = Message::to("a@example.test", plain(sink.port()));
    message.html = format!("<p>{}</p>", "word ".repeat(1000));
    let ended = message.send();
    assert_eq!(ended.outcome, "never");
    assert!(!sink.lines().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn the_login_is_said_by_what_the_server_offers() {
    for (offer, rules, said) in [
        ("AUTH LOGIN PLAIN", vec![], "AUTH PLAIN AG1lAHAmcSJ4"),
        (
            "AUTH LOGIN",
            vec![
                Rule::once("AUTH LOGIN", Act::Reply("334 VXNlcm5hbWU6")),
                Rule::once("BWU=", Act::Reply("334 UGFzc3dvcmQ6")),
                Rule::once("CCZXING=", Act::Reply("235 welcome")),
            ],
            "cCZxIng=",
        ),
    ] {
        let sink = Sink::with(&[offer, "PIPELINING"], rules);
        let mut fields = plain(sink.port());
        fields.extend([
            ("auth", "password".into()),
            ("login", "me".into()),
            ("password", "p&q\"x".into()),
        ]);
        let ended = Message::to("a@example.test", fields).send();
        assert_eq!(ended.outcome, "sent", "{offer}: {} {:?}", ended.reason, sink.lines());
        assert!(sink.lines().iter().any(|line| line == said), "{:?}", sink.lines());
    }
}

#[test]
fn a_token_is_said_and_its_refusal_holds() {
    let fields = |port| {
        let mut fields = plain(port);
        fields.extend([
            ("auth", "xoauth2".to_owned()),
            ("login", "me@example.test".to_owned()),
            ("token_command", "/bin/echo ya29.token".to_owned()),
        ]);
        fields
    };
    let sink = Sink::with(&["AUTH XOAUTH2"], vec![]);
    assert_eq!(Message::to("a@example.test", fields(sink.port())).send().outcome, "sent");
    let refusing = vec![
        Rule::always("AUTH", Act::Reply("334 eyJzdGF0dXMiOiI0MDEifQ==")),
        Rule::always("", Act::Reply("535 5.7.8 not accepted")),
    ];
    let sink = Sink::with(&["AUTH XOAUTH2"], refusing);
    let ended = Message::to("a@example.test", fields(sink.port())).send();
    assert_eq!(ended.outcome, "hold", "{}", ended.reason);
    assert!(!ended.reason.contains("ya29"), "{}", ended.reason);
    let sink = Sink::with(&["AUTH PLAIN"], vec![]);
    let ended = Message::to("a@example.test", fields(sink.port())).send();
    assert_eq!(ended.outcome, "hold", "{}", ended.reason);
}

#[test]
fn a_check_says_what_is_wrong_and_sends_nothing() {
    // S3-46, S3-47, S3-73
    let sink = Sink::start();
    let mut fields = plain(sink.port());
    fields.push(("return_path", "bounce@example.test".into()));
    assert_eq!(check(&fields), None);
    let lines = sink.lines();
    assert!(lines.contains(&"MAIL FROM:<bounce@example.test>".to_owned()), "{lines:?}");
    assert!(lines.contains(&"RSET".to_owned()), "{lines:?}");
    assert!(sink.letters().is_empty());
    let words = check(&plain(free_port())).expect("refused");
    assert!(words.contains("can't connect"), "{words}");
    let refusing = Sink::with(&[], vec![Rule::always("MAIL", Act::Reply("550 you may not"))]);
    let words = check(&plain(refusing.port())).expect("refused");
    assert!(words.contains("MAIL FROM: 550 you may not"), "{words}");
    let words = check(&[("host", "127.0.0.1".into()), ("port", "x".into())]).expect("refused");
    assert!(words.contains("`port`"), "{words}");
}
