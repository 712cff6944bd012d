//! What every message passes before it goes to a gate, and after (queue 3.1, 3.5).

use crate::kill::{Fault, KillPoint, Sabotage};
use crate::notes::Notes;
use crate::owner::Identity;
use crate::pipeline::{Ended, Event, How, Message, Order, Outcomes};
use crate::standing::{Check, Spoke};
use notice::{Answer, Clock, Ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use store::{Effect, Lease};

/// The door of one worker: who it is, its notes, whether it may send at all.
pub struct Door {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Name and lock.
    pub identity: Identity,
    /// What is noted of each hand-over.
    pub notes: Notes,
    /// Whether the queue is paused.
    pub pause: Box<dyn Fn() -> bool + Send + Sync>,
    /// What the harness asked for.
    pub sabotage: Sabotage,
    /// Set on SIGTERM: nothing begins any more.
    pub stopping: AtomicBool,
    /// Turns of this worker that are over. What is read after one of them sees all that it and others had written.
    pub turns: AtomicU64,
}

/// A hand-over that has begun.
pub struct Begun {
    lease: Lease,
    at: Ms,
}

/// What a gate made of a message.
pub struct Heard {
    /// What it said; masked.
    pub answer: Answer,
    /// In which form.
    pub spoke: Spoke,
    /// The check after a `hold`.
    pub check: Check,
    /// What changes with it.
    pub effects: Vec<Effect>,
}

impl Door {
    /// True while the queue is paused.
    pub fn paused(&self) -> bool {
        (self.pause)()
    }

    /// True once the worker is to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Asks immediately before a hand-over whether it may begin, and notes that it does. Otherwise how the
    /// attempt ends: given back, or expired.
    pub fn begin(&self, order: &Order) -> Result<Begun, How> {
        let now = self.clock.now();
        if self.is_stopping() || self.paused() && !order.claimed.forced {
            return Err(How::Returned);
        }
        if !order.until.is_ours(&*self.clock) && !self.sabotage.commits(Fault::FenceOff) {
            return Err(How::Returned);
        }
        if order.claimed.expires.is_some_and(|expires| expires <= now) {
            return Err(How::Expired);
        }
        let gateway = order.gateway.as_ref().map(|gateway| gateway.id);
        match self.notes.start(order.claimed.lease, gateway) {
            Ok(()) => Ok(Begun { lease: order.claimed.lease, at: self.clock.since_boot() }),
            Err(error) => {
                Err(How::NotReady(format!("can't note the hand-over in var/run: {error}")))
            }
        }
    }

    /// Notes the end, and gives the outcome.
    pub fn end(&self, begun: &Begun, heard: Result<Heard, How>) -> (How, i64) {
        let noted = match &heard {
            Ok(heard) => heard.answer.clone(),
            // nothing was sent, and nothing will be: the task is settled when this reaches the database
            Err(_) => Answer::unreached("not sent"),
        };
        // what changes with it is in no note: a death before it is written leaves the task in doubt
        let is_whole = heard.as_ref().map_or(true, |heard| heard.effects.iter().all(may_be_lost));
        // if the note can't be written the outcome still goes to the database; only a death in between
        // would leave the task in doubt
        if is_whole {
            let _ = self.notes.end(begun.lease, &noted);
        }
        self.sabotage.kill_point(KillPoint::AfterSend);
        let how = match heard {
            Ok(Heard { answer, spoke, check, effects }) => {
                How::Answered { answer, spoke, check, effects }
            }
            Err(how) => how,
        };
        (how, self.clock.since_boot().since(begun.at))
    }

    /// A whole hand-over: ask, note, send, note, tell.
    pub fn hand_over(
        &self,
        message: &Message,
        outcomes: &Outcomes,
        send: impl FnOnce(&Message) -> Result<Heard, How>,
    ) {
        let (lease, details) = (message.order.claimed.lease, message.details.clone());
        let ended = match self.begin(&message.order) {
            Err(how) => Ended { lease, how, details, took_ms: None },
            Ok(begun) => {
                self.sabotage.while_sending();
                let (how, took_ms) = self.end(&begun, send(message));
                Ended { lease, how, details, took_ms: Some(took_ms) }
            }
        };
        // the store thread is gone only when the process is
        let _ = outcomes.send(Event::Ended(Box::new(ended)));
    }
}

/// Whether a task may count as settled although this was not written.
fn may_be_lost(effect: &Effect) -> bool {
    match effect {
        Effect::Inbox { .. }
        | Effect::Event(_)
        | Effect::ItemParam { .. }
        | Effect::ServiceParam { .. }
        | Effect::ServiceState { .. }
        | Effect::Handler { .. } => false,
        Effect::Response(_) => true,
    }
}
