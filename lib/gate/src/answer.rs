//! What a gate answers, as the queue's words.

use notice::{Answer, Outcome};

use crate::{Failure, FailureKind};

/// The service has the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The service's own number for it, when it gave one.
    pub reference: Option<String>,
}

impl Sent {
    /// Sent, and nothing more is known.
    pub fn plain() -> Self {
        Self::default()
    }

    /// Sent under the service's number; an empty one counts as none.
    pub fn with_reference(reference: impl Into<String>) -> Self {
        Self { reference: Some(reference.into()).filter(|text| !text.is_empty()) }
    }
}

/// The answer to `outgoing`.
pub(crate) fn answer_of(ended: Result<Sent, Failure>) -> Answer {
    let failure = match ended {
        Ok(sent) => return Answer::sent(sent.reference),
        Err(failure) => failure,
    };
    let answer = match failure.kind {
        FailureKind::Later => Answer::not_sent(Outcome::Later, failure.text),
        FailureKind::Never => Answer::not_sent(Outcome::Never, failure.text),
        FailureKind::Hold => Answer::not_sent(Outcome::Hold, failure.text),
        FailureKind::Unreached => Answer::unreached(failure.text),
        FailureKind::Unknown => Answer::not_sent(Outcome::Unknown, failure.text),
    };
    Answer { retry_after_secs: failure.retry_after_secs, ..answer }
}

/// The answer of a command that knows no "unknown": nothing was sent by it.
pub(crate) fn refusal_of(failure: Failure) -> Answer {
    let kind = match failure.kind {
        FailureKind::Unknown => FailureKind::Later,
        kind => kind,
    };
    answer_of(Err(Failure { kind, ..failure }))
}

#[cfg(test)]
mod tests {
    use notice::Reach;

    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_outcome() {
        let table = [
            (Failure::later("x"), Outcome::Later, Reach::Reached),
            (Failure::never("x"), Outcome::Never, Reach::Reached),
            (Failure::hold("x"), Outcome::Hold, Reach::Reached),
            (Failure::unreached("x"), Outcome::Later, Reach::Unreached),
            (Failure::unknown("x"), Outcome::Unknown, Reach::Reached),
        ];
        for (failure, outcome, reach) in table {
            let answer = answer_of(Err(failure.retry_after(Some(9))));
            assert_eq!(
                (answer.outcome, answer.reach, answer.retry_after_secs),
                (outcome, reach, Some(9))
            );
        }
        assert_eq!(refusal_of(Failure::unknown("x")).outcome, Outcome::Later);
    }

    #[test]
    fn an_empty_reference_is_none() {
        assert_eq!(Sent::with_reference(""), Sent::plain());
    }
}
