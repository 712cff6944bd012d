//! What goes into the queue and what comes out of it.

use crate::{Delivery, HandlerStatus, ItemParam, NewEvent, ServiceParam, ServiceState};
use notice::{
    Answer, GatewayId, HandlerId, LogId, ModuleName, Ms, Priority, ProjectId, Route, ServiceId,
    State, TaskId, UserId,
};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// SHA-256 of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// Bytes stored once by their hash: a template bundle, a notice. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of the bytes.
    pub hash: Hash,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// Where the body of a new task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A notification file, as the column names it.
    File(String),
    /// In `notifybody`.
    Stored(StoredBody),
}

/// A body in `notifybody`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// Entry template and what it includes; None for tasks without a template.
    pub bundle: Option<Blob>,
    /// The notice.
    pub notice: Blob,
    /// The user as of enqueue: an XML element `<user>…</user>`.
    pub user: String,
    /// The project.
    pub project: Option<ProjectId>,
}

/// A task to take in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Who drains it.
    pub module: ModuleName,
    /// What is sent.
    pub body: Body,
    /// How urgent.
    pub priority: Priority,
    /// Goes out even while the queue is paused (S3-32).
    pub forced: bool,
    /// The choice of gateways; [`Route::unread`] for a file nobody has read.
    pub route: Route,
    /// Ordered object, or empty (queue 3.6).
    pub object: String,
    /// The task whose first attempt must end before this one starts.
    pub follows: Option<TaskId>,
    /// Not before.
    pub not_before: Option<Ms>,
    /// Absolute end.
    pub expires: Option<Ms>,
    /// KEY/user/module; None: the store makes `<store uuid>:<id>`.
    pub key: Option<String>,
}

/// What became of a [`NewTask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// A row of its own.
    New(TaskId),
    /// The key was known: the first task's id.
    Duplicate(TaskId),
}

/// A claimed row under its fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The row.
    pub task: TaskId,
    /// The fence: a higher one has been given out if the lease was lost.
    pub seq: i64,
}

/// Which ready rows are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Rows of a route that no gate has had.
    Route(Route),
    /// Rows that may have been sent by this demand's gateway.
    Bound,
}

/// A wish of the scheduler: so many rows for that gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Whose rows.
    pub module: ModuleName,
    /// Which rows.
    pub pool: Pool,
    /// Who will get them; None where there is no gateway (ntinternal, unread files, sendmail).
    pub gateway: Option<GatewayId>,
    /// At most so many.
    pub count: u32,
    /// While paused: forced rows only.
    pub forced_only: bool,
    /// End of the leases.
    pub lease_until: Ms,
    /// No more than that is claimed; None: nobody else's claims count.
    pub ceiling: Option<Ceiling>,
}

/// How many rows of a route may be sending at the same moment, whoever has claimed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The route.
    pub route: Route,
    /// So many.
    pub at_once: u32,
}

/// A claimed task with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The lease.
    pub lease: Lease,
    /// Whose row.
    pub module: ModuleName,
    /// Its route.
    pub route: Route,
    /// For whom it was claimed.
    pub gateway: Option<GatewayId>,
    /// The notification file, or empty.
    pub filename: String,
    /// Urgency.
    pub priority: Priority,
    /// The order key.
    pub ord: i64,
    /// Failed attempts so far.
    pub error_count: u32,
    /// This attempt's number, from 1.
    pub attempt: u32,
    /// An earlier attempt ended unknown.
    pub maybe_sent: bool,
    /// Goes out while paused.
    pub forced: bool,
    /// Ordered object, or empty.
    pub object: String,
    /// When it was queued.
    pub queued: Ms,
    /// When it lapses.
    pub expires: Option<Ms>,
    /// Its stable key.
    pub key: String,
    /// The body, when it is ours.
    pub body: Option<StoredBody>,
}

/// What the queue does with a finished attempt; decided by the module, written by the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The row goes.
    Gone,
    /// Waits until then; `spent`: `error_count`+1, else the attempt is given back.
    Wait {
        /// Due at.
        at: Ms,
        /// False when the gateway was never reached.
        spent: bool,
        /// True when it may have been sent: bound to its gateway from now on.
        maybe_sent: bool,
    },
    /// Ready again, unpenalised.
    Back,
    /// Failed, kept for a person.
    Fail,
    /// A person is asked until then.
    Ask {
        /// Unanswered then: failed.
        until: Ms,
    },
}

/// One finished attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The row under its fence.
    pub lease: Lease,
    /// What the queue does.
    pub settlement: Settlement,
    /// `err_info`, masked; empty when sent.
    pub reason: String,
    /// The log row; None for what is no attempt (a row given back).
    pub log: Option<NewLog>,
    /// What else changes, only if the fenced finish hit the row.
    pub effects: Vec<Effect>,
}

/// A change that belongs to an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A row of the user's inbox (ntinternal): exactly once.
    Inbox {
        /// Whose.
        user: UserId,
        /// Heading.
        subject: String,
        /// Text.
        text: String,
    },
    /// A fact, written untold: whoever drains deliveries makes its tasks.
    Event(NewEvent),
    /// What a program answered for a service; nothing if the service is gone.
    ItemParam {
        /// Whose.
        service: ServiceId,
        /// What.
        param: ItemParam,
    },
    /// An ordered value that holds from now on (S1-37); nothing if the service is gone.
    ServiceParam {
        /// Whose.
        service: ServiceId,
        /// What.
        param: ServiceParam,
    },
    /// A service stands elsewhere now; nothing if it is not where it was.
    ServiceState {
        /// Which.
        service: ServiceId,
        /// Where it was.
        from: ServiceState,
        /// Where it is.
        to: ServiceState,
        /// Its id on the server, when the program gave one.
        externalid: Option<String>,
    },
    /// An enabled provisioning handler acts no more, at once (a receiver answered 410).
    Handler {
        /// Which.
        handler: HandlerId,
        /// What it is now.
        status: HandlerStatus,
    },
    /// What the receiver answered, kept beside the log row of this attempt; nothing without one.
    Response(Delivery),
}

/// A row for `notifylog`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLog {
    /// The task.
    pub task: TaskId,
    /// Its key.
    pub key: Option<String>,
    /// Module.
    pub module: String,
    /// Name of the notice.
    pub notice: Option<String>,
    /// User.
    pub user: Option<UserId>,
    /// Project.
    pub project: Option<ProjectId>,
    /// Gateway.
    pub gateway: Option<GatewayId>,
    /// The contact as it was used.
    pub contact: Option<String>,
    /// Number of the attempt.
    pub attempt: u32,
    /// `sent`, `later`, `never`, `hold`, `unknown`, `cancelled`, `expired`, `delivered` …
    pub outcome: String,
    /// Masked.
    pub reason: String,
    /// The service's number.
    pub reference: Option<String>,
    /// SMS segments.
    pub segments: Option<u32>,
    /// When the task was queued.
    pub queued: Ms,
    /// When the attempt ended.
    pub at: Ms,
    /// Milliseconds in the gate's hands.
    pub took_ms: Option<i64>,
    /// How long an urgent message had waited when it was handed over first, or lapsed before that, milliseconds by
    /// `at`. None: it is not urgent, or this was not the first time.
    pub waited_ms: Option<i64>,
}

/// A row of `notifylog`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its id.
    pub id: LogId,
    /// What it says.
    pub row: NewLog,
}

/// The urgent task of a route that has been ready for longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urgent {
    /// The route.
    pub route: Route,
    /// The task.
    pub task: TaskId,
    /// Since when it may go.
    pub ready: Ms,
}

/// What a turn did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Claimed, by (ord, id) within each demand.
    pub claimed: Vec<Claimed>,
    /// Finishes that hit no row: the lease was lost, nothing of them was written.
    pub lost: Vec<Lease>,
    /// Rows that became ready.
    pub promoted: u32,
    /// Rows that lapsed (each has its log row).
    pub expired: u32,
    /// Asked rows that nobody answered, now failed.
    pub unanswered: u32,
}

/// How a person ends a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was done: logged as sent, by hand.
    Done,
    /// It shall not be done.
    Cancel,
}

/// A row of `notifytask` for lists and `why`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// The row.
    pub id: TaskId,
    /// Its stable key.
    pub key: Option<String>,
    /// Whose.
    pub module: String,
    /// File, or empty.
    pub filename: String,
    /// Urgency.
    pub priority: Priority,
    /// Failed attempts.
    pub error_count: u32,
    /// Goes out while paused.
    pub forced: bool,
    /// Last error, masked.
    pub err_info: String,
    /// Shown, never used for order.
    pub createdate: String,
    /// Route.
    pub route: Route,
    /// Ordered object.
    pub object: String,
    /// Where it stands.
    pub state: State,
    /// When it was queued.
    pub queued: Ms,
    /// When it became ready.
    pub ready: Ms,
    /// Waiting: due at; failed: since; asked: answer wanted by.
    pub run_at: Option<Ms>,
    /// Absolute end.
    pub expires: Option<Ms>,
    /// Attempts.
    pub attempt: u32,
    /// May have been sent.
    pub maybe_sent: bool,
    /// Gateway of the last claim.
    pub last_gateway: Option<GatewayId>,
    /// Lease.
    pub lease_until: Option<Ms>,
    /// Who has it.
    pub lease_owner: Option<String>,
    /// Project of its body.
    pub project: Option<ProjectId>,
}

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only this state.
    pub state: Option<State>,
    /// Only this module.
    pub module: Option<ModuleName>,
    /// Only those last claimed for this gateway.
    pub gateway: Option<GatewayId>,
    /// Only those whose `err_info` contains this.
    pub reason: Option<String>,
    /// Only those queued before.
    pub queued_before: Option<Ms>,
}

/// Which attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only of this module's tasks; with a gateway it tells a provisioning handler from a gateway of its number.
    pub module: Option<ModuleName>,
    /// Only this task.
    pub task: Option<TaskId>,
    /// Only this contact.
    pub contact: Option<String>,
    /// Only this user.
    pub user: Option<UserId>,
    /// Only this gateway.
    pub gateway: Option<GatewayId>,
    /// Only this reference (with a gateway).
    pub reference: Option<String>,
    /// Only since then.
    pub since: Option<Ms>,
    /// Only after this row: for following.
    pub after: Option<LogId>,
}

/// How many tasks stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Module.
    pub module: String,
    /// Route.
    pub route: Route,
    /// State.
    pub state: State,
    /// Rows.
    pub tasks: u64,
    /// Earliest `queued_ms`.
    pub oldest: Ms,
}

/// A row of `notifyworker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Owner name of its leases, unique for each start.
    pub owner: String,
    /// Host name.
    pub host: String,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Process.
    pub pid: i64,
    /// Last sign of life.
    pub beat: Ms,
}

impl Hash {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Blob {
    /// Bytes under their hash.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { hash: Hash::of(&bytes), bytes }
    }
}

impl NewLog {
    /// The log row of an answer: outcome, reason and reference taken over.
    #[must_use]
    pub fn with_answer(mut self, answer: &Answer) -> Self {
        answer.outcome.word().clone_into(&mut self.outcome);
        self.reason.clone_from(&answer.reason);
        self.reference.clone_from(&answer.reference);
        self
    }
}
