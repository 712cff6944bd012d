//! The service's requests and answers.

use gatepost_gate::{Document, Element, Failure};

/// Who asks.
pub(crate) struct Account<'a> {
    pub(crate) login: &'a str,
    pub(crate) password: &'a str,
}

/// What is asked.
pub(crate) enum Operation<'a> {
    /// What is left on the account: it needs the same rights as sending, and sends nothing.
    Balance,
    /// One text to one number.
    Send { sender: &'a str, number: &'a str, text: &'a str },
}

impl Operation<'_> {
    /// The request as the documents print it, `authentification` included (S3-75).
    pub(crate) fn request(&self, account: &Account<'_>) -> Vec<u8> {
        let (name, sender, number, text) = match self {
            Self::Balance => ("BALANCE", "", "", ""),
            Self::Send { sender, number, text } => ("SEND", *sender, *number, *text),
        };
        let of = |name: &str, text: &str| Element::new(name).with_text(text);
        let root = Element::new("SMS")
            .with_child(Element::new("operations").with_child(of("operation", name)))
            .with_child(
                Element::new("authentification")
                    .with_child(of("username", account.login))
                    .with_child(of("password", account.password)),
            )
            .with_child(
                Element::new("message")
                    .with_child(of("text", text))
                    .with_child(of("sender", sender)),
            )
            .with_child(Element::new("numbers").with_child(of("number", number)));
        Document::new(root).to_bytes()
    }
}

/// What the answer's `RESPONSE/status` means: 0 is success (S3-72); to a message the service also answers
/// with the number of parts it took.
pub(crate) fn status_of(operation: &Operation<'_>, answer: &[u8]) -> Result<(), Failure> {
    let root = match Document::find_in_output(answer) {
        Ok(found) => found.document.root,
        Err(error) => {
            return Err(Failure::unknown(format!("the service's answer can't be read: {error}")));
        }
    };
    let status = root.child_text("status").trim().parse::<i64>();
    let Ok(status) = status else {
        return Err(Failure::unknown("the service's answer holds no status"));
    };
    match status {
        0 => Ok(()),
        1.. if matches!(operation, Operation::Send { .. }) => Ok(()),
        -1 => Err(Failure::hold("the service refuses login and password (-1)")),
        -2 => Err(Failure::never("the service can't read the request (-2)")),
        -3 => Err(Failure::hold("no credits are left on the account (-3)")),
        -4 => Err(Failure::never("the service takes no such number (-4)")),
        -7 => Err(Failure::hold("the service refuses the sender's name (-7)")),
        other => Err(Failure::later(format!("the service answered {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use gatepost_gate::FailureKind;

    use super::*;

    #[test]
    fn a_request_has_the_printed_shape() {
        // S3-75
        let account = Account { login: "bob", password: "p&q" };
        let send = Operation::Send { sender: "Я", number: "+79", text: "a < b ]]>\nПривет" };
        let root = Document::parse(&send.request(&account)).unwrap().root;
        let at = |outer: &str, inner: &str| root.child(outer).unwrap().child_text(inner);
        assert_eq!(root.name, "SMS");
        assert_eq!(at("operations", "operation"), "SEND");
        assert_eq!(at("authentification", "username"), "bob");
        assert_eq!(at("authentification", "password"), "p&q");
        assert_eq!(at("message", "text"), "a < b ]]>\nПривет");
        assert_eq!(at("message", "sender"), "Я");
        assert_eq!(at("numbers", "number"), "+79");
    }

    #[test]
    fn each_status_has_its_outcome() {
        let send = Operation::Send { sender: "", number: "", text: "" };
        let answer = |status: &str| format!("<RESPONSE><status>{status}</status></RESPONSE>");
        let of = |status: &str| status_of(&send, answer(status).as_bytes());
        assert!(of("0").is_ok() && of(" 1 ").is_ok());
        let balance = |status: &str| status_of(&Operation::Balance, answer(status).as_bytes());
        assert!(balance("0").is_ok() && balance("1").is_err());
        let table = [
            ("-1", FailureKind::Hold),
            ("-2", FailureKind::Never),
            ("-3", FailureKind::Hold),
            ("-4", FailureKind::Never),
            ("-7", FailureKind::Hold),
            ("-99", FailureKind::Later),
            ("", FailureKind::Unknown),
        ];
        for (status, kind) in table {
            assert_eq!(of(status).unwrap_err().kind, kind, "{status}");
        }
        assert_eq!(status_of(&send, b"<html><body>").unwrap_err().kind, FailureKind::Unknown);
    }
}
