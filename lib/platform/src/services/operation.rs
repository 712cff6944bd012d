//! What can be done to a service, and where it must stand for that (S1-14, S1-35).

use store::ServiceState;

/// An operation of a program in `processing/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOperation {
    /// Opens what was ordered.
    Open,
    /// Stops it for a time.
    Suspend,
    /// Lets it go on.
    Resume,
    /// Ends it.
    Close,
    /// Changes ordered values.
    SetParam,
}

impl ServiceOperation {
    /// Every operation.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Suspend, Self::Resume, Self::Close, Self::SetParam];

    /// The word after `--command`.
    pub fn command(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Close => "close",
            Self::SetParam => "setparam",
        }
    }

    /// Reads the word.
    pub fn from_command(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.command() == word)
    }

    /// Where the service stands before it.
    pub(crate) fn may_begin_in(self, state: ServiceState) -> bool {
        use ServiceState::{Active, Opening, Suspended};
        match self {
            Self::Open => state == Opening,
            Self::Suspend => state == Active,
            Self::Resume => state == Suspended,
            Self::Close | Self::SetParam => matches!(state, Active | Suspended),
        }
    }

    /// Where it stands after it; None: where it stood.
    pub(crate) fn ends_in(self) -> Option<ServiceState> {
        match self {
            Self::Open | Self::Resume => Some(ServiceState::Active),
            Self::Suspend => Some(ServiceState::Suspended),
            Self::Close => Some(ServiceState::Closed),
            Self::SetParam => None,
        }
    }

    /// The event of its success (extensions 3.3).
    pub(crate) fn event(self) -> Option<&'static str> {
        match self {
            Self::Open | Self::Resume => Some("clients.subscriptions.activate"),
            Self::Suspend => Some("clients.subscriptions.deactivate"),
            Self::Close => Some("clients.subscriptions.close"),
            Self::SetParam => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServiceOperation::{Close, Open, Resume, SetParam, Suspend};
    use ServiceState::{Active, Closed, Opening, Suspended};

    #[test]
    fn only_these_transitions_are_allowed() {
        // S1-35
        let allowed: Vec<_> = ServiceOperation::ALL
            .into_iter()
            .flat_map(|operation| ServiceState::ALL.map(|state| (operation, state)))
            .filter(|(operation, state)| operation.may_begin_in(*state))
            .map(|(operation, state)| (operation, state, operation.ends_in().unwrap_or(state)))
            .collect();
        assert_eq!(
            allowed,
            [
                (Open, Opening, Active),
                (Suspend, Active, Suspended),
                (Resume, Suspended, Active),
                (Close, Active, Closed),
                (Close, Suspended, Closed),
                (SetParam, Active, Active),
                (SetParam, Suspended, Suspended),
            ]
        );
    }
}
