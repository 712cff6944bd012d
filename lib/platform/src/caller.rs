//! Who calls, and what he may.

use notice::UserId;

/// What a caller may do (ancestor-facts 2.1). A higher level may all that a lower one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Not known to us.
    Nobody,
    /// A client.
    User,
    /// A reseller.
    Reseller,
    /// A member of staff.
    Admin,
    /// The owner of the installation.
    Super,
}

impl Level {
    /// Every level from the lowest up.
    pub const ALL: [Self; 5] = [Self::Nobody, Self::User, Self::Reseller, Self::Admin, Self::Super];

    /// The number that handlers see as `AUTH_LEVEL`.
    pub fn number(self) -> u8 {
        match self {
            Self::Nobody => 0,
            Self::User => 16,
            Self::Reseller => 24,
            Self::Admin => 29,
            Self::Super => 30,
        }
    }

    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::User => "user",
            Self::Reseller => "reseller",
            Self::Admin => "admin",
            Self::Super => "super",
        }
    }
}

/// The session of a call, resolved: step 1 of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name in logs and answers.
    pub name: String,
    /// The row in `user`, when there is one.
    pub user: Option<UserId>,
    /// What he may.
    pub level: Level,
}

impl Caller {
    /// The person at the control tool: whoever runs as the owner of `var/` may everything.
    pub fn operator() -> Self {
        Self { name: "operator".to_owned(), user: None, level: Level::Super }
    }
}
