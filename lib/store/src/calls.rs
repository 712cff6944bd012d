//! What calls leave behind: events, the journal, and how callers are known.

use crate::{Hash, Result};
use notice::{EventId, LogId, Ms, TaskId, UserId};

/// A fact that has happened (extensions 1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// `clients.create` and the like.
    pub events_id: String,
    /// What it happened to, as text.
    pub object_id: String,
    /// The object as JSON; `{}` where the event carries none.
    pub data: String,
    /// When.
    pub at: Ms,
}

/// Whether the tasks that follow from an event exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// They were written in the same transaction.
    Yes,
    /// Somebody has yet to make them: see [`CallsSnapshot::untold_events`].
    NotYet,
}

/// A row of `event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id: the order in which things happened.
    pub id: EventId,
    /// What happened.
    pub event: NewEvent,
    /// Whether its tasks exist.
    pub told: Told,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only this kind.
    pub events_id: Option<String>,
    /// Only of this object.
    pub object_id: Option<String>,
    /// Only since then.
    pub from: Option<Ms>,
    /// Only before then.
    pub to: Option<Ms>,
}

/// One run of outside code inside a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJournalRow {
    /// The call it was part of: unique text.
    pub call: String,
    /// When it began.
    pub at: Ms,
    /// The function that was called.
    pub function: String,
    /// `before`, `middleware`, `hook`, `after` …
    pub place: String,
    /// The handler or plugin.
    pub name: String,
    /// How it ended, a word of the place.
    pub outcome: String,
    /// How long it took, in ms.
    pub took_ms: i64,
    /// What it printed, masked.
    pub output: String,
}

/// A row of `journal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Its id.
    pub id: i64,
    /// What it says.
    pub row: NewJournalRow,
}

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalFilter {
    /// Only of this call.
    pub call: Option<String>,
    /// Only of this function.
    pub function: Option<String>,
    /// Only of this handler or plugin.
    pub name: Option<String>,
    /// Only since then.
    pub since: Option<Ms>,
}

/// A row of `session`: somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// SHA-256 of the id that the client holds.
    pub hash: Hash,
    /// Who; None for a caller without a row.
    pub user: Option<UserId>,
    /// His name in logs.
    pub name: String,
    /// The word of his level.
    pub level: String,
    /// When he signed in.
    pub made: Ms,
    /// When he was last seen.
    pub seen: Ms,
    /// When it ends by itself.
    pub expires: Ms,
}

/// A row of `token`: a program that calls over a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// SHA-256 of the token.
    pub hash: Hash,
    /// Its name, unique.
    pub name: String,
    /// In whose name it calls.
    pub user: Option<UserId>,
    /// The word of its level.
    pub level: String,
    /// When it was made.
    pub made: Ms,
}

/// A row of `idempotency`: a call with a key of the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedCall {
    /// Whose key.
    pub caller: String,
    /// The key.
    pub key: String,
    /// What was called.
    pub function: String,
    /// SHA-256 of the request: another request under the same key is an error of the caller.
    pub request: Hash,
    /// The answer; None while the call runs.
    pub answer: Option<String>,
    /// When it came.
    pub made: Ms,
}

/// A row of `reply_token`: what lets a mail command something, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyToken {
    /// SHA-256 of the token.
    pub hash: Hash,
    /// To whom it was sent.
    pub user: UserId,
    /// In which notice.
    pub notice: String,
    /// By which task.
    pub task: TaskId,
    /// When it was made.
    pub made: Ms,
    /// When it was used.
    pub used: Option<Ms>,
}

/// What a receiver answered to a delivery, kept beside its log row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The status line's number, or a script's exit code.
    pub status: Option<i64>,
    /// The body, cut by the writer (64 KiB).
    pub response: Vec<u8>,
}

/// Reads what calls leave behind.
pub trait CallsSnapshot {
    /// Events by id upwards; `after` pages.
    fn events(
        &mut self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>>;
    /// Events whose tasks are still to be made, by id upwards.
    fn untold_events(&mut self, limit: u32) -> Result<Vec<Event>>;
    /// Runs from the newest down; `before` pages.
    fn journal(
        &mut self,
        filter: &JournalFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<JournalRow>>;
    /// The hash of a user's password.
    fn password_hash(&mut self, user: UserId) -> Result<Option<String>>;
    /// Who has signed in with that id; one that has ended is still found until it is pruned.
    fn sign_in(&mut self, hash: &Hash) -> Result<Option<SignIn>>;
    /// The token of that hash.
    fn token(&mut self, hash: &Hash) -> Result<Option<ApiToken>>;
    /// Every token by name.
    fn tokens(&mut self) -> Result<Vec<ApiToken>>;
    /// The call that a caller's key names.
    fn keyed_call(&mut self, caller: &str, key: &str) -> Result<Option<KeyedCall>>;
    /// The reply token of that hash, used or not.
    fn reply_token(&mut self, hash: &Hash) -> Result<Option<ReplyToken>>;
    /// What the receiver answered to the attempt of a log row.
    fn delivery(&mut self, log: LogId) -> Result<Option<Delivery>>;
}

/// Writes what calls leave behind.
pub trait CallsTx {
    /// Writes an event.
    fn add_event(&mut self, event: &NewEvent, told: Told) -> Result<EventId>;
    /// The tasks of these events exist now; answers with how many were still untold. Called in the transaction
    /// that writes the tasks: then each is told once, whoever is killed.
    fn mark_events_told(&mut self, ids: &[EventId]) -> Result<u32>;
    /// Writes the runs of a call.
    fn add_journal(&mut self, rows: &[NewJournalRow]) -> Result<()>;
    /// Sets the hash of a user's password; None: he can't sign in with one.
    fn set_password_hash(&mut self, user: UserId, hash: Option<&str>) -> Result<()>;
    /// Writes a sign-in.
    fn add_sign_in(&mut self, sign_in: &SignIn) -> Result<()>;
    /// Notes that somebody was seen; it ends at `expires` now. False: it is gone.
    fn see_sign_in(&mut self, hash: &Hash, seen: Ms, expires: Ms) -> Result<bool>;
    /// Signs out.
    fn end_sign_in(&mut self, hash: &Hash) -> Result<bool>;
    /// Ends every sign-in of a user: his password or level has changed.
    fn end_sign_ins_of(&mut self, user: UserId) -> Result<u32>;
    /// Writes a token; refused if the name is taken.
    fn add_token(&mut self, token: &ApiToken) -> Result<()>;
    /// Removes the token of that name.
    fn delete_token(&mut self, name: &str) -> Result<bool>;
    /// Takes a caller's key. None: it is his now; else the call that has it.
    fn take_call_key(&mut self, call: &KeyedCall) -> Result<Option<KeyedCall>>;
    /// Keeps the answer of a call under its key.
    fn answer_call_key(&mut self, caller: &str, key: &str, answer: &str) -> Result<()>;
    /// Gives a key back: the call was never made.
    fn drop_call_key(&mut self, caller: &str, key: &str) -> Result<()>;
    /// Writes a reply token.
    fn add_reply_token(&mut self, token: &ReplyToken) -> Result<()>;
    /// Uses a reply token up; false: there is none, or it was used.
    fn use_reply_token(&mut self, hash: &Hash, now: Ms) -> Result<bool>;
}
