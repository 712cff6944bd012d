//! From what went wrong to what the queue does about it (DESIGN 5). Decided here and nowhere else.

use gatepost_gate::Failure;

use crate::trouble::{Step, Trouble};

/// - 4xx anywhere: later.
/// - 5xx to a recipient, to DATA or to the message: never. The address or the text is at fault.
/// - 5xx before that (greeting, TLS, AUTH, MAIL FROM): hold. The gateway is at fault; but 552 to MAIL
///   FROM is the message's size: never. 530 anywhere says that AUTH is missing: hold.
/// - 503 to a recipient, to DATA or to the message: later. The session went wrong, not the message.
/// - No connection: unreached. A connection lost before the dot: later. After it: unknown.
pub(crate) fn failure_of(trouble: &Trouble) -> Failure {
    let text = trouble.to_string();
    match trouble {
        Trouble::Channel(error) if error.unreached() => Failure::unreached(text),
        Trouble::Lost { step: Step::Greeting, .. } | Trouble::NoThread(_) => {
            Failure::unreached(text)
        }
        Trouble::Channel(_)
        | Trouble::Lacks(_)
        | Trouble::Nonsense { step: Step::Greeting, .. } => Failure::hold(text),
        Trouble::Refused { step, reply, .. } => refused(*step, reply.code, text),
        Trouble::Lost { .. } | Trouble::Nonsense { .. } | Trouble::OutOfTurn { .. } => {
            Failure::later(text)
        }
        Trouble::Doubt(_) => Failure::unknown(text),
        Trouble::TooLarge { .. } | Trouble::NeedsUtf8(_) => Failure::never(text),
    }
}

fn refused(step: Step, code: u16, text: String) -> Failure {
    match (step, code) {
        (_, 400..500) | (Step::Recipient | Step::Data | Step::Content, 503) => Failure::later(text),
        (_, 530 | 538) => Failure::hold(text),
        (Step::Sender, 552) | (Step::Recipient | Step::Data | Step::Content, _) => {
            Failure::never(text)
        }
        (
            Step::Greeting
            | Step::Hello
            | Step::StartTls
            | Step::Auth
            | Step::Sender
            | Step::Between,
            _,
        ) => Failure::hold(text),
    }
}

#[cfg(test)]
mod tests {
    use gatepost_gate::FailureKind;

    use super::*;
    use crate::reply::Reply;

    #[test]
    fn each_refusal_has_its_outcome() {
        for (step, code, kind) in [
            (Step::Greeting, 421, FailureKind::Later),
            (Step::Greeting, 554, FailureKind::Hold),
            (Step::Auth, 454, FailureKind::Later),
            (Step::Auth, 535, FailureKind::Hold),
            (Step::Sender, 451, FailureKind::Later),
            (Step::Sender, 550, FailureKind::Hold),
            (Step::Sender, 552, FailureKind::Never),
            (Step::Recipient, 450, FailureKind::Later),
            (Step::Recipient, 550, FailureKind::Never),
            (Step::Recipient, 530, FailureKind::Hold),
            (Step::Recipient, 503, FailureKind::Later),
            (Step::Data, 503, FailureKind::Later),
            (Step::Data, 554, FailureKind::Never),
            (Step::Content, 503, FailureKind::Later),
            (Step::Content, 452, FailureKind::Later),
            (Step::Content, 554, FailureKind::Never),
        ] {
            let reply = Reply { code, lines: vec!["no".into()] };
            let failure = failure_of(&Trouble::Refused { step, whom: None, reply });
            assert_eq!(failure.kind, kind, "{step:?} {code}");
        }
    }
}
