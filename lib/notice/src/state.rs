//! Where a task stands.

use std::fmt;

/// The state of a row of `notifytask`. What is sent, cancelled or expired has left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// May be claimed.
    Ready,
    /// Claimed under a lease.
    Sending,
    /// Not before `run_at`, or until the task before it lets it go.
    Waiting,
    /// Given up; kept 30 days for a person.
    Failed,
    /// Nobody knows whether it was sent; a person is asked.
    Asked,
}

impl State {
    /// Every state, in the order of the column.
    pub const ALL: [Self; 5] =
        [Self::Ready, Self::Sending, Self::Waiting, Self::Failed, Self::Asked];

    /// The column's number.
    pub fn number(self) -> i64 {
        match self {
            Self::Ready => 0,
            Self::Sending => 1,
            Self::Waiting => 2,
            Self::Failed => 3,
            Self::Asked => 4,
        }
    }

    /// Reads the column.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// The word people type and see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Asked => "asked",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_word_lead_back_to_the_state() {
        for state in State::ALL {
            assert_eq!(State::from_number(state.number()), Some(state));
            assert_eq!(State::from_word(state.word()), Some(state));
        }
        assert_eq!(State::from_number(9), None);
    }
}
