//! The commands that send nothing.

use notice::Mask;
use wire::features::{self, Features};
use wire::ingoing::IngoingReply;
use wire::xml::Document;

use super::Verdict::{Failed, Hint, Passed};
use super::bench::{Bench, World};
use super::{Finding, inputs};
use crate::outcome::{CallFailure, document_of, end_in_words};
use crate::{End, Ran};

/// Names a gate may list and we know.
const KNOWN: [&str; 7] =
    ["outgoing", "ingoing", "formtune", "check_connection", "parallel", "serve", features::CDATA];

/// S3-43, S3-21: without a readable answer nothing else is ever asked.
pub(super) fn features(bench: &Bench) -> (Finding, Option<Features>) {
    const CHECK: &str = "features";
    let ran = bench.run("features", b"", World::Live);
    let read = document_of(&ran, &Mask::default()).map_err(|failure| failure.to_string());
    let read = read.and_then(|(document, notes)| {
        let features = Features::parse(&document.to_bytes()).map_err(|error| error.to_string())?;
        Ok((features, notes))
    });
    let (features, notes) = match read {
        Ok(read) => read,
        Err(why) => {
            return (
                Finding::new(CHECK, Failed, format!("{why}: the gate would not be used")),
                None,
            );
        }
    };
    let listed = format!("{} in {} ms", features.names.join(", "), ran.took.as_millis());
    let odd: Vec<&str> =
        features.names.iter().map(String::as_str).filter(|name| !KNOWN.contains(name)).collect();
    let finding = if features.names.is_empty() {
        Finding::new(CHECK, Failed, "lists nothing: list at least outgoing or ingoing")
    } else if !odd.is_empty() {
        Finding::new(CHECK, Hint, format!("{listed}; nobody asks for {}", odd.join(", ")))
    } else if !notes.is_empty() {
        Finding::new(CHECK, Hint, format!("{listed}; {}", notes.join("; ")))
    } else {
        let module = features.notify_module.as_deref().unwrap_or("every module");
        Finding::new(CHECK, Passed, format!("{listed}, for {module}"))
    };
    (finding, Some(features))
}

/// S3-70: an unknown command must end, and must not look like a success of something.
pub(super) fn unknown_command(bench: &Bench) -> Finding {
    const CHECK: &str = "unknown command";
    let ran = bench.run("proof_unheard_of", b"<doc/>", World::Live);
    match (&ran.end, document_of(&ran, &Mask::default())) {
        (End::Exited(_), Ok(_)) => Finding::new(
            CHECK,
            Hint,
            "is answered with a document; better: nothing, and exit code 64",
        ),
        (End::Exited(code), Err(_)) => Finding::new(CHECK, Passed, format!("ends with {code}")),
        _ => Finding::new(CHECK, Failed, format!("does not end by itself: {}", end_in_words(&ran))),
    }
}

/// S3-45: the form, changed or not.
pub(super) fn formtune(bench: &Bench) -> Vec<Finding> {
    let form = inputs::form(bench, World::Live);
    let ran = bench.run("formtune", &form, World::Live);
    let full = match document_of(&ran, &Mask::default()) {
        Err(failure) => Finding::new("formtune", Failed, failure.to_string()),
        Ok(_) if ran.stdout == form => {
            Finding::new("formtune", Passed, "hands the form back byte for byte")
        }
        Ok((tuned, _)) => tuned_form(&tuned),
    };
    let ran = bench.run("formtune", b"<doc></doc>", World::Live);
    let empty = match document_of(&ran, &Mask::default()) {
        Ok(_) => Finding::new("formtune of an empty form", Passed, "is a document"),
        Err(failure) => Finding::new("formtune of an empty form", Failed, failure.to_string()),
    };
    vec![full, empty]
}

fn tuned_form(tuned: &Document) -> Finding {
    let kept = tuned.root.child_text("proof_mark") == "a & <b> Ё"
        && tuned.root.child("metadata").is_some();
    if kept {
        return Finding::new(
            "formtune",
            Passed,
            "hands a changed form back, and keeps what it does not know",
        );
    }
    let words = "loses parts of the form: what it prints replaces the form, so print what you do not know too";
    Finding::new("formtune", Failed, words)
}

/// S3-46, S3-47, S3-73, S3-74.
pub(super) fn check_connection(bench: &Bench) -> Vec<Finding> {
    let live = bench.run("check_connection", &inputs::form(bench, World::Live), World::Live);
    let dead = bench.run("check_connection", &inputs::form(bench, World::Dead), World::Dead);
    let broken = bench.run("check_connection", &inputs::broken_form(), World::Live);
    bench.service.take_requests();
    vec![live_check(&live), dead_check(&dead), broken_check(&broken)]
}

fn live_check(ran: &Ran) -> Finding {
    const CHECK: &str = "check_connection, service answers";
    match document_of(ran, &Mask::default()) {
        Ok(_) => Finding::new(CHECK, Passed, "is accepted"),
        Err(CallFailure::Refused(error)) => {
            let words =
                format!("is refused: {}; give the gate's fields as NAME=VALUE", error.plain_text());
            Finding::new(CHECK, Hint, words)
        }
        Err(other) => {
            Finding::new(CHECK, Failed, format!("{other}: print the form, or an error document"))
        }
    }
}

fn dead_check(ran: &Ran) -> Finding {
    const CHECK: &str = "check_connection, nothing reachable";
    match document_of(ran, &Mask::default()) {
        Ok(_) => Finding::new(
            CHECK,
            Hint,
            "is accepted: if the gate needs a network, a failure to connect must be an error document",
        ),
        Err(CallFailure::Refused(error)) => {
            Finding::new(CHECK, Passed, format!("is refused: {}", error.plain_text()))
        }
        Err(other) => Finding::new(CHECK, Failed, format!("{other}: print an error document")),
    }
}

fn broken_check(ran: &Ran) -> Finding {
    const CHECK: &str = "check_connection, unreadable fields";
    match (document_of(ran, &Mask::default()), &ran.end) {
        (Err(CallFailure::Refused(error)), _) => {
            Finding::new(CHECK, Passed, format!("is refused: {}", error.plain_text()))
        }
        (Ok(_), _) => {
            Finding::new(CHECK, Hint, "is accepted: a form that can't be read is no good one")
        }
        (Err(_), End::Exited(_)) => Finding::new(
            CHECK,
            Hint,
            "gives no document, read as a refusal; an error document says why",
        ),
        (Err(other), _) => Finding::new(CHECK, Failed, other.to_string()),
    }
}

/// S3-52: messages, `<ok/>`, or an error document.
pub(super) fn ingoing(bench: &Bench) -> Finding {
    const CHECK: &str = "ingoing";
    let ran = bench.run("ingoing", &inputs::ingoing(bench), World::Live);
    let reply = IngoingReply::read(&ran.stdout);
    match (document_of(&ran, &Mask::default()), reply.failure) {
        (Ok(_), None) => {
            let count = reply.ingoing.messages.len();
            let words =
                format!("brings {count} messages, {} receipts", reply.ingoing.receipts.len());
            Finding::new(CHECK, Passed, words)
        }
        (Err(CallFailure::Refused(error)), _) => Finding::new(
            CHECK,
            Passed,
            format!("says why there is nothing: {}", error.plain_text()),
        ),
        (Err(other), _) => Finding::new(CHECK, Failed, other.to_string()),
        (Ok(_), Some(failure)) => Finding::new(CHECK, Failed, failure.to_string()),
    }
}
