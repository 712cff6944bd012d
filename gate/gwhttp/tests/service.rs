//! gwhttp against services of ours.
#![expect(clippy::unwrap_used, reason = "a test that can't go on ends")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use gatepost_kit::certificates::Certificates;
use gatepost_kit::http_sink::{HttpSink, Reply};
use gatepost_kit::tools::{free_port, is_here};
use host::outcome::{CallFailure, answer_of, document_of};
use host::proof::{Subject, Verdict, prove};
use host::{Environment, Limits, Program, run};
use notice::{Answer, Fields, Mask, Outcome, Reach};
use wire::outgoing::{Outgoing, Phone, TaskAttributes};
use wire::params::xmlparams_text;
use wire::serve::{self, FromGate};
use wire::xml::{Document, Element};

const GATE: &str = env!("CARGO_BIN_EXE_gwhttp");

/// What no template may let out of its place.
const HOSTILE: &str = "a&b=1 <x> \"q\" ]]> \\ {token}\nДа 😀";

fn program(command: &str, environment: &Environment) -> Program {
    Program {
        path: GATE.into(),
        args: vec!["--command".into(), command.into()],
        dir: "/".into(),
        environment: environment.clone(),
        limits: Limits::default(),
    }
}

fn params(fields: &[(&str, &str)]) -> Element {
    let all =
        [("token", "tok-Secret"), ("login", "bob"), ("password", "p&q"), ("sender", "Me & Co")];
    let all: Fields = all.iter().chain(fields).copied().collect();
    Element::new("xmlparams").with_text(xmlparams_text(&all))
}

fn send_in(environment: &Environment, fields: &[(&str, &str)]) -> Answer {
    let task =
        Element::new("task").with_attribute("key", "k-1").with_attribute("phone", "+79123456789");
    let root = Element::new("doc")
        .with_child(task)
        .with_child(Element::new("gateway").with_child(params(fields)))
        .with_child(Element::new("message").with_text(HOSTILE))
        .with_child(Element::new("user").with_child(Element::new("phone").with_text("8 912")));
    let ran = run(&program("outgoing", environment), &Document::new(root).to_bytes());
    assert!(!String::from_utf8_lossy(&ran.stdout).contains("tok-Secret"));
    answer_of(&ran, &Mask::default())
}

fn send(fields: &[(&str, &str)]) -> Answer {
    send_in(&Environment::default(), fields)
}

fn check(fields: &[(&str, &str)]) -> Result<Document, CallFailure> {
    let form = Document::new(Element::new("doc").with_child(params(fields))).to_bytes();
    let ran = run(&program("check_connection", &Environment::default()), &form);
    document_of(&ran, &Mask::default()).map(|(form, _)| form)
}

#[test]
fn a_hostile_text_stays_in_its_place_in_every_body() {
    let sink = HttpSink::start(|_| Reply::ok(r#"{"id":"m-5"}"#));
    let url = sink.url("/send?to={phone}&m={message}");
    let json = r#"{"to":"{phone}","m":"{message}","n":{task.segments}}"#;
    let answer = send(&[("url", &url), ("body", json), ("auth", "bearer"), ("reference", "id")]);
    assert_eq!((answer.outcome, answer.reference.as_deref()), (Outcome::Sent, Some("m-5")));
    send(&[
        ("url", &url),
        ("content_type", "form"),
        ("body", "m={message}&to={phone}"),
        ("auth", "basic"),
    ]);
    send(&[("url", &url), ("content_type", "xml"), ("body", "<m a=\"{phone}\">{message}</m>")]);
    send(&[
        ("url", &url),
        ("content_type", "text"),
        ("body", "{message}"),
        ("headers", "X-Text: {message}"),
    ]);
    send(&[("url", &url), ("method", "get")]);
    let requests = sink.requests();
    assert_eq!(requests.len(), 5);
    let body: serde_json::Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!((body["m"].as_str(), body["to"].as_str()), (Some(HOSTILE), Some("+79123456789")));
    assert_eq!(requests[0].header("authorization"), "Bearer tok-Secret");
    assert_eq!(requests[1].header("authorization"), "Basic Ym9iOnAmcQ==");
    assert_eq!(requests[1].body.matches('&').count(), 1);
    let xml = Document::parse(requests[2].body.as_bytes()).unwrap().root;
    assert_eq!(xml.text(), HOSTILE);
    assert_eq!(requests[3].body, HOSTILE);
    assert_eq!(requests[4].method, "GET");
    for request in &requests {
        assert_eq!(request.target.matches('&').count(), 1, "{}", request.target);
        assert!(request.target.ends_with("%F0%9F%98%80"), "{}", request.target);
    }
}

#[test]
fn an_answer_is_read_by_the_fields() {
    let sink = HttpSink::start(|request| match request.target.as_str() {
        "/busy" => Reply::status(429, "").with_header("Retry-After", "33"),
        "/moved" => Reply::status(302, "").with_header("Location", "https://new.example/"),
        "/code" => Reply::ok(r#"{"status":"error","code":7}"#),
        _ => Reply::status(401, "who are you"),
    });
    let busy = send(&[("url", &sink.url("/busy"))]);
    assert_eq!((busy.outcome, busy.retry_after_secs), (Outcome::Later, Some(33)));
    let moved = send(&[("url", &sink.url("/moved"))]);
    assert_eq!(moved.outcome, Outcome::Hold);
    assert!(moved.reason.contains("https://new.example/"), "{}", moved.reason);
    assert_eq!(send(&[("url", &sink.url("/denied"))]).outcome, Outcome::Hold);
    let code = sink.url("/code");
    let success = ("success", "json status = ok");
    assert_eq!(send(&[("url", &code), success]).outcome, Outcome::Later);
    assert_eq!(
        send(&[("url", &code), success, ("never", "json code = 7")]).outcome,
        Outcome::Never
    );
}

#[test]
fn what_was_never_reached_spends_no_attempt() {
    let answer = send(&[("url", &format!("http://127.0.0.1:{}/?t={{token}}", free_port()))]);
    assert_eq!(
        (answer.outcome, answer.reach),
        (Outcome::Later, Reach::Unreached),
        "{}",
        answer.reason
    );
}

/// A server that reads a request and then ends the connection, or keeps it open for ever.
fn mute(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
            if answer != "keep" {
                continue;
            }
            kept.push(stream);
        }
    });
    url
}

#[test]
fn after_the_request_was_written_nobody_can_tell() {
    // S3-55
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf"] {
        let answer = send(&[("url", &mute(answer))]);
        assert_eq!(answer.outcome, Outcome::Unknown, "{}", answer.reason);
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let answer = send(&[("url", &url), ("timeout_secs", "1")]);
    assert_eq!(answer.outcome, Outcome::Unknown);
    assert!(answer.reason.contains("in time"), "{}", answer.reason);
}

#[test]
fn a_proxy_is_used_in_either_spelling() {
    // S3-69
    for name in ["http_proxy", "HTTP_PROXY"] {
        let proxy = HttpSink::start(|_| Reply::ok(""));
        let environment = Environment::default().with([(name, proxy.url(""))]);
        let answer = send_in(&environment, &[("url", "http://sms.example/send")]);
        assert_eq!(answer.outcome, Outcome::Sent, "{name}: {}", answer.reason);
        assert_eq!(proxy.requests()[0].target, "http://sms.example/send");
    }
}

#[test]
fn check_connection_tells_the_truth() {
    // S3-73
    let sink = HttpSink::start(|request| match request.target.as_str() {
        "/balance?t=tok-Secret" => Reply::ok(r#"{"balance":5}"#),
        "/" => Reply::ok(""),
        _ => Reply::status(403, "no"),
    });
    let url = sink.url("/send");
    assert!(check(&[("url", &url)]).is_ok());
    assert_eq!(sink.requests()[0].method, "HEAD");
    let balance = sink.url("/balance?t={token}");
    let test = ("check_success", "json balance");
    assert!(check(&[("url", &url), ("check_url", &balance), test]).is_ok());
    for fields in [
        &[("url", url.as_str()), ("check_url", &sink.url("/balance?t=wrong")), test][..],
        &[("url", &format!("http://127.0.0.1:{}/", free_port()))],
        &[("url", &url), ("body", r#"{"m":{message}}"#)],
        &[("url", &url), ("body", "{phne}")],
        &[("url", "ftp://x/")],
        &[("url", "")],
    ] {
        let failure = check(fields).unwrap_err();
        assert!(matches!(failure, CallFailure::Refused(_)), "{fields:?}: {failure}");
        assert!(!failure.to_string().contains("tok-Secret"), "{failure}");
    }
    let failure =
        check(&[("url", &url), ("ca_file", "/nowhere.pem"), ("check_url", "https://x.example/")]);
    assert!(failure.unwrap_err().to_string().contains("/nowhere.pem"));
}

#[test]
fn a_certificate_counts_only_when_it_is_trusted() {
    if !is_here("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let (port, served) = tls_server(&certificates);
    let url = format!("https://localhost:{port}/");
    let ca_file = certificates.authority.to_str().unwrap();
    let distrusted = send(&[("url", &url)]);
    assert_eq!(distrusted.reach, Reach::Unreached, "{}", distrusted.reason);
    let trusted = send(&[("url", &url), ("method", "GET"), ("ca_file", ca_file)]);
    assert_eq!(trusted.outcome, Outcome::Sent, "{}", trusted.reason);
    drop(served);
}

/// `openssl s_server` that answers every request; killed when dropped.
struct Served(host::Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.tell(host::Signal::Kill);
    }
}

fn tls_server(certificates: &Certificates) -> (u16, Served) {
    let port = free_port();
    let text = |path: &std::path::Path| path.to_str().unwrap_or_default().to_owned();
    let args = [
        "s_server".to_owned(),
        "-accept".to_owned(),
        format!("127.0.0.1:{port}"),
        "-cert".to_owned(),
        text(&certificates.certificate),
        "-key".to_owned(),
        text(&certificates.key),
        "-www".to_owned(),
        "-quiet".to_owned(),
    ];
    let program = Program {
        path: gatepost_kit::tools::find("openssl").unwrap_or_default(),
        args: args.iter().map(Into::into).collect(),
        ..program("features", &Environment::default())
    };
    let streams = host::Streams {
        stdin: host::Stream::Piped,
        stdout: host::Stream::Nothing,
        stderr: host::Stream::Nothing,
    };
    let child = host::spawn(&program, streams).map(Served);
    let child = child.unwrap_or_else(|why| panic!("{why}"));
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(gatepost_kit::tools::comes_true(Duration::from_secs(10), listens));
    (port, child)
}

/// A host's end of serve mode.
struct Kept {
    child: host::Child,
    stdin: std::process::ChildStdin,
    stdout: std::process::ChildStdout,
}

impl Kept {
    fn start(fields: &[(&str, &str)]) -> Self {
        let (stdin, stdout) = (host::Stream::Piped, host::Stream::Piped);
        let streams = host::Streams { stdin, stdout, stderr: host::Stream::Inherited };
        let mut child = host::spawn(&program("serve", &Environment::default()), streams).unwrap();
        let mut stdin = child.take_stdin().unwrap();
        let mut frame = Vec::new();
        let params = xmlparams_text(&fields.iter().copied().collect());
        serve::append_configure(&mut frame, (&Fields::new(), &params), &Fields::new()).unwrap();
        stdin.write_all(&frame).unwrap();
        let stdout = child.take_stdout().unwrap();
        Self { child, stdin, stdout }
    }

    fn send(&mut self, id: u64) {
        let none = Fields::new();
        let phone = Phone { number: "+79123456789".into(), ..Phone::default() };
        let task = TaskAttributes {
            id: notice::TaskId(1),
            key: "k",
            attempt: 1,
            maybe_sent: false,
            phone: Some(&phone),
        };
        let outgoing = Outgoing {
            gateway: &none,
            xmlparams: "",
            message: "m",
            subject: "",
            text: None,
            headers: &[],
            attachments: &[],
            user_xml: "",
            project: &none,
            task,
        };
        let mut frame = Vec::new();
        let of = serve::ProjectOf::Gateway;
        serve::append_outgoing(&mut frame, id, (&outgoing, of, serve::TextForm::Sections)).unwrap();
        self.stdin.write_all(&frame).unwrap();
    }

    fn answer(&mut self) -> (u64, Answer) {
        match FromGate::read(&mut self.stdout).unwrap().unwrap() {
            FromGate::Answer(id, answer) => (id, answer),
            FromGate::Ping => panic!("nobody asked"),
        }
    }

    fn leave(self) {
        drop(self.stdin);
        assert_eq!(self.child.finish(Duration::from_secs(20)), host::End::Exited(0));
    }
}

/// Every request waits until as many have come as the gate takes at once.
#[test]
fn a_kept_gate_sends_a_whole_window_at_once() {
    let all = Arc::new(Barrier::new(64));
    let waits = Arc::clone(&all);
    let sink = HttpSink::start(move |_| {
        waits.wait();
        Reply::ok(r#"{"id":"m-5"}"#)
    });
    let mut kept = Kept::start(&[("url", &sink.url("/")), ("reference", "id")]);
    (0..64).for_each(|id| kept.send(id));
    let answers: std::collections::BTreeMap<_, _> = (0..64).map(|_| kept.answer()).collect();
    assert_eq!(answers.len(), 64);
    assert!(answers.values().all(|answer| answer.reference.as_deref() == Some("m-5")));
    kept.leave();
}

/// A service on one connection; how many were opened.
#[test]
fn connections_are_kept_and_a_pause_the_service_asks_for_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let service = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut requests = 0;
        while stream.read(&mut [0; 4096]).unwrap() > 0 {
            requests += 1;
            let status = if requests == 3 { "429 Busy\r\nRetry-After: 8" } else { "200 OK" };
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(reply.as_bytes()).unwrap();
        }
        requests
    });
    let mut kept = Kept::start(&[("url", &url), ("method", "GET")]);
    let answers: Vec<_> = (0..5)
        .map(|id| {
            kept.send(id);
            kept.answer().1
        })
        .collect();
    kept.leave();
    assert_eq!(service.join().unwrap(), 5);
    assert_eq!((answers[2].outcome, answers[2].retry_after_secs), (Outcome::Later, Some(8)));
    assert_eq!(answers.iter().filter(|it| it.outcome == Outcome::Sent).count(), 4);
}

#[test]
fn the_contract_holds() {
    let body = r#"{"to":"{phone}","text":"{message}"}"#;
    let fields =
        [("body", body), ("url", "{proof_url}"), ("reference", "id"), ("timeout_secs", "3")];
    let fields: Fields = fields.into_iter().collect();
    let subject = Subject {
        program: GATE.as_ref(),
        params: &fields,
        environment: Environment::default(),
        deadline: Duration::from_secs(20),
    };
    let report = prove(&subject).unwrap();
    let rest: Vec<_> = report.iter().filter(|it| it.verdict != Verdict::Passed).collect();
    assert!(rest.is_empty(), "{rest:#?}");
}
