//! What the store thread gives away and what comes back: orders, messages, events.
//!
//! The store thread owns the database and decides; a [`Pipeline`] does: it reads files, renders, and
//! hands messages to [`Sender`]s. Every piece of work brings exactly one [`Event`], later, in any order.

use crate::contact::{Contact, Person, Refusal};
use crate::rules::Outlet;
use crate::standing::{Check, Spoke};
use notice::{Answer, Clock, Fields, GatewayId, Ms, OnUnknown};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::{Claimed, Effect, Gateway, Lease, NewTask};

/// Does what the store thread has decided.
pub trait Pipeline: Send {
    /// Takes work. May block while the stages behind it are full.
    fn take(&mut self, work: Vec<Work>);
    /// At most so many messages at an outlet at once from now on.
    fn set_window(&mut self, outlet: &Outlet, open: u32);
}

/// Something to do.
pub enum Work {
    /// Render and hand over.
    Deliver(Box<Order>),
    /// Read a notification file that nobody has read.
    Read(Box<Claimed>),
    /// Ask a held gateway's `check_connection`.
    Probe(Arc<Gateway>),
}

/// A claimed task with all that its delivery needs.
pub struct Order {
    /// The row and its body.
    pub claimed: Claimed,
    /// To whom.
    pub person: Person,
    /// Where.
    pub contact: Contact,
    /// Through which gateway; None: the module sends it itself.
    pub gateway: Option<Arc<Gateway>>,
    /// Which window it counts in.
    pub outlet: Outlet,
    /// The project's columns as of now.
    pub project: Arc<Fields>,
    /// Until when the lease is ours.
    pub until: LeaseTime,
}

/// The end of a lease; the store thread moves it on, senders read it.
///
/// It is over by whichever clock says so first. The reaper goes by the time that stands in the row, and that clock can
/// be set; the other one nobody can set, and it also counts while the first goes back.
#[derive(Clone, Debug)]
pub struct LeaseTime(Arc<[AtomicI64; 2]>);

/// When a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnd {
    /// Since boot.
    pub since_boot: Ms,
    /// What the row says.
    pub in_row: Ms,
}

impl LeaseTime {
    /// A lease that ends then.
    pub fn until(end: LeaseEnd) -> Self {
        Self(Arc::new([end.since_boot, end.in_row].map(|at| AtomicI64::new(at.0))))
    }

    /// It was extended.
    pub fn extend(&self, end: LeaseEnd) {
        for (ends, at) in self.0.iter().zip([end.since_boot, end.in_row]) {
            ends.store(at.0, Ordering::SeqCst);
        }
    }

    /// It was lost.
    pub fn lose(&self) {
        let never = Ms(i64::MIN);
        self.extend(LeaseEnd { since_boot: never, in_row: never });
    }

    /// Whether a hand-over may still begin.
    pub fn is_ours(&self, clock: &dyn Clock) -> bool {
        let mut ends = self.0.iter().zip([clock.since_boot(), clock.now()]);
        ends.all(|(end, now)| now.0 < end.load(Ordering::SeqCst))
    }
}

/// What came of a piece of work.
pub enum Event {
    /// A task's attempt has ended, or never began.
    Ended(Box<Ended>),
    /// A file was read.
    Read(Box<FileRead>),
    /// A probe has ended; the error is masked.
    Probed(GatewayId, Result<(), String>),
    /// Something is new: a turn is worth it.
    News,
    /// Somebody has written into the database, perhaps ourselves.
    Stirred,
}

/// The end of a task's attempt.
pub struct Ended {
    /// Of which row.
    pub lease: Lease,
    /// How.
    pub how: How,
    /// For the log.
    pub details: Details,
    /// Milliseconds in the gate's hands.
    pub took_ms: Option<i64>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Somebody was asked: a gate, or the module's own way.
    Answered {
        /// What was said.
        answer: Answer,
        /// In which form.
        spoke: Spoke,
        /// The check after a `hold`.
        check: Check,
        /// What changes with it.
        effects: Vec<Effect>,
    },
    /// No gate was asked and none will be: logged, the row goes.
    Refused(Refusal),
    /// Its time was up before it could be handed over.
    Expired,
    /// The template failed: later once, then never. With file, line, message.
    NotRendered(String),
    /// Nothing is wrong with the task: what it needs here is missing (the render program …).
    NotReady(String),
    /// It can never be sent, and a person should see it.
    Broken(String),
    /// It was not handed over: paused, stopping, lease lost.
    Returned,
}

/// What the log keeps of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the notice.
    pub notice: Option<String>,
    /// The contact as it was used.
    pub contact: Option<String>,
    /// SMS segments.
    pub segments: Option<u32>,
    /// What the notice says about unknown outcomes.
    pub on_unknown: Option<OnUnknown>,
}

/// A notification file that was read.
pub struct FileRead {
    /// The claimed row.
    pub lease: Lease,
    /// What to make of it.
    pub result: Result<Vec<NewTask>, FileTrouble>,
    /// The file to remove once its notifications are in the database; None: it is not ours to remove.
    pub remove: Option<std::path::PathBuf>,
}

/// Why a file could not be read. The text names the file, the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileTrouble {
    /// It may be cured by itself or by somebody: missing, no right.
    Later(String),
    /// Its content is wrong.
    Never(String),
}

/// A message: rendered, for one contact, on its way to a gate.
pub struct Message {
    /// The order it was made of.
    pub order: Box<Order>,
    /// The main body: HTML for mail, text for the rest; empty for a body that is taken raw.
    pub message: String,
    /// Heading, one line.
    pub subject: String,
    /// The text alternative of a mail.
    pub text: Option<String>,
    /// Further headers of a mail.
    pub headers: Vec<(String, String)>,
    /// Files of a mail.
    pub attachments: Vec<wire::outgoing::Attachment>,
    /// The number and the size of the text in it.
    pub phone: Option<wire::outgoing::Phone>,
    /// For the log.
    pub details: Details,
}

impl Message {
    /// Nothing but the heading yet.
    pub(crate) fn new(order: Order, (subject, details): (String, Details)) -> Self {
        Self {
            order: Box::new(order),
            message: String::new(),
            subject,
            text: None,
            headers: Vec::new(),
            attachments: Vec::new(),
            phone: None,
            details,
        }
    }

    /// The document a gate gets, for a gateway that was opened.
    pub fn outgoing<'a>(
        &'a self,
        (gateway, xmlparams): (&'a Fields, &'a str),
    ) -> wire::outgoing::Outgoing<'a> {
        wire::outgoing::Outgoing {
            gateway,
            xmlparams,
            message: &self.message,
            subject: &self.subject,
            text: self.text.as_deref(),
            headers: &self.headers,
            attachments: &self.attachments,
            user_xml: &self.order.person.xml,
            project: &self.order.project,
            task: self.attributes(),
        }
    }

    /// Where it stands among those that wait for a gate: the most urgent first.
    pub(crate) fn place(&self) -> (i64, i64) {
        (self.order.claimed.ord, self.order.claimed.lease.task.0)
    }

    /// What a program is told of the task.
    pub fn attributes(&self) -> wire::outgoing::TaskAttributes<'_> {
        let claimed = &self.order.claimed;
        wire::outgoing::TaskAttributes {
            id: claimed.lease.task,
            key: &claimed.key,
            attempt: claimed.attempt,
            maybe_sent: claimed.maybe_sent,
            phone: self.phone.as_ref(),
        }
    }

    /// The body as it was put into the queue; empty when there is none.
    pub fn raw(&self) -> &[u8] {
        self.order.claimed.body.as_ref().map_or(&[], |body| &body.notice.bytes)
    }
}

/// A way to a service: takes messages, and later gives their outcomes, in any order. A one-shot gate is
/// one, a gate in serve mode another.
pub trait Sender: Send {
    /// Takes messages; never blocks. They are handed over in order of urgency.
    fn send(&self, messages: Vec<Message>);
    /// At most so many at once from now on.
    fn set_window(&self, open: u32);
}

/// Where outcomes go.
pub type Outcomes = std::sync::mpsc::Sender<Event>;

impl Ended {
    /// The end of an attempt that never reached a gate.
    pub fn before_a_gate(lease: Lease, how: How, details: Details) -> Event {
        Event::Ended(Box::new(Self { lease, how, details, took_ms: None }))
    }
}
