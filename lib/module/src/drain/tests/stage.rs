//! The scripted side: a pipeline that delivers at once, as it is told.

use crate::files::read_file;
use crate::handover::{Door, Handed, Heard};
use crate::pipeline::{Details, Ended, Event, How, Order, Outcomes, Pipeline, Work};
use crate::plan::{Abilities, GateBook};
use crate::standing::{Check, Probe, Spoke};
use notice::{Answer, GatewayId, Ms, Outcome, TaskId};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use store::{Durability, Store, StoreError};

/// What the scripted gate does.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Sent,
    /// An error document.
    Document(Outcome, &'static str),
    /// So it ended, and the service wants to be left alone for so many seconds.
    Rest(Outcome, u32),
    /// No document.
    Nothing(Outcome, &'static str),
    /// A document that says it could not connect.
    Unreached,
    /// It read nothing of it: the hand-over is taken back.
    Unread,
    /// The program does not start.
    NotStarted,
    /// It never came to a hand-over.
    NotRendered(&'static str),
    NoRenderer,
}

/// What the gate saw.
#[derive(Clone, Debug)]
pub(super) struct HandOver {
    pub(super) task: TaskId,
    pub(super) gateway: Option<GatewayId>,
    pub(super) project: Option<i64>,
    pub(super) contact: String,
    pub(super) key: String,
    pub(super) attempt: u32,
    pub(super) maybe_sent: bool,
    pub(super) now: Ms,
    pub(super) accepted: bool,
}

/// What a dead worker had done with a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grave {
    Untouched,
    Started,
    Ended,
}

type Script = Box<dyn FnMut(&HandOver) -> Reply + Send>;
type Checker = Box<dyn FnMut(Ms) -> Result<(), String> + Send>;
pub(super) type Opener = Arc<dyn Fn() -> Box<dyn Store> + Send + Sync>;

pub(super) struct Stage {
    pub(super) script: Mutex<Script>,
    pub(super) check: Mutex<Option<Checker>>,
    pub(super) ledger: Mutex<Vec<HandOver>>,
    pub(super) probe: Mutex<Probe>,
    /// The gate that does not say what it can do.
    pub(super) silent: Mutex<String>,
    pub(super) paused: AtomicBool,
    pub(super) pause_after: AtomicI64,
    pub(super) stop_after: AtomicI64,
    pub(super) steal: AtomicUsize,
    /// Which read of the drain fails, counted from now; 0: none.
    pub(super) failing_read: Arc<AtomicUsize>,
    pub(super) opener: Opener,
    /// What the log got.
    pub(super) lines: Arc<Mutex<Vec<String>>>,
}

/// A store of which one read fails.
pub(super) struct Frail {
    pub(super) store: Box<dyn Store>,
    pub(super) failing_read: Arc<AtomicUsize>,
}

impl Store for Frail {
    fn write(
        &mut self,
        durability: Durability,
        change: &mut dyn FnMut(&mut dyn store::Tx) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.store.write(durability, change)
    }

    fn read(
        &mut self,
        look: &mut dyn FnMut(&mut dyn store::Snapshot) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let left = self.failing_read.load(Ordering::SeqCst);
        self.failing_read.store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 1 {
            return Err(StoreError::Locked { operation: "read", waited_secs: 10 });
        }
        self.store.read(look)
    }

    fn waker(&self) -> Result<Box<dyn store::Wake>, StoreError> {
        self.store.waker()
    }

    fn wake(&self) {
        self.store.wake();
    }

    fn has_news(&mut self) -> Result<bool, StoreError> {
        self.store.has_news()
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.store.tidy()
    }
}

impl Stage {
    pub(super) fn new(opener: Opener) -> Self {
        Self {
            script: Mutex::new(Box::new(|_| Reply::Sent)),
            check: Mutex::new(None),
            ledger: Mutex::new(Vec::new()),
            probe: Mutex::new(Probe::Task),
            silent: Mutex::default(),
            paused: AtomicBool::new(false),
            pause_after: AtomicI64::new(i64::MAX),
            stop_after: AtomicI64::new(i64::MAX),
            steal: AtomicUsize::new(0),
            failing_read: Arc::default(),
            opener,
            lines: Arc::default(),
        }
    }
}

pub(super) struct ScriptedPipeline {
    pub(super) stage: Arc<Stage>,
    pub(super) door: Arc<Door>,
    pub(super) outcomes: Outcomes,
    pub(super) root: PathBuf,
}

impl Pipeline for ScriptedPipeline {
    fn take(&mut self, work: Vec<Work>) {
        for piece in work {
            let event = match piece {
                Work::Read(claimed) => Event::Read(Box::new(read_file(&self.root, &claimed))),
                Work::Probe(gateway) => {
                    let mut check = self.stage.check.lock().unwrap();
                    let result =
                        check.as_mut().map_or(Ok(()), |check| check(self.door.clock.now()));
                    Event::Probed(gateway.id, result)
                }
                Work::Deliver(order) => self.deliver(&order),
            };
            self.outcomes.send(event).unwrap();
        }
    }

    fn set_window(&mut self, _: &crate::rules::Outlet, _: u32) {}
}

impl ScriptedPipeline {
    fn deliver(&self, order: &Order) -> Event {
        let lease = order.claimed.lease;
        let details =
            Details { contact: Some(order.contact.address.clone()), ..Details::default() };
        let end = |how| {
            Event::Ended(Box::new(Ended { lease, how, details: details.clone(), took_ms: Some(1) }))
        };
        let mut seen = self.see(order);
        let reply = (self.stage.script.lock().unwrap())(&seen);
        match &reply {
            Reply::NotRendered(why) => return end(How::NotRendered((*why).to_owned())),
            Reply::NoRenderer => return end(How::NotReady("no libexec/gatepost-render".into())),
            _ => {}
        }
        self.disturb(order);
        let begun = match self.door.begin(order) {
            Ok(begun) => begun,
            Err(how) => return end(how),
        };
        seen.accepted = matches!(reply, Reply::Sent | Reply::Rest(Outcome::Sent, _));
        self.stage.ledger.lock().unwrap().push(seen);
        if self.stage.steal.load(Ordering::SeqCst) == 2 {
            self.steal(lease);
        }
        if let Reply::Unread = reply {
            return end(How::Returned);
        }
        let handed = Handed { begun, details };
        self.door.note_ends(vec![(handed, Ok(self.heard(&reply)))]).pop().unwrap()
    }

    fn see(&self, order: &Order) -> HandOver {
        HandOver {
            task: order.claimed.lease.task,
            gateway: order.gateway.as_ref().map(|gateway| gateway.id),
            project: order.claimed.body.as_ref().and_then(|body| body.project).map(|id| id.0),
            contact: order.contact.address.clone(),
            key: order.claimed.key.clone(),
            attempt: order.claimed.attempt,
            maybe_sent: order.claimed.maybe_sent,
            now: self.door.clock.now(),
            accepted: false,
        }
    }

    fn disturb(&self, order: &Order) {
        if self.stage.pause_after.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.stage.paused.store(true, Ordering::SeqCst);
        }
        if self.stage.stop_after.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.door.stopping.store(true, Ordering::SeqCst);
        }
        if self.stage.steal.load(Ordering::SeqCst) == 1 {
            order.until.lose();
        }
    }

    /// Another worker, after the lease ran out.
    fn steal(&self, lease: store::Lease) {
        let owner = self.door.identity.owner.clone();
        let now = self.door.clock.now();
        let mut store = (self.stage.opener)();
        store::write::<_, StoreError>(&mut *store, Durability::Crash, |tx| {
            tx.release(&owner, &[lease], now)
        })
        .unwrap();
    }

    fn heard(&self, reply: &Reply) -> Heard {
        let (answer, spoke) = match reply {
            Reply::Sent => (Answer::sent(Some("ref".into())), Spoke::Document),
            Reply::Document(outcome, why) => (Answer::not_sent(*outcome, *why), Spoke::Document),
            Reply::Rest(outcome, secs) => {
                let answer = Answer::not_sent(*outcome, "too many");
                (Answer { retry_after_secs: Some(*secs), ..answer }, Spoke::Document)
            }
            Reply::Nothing(outcome, why) => (Answer::not_sent(*outcome, *why), Spoke::Nothing),
            Reply::Unreached => (Answer::unreached("connection refused"), Spoke::Document),
            Reply::Unread | Reply::NotStarted | Reply::NotRendered(_) | Reply::NoRenderer => {
                (Answer::unreached("no such program"), Spoke::Nothing)
            }
        };
        let mut check = Check::Absent;
        if answer.outcome == Outcome::Hold
            && let Some(asked) = self.stage.check.lock().unwrap().as_mut()
        {
            check = match asked(self.door.clock.now()) {
                Ok(()) => Check::Passed,
                Err(why) => Check::Failed(why),
            };
        }
        Heard { answer, spoke, check, effects: Vec::new() }
    }
}

pub(super) struct Book(pub(super) Arc<Stage>);

impl GateBook for Book {
    fn abilities(&self, _: &str) -> Option<Abilities> {
        Some(Abilities { probe: *self.0.probe.lock().unwrap(), concurrency: 5, most: 64 })
    }

    fn is_silent(&self, gate: &str) -> bool {
        gate == *self.0.silent.lock().unwrap()
    }
}
