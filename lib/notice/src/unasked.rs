//! Why no gate was asked (DESIGN 4): the words that such a reason of the log begins with, and nothing else does.

/// The user has no contact of that kind.
pub const NO_CONTACT: &str = "no_contact";
/// It is no address, or no number.
pub const BAD_CONTACT: &str = "bad_contact";
/// The contact is blocked.
pub const CONTACT_BLOCKED: &str = "contact_blocked";
/// There is no text.
pub const EMPTY_MESSAGE: &str = "empty_message";
/// More segments than the gateway takes.
pub const TOO_LONG: &str = "too_long";
/// The user was deleted while the task was in the queue. That is what was wanted, so it is no trouble to tell of:
/// [`is_unasked`] does not know it.
pub const USER_GONE: &str = "user_gone";

const ALL: [&str; 5] = [NO_CONTACT, BAD_CONTACT, CONTACT_BLOCKED, EMPTY_MESSAGE, TOO_LONG];

/// Whether a reason of the log says that no gate was asked.
pub fn is_unasked(reason: &str) -> bool {
    reason.split_once(':').is_some_and(|(word, _)| ALL.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_known_by_its_first_word() {
        assert!(ALL.iter().all(|word| is_unasked(&format!("{word}: why"))));
        assert!(!is_unasked("bad_contact") && !is_unasked("550 no such user: bad_contact: x"));
        assert!(!is_unasked("user_gone: the user was deleted"));
    }
}
