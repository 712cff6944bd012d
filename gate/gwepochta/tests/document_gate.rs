//! The document's own Go gate, built and run unchanged (S3-69 to S3-78).
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that can't go on ends and one that is not run is heard of; the Go compiler is its own affair"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use gatepost_kit::host::examples;
use gatepost_kit::http_sink::{HttpSink, Reply};
use gatepost_kit::tools::{find, free_port, is_here};
use host::outcome::{CallFailure, answer_of, document_of};
use host::proof::{Finding, Subject, Verdict, prove};
use host::{End, Environment, Limits, Program, Ran, run};
use notice::{Answer, Fields, Mask, Outcome};
use wire::features::Features;
use wire::xml::Document;

/// The gate in a folder of its own, and the service its proxy variables lead to.
struct DocumentGate {
    root: tempfile::TempDir,
    environment: Environment,
}

impl DocumentGate {
    /// None where Go or the examples are missing; then the test says so.
    fn build(proxy: &str) -> Option<Self> {
        let source = examples().map(|folder| folder.join("notification/gwepochta.go"));
        let Some(source) = source else {
            gatepost_kit::tools::skipped("the documents' examples are not here");
            return None;
        };
        if !is_here("go") {
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("var")).unwrap();
        let built = Command::new(find("go").unwrap())
            .args(["build", "-o"])
            .arg(root.path().join("gwepochta"))
            .arg(source)
            .env("GO111MODULE", "off")
            .env("GOCACHE", std::env::temp_dir().join("gatepost-go-cache"))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let environment = Environment::default().with([("HTTP_PROXY", proxy)]);
        Some(Self { root, environment })
    }

    fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let program = Program {
            path: self.root.path().join("gwepochta"),
            args: args.iter().map(Into::into).collect(),
            dir: self.root.path().to_path_buf(),
            environment: self.environment.clone(),
            limits: Limits::default(),
        };
        run(&program, input.as_bytes())
    }

    fn run(&self, command: &str, input: &str) -> Ran {
        self.run_with(&["--command", command], input)
    }

    fn check(&self, xmlparams: &str) -> Result<Document, CallFailure> {
        let form = format!("<doc><xmlparams>{xmlparams}</xmlparams></doc>");
        document_of(&self.run("check_connection", &form), &Mask::default()).map(|(form, _)| form)
    }

    fn send(&self, gateway: &str) -> Answer {
        let input = format!(
            "<doc><gateway><id>1</id>{gateway}</gateway><message>Привет &lt;b&gt; &amp; всё</message>\
             <user><phone>+79123456789</phone></user><project><id>1</id></project></doc>"
        );
        answer_of(&self.run("outgoing", &input), &Mask::default())
    }

    fn log(&self) -> PathBuf {
        self.root.path().join("var/gwepochta.log")
    }
}

const PARAMS: &str = "&lt;?xml version=\"1.0\" encoding=\"UTF-8\"?&gt;&lt;doc&gt;&lt;login&gt;bob&lt;/login&gt;\
                      &lt;password&gt;p&amp;amp;q&lt;/password&gt;&lt;sender&gt;Me&lt;/sender&gt;&lt;/doc&gt;";

fn answering(status: u8) -> HttpSink {
    HttpSink::start(move |_| Reply::ok(format!("<RESPONSE><status>{status}</status></RESPONSE>")))
}

#[test]
fn its_features_are_read() {
    // S3-70: two leading spaces, no declaration, no final newline; without an argument the same.
    let sink = answering(0);
    let Some(gate) = DocumentGate::build(&sink.url("")) else { return };
    let ran = gate.run("features", "");
    assert!(ran.stdout.starts_with(b"  <doc>") && ran.stdout.ends_with(b"</doc>"));
    let features = Features::parse(&ran.stdout).unwrap();
    assert_eq!(features.names, ["formtune", "check_connection", "outgoing"]);
    assert_eq!(features.notify_module.as_deref(), Some("ntsms"));
    for args in [&[][..], &["-command=features"]] {
        assert_eq!(gate.run_with(args, "").stdout, ran.stdout);
    }
}

#[test]
fn what_it_does_not_know_is_no_document() {
    // S3-21, S3-70
    let sink = answering(0);
    let Some(gate) = DocumentGate::build(&sink.url("")) else { return };
    let ran = gate.run("ingoing", "<doc/>");
    assert_eq!((ran.end.clone(), ran.stdout.len()), (End::Exited(0), 0));
    assert!(document_of(&ran, &Mask::default()).is_err());
    let ran = gate.run_with(&["--unheard"], "");
    assert_eq!(ran.end, End::Exited(2));
    assert!(!ran.stderr_tail.is_empty());
}

#[test]
fn its_formtune_gives_the_form_back_byte_for_byte() {
    // S3-71
    let sink = answering(0);
    let Some(gate) = DocumentGate::build(&sink.url("")) else { return };
    let form = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n<doc lang='ru'>\r\n<a>\tЁ &amp; x</a></doc> ";
    assert_eq!(gate.run("formtune", form).stdout, form.as_bytes());
}

#[test]
fn its_check_connection_is_accepted_and_refused() {
    // S3-69, S3-72
    let sink = answering(0);
    let Some(gate) = DocumentGate::build(&sink.url("")) else { return };
    assert!(gate.check(PARAMS).is_ok());
    let request = &sink.requests()[0];
    assert!(request.target.starts_with("http://api.myatompark.com/"), "{}", request.target);
    assert!(request.body.contains("<operation>BALANCE</operation>"));
    let sink = answering(1);
    let gate = DocumentGate::build(&sink.url("")).unwrap();
    assert!(matches!(gate.check(PARAMS), Err(CallFailure::Refused(_))));
}

#[test]
fn its_silence_is_no_success_of_check_connection() {
    // S3-74
    let sink = answering(0);
    let Some(gate) = DocumentGate::build(&sink.url("")) else { return };
    let failure = gate.check("login=bob").unwrap_err();
    assert!(failure.to_string().contains("unsupported format"), "{failure}");
}

#[test]
fn its_echo_without_a_network_can_not_be_told_from_a_success() {
    // S3-73: the document's own slip.
    let Some(gate) = DocumentGate::build(&format!("http://127.0.0.1:{}", free_port())) else {
        return;
    };
    assert!(gate.check(PARAMS).is_ok());
}

#[test]
fn its_message_arrives_and_its_silence_is_sent() {
    // S3-51, S3-75, S3-76
    let sink = answering(0);
    let Some(gate) = DocumentGate::build(&sink.url("")) else { return };
    let answer = gate.send(&format!("<xmlparams>{PARAMS}</xmlparams>"));
    assert_eq!(answer.outcome, Outcome::Sent);
    let request = &sink.requests()[0];
    assert_eq!(request.header("content-type"), "image/jpeg");
    let root = Document::parse(request.body.as_bytes()).unwrap().root;
    let at = |outer: &str, inner: &str| root.child(outer).unwrap().child_text(inner);
    assert_eq!(at("operations", "operation"), "SEND");
    assert_eq!(at("authentification", "username"), "bob");
    assert_eq!(at("authentification", "password"), "p&q");
    assert_eq!(at("message", "text"), "Привет <b> & всё");
    assert_eq!(at("message", "sender"), "Me");
    assert_eq!(at("numbers", "number"), "+79123456789");
    // It logs the whole input, relative to its working directory.
    assert!(fs::read_to_string(gate.log()).unwrap().contains("Привет"));
}

#[test]
fn it_keeps_the_contract_and_its_untruths_are_hinted_at() {
    let Some(gate) = DocumentGate::build("") else { return };
    let subject = Subject {
        program: &gate.root.path().join("gwepochta"),
        params: &Fields::new(),
        environment: Environment::default(),
        deadline: Duration::from_secs(20),
    };
    let report = prove(&subject).unwrap();
    assert!(report.iter().all(Finding::passed), "{report:#?}");
    let hinted =
        |check: &str| report.iter().any(|it| it.check == check && it.verdict == Verdict::Hint);
    // S3-73, S3-74, S3-77
    for check in [
        "check_connection, nothing reachable",
        "check_connection, unreadable fields",
        "no phone",
        "service answers 503",
        "service breaks off",
        "half a document",
    ] {
        assert!(hinted(check), "{check}: {report:#?}");
    }
}
