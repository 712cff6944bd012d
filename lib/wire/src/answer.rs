//! What a gate answers to `outgoing`, as an outcome (DESIGN 5, ancestor-facts 1.7).

use notice::{Answer, Outcome, Reach};

use crate::error::ErrorDocument;
use crate::xml::{Document, Element};

/// The outcome a document speaks of: sent without `<error>`; else by its type `never` or `hold`, and
/// every other type is *later*. `unreached` is an extension of ours: the service was never reached,
/// so no attempt is spent. `<reference>` and `<retry_after secs="">` may stand in the root, the
/// latter in the error too.
pub fn read_answer(root: &Element) -> Answer {
    let Some(error) = ErrorDocument::read(root) else {
        return Answer { retry_after_secs: retry_after(root), ..Answer::sent(reference(root)) };
    };
    let reason = error.plain_text();
    let answer = match error.kind.to_ascii_lowercase().as_str() {
        "never" => Answer::not_sent(Outcome::Never, reason),
        "hold" => Answer::not_sent(Outcome::Hold, reason),
        "unreached" => Answer::unreached(reason),
        _ => Answer::not_sent(Outcome::Later, reason),
    };
    let inside = root.child("error").and_then(retry_after);
    Answer { reference: reference(root), retry_after_secs: retry_after(root).or(inside), ..answer }
}

/// What a gate prints for an answer. *Unknown* has no document: a gate that can't tell prints plain
/// text and exits 0.
pub fn answer_to_bytes(answer: &Answer) -> Vec<u8> {
    match answer.outcome {
        Outcome::Unknown => format!("unknown: {}\n", no_tags(&answer.reason)).into(),
        Outcome::Sent | Outcome::Later | Outcome::Never | Outcome::Hold => {
            Document::new(answer_to_element(answer)).to_bytes()
        }
    }
}

/// The root of the document for an answer; *unknown*, which has none, is written with its word.
pub(crate) fn answer_to_element(answer: &Answer) -> Element {
    let kind = match (answer.outcome, answer.reach) {
        (Outcome::Sent, _) => None,
        (Outcome::Later, Reach::Unreached) => Some("unreached"),
        (outcome, _) => Some(outcome.word()),
    };
    let mut root = Element::new("doc");
    if let Some(kind) = kind {
        let error = ErrorDocument::new(kind);
        let said = !answer.reason.is_empty() && answer.reason != kind;
        let error = if said { error.with_text(&answer.reason) } else { error };
        root.push(error.to_element());
    }
    if let Some(reference) = &answer.reference {
        root.push(Element::new("reference").with_text(reference));
    }
    if let Some(secs) = answer.retry_after_secs {
        root.push(Element::new("retry_after").with_attribute("secs", secs.to_string()));
    }
    root
}

fn no_tags(reason: &str) -> String {
    reason.replace('<', "(")
}

fn reference(root: &Element) -> Option<String> {
    let text = root.child_text("reference");
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Seconds, from the attribute or the text, begun ones counted whole; what is no positive number, or none that
/// ends, is as if it were not there.
fn retry_after(element: &Element) -> Option<u32> {
    let child = element.child("retry_after")?;
    let text = child.attribute("secs").map_or_else(|| child.text(), str::to_owned);
    let secs: f64 = text.trim().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive, and what is too large becomes the largest"
    )]
    (secs.is_finite() && secs >= 0.0).then(|| secs.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Answer {
        read_answer(&Document::parse(text.as_bytes()).unwrap().root)
    }

    #[test]
    fn the_type_of_the_error_decides() {
        // S3-51, S3-55
        let later = |reason: &str| Answer::not_sent(Outcome::Later, reason);
        let table = [
            ("<doc/>", Answer::sent(None)),
            ("<doc><anything/></doc>", Answer::sent(None)),
            ("<doc><reference> 77 </reference></doc>", Answer::sent(Some("77".into()))),
            (
                "<doc><error type='never'><msg>no such number</msg></error></doc>",
                Answer::not_sent(Outcome::Never, "no such number"),
            ),
            ("<doc><error type='HOLD'/></doc>", Answer::not_sent(Outcome::Hold, "HOLD")),
            ("<doc><error type='unreached'>refused</error></doc>", Answer::unreached("refused")),
            ("<doc><error type='error'></error></doc>", later("error")),
            ("<doc><error code='6' obj='sms'/></doc>", later("access: sms")),
            ("<error/>", later("error")),
            (
                "<doc><error type='later'>busy<retry_after secs='30'/></error></doc>",
                Answer { retry_after_secs: Some(30), ..later("busy") },
            ),
            (
                "<doc><error type='later'>busy</error><retry_after>9</retry_after></doc>",
                Answer { retry_after_secs: Some(9), ..later("busy") },
            ),
            ("<doc><error>x</error><retry_after secs='-1'/></doc>", later("x")),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_gate_writes_is_read_the_same() {
        let table = [
            Answer::sent(None),
            Answer::sent(Some("a<b".into())),
            Answer::unreached("no route to 10.0.0.1"),
            Answer::not_sent(Outcome::Never, "bad & ugly"),
            Answer::not_sent(Outcome::Hold, "535 <bad> login"),
            Answer { retry_after_secs: Some(60), ..Answer::not_sent(Outcome::Later, "busy") },
            Answer::not_sent(Outcome::Later, "later"),
        ];
        for answer in table {
            let bytes = answer_to_bytes(&answer);
            assert_eq!(read_answer(&Document::parse(&bytes).unwrap().root), answer);
        }
        let unknown =
            answer_to_bytes(&Answer::not_sent(Outcome::Unknown, "lost <doc/> after DATA"));
        assert!(Document::find_in_output(&unknown).is_err());
    }
}
