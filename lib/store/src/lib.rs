//! The database: the queue, its log, and the rows of the platform.
//!
//! One trait, [`Store`], with two implementations that pass one suite: `SQLite` and an in-memory model.
//! Every change is one transaction through [`Store::write`]; nothing else writes. The schema stands in `sql/`,
//! numbered; every statement has a name of its own. This crate never starts a program, reads a template or
//! decides what an outcome means: it writes what it is told, or refuses.

mod calendar;
mod calls;
#[cfg(test)]
mod conformance;
mod error;
mod failed;
pub mod memory;
mod open;
mod queue;
mod retention;
mod rows;
mod services;
pub mod sqlite;
mod untried;

pub use calls::{
    ApiToken, CallsSnapshot, CallsTx, Delivery, Event, EventFilter, JournalFilter, JournalRow,
    KeyedCall, NewEvent, NewJournalRow, ReplyToken, SignIn, Told,
};
pub use error::StoreError;
pub use open::{create, glance, open, rebuild_order, stamp};
pub use queue::{
    Accepted, Blob, Body, Ceiling, Claimed, Count, Demand, Done, Effect, Finish, Hash, Lease,
    LogFilter, LogRow, NewLog, NewTask, Pool, Settlement, StoredBody, TaskFilter, TaskRow, Turn,
    Urgent, Worker,
};
pub use retention::Retention;
pub use rows::{
    Condition, ContactState, Direction, Downtime, Followed, Gateway, GatewayState, InboxRow,
    Incoming, IncomingRow, Owner, PROJECT_FIELDS, Project, Subscription, USER_FIELDS, User,
    UserFilter, rests_setting, rests_until,
};
pub use services::{
    Account, Agent, AgentStatus, HandlerStatus, ItemParam, NewPayment, Paid, ParamKind, Payment,
    Processing, Product, Provisioning, Service, ServiceFilter, ServiceParam, ServiceState,
    ServicesSnapshot, ServicesTx, TaskType,
};
pub use sqlite::{Order, Stamp};

use notice::{GatewayId, LogId, ModuleName, Ms, ProjectId, Route, TaskId, UserId};
use std::time::Duration;

/// The reason of what was cancelled because its user is to be forgotten: the one word that `forget_user` leaves.
pub const FORGOTTEN: &str = "its user is forgotten";

/// What every method answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// How far a commit must have got before [`Store::write`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a crash of the process; after a power cut the last commits may be missing (`synchronous=NORMAL`).
    Crash,
    /// Survives a power cut (`synchronous=FULL`): one fsync.
    Power,
}

/// A database that holds one installation.
pub trait Store: Send {
    /// THE transaction: `BEGIN IMMEDIATE`, the closure, `COMMIT`; an error from the closure rolls back.
    /// The only way to change anything.
    fn write(
        &mut self,
        durability: Durability,
        change: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()>;

    /// One consistent view, without a lock that writers would wait for.
    fn read(&mut self, look: &mut dyn FnMut(&mut dyn Snapshot) -> Result<()>) -> Result<()>;

    /// Something to wait on until another process has committed (queue 3.9).
    fn waker(&self) -> Result<Box<dyn Wake>>;

    /// Wakes every waiting worker of this installation; called by a producer after its commit. Never fails.
    fn wake(&self);

    /// Whether another connection has committed since this was last asked; true the first time. Much cheaper
    /// than a look into the queue.
    fn has_news(&mut self) -> Result<bool>;

    /// Idle work outside any transaction: checkpoint, free pages given back to the disk. Costs nothing when
    /// there is nothing to do.
    fn tidy(&mut self) -> Result<()>;
}

/// Waits for news.
pub trait Wake: Send {
    /// Returns when something may have been committed, or when the time is up.
    fn wait(&mut self, at_most: Duration) -> Woken;
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// A producer says that there is something new.
    News,
    /// Somebody has written into the database, perhaps ourselves: [`Store::has_news`] knows.
    Stirred,
    /// The time is up.
    Timeout,
}

/// What can be read. Every method costs at most one statement, unless it says otherwise; lists have a limit.
pub trait Snapshot: CallsSnapshot + ServicesSnapshot {
    // the queue
    /// Routes with ready rows of a module, by repeated `min(lane)`; forced ones only while paused.
    fn ready_routes(&mut self, module: &ModuleName, forced_only: bool) -> Result<Vec<Route>>;
    /// Gateways to which ready rows of a module are bound (`maybe_sent`), by repeated `min(last_gateway)`.
    fn bound_gateways(&mut self, module: &ModuleName, forced_only: bool) -> Result<Vec<GatewayId>>;
    /// One task.
    fn task(&mut self, id: TaskId) -> Result<Option<TaskRow>>;
    /// Tasks of an ordered object that are ready, sending or waiting, in their order.
    fn tasks_of_object(
        &mut self,
        module: &ModuleName,
        route: &Route,
        object: &str,
    ) -> Result<Vec<TaskId>>;
    /// The body of a task, if it is ours.
    fn body(&mut self, id: TaskId) -> Result<Option<StoredBody>>;
    /// The blob of that hash.
    fn blob(&mut self, hash: &Hash) -> Result<Option<Blob>>;
    /// Tasks from the newest down; `before` pages.
    fn tasks(
        &mut self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskRow>>;
    /// How many tasks of each module, route and state there are, and the oldest of each.
    fn counts(&mut self) -> Result<Vec<Count>>;
    /// The task that a key names: exactly, or as the beginning of `KEY/…`; the newest 100.
    fn tasks_of_key(&mut self, key: &str) -> Result<Vec<TaskId>>;
    /// The tasks whose body is for that user, in any state. It looks at every body: for rare questions.
    fn tasks_of_user(&mut self, user: UserId) -> Result<Vec<TaskId>>;
    /// Those of the users who were here once and were deleted.
    fn deleted_users(&mut self, users: &[UserId]) -> Result<Vec<UserId>>;
    /// The key of a task.
    fn key_of_task(&mut self, id: TaskId) -> Result<Option<String>>;
    /// Attempts from the newest down; `before` pages.
    fn log(&mut self, filter: &LogFilter, before: Option<LogId>, limit: u32)
    -> Result<Vec<LogRow>>;
    /// Attempts since then that ended as *never* without a gate's having had them, from the latest.
    fn refused(&mut self, since: Ms, limit: u32) -> Result<Vec<LogRow>>;
    /// Routes of a module with urgent tasks that are ready and were never in doubt, and the oldest of each; by repeated
    /// `lane>=from`.
    fn urgent_routes(&mut self, module: &ModuleName) -> Result<Vec<Urgent>>;
    /// How long each urgent message waited for its first hand-over, milliseconds, from the latest since then.
    fn urgent_waits(&mut self, since: Ms, limit: u32) -> Result<Vec<i64>>;
    /// The earliest `run_at`, `expires_ms` or `lease_until` of any row: when there is next something to do.
    fn next_due(&mut self) -> Result<Option<Ms>>;
    /// The live workers.
    fn workers(&mut self) -> Result<Vec<Worker>>;
    /// Owners of rows in state sending, with their leases.
    fn lease_owners(&mut self) -> Result<Vec<String>>;
    /// Leases of an owner, the gateway of each.
    fn leases_of(&mut self, owner: &str) -> Result<Vec<(Lease, Ms, Option<GatewayId>)>>;

    // the platform
    /// One project.
    fn project(&mut self, id: ProjectId) -> Result<Option<Project>>;
    /// Every project by id.
    fn projects(&mut self) -> Result<Vec<Project>>;
    /// One user.
    fn user(&mut self, id: UserId) -> Result<Option<User>>;
    /// Users by id upwards; `after` pages.
    fn users(
        &mut self,
        filter: &UserFilter,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>>;
    /// The columns that `user` has beyond the fixed ones (`etc/sql/*.user.addon/FIELD`).
    fn user_columns(&mut self) -> Result<Vec<String>>;
    /// One gateway.
    fn gateway(&mut self, id: GatewayId) -> Result<Option<Gateway>>;
    /// Every gateway by priority (the lower number first), then id.
    fn gateways(&mut self) -> Result<Vec<Gateway>>;
    /// State of every gateway that has ever left `open`.
    fn gateway_states(&mut self) -> Result<Vec<GatewayState>>;
    /// Times in which a gateway (None: the whole queue, by `DoNothing`) was not usable, since then.
    fn downtimes(&mut self, gateway: Option<GatewayId>, since: Ms) -> Result<Vec<Downtime>>;
    /// What a user has subscribed to or left; what is not listed is subscribed.
    fn subscriptions(&mut self, user: UserId) -> Result<Vec<Subscription>>;
    /// The inbox of a user from the newest down.
    fn inbox(&mut self, user: UserId, before: Option<i64>, limit: u32) -> Result<Vec<InboxRow>>;
    /// Incoming messages from the newest down.
    fn incoming(
        &mut self,
        gateway: Option<GatewayId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<IncomingRow>>;
    /// Incoming messages that not everything is done of which follows from them, by id upwards.
    fn unfollowed(&mut self, limit: u32) -> Result<Vec<i64>>;
    /// Uids that were stored from a gateway and that the gate has not been told yet (at most 1,000).
    fn stored_uids(&mut self, gateway: GatewayId) -> Result<Vec<String>>;
    /// What is known of contacts; those without a row are fine.
    fn contact_states(&mut self, kind: &str, contacts: &[&str]) -> Result<Vec<ContactState>>;
    /// A value of table `setting` (the store's uuid, the schema's version, the reply tokens' salt …).
    fn setting(&mut self, name: &str) -> Result<Option<String>>;
}

/// What can be changed, inside [`Store::write`]. Everything a [`Snapshot`] reads is seen as of this transaction.
#[expect(clippy::too_many_arguments, reason = "the receiver and four parameters")]
pub trait Tx: Snapshot + CallsTx + ServicesTx {
    // the queue
    /// Takes tasks in. A key that is known answers with the first id and writes nothing (queue 3.4).
    fn enqueue(&mut self, tasks: &[NewTask], now: Ms) -> Result<Vec<Accepted>>;
    /// Finish + promote, expire and the unanswered (500 of each) + claim, up to 100 tasks (queue 2).
    /// `until` is the end of the new leases.
    fn turn(&mut self, owner: &Owner, done: &[Done], want: &[Demand], now: Ms) -> Result<Turn>;
    /// Replaces a claimed row whose file was read: the row gets the first body and route, further
    /// notifications become rows of their own (`/2` … after the key), all go back `ready` with the same
    /// priority and `queued_ms`; attempts are given back. None: the lease was lost, or the row is no unread
    /// file (it is part of an ordered object, or a gate may have had it); nothing was written.
    fn split(
        &mut self,
        owner: &Owner,
        lease: Lease,
        parts: &[NewTask],
        now: Ms,
    ) -> Result<Option<Vec<TaskId>>>;
    /// Extends leases to `until`, and beats; answers with those that are still ours.
    fn extend(&mut self, owner: &Owner, leases: &[Lease], until: Ms, now: Ms)
    -> Result<Vec<Lease>>;
    /// Gives claimed rows back unharmed (attempt−1): clean stop, pause, no window.
    fn release(&mut self, owner: &Owner, leases: &[Lease], now: Ms) -> Result<u32>;
    /// Gives waiting rows their attempts back and makes them ready: their gateway was unfit (queue 3.2, hold).
    fn give_back(&mut self, leases: &[Lease], now: Ms) -> Result<u32>;
    /// Registers a worker.
    fn add_worker(&mut self, worker: &Worker) -> Result<()>;
    /// Removes a worker's row.
    fn remove_worker(&mut self, owner: &str) -> Result<()>;
    /// A person puts tasks back: ready, errors forgotten, `maybe_sent` kept. Sending ones are left alone.
    fn retry(&mut self, ids: &[TaskId], now: Ms) -> Result<u32>;
    /// A person says they are done, or cancels them: the row goes, the log keeps a row with that outcome
    /// word (`sent` by hand, or `cancelled`) and reason.
    fn end(&mut self, ids: &[TaskId], how: Finish, reason: &str, now: Ms) -> Result<u32>;
    /// Retention (queue 3.10): at most 1,000 rows of each kind; true while there is more.
    fn prune(&mut self, now: Ms, keep: &Retention) -> Result<bool>;

    // the platform
    /// Inserts (id 0) or rewrites a project.
    fn save_project(&mut self, project: &Project) -> Result<ProjectId>;
    /// Removes a project; refused while it has users or gateways.
    fn delete_project(&mut self, id: ProjectId) -> Result<bool>;
    /// Inserts (id 0) or rewrites a user; `external_id` is unique per project.
    fn save_user(&mut self, user: &User) -> Result<UserId>;
    /// Removes a user, his subscriptions and inbox.
    fn delete_user(&mut self, id: UserId) -> Result<bool>;
    /// Erases a person: contact, key, reference and reason (but [`FORGOTTEN`]) of his log rows, inbox, incoming
    /// messages.
    fn forget_user(&mut self, id: UserId, contacts: &[String]) -> Result<u32>;
    /// Adds a column to `user`, text, empty by default; nothing if it is there.
    fn add_user_column(&mut self, name: &str) -> Result<()>;
    /// Inserts (id 0) or rewrites a gateway.
    fn save_gateway(&mut self, gateway: &Gateway) -> Result<GatewayId>;
    /// Removes a gateway; what is bound to it is asked.
    fn delete_gateway(&mut self, id: GatewayId, now: Ms) -> Result<bool>;
    /// Writes a gateway's state, and opens or closes its downtime.
    fn set_gateway_state(&mut self, state: &GatewayState, now: Ms) -> Result<()>;
    /// Opens (true) or closes the downtime of the whole queue; nothing if it is so already.
    fn set_paused(&mut self, paused: bool, now: Ms) -> Result<()>;
    /// Subscribes a user or ends it.
    fn save_subscription(&mut self, subscription: &Subscription) -> Result<()>;
    /// Marks inbox rows as read.
    fn mark_read(&mut self, user: UserId, ids: &[i64], now: Ms) -> Result<u32>;
    /// Stores an incoming message once per gateway and uid; None: it was there.
    fn accept_incoming(&mut self, message: &Incoming, now: Ms) -> Result<Option<i64>>;
    /// More is done of what follows from an incoming message; false: it is gone, or was not at `from` any more.
    fn follow(&mut self, id: i64, from: Followed, to: Followed) -> Result<bool>;
    /// The gate has been told of these uids.
    fn mark_told(&mut self, gateway: GatewayId, uids: &[String]) -> Result<()>;
    /// Sets what is known of a contact.
    fn set_contact_state(&mut self, state: &ContactState) -> Result<()>;
    /// Adds log rows that no turn wrote (receipts, decisions of people).
    fn add_log(&mut self, rows: &[NewLog]) -> Result<()>;
    /// Sets a value of table `setting`.
    fn set_setting(&mut self, name: &str, value: &str) -> Result<()>;
}

/// [`Store::write`] with an answer.
pub fn write<T, E: From<StoreError>>(
    store: &mut dyn Store,
    durability: Durability,
    mut change: impl FnMut(&mut dyn Tx) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut answer: Option<std::result::Result<T, E>> = None;
    let written = store.write(durability, &mut |tx| {
        let result = change(tx);
        let kept = if result.is_ok() { Ok(()) } else { Err(StoreError::RolledBack) };
        answer = Some(result);
        kept
    });
    match (written, answer) {
        (Ok(()) | Err(StoreError::RolledBack), Some(result)) => result,
        (Ok(()), None) => Err(StoreError::RolledBack.into()),
        (Err(error), _) => Err(error.into()),
    }
}

/// [`Store::read`] with an answer.
pub fn read<T, E: From<StoreError>>(
    store: &mut dyn Store,
    mut look: impl FnMut(&mut dyn Snapshot) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut answer: Option<std::result::Result<T, E>> = None;
    let done = store.read(&mut |snapshot| {
        let result = look(snapshot);
        let kept = if result.is_ok() { Ok(()) } else { Err(StoreError::RolledBack) };
        answer = Some(result);
        kept
    });
    match (done, answer) {
        (Ok(()) | Err(StoreError::RolledBack), Some(result)) => result,
        (Ok(()), None) => Err(StoreError::RolledBack.into()),
        (Err(error), _) => Err(error.into()),
    }
}
