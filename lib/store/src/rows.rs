//! Rows of the platform.

use notice::{Fields, GatewayId, ModuleName, Ms, OnUnknown, ProjectId, UserId};

/// The owner of leases: one worker, one start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub String);

/// A provider (brand): its columns go to gates as `<project>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// 0 for a new one.
    pub id: ProjectId,
    /// name, site, billurl, notifyemail, supportemail, supportphone, theme, `country_default`, language, timezone,
    /// active …; a name that is new becomes a column.
    pub fields: Fields,
}

/// A client or staff member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// 0 for a new one.
    pub id: UserId,
    /// Whose client.
    pub project: ProjectId,
    /// The id in somebody else's system, unique per project.
    pub external_id: Option<String>,
    /// name, realname, email, phone, language, timezone, account, level and the added contact fields.
    pub fields: Fields,
}

/// Which users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only of this project.
    pub project: Option<ProjectId>,
    /// Only this external id.
    pub external_id: Option<String>,
    /// Only those with exactly this text in this column (email, phone, name …; case-insensitive for email).
    pub field: Option<(String, String)>,
}

/// Which way a gateway works; the ancestor's `gateway_type`: 1 outgoing, 2 ingoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sends.
    Outgoing,
    /// Receives.
    Ingoing,
}

/// A configured gate.
#[derive(Clone, PartialEq, Eq)]
pub struct Gateway {
    /// 0 for a new one.
    pub id: GatewayId,
    /// For people.
    pub name: String,
    /// None: for every project.
    pub project: Option<ProjectId>,
    /// The module it serves.
    pub module: ModuleName,
    /// The program in `gate/`.
    pub gate: String,
    /// Which way.
    pub direction: Direction,
    /// `active` is `on`.
    pub active: bool,
    /// The lower number is tried first.
    pub priority: i64,
    /// At most so many at once; None: 1, or what its features allow.
    pub concurrency: Option<u32>,
    /// At most so many a second; None: no limit.
    pub rate_per_sec: Option<u32>,
    /// For unknown outcomes; None: the module's default.
    pub on_unknown: Option<OnUnknown>,
    /// The form's fields but the secret ones: an XML document with root `doc`.
    pub xmlparams: String,
    /// The secret fields, sealed; opened by config's vault only.
    pub secret: Vec<u8>,
    /// Rises with each save: senders notice.
    pub version: i64,
}

/// Whether a gateway may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Usable.
    Open,
    /// Held, by a person or by its own answers.
    Held {
        /// Why.
        reason: String,
        /// By a person: never probed, ended by a person or at `until`.
        by_person: bool,
    },
    /// The breaker is open: it can't be reached.
    Down {
        /// Why.
        reason: String,
    },
}

/// A row of `gatewaystate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayState {
    /// Whose.
    pub gateway: GatewayId,
    /// May it be used?
    pub condition: Condition,
    /// Since when.
    pub since: Ms,
    /// When it is probed next (held by itself, down) or released (by a person, for a time).
    pub next_probe: Option<Ms>,
    /// Probes so far.
    pub probes: u32,
    /// Failures in a row without a valid document.
    pub strikes: u32,
    /// Different tasks that ended `hold`, in a row.
    pub holds: u32,
    /// The last error, masked, and when.
    pub last_error: Option<(Ms, String)>,
}

/// The setting that says until when a gateway's service asked to be left alone (`retry_after`), in UTC milliseconds.
pub fn rests_setting(gateway: GatewayId) -> String {
    format!("gateway.{gateway}.rests_until_ms")
}

/// Until when a gateway rests; None: it does not.
pub fn rests_until(
    snapshot: &mut dyn crate::Snapshot,
    gateway: GatewayId,
    now: Ms,
) -> Result<Option<Ms>, crate::StoreError> {
    let until = snapshot.setting(&rests_setting(gateway))?.and_then(|text| text.parse().ok());
    Ok(until.map(Ms).filter(|until| *until > now))
}

/// A time in which something was not usable; `to` None: still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// From.
    pub from: Ms,
    /// To.
    pub to: Option<Ms>,
}

/// Whether a user wants a notice by a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Who.
    pub user: UserId,
    /// Name of the notice, `*` for all.
    pub notice: String,
    /// Module, `*` for all.
    pub module: String,
    /// True: wants it.
    pub active: bool,
}

/// A notice in the client area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub user: UserId,
    /// Heading.
    pub subject: String,
    /// Text.
    pub text: String,
    /// When.
    pub at: Ms,
    /// When it was read.
    pub read_at: Option<Ms>,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Through which gateway.
    pub gateway: GatewayId,
    /// The gate's id of it, else the SHA-256 of its source in hex.
    pub uid: String,
    /// Sender's contact.
    pub sender: String,
    /// The user it was matched to.
    pub user: Option<UserId>,
    /// Project of the gateway.
    pub project: Option<ProjectId>,
    /// Why it matches nobody; empty when it does.
    pub reason: String,
    /// Heading.
    pub subject: String,
    /// The raw source.
    pub source: Vec<u8>,
}

/// A row of `gateway_message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingRow {
    /// Its id.
    pub id: i64,
    /// What came.
    pub message: Incoming,
    /// When.
    pub at: Ms,
    /// How much of what follows from it is done.
    pub followed: Followed,
}

/// How much of what follows from an incoming message is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Followed {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Its command, if it is one.
    Command,
    /// Everything.
    Whole,
}

impl Followed {
    /// As it is stored.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Command => 1,
            Self::Whole => 2,
        }
    }

    /// Reads the number.
    pub(crate) fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Nothing,
            1 => Self::Command,
            _ => Self::Whole,
        }
    }
}

/// What is known of a contact: blocked, bounced, gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactState {
    /// `email`, `phone` …
    pub kind: String,
    /// The contact, normalised.
    pub contact: String,
    /// `ok`, `blocked`, `failing`.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Ms,
}

/// The fields that every project has, in the order of its columns.
pub const PROJECT_FIELDS: [&str; 11] = [
    "name",
    "site",
    "billurl",
    "notifyemail",
    "supportemail",
    "supportphone",
    "theme",
    "country_default",
    "language",
    "timezone",
    "active",
];

/// The fields that every user has, in the order of its columns; `etc/sql` adds more.
pub const USER_FIELDS: [&str; 8] =
    ["name", "realname", "email", "phone", "language", "timezone", "account", "level"];
