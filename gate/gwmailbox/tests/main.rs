//! gwmailbox as a whole program, against a real Dovecot, and with Postfix for a real bounce.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says so")]

use gatepost_kit::dovecot::Dovecot;
use gatepost_kit::gate::GateCall;
use gatepost_kit::postfix::{PASSWORD, Postfix};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use gatepost_kit::tools;
use notice::Fields;
use wire::answer::read_answer;
use wire::form::{Description, Descriptions, FormDocument, FormRequest, Occasion};
use wire::ingoing::{IngoingReply, ReceiptState, ingoing_input};
use wire::params::xmlparams_text;
use wire::xml::{Document, Element};

type Pairs = Vec<(&'static str, String)>;

fn gate() -> GateCall {
    GateCall::of(env!("CARGO_BIN_EXE_gwmailbox"))
}

fn fields(dovecot: &Dovecot, user: &str, more: &[(&'static str, &str)]) -> Pairs {
    let mut fields: Pairs = vec![
        ("host", "localhost".into()),
        ("port", dovecot.tls_port.to_string()),
        ("auth", "password".into()),
        ("login", user.into()),
        ("password", PASSWORD.into()),
        ("ca_file", dovecot.authority().to_str().unwrap().to_owned()),
        ("timeout_secs", "5".into()),
    ];
    for (name, text) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, (*text).to_owned()));
    }
    fields
}

fn xmlparams(fields: &Pairs) -> String {
    xmlparams_text(&fields.iter().map(|(name, text)| (*name, text.clone())).collect::<Fields>())
}

fn run(fields: &Pairs, stored: &[&str]) -> (IngoingReply, String) {
    let row: Fields = [("id", "4")].into_iter().collect();
    let stored: Vec<String> = stored.iter().map(|uid| (*uid).to_owned()).collect();
    let ran = gate().run("ingoing", &ingoing_input(&row, &xmlparams(fields), &stored)).ended(0);
    (IngoingReply::read(ran.stdout.as_bytes()), ran.stderr)
}

/// Uids and sources.
fn fetched(fields: &Pairs, stored: &[&str]) -> Vec<(String, Vec<u8>)> {
    let (reply, stderr) = run(fields, stored);
    assert_eq!(reply.failure, None, "{stderr}");
    let of = |message: wire::ingoing::IncomingMessage| (message.uid.unwrap(), message.source);
    reply.ingoing.messages.into_iter().map(of).collect()
}

fn check(fields: &Pairs) -> Option<String> {
    let form =
        Element::new("doc").with_child(Element::new("xmlparams").with_text(xmlparams(fields)));
    let input = Document::new(form).to_bytes();
    let ran = gate().run("check_connection", &input);
    if ran.stdout.as_bytes() == input {
        return None;
    }
    Some(read_answer(&Document::parse(ran.stdout.as_bytes()).unwrap().root).reason)
}

fn mail(number: usize, body: &[u8]) -> Vec<u8> {
    let mut mail = format!("From: a@b\nSubject: message {number}\n\n").into_bytes();
    mail.extend_from_slice(body);
    mail
}

/// Dovecot shows CRLF lines whatever the file holds.
fn crlf(mail: &[u8]) -> Vec<u8> {
    mail.iter()
        .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
        .collect()
}

#[test]
fn only_what_was_stored_is_deleted_or_marked() {
    // S3-52, S3-53
    let Some(dovecot) = Dovecot::start(&[("anna", PASSWORD), ("boris", PASSWORD)]) else { return };
    let mails = [mail(1, b"plain\n"), mail(2, b"\xcf\xf0\xe8 \x01\n"), mail(3, b"]]> & <b>\n")];
    for (user, after) in [("anna", "delete"), ("boris", "seen")] {
        assert_eq!(fetched(&fields(&dovecot, user, &[("after", after)]), &[]), []);
        for mail in &mails {
            dovecot.deliver(user, mail);
        }
        let fields = fields(&dovecot, user, &[("after", after)]);
        let first = fetched(&fields, &[]);
        let sources: Vec<_> = first.iter().map(|(_, source)| source.clone()).collect();
        assert_eq!(sources, mails.iter().map(|mail| crlf(mail)).collect::<Vec<_>>());
        assert_eq!(first, fetched(&fields, &[]), "a run changes nothing, and names stay");
        let stored: Vec<&str> = first[..2].iter().map(|(uid, _)| uid.as_str()).collect();
        assert_eq!(fetched(&fields, &stored), first[2..], "{after}");
        assert_eq!(dovecot.messages(user).len(), if after == "delete" { 1 } else { 3 });
        // Names of another life of the folder mean nothing.
        assert_eq!(fetched(&fields, &["1-3", "junk", ""]), first[2..]);
    }
}

#[test]
fn a_run_is_bounded_in_number_and_size() {
    let Some(dovecot) = Dovecot::start(&[("anna", PASSWORD)]) else { return };
    dovecot.deliver("anna", &mail(0, &b"x".repeat(3000)));
    for number in 1..=5 {
        dovecot.deliver("anna", &mail(number, b"small\n"));
    }
    let fields = fields(&dovecot, "anna", &[("batch", "2"), ("max_size_kb", "2")]);
    let (reply, stderr) = run(&fields, &[]);
    assert_eq!(reply.ingoing.messages.len(), 2);
    assert!(stderr.contains("1 messages over 2 kB stay in INBOX"), "{stderr}");
    assert_eq!(dovecot.messages("anna").len(), 6);
}

#[test]
fn a_check_tells_what_is_wrong() {
    // S3-46, S3-47
    let Some(dovecot) = Dovecot::start(&[("anna", PASSWORD)]) else { return };
    let port = dovecot.port.to_string();
    for (more, words) in [
        (&[][..], ""),
        (&[("security", "starttls"), ("port", &port)], ""),
        (&[("security", "none"), ("port", &port)], ""),
        (&[("password", "wrong")], "login: "),
        (&[("folder", "Nowhere")], "folder Nowhere: "),
        (&[("ca_file", "")], "TLS with localhost"),
        (&[("host", "192.0.2.1"), ("security", "none")], "must use TLS"),
        (&[("auth", "none")], "`auth`"),
        (&[("batch", "0")], "`batch`"),
        (&[("auth", "xoauth2"), ("token_command", "/bin/echo t")], "AUTH=XOAUTH2"),
    ] {
        let said = check(&fields(&dovecot, "anna", more)).unwrap_or_default();
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{more:?}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
    assert!(dovecot.messages("anna").is_empty());
}

#[test]
fn a_server_that_is_none_is_told_apart() {
    let closed = tools::free_port();
    let smtp = Sink::start();
    let silent = Sink::with(&[], vec![Rule::always("CONNECT", Act::Silence)]);
    for (port, security, words) in [
        (closed, "none", "can't connect"),
        (smtp.port(), "starttls", "that is no IMAP server"),
        (smtp.port(), "none", ""),
        (silent.port(), "none", "did not answer in time"),
        (silent.port(), "starttls", "did not answer in time"),
    ] {
        let fields: Pairs = vec![
            ("host", "127.0.0.1".into()),
            ("port", port.to_string()),
            ("security", security.into()),
            ("auth", "password".into()),
            ("login", "a".into()),
            ("password", "hidden".into()),
            ("timeout_secs", "1".into()),
        ];
        let said = check(&fields).expect("refused");
        assert!(said.contains(words), "{security}: {said}");
        assert!(!smtp.lines().iter().any(|line| line.contains("hidden")));
    }
}

#[test]
fn a_real_bounce_gives_a_receipt() {
    let Some(postfix) = Postfix::start() else { return };
    let script = format!(
        "import smtplib\ns = smtplib.SMTP('127.0.0.1', {})\n\
         s.sendmail('notify@example.test', ['bounced@example.test'], \
         'From: notify@example.test\\r\\nMessage-ID: <abc.1@example.test>\\r\\n\\r\\nx\\r\\n')\ns.quit()",
        postfix.port
    );
    tools::run("/usr/bin/python3", &["-c", &script]);
    postfix.wait_for("notify", 1);
    let (reply, stderr) = run(&fields(&postfix.imap, "notify", &[]), &[]);
    assert_eq!(reply.failure, None, "{stderr}");
    let receipts: Vec<_> =
        reply.ingoing.receipts.iter().map(|receipt| (&*receipt.reference, receipt.state)).collect();
    assert_eq!(receipts, [("abc.1@example.test", ReceiptState::Failed)]);
    assert_eq!(reply.ingoing.messages.len(), 1);
}

#[test]
fn the_form_asks_for_what_the_gate_reads_in_both_languages() {
    // S3-62, S3-63, S3-65
    let file = include_bytes!("../../../etc/xml/gatepost_mod_gwmailbox.xml");
    let mut descriptions = Descriptions::default();
    descriptions.add(Description::parse(file).unwrap());
    for lang in ["en", "ru"] {
        let request = FormRequest {
            func: "gateway.gwmailbox",
            lang,
            occasion: Occasion::New,
            metadata: &["gateway.gwmailbox"],
            values: &Fields::new(),
        };
        let form = FormDocument::build(&request, &descriptions).into_document();
        let ran = gate().run("formtune", &form.to_bytes()).ended(0);
        let form = FormDocument::from_document(Document::parse(ran.stdout.as_bytes()).unwrap());
        assert_eq!((form.value("security"), form.value("after")), ("tls".into(), "delete".into()));
        for control in form.form().controls() {
            assert!(form.message(&control.name).is_some(), "{lang}: {}", control.name);
            assert!(form.hint(&control.name).is_some(), "{lang}: hint_{}", control.name);
            for choice in form.choices(&control.name).unwrap_or_default() {
                assert_ne!(choice.key, choice.label, "{lang}");
            }
        }
        let problems = |auth: &str| -> Vec<String> {
            let values = [("host", "h"), ("login", "l"), ("auth", auth)].into_iter().collect();
            form.problems(&values).into_iter().map(|problem| problem.name).collect()
        };
        assert_eq!(problems("password"), ["password"]);
        assert_eq!(problems("xoauth2"), ["token_command"]);
    }
}

/// An IMAP server that answers each command with what `answers` has for the first word that fits, `TAG`
/// replaced; then it hangs up.
fn imap_server(
    answers: &'static [(&'static str, &'static str)],
) -> (u16, std::thread::JoinHandle<()>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let _ = stream.write_all(b"* OK ready\r\n");
        let mut line = String::new();
        while matches!(lines.read_line(&mut line), Ok(1..)) {
            let (tag, command) = line.trim_end().split_once(' ').unwrap_or_default();
            let Some((_, answer)) = answers.iter().find(|(when, _)| command.starts_with(when))
            else {
                return;
            };
            let _ = stream.write_all(answer.replace("TAG", tag).as_bytes());
            if answer.ends_with("...") {
                // Without end, as far as the other end reads.
                while stream.write_all(&[b'x'; 8_192]).is_ok() {}
                return;
            }
            line.clear();
        }
    });
    (port, server)
}

macro_rules! server {
    ($fetch:literal) => {
        &[
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"),
            ("LOGIN", "TAG OK\r\n"),
            ("SELECT", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\nTAG OK\r\n"),
            ("UID SEARCH", "* SEARCH 1\r\nTAG OK\r\n"),
            ("UID FETCH 1 (UID RFC822.SIZE)", "* 1 FETCH (UID 1 RFC822.SIZE 5)\r\nTAG OK\r\n"),
            ("UID FETCH", $fetch),
        ]
    };
}

#[test]
fn a_hostile_server_ends_a_run_and_invents_no_message() {
    let servers: [&'static [(&'static str, &'static str)]; 6] = [
        server!("* 1 FETCH (UID 1 BODY[] {99999999}\r\n..."),
        server!("* 1 FETCH (UID 1 BODY[] {5}\r\nab"),
        server!("* 1 FETCH (UID 1 BODY[] {18446744073709551615}\r\nab)\r\nTAG OK\r\n"),
        server!("* 1 FETCH (UID 99999999999999 BODY[] \"x\")\r\nTAG OK\r\n"),
        server!("\0\u{ff}garbage\r\nTAG NO\r\n"),
        server!("* BYE enough\r\n"),
    ];
    for (at, answers) in servers.into_iter().enumerate() {
        let (port, server) = imap_server(answers);
        let fields: Pairs = vec![
            ("host", "127.0.0.1".into()),
            ("port", port.to_string()),
            ("security", "none".into()),
            ("auth", "password".into()),
            ("login", "a".into()),
            ("password", "hidden".into()),
            ("timeout_secs", "1".into()),
        ];
        let (reply, stderr) = run(&fields, &[]);
        assert!(reply.failure.is_some(), "{at}: {reply:?} {stderr}");
        assert!(reply.ingoing.messages.is_empty(), "{at}");
        server.join().unwrap();
    }
}
