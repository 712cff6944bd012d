//! gwfile as a program.

use std::fs;
use std::path::Path;
use std::time::Duration;

use host::outcome::{answer_of, document_of};
use host::proof::{Finding, Subject, prove};
use host::{Environment, Limits, Program, Ran, run};
use notice::{Fields, Mask, Outcome};
use wire::params::xmlparams_text;
use wire::xml::{Document, Element};

const GATE: &str = env!("CARGO_BIN_EXE_gwfile");

fn call(root: &Path, command: &str, input: &[u8]) -> Ran {
    let program = Program {
        path: GATE.into(),
        args: vec!["--command".into(), command.into()],
        dir: root.to_path_buf(),
        environment: Environment::default(),
        limits: Limits::default(),
    };
    run(&program, input)
}

fn message(params: &[(&str, &str)], key: &str) -> Vec<u8> {
    let params: Fields = params.iter().copied().collect();
    let params = Element::new("xmlparams").with_text(xmlparams_text(&params));
    let task = Element::new("task").with_attribute("id", "7").with_attribute("key", key);
    let root = Element::new("doc")
        .with_child(task.with_attribute("attempt", "2"))
        .with_child(Element::new("gateway").with_child(params))
        .with_child(Element::new("message").with_text("Привет\n\"b\""));
    Document::new(root).to_bytes()
}

#[test]
fn each_message_has_its_file_and_none_leaves_the_folder() {
    let root = tempfile::tempdir().unwrap();
    let input = message(&[("folder", "var/sent")], "../../k/1");
    let answer = answer_of(&call(root.path(), "outgoing", &input), &Mask::default());
    assert_eq!(answer.reference.as_deref(), Some("______k_1.2.txt"));
    let written = fs::read_to_string(root.path().join("var/sent/______k_1.2.txt")).unwrap();
    assert!(written.ends_with("\n\nПривет\n\"b\"\n\n"), "{written}");
    assert_eq!(fs::read_dir(root.path().join("var/sent")).unwrap().count(), 1);
}

#[test]
fn one_file_takes_every_message_as_a_line() {
    let root = tempfile::tempdir().unwrap();
    let input = message(&[("file", "var/all"), ("format", "json")], "k");
    for _ in 0..2 {
        assert_eq!(
            answer_of(&call(root.path(), "outgoing", &input), &Mask::default()).outcome,
            Outcome::Sent
        );
    }
    let written = fs::read_to_string(root.path().join("var/all")).unwrap();
    assert_eq!(
        written.lines().filter(|line| line.contains(r#""message":"Привет\n\"b\"""#)).count(),
        2
    );
}

#[test]
fn a_place_that_can_not_be_written_holds_the_gateway() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("taken"), "").unwrap();
    for params in [
        &[("folder", "taken/in")][..],
        &[("file", "taken/in")],
        &[],
        &[("format", "x"), ("file", "f")],
    ] {
        let answer =
            answer_of(&call(root.path(), "outgoing", &message(params, "k")), &Mask::default());
        assert_eq!(answer.outcome, Outcome::Hold, "{params:?}: {}", answer.reason);
    }
    let form = "<doc><xmlparams>&lt;doc&gt;&lt;folder&gt;taken/in&lt;/folder&gt;&lt;/doc&gt;</xmlparams></doc>";
    assert!(
        document_of(&call(root.path(), "check_connection", form.as_bytes()), &Mask::default())
            .is_err()
    );
}

#[test]
fn the_manual_is_printed() {
    let root = tempfile::tempdir().unwrap();
    let ran = call(root.path(), "features", b"");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("outgoing"));
    let program = Program {
        path: GATE.into(),
        args: vec!["--help".into()],
        dir: root.path().to_path_buf(),
        environment: Environment::default(),
        limits: Limits::default(),
    };
    assert!(run(&program, b"").stdout.starts_with(b"gwfile - writes messages"));
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
}
