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

    /// The level of that word or number; None: there is none. Empty is a client.
    pub fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::User);
        }
        Self::ALL
            .into_iter()
            .find(|level| level.word() == text || level.number().to_string() == text)
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
    /// The session he came by: the id he holds.
    pub session: Option<String>,
    /// Where he calls from; empty for somebody on this machine.
    pub ip: String,
    /// The manager he calls, one of the `manager_names`.
    pub manager: String,
    /// Functions whose handlers make this call: none of them is called again (extensions 3.4).
    pub within: Vec<String>,
}

impl Caller {
    /// Somebody of that name and level.
    pub fn new(name: impl Into<String>, level: Level) -> Self {
        Self {
            name: name.into(),
            user: None,
            level,
            session: None,
            ip: String::new(),
            manager: "gatepost".to_owned(),
            within: Vec::new(),
        }
    }

    /// The person at the control tool: whoever runs as the owner of `var/` may everything. One that a handler
    /// has started says so by its environment ([`config::names::WITHIN`]).
    pub fn operator() -> Self {
        let within = config::variable(config::names::WITHIN).unwrap_or_default();
        let within = within.to_string_lossy();
        let functions = within.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
        Self { within: functions.collect(), ..Self::new("operator", Level::Super) }
    }

    /// The same, calling that manager.
    #[must_use]
    pub fn of_manager(self, manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), ..self }
    }

    /// The same, called by handlers of these functions ([`Caller::within`]).
    #[must_use]
    pub fn called_within(self, functions: Vec<String>) -> Self {
        Self { within: functions, ..self }
    }
}
