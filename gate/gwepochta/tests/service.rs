//! gwepochta against a service of ours.

use std::time::Duration;

use gatepost_kit::http_sink::{HttpSink, Reply};
use gatepost_kit::tools::free_port;
use host::outcome::{CallFailure, answer_of, document_of};
use host::proof::{Finding, Subject, prove};
use host::{Environment, Limits, Program, run};
use notice::{Answer, Fields, Mask, Outcome, Reach};
use wire::params::xmlparams_text;
use wire::xml::{Document, Element};

const GATE: &str = env!("CARGO_BIN_EXE_gwepochta");

fn answering(status: &'static str) -> HttpSink {
    HttpSink::start(move |_| Reply::ok(format!("<RESPONSE><status>{status}</status></RESPONSE>")))
}

fn program(command: &str) -> Program {
    Program {
        path: GATE.into(),
        args: vec!["--command".into(), command.into()],
        dir: "/".into(),
        environment: Environment::default(),
        limits: Limits::default(),
    }
}

fn params(url: &str) -> Element {
    let fields: Fields = [("login", "bob"), ("password", "p&q"), ("sender", "Я"), ("url", url)]
        .into_iter()
        .collect();
    Element::new("xmlparams").with_text(xmlparams_text(&fields))
}

fn check(url: &str) -> Result<Document, CallFailure> {
    let form = Document::new(Element::new("doc").with_child(params(url))).to_bytes();
    document_of(&run(&program("check_connection"), &form), &Mask::default()).map(|(form, _)| form)
}

fn send(url: &str, phone: &str) -> Answer {
    let root = Element::new("doc")
        .with_child(Element::new("gateway").with_child(params(url)))
        .with_child(Element::new("message").with_text("Привет & <b>"))
        .with_child(Element::new("user").with_child(Element::new("phone").with_text(phone)));
    let ran = run(&program("outgoing"), &Document::new(root).to_bytes());
    answer_of(&ran, &Mask::default())
}

#[test]
fn a_good_account_is_accepted_and_a_bad_one_refused() {
    // S3-46, S3-47, S3-72
    let good = answering("0");
    assert!(check(&good.url("/xml.php")).is_ok());
    assert!(good.requests()[0].body.contains("<operation>BALANCE</operation>"));
    let refused = check(&answering("-1").url("/")).unwrap_err();
    assert!(refused.to_string().contains("login and password"), "{refused}");
}

#[test]
fn a_service_that_can_not_be_reached_is_refused() {
    // S3-73
    let failure = check(&format!("http://127.0.0.1:{}/", free_port())).unwrap_err();
    assert!(matches!(failure, CallFailure::Refused(_)), "{failure}");
}

#[test]
fn a_message_arrives_whole() {
    // S3-75
    let sink = answering("1");
    assert_eq!(send(&sink.url("/"), "+79").outcome, Outcome::Sent);
    let request = Document::parse(sink.requests()[0].body.as_bytes()).unwrap().root;
    assert_eq!(request.child("message").unwrap().child_text("text"), "Привет & <b>");
    assert_eq!(request.child("authentification").unwrap().child_text("password"), "p&q");
}

#[test]
fn each_answer_has_its_outcome() {
    let of = |status| send(&answering(status).url("/"), "+79").outcome;
    assert_eq!(of("-1"), Outcome::Hold);
    assert_eq!(of("-4"), Outcome::Never);
    assert_eq!(of("-50"), Outcome::Later);
    assert_eq!(of("soon"), Outcome::Unknown);
    let away = send(&format!("http://127.0.0.1:{}/", free_port()), "+79");
    assert_eq!((away.outcome, away.reach), (Outcome::Later, Reach::Unreached));
}

#[test]
fn without_a_phone_nothing_is_sent() {
    // S3-77
    let sink = answering("0");
    assert_eq!(send(&sink.url("/"), "").outcome, Outcome::Never);
    assert!(sink.requests().is_empty());
}

#[test]
fn the_contract_holds() {
    let subject = Subject {
        program: GATE.as_ref(),
        params: &Fields::new(),
        environment: Environment::default(),
        deadline: Duration::from_secs(20),
    };
    let report = prove(&subject).unwrap();
    assert!(report.iter().all(Finding::passed), "{report:#?}");
    let hints = report.iter().filter(|finding| finding.verdict == host::proof::Verdict::Hint);
    assert_eq!(hints.count(), 0, "{report:#?}");
}
