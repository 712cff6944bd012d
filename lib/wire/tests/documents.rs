//! Whole documents: those of the contracts' own text where a copy is at hand, and our equivalents
//! always.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test asks the environment where the documents are"
)]

use std::io::Write;
use std::path::{Path, PathBuf};

use gatepost_wire::features::Features;
use gatepost_wire::form::{Description, Descriptions, FormDocument, FormRequest, Mark, Occasion};
use gatepost_wire::ingoing::IngoingReply;
use gatepost_wire::outgoing::OutgoingMessage;
use gatepost_wire::xml::Document;

fn own(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of the documents' own examples: `GATEPOST_EXAMPLES`, else beside the repository.
fn shared_folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/spec/examples");
    let folder = std::env::var_os("GATEPOST_EXAMPLES").map_or_else(|| beside.into(), PathBuf::from);
    folder.join("notification").is_dir().then_some(folder)
}

/// Runs a check over our equivalent, and over the shared document if it is there.
fn both(own_name: &str, shared_name: &str, check: impl Fn(&[u8])) {
    check(&own(own_name));
    match shared_folder() {
        Some(folder) => {
            check(&std::fs::read(folder.join(shared_name)).unwrap());
            println!("{shared_name}: 1 own, 1 shared");
        }
        None => skipped(shared_name),
    }
}

fn skipped(name: &str) {
    let why = "own documents only (GATEPOST_EXAMPLES names the folder of the documents' own)";
    let _ = writeln!(std::io::stderr(), "SKIPPED: {name}: {why}");
}

#[test]
fn features_of_a_gate() {
    // S3-43, S3-70
    both("gate-features.xml", "notification/gate-features.xml", |bytes| {
        let features = Features::parse(bytes).unwrap();
        for name in ["outgoing", "formtune", "check_connection"] {
            assert!(features.has(name), "{name}");
        }
        assert!(features.notify_module.is_some() && features.contact_type.is_none());
    });
}

#[test]
fn features_of_a_module() {
    // S3-36, S3-37, S3-38
    both("notify-features.xml", "notification/notify-features.xml", |bytes| {
        let features = Features::parse(bytes).unwrap();
        assert!(features.contact_type.is_some() && features.notify_module.is_none());
        assert!(features.names.is_empty() || features.names == ["html", "sms", "call"]);
    });
}

#[test]
fn the_description_of_a_gate_gives_its_form() {
    // S3-61 to S3-67, S3-78
    both("gatepost_mod_gwsample.xml", "notification/billmgr_mod_gwepochta.xml", |bytes| {
        let description = Description::parse(bytes).unwrap();
        let gate = description.plugins[0].name.clone();
        assert_eq!(description.plugins[0].groups, ["gateway"]);
        let mut all = Descriptions::default();
        all.add(description);
        let settings = format!("gateway.{gate}");
        let request = FormRequest {
            func: "gateway.edit",
            lang: "en",
            occasion: Occasion::New,
            metadata: &["gateway.edit", &settings],
            values: &notice::Fields::new(),
        };
        let form = FormDocument::build(&request, &all);
        let names: Vec<_> = form.form().controls().map(|control| control.name.clone()).collect();
        assert_eq!(names, ["login", "password", "sender"]);
        assert!(form.form().controls().all(|control| control.is(Mark::Required)));
        assert_eq!(form.form().identifier().unwrap().name, "login");
        // S3-66: the messages are there in `ru` alone.
        assert_ne!(form.label("login"), "login");
        assert_eq!(form.label("nothing"), "nothing");
        assert_ne!(all.gate_caption(&gate, "en"), gate);
        let problems = form.problems(&notice::Fields::new());
        assert_eq!(problems.len(), 3);
    });
}

#[test]
fn every_description_survives_reading_and_writing() {
    // S3-67, S0-11, S0-24: comments between and after elements, handlers as unknown siblings.
    let mut documents = vec![own("gatepost_mod_gwsample.xml"), own("gatepost_mod_handlers.xml")];
    let own_count = documents.len();
    if let Some(folder) = shared_folder() {
        for name in [
            "notification/billmgr_mod_gwepochta.xml",
            "event-handlers/billmgr_mod_samba.xml",
            "event-handlers/billmgr_mod_test.xml",
        ] {
            documents.push(std::fs::read(folder.join(name)).unwrap());
        }
        for name in ["event-handlers/samba-useredit.xml", "event-handlers/desktop-event.xml"] {
            let fragment = std::fs::read(folder.join(name)).unwrap();
            documents.push([b"<mgrdata>", &fragment[..], b"</mgrdata>"].concat());
        }
    } else {
        skipped("descriptions");
    }
    println!("descriptions: {own_count} own, {} shared", documents.len() - own_count);
    for bytes in documents {
        Description::parse(&bytes).unwrap();
        let document = Document::parse(&bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let body =
            text.split_once("?>").filter(|_| text.starts_with("<?xml")).map_or(&*text, |(_, b)| b);
        let written = String::from_utf8(document.to_bytes()).unwrap();
        let written_body = written.split_once("?>").unwrap().1;
        assert_eq!(written_body.trim(), body.trim());
    }
}

#[test]
fn the_input_of_outgoing() {
    // S3-49, S3-50, S3-75
    both("outgoing-input.xml", "notification/outgoing-input.template.xml", |bytes| {
        let root = Document::parse(bytes).unwrap().root;
        if root.child("gateway").is_some_and(|gateway| gateway.child("param").is_some()) {
            // The template has prose where xmlparams stand: a clear refusal, no panic.
            assert!(OutgoingMessage::read(&root).is_err());
            return;
        }
        let message = OutgoingMessage::read(&root).unwrap();
        assert_eq!(
            (message.param("id"), message.param("login"), message.param("sender")),
            ("3", "p&q", "Имя")
        );
        assert_eq!(message.message, "Привет, <мир> ]]> &");
        assert_eq!(message.phone(), "+7 912 345-67-89");
        assert_eq!(message.project.text("name"), "Hosting");
    });
}

#[test]
fn the_output_of_ingoing() {
    // S3-52, S3-53
    both("ingoing-output.xml", "notification/ingoing-output.template.xml", |bytes| {
        let reply = IngoingReply::read(bytes);
        assert_eq!(reply.failure, None);
        assert_eq!(reply.ingoing.messages.len(), 2);
        if reply.ingoing.messages[0].uid.is_some() {
            assert_eq!(
                reply.ingoing.messages[0].source,
                b"From: a@example.com\nSubject: one\n\ntext <1>"
            );
            assert_eq!(
                reply.ingoing.messages[1].source,
                b"From: b@example.com\r\nSubject: two\r\n\r\ntext"
            );
            assert_eq!(reply.ingoing.receipts[0].reference, "r-1");
        } else {
            assert_eq!(reply.ingoing.messages[0].source, b"source text");
        }
    });
}
