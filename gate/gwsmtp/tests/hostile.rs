//! What must not get through: to the server, to the message, to another machine.

use std::net::TcpListener;

use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use wire::outgoing::Attachment;

use crate::call::{Message, gate, plain};

#[test]
fn no_text_can_add_a_header_or_a_recipient() {
    const EVIL: &str =
        "x\r\nBcc: evil@example.test\r\n\r\nbody\n.\r\nMAIL FROM:<evil@example.test>";
    let spoil: [fn(&mut Message); 7] = [
        |message| message.subject = EVIL.into(),
        |message| message.realname = EVIL.into(),
        |message| message.project_name = EVIL.into(),
        |message| message.headers = vec![("X-Note".into(), EVIL.into())],
        |message| message.headers = vec![("List-Unsubscribe".into(), EVIL.into())],
        |message| message.text = Some(format!("{EVIL}\r\n.\r\nRCPT TO:<evil@example.test>\r\n")),
        |message| message.key = EVIL.into(),
    ];
    for (at, spoil) in spoil.iter().enumerate() {
        let sink = Sink::start();
        let mut message = Message::to("a@example.test", plain(sink.port()));
        spoil(&mut message);
        let ended = message.send();
        assert_eq!(ended.outcome, "sent", "{at}: {}", ended.reason);
        let letters = sink.wait_for(1);
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].recipients, ["a@example.test"], "{at}");
        let text = letters[0].text();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{at}: {head}");
        assert!(!sink.lines().iter().any(|line| line.contains("evil")), "{at}: {:?}", sink.lines());
    }
}

#[test]
fn a_contact_or_header_name_that_is_none_is_refused() {
    let sink = Sink::start();
    for contact in ["a@b>\r\nRCPT TO:<evil@x", "a@b\nBcc: c@d", "nobody", " , "] {
        let ended = Message::to(contact, plain(sink.port())).send();
        assert_eq!(ended.outcome, "never", "{contact:?}: {}", ended.reason);
    }
    for name in ["Bcc", "from", "X-A: b\r\nBcc", "Content-Type", "", "a b"] {
        let mut message = Message::to("a@example.test", plain(sink.port()));
        message.headers = vec![(name.into(), "x".into())];
        assert_eq!(message.send().outcome, "never", "{name:?}");
    }
    assert!(sink.letters().is_empty());
}

#[test]
fn nothing_is_sent_in_the_clear_to_another_machine() {
    let mut fields = plain(25);
    // TEST-NET-1: nobody is asked, the settings alone decide.
    fields[0] = ("host", "192.0.2.1".into());
    let ended = Message::to("a@example.test", fields).send();
    assert_eq!(ended.outcome, "hold");
    assert!(ended.reason.contains("must use TLS"), "{}", ended.reason);
}

#[test]
fn a_stripped_starttls_is_no_reason_to_go_without() {
    for rules in [vec![], vec![Rule::always("STARTTLS", Act::Reply("454 not now"))]] {
        let offers: &[&str] =
            if rules.is_empty() { &["AUTH PLAIN"] } else { &["STARTTLS", "AUTH PLAIN"] };
        let sink = Sink::with(offers, rules);
        let mut fields = plain(sink.port());
        fields.extend([
            ("security", "starttls".into()),
            ("auth", "password".into()),
            ("login", "me".into()),
            ("password", "s3cret".into()),
        ]);
        let ended = Message::to("a@example.test", fields).send();
        assert!(
            ["hold", "later"].contains(&&*ended.outcome),
            "{}: {}",
            ended.outcome,
            ended.reason
        );
        assert!(
            !sink.lines().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"))
        );
    }
}

#[test]
fn words_smuggled_in_before_tls_are_not_listened_to() {
    // CVE-2011-0411
    let injected = "220 ready\r\n250 this is no answer of a server under TLS";
    let sink = Sink::with(&["STARTTLS"], vec![Rule::always("STARTTLS", Act::Reply(injected))]);
    let mut fields = plain(sink.port());
    fields.push(("security", "starttls".into()));
    let ended = Message::to("a@example.test", fields).send();
    assert_eq!(ended.outcome, "hold", "{}", ended.reason);
}

#[test]
fn a_server_that_speaks_no_tls_at_all_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 plain text here\r\n").unwrap();
        let _ = stream.read(&mut [0; 4096]);
    });
    let mut fields = plain(port);
    fields.push(("security", "tls".into()));
    let ended = Message::to("a@example.test", fields).send();
    server.join().unwrap();
    assert_eq!(ended.outcome, "hold", "{}", ended.reason);
}

#[test]
fn an_attachment_from_elsewhere_is_refused() {
    let sink = Sink::start();
    let gate = gate();
    std::fs::write(gate.root().join("secret.key"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", gate.root().join("var/attach/link")).unwrap();
    std::os::unix::fs::symlink("../..", gate.root().join("var/attach/folder")).unwrap();
    std::fs::create_dir(gate.root().join("var/attach/sub")).unwrap();
    for (path, outcome) in [
        ("/etc/passwd", "never"),
        ("var/attach/../../secret.key", "never"),
        ("secret.key", "never"),
        ("var/attach/link", "never"),
        ("var/attach/folder/secret.key", "never"),
        ("var/attach/sub", "never"),
        ("var/attach/gone", "later"),
    ] {
        let mut message = Message::to("a@example.test", plain(sink.port()));
        message.attachments = vec![Attachment { path: path.into(), ..Attachment::default() }];
        let ended = message.send_by(&gate);
        assert_eq!(ended.outcome, outcome, "{path}: {}", ended.reason);
    }
    assert!(sink.letters().is_empty());
}

#[test]
fn a_secret_is_in_no_error() {
    let sink = Sink::with(&["AUTH PLAIN"], vec![Rule::always("AUTH", Act::Reply("535 no"))]);
    let mut fields = plain(sink.port());
    fields.extend([
        ("auth", "password".into()),
        ("login", "me".into()),
        ("password", "hidden-s3cret".into()),
    ]);
    let ended = Message::to("a@example.test", fields).send();
    assert_eq!(ended.outcome, "hold");
    assert!(!ended.reason.contains("hidden-s3cret"), "{}", ended.reason);
}
