//! What every message passes before it goes to a gate, and after (queue 3.1, 3.5).

use crate::kill::{Fault, KillPoint, Sabotage};
use crate::notes::Notes;
use crate::owner::Identity;
use crate::pipeline::{Details, Ended, Event, How, Message, Order, Outcomes};
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

/// A message in a gate's hands, as far as its end needs it.
pub struct Handed {
    /// When, and under which lease.
    pub begun: Begun,
    /// For the log.
    pub details: Details,
}

/// What a gate made of a message.
#[derive(Clone)]
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
        self.begin_all(&[order]).pop().unwrap_or(Err(How::Returned))
    }

    /// The same for messages that are handed over together: asked once, noted with one write, asked again. A reaper
    /// that found no start in the notes has read them when the lease had run out already: whoever noted it later finds
    /// that out here, and sends nothing.
    pub fn begin_all(&self, orders: &[&Order]) -> Vec<Result<Begun, How>> {
        let (now, is_paused) = (self.clock.now(), self.paused());
        let mut begun: Vec<Result<Begun, How>> =
            orders.iter().map(|order| self.may_begin(order, (now, is_paused))).collect();
        let noted: Vec<_> = orders
            .iter()
            .zip(&begun)
            .filter(|(_, may)| may.is_ok())
            .map(|(order, _)| {
                (order.claimed.lease, order.gateway.as_ref().map(|gateway| gateway.id))
            })
            .collect();
        if let Err(error) = self.notes.start(&noted) {
            let why = format!("can't note the hand-over in var/run: {error}");
            for one in begun.iter_mut().filter(|one| one.is_ok()) {
                *one = Err(How::NotReady(why.clone()));
            }
        }
        for (order, one) in orders.iter().zip(&mut begun) {
            if one.is_ok() && !self.is_ours(order) {
                *one = Err(How::Returned);
                self.notes.settled([order.claimed.lease]);
            }
        }
        begun
    }

    fn is_ours(&self, order: &Order) -> bool {
        order.until.is_ours(&*self.clock) || self.sabotage.commits(Fault::FenceOff)
    }

    fn may_begin(&self, order: &Order, (now, is_paused): (Ms, bool)) -> Result<Begun, How> {
        if self.is_stopping() || is_paused && !order.claimed.forced {
            return Err(How::Returned);
        }
        if !self.is_ours(order) {
            return Err(How::Returned);
        }
        if order.claimed.expires.is_some_and(|expires| expires <= now) {
            return Err(How::Expired);
        }
        Ok(Begun { lease: order.claimed.lease, at: self.clock.since_boot() })
    }

    /// Notes the ends, with one write, and tells them.
    pub fn end_all(&self, ends: Vec<(Handed, Result<Heard, How>)>, outcomes: &Outcomes) {
        for event in self.note_ends(ends) {
            // the store thread is gone only when the process is
            let _ = outcomes.send(event);
        }
    }

    /// The same, for whoever tells them.
    pub fn note_ends(&self, ends: Vec<(Handed, Result<Heard, How>)>) -> Vec<Event> {
        // nothing was sent, and nothing will be: the task is settled when this reaches the database
        let not_sent = Answer::unreached("not sent");
        let noted = ends.iter().filter_map(|(handed, heard)| match heard {
            // what changes with it is in no note: a death before it is written leaves the task in doubt
            Ok(heard) if !heard.effects.iter().all(may_be_lost) => None,
            Ok(heard) => Some((handed.begun.lease, &heard.answer)),
            Err(_) => Some((handed.begun.lease, &not_sent)),
        });
        // if the note can't be written the outcome still goes to the database; only a death in between
        // would leave the task in doubt
        let _ = self.notes.end(noted);
        let told = ends.into_iter().map(|(handed, heard)| {
            self.sabotage.kill_point(KillPoint::AfterSend);
            let how = match heard {
                Ok(Heard { answer, spoke, check, effects }) => {
                    How::Answered { answer, spoke, check, effects }
                }
                Err(how) => how,
            };
            let Handed { begun, details } = handed;
            let took_ms = Some(self.clock.since_boot().since(begun.at));
            Event::Ended(Box::new(Ended { lease: begun.lease, how, details, took_ms }))
        });
        told.collect()
    }

    /// A whole hand-over: ask, note, send, note, tell.
    pub fn hand_over(
        &self,
        message: &Message,
        outcomes: &Outcomes,
        send: impl FnOnce(&Message) -> Result<Heard, How>,
    ) {
        let (lease, details) = (message.order.claimed.lease, message.details.clone());
        match self.begin(&message.order) {
            Err(how) => {
                let _ = outcomes.send(Ended::before_a_gate(lease, how, details));
            }
            Ok(begun) => {
                self.sabotage.while_sending();
                let heard = send(message);
                self.end_all(vec![(Handed { begun, details }, heard)], outcomes);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::{Contact, Person};
    use crate::notes::{self, Noted};
    use crate::pipeline::{LeaseEnd, LeaseTime};
    use crate::rules::Outlet;
    use notice::{Fields, ModuleName, Priority, Route, TaskId};
    use std::sync::atomic::AtomicI64;
    use store::Claimed;

    const LEASE: Lease = Lease { task: TaskId(5), seq: 1 };

    /// Two clocks, of which one jumps when it was looked at so often.
    #[derive(Default)]
    struct Jumping {
        looks: AtomicI64,
        boot_jumps_at: i64,
        wall_ms: AtomicI64,
    }

    impl Clock for Jumping {
        fn now(&self) -> Ms {
            Ms(self.wall_ms.load(Ordering::SeqCst))
        }

        fn since_boot(&self) -> Ms {
            let look = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
            Ms(if look >= self.boot_jumps_at { 100_000 } else { 0 })
        }
    }

    fn order() -> Order {
        let claimed = Claimed {
            lease: LEASE,
            module: ModuleName::new("ntemail").unwrap(),
            route: Route::unread(),
            gateway: None,
            filename: String::new(),
            priority: Priority::default(),
            ord: 0,
            error_count: 0,
            attempt: 1,
            maybe_sent: false,
            forced: false,
            object: String::new(),
            queued: Ms(0),
            expires: None,
            key: "k".into(),
            body: None,
        };
        let end = Ms(60_000);
        Order {
            claimed,
            person: Person::default(),
            contact: Contact { kind: "email".into(), address: "u1@x.y".into(), phone: None },
            gateway: None,
            outlet: Outlet::Own,
            project: Arc::new(Fields::new()),
            until: LeaseTime::until(LeaseEnd { since_boot: end, in_row: end }),
        }
    }

    /// How a hand-over begins by this clock, and what is noted of it.
    fn begun(clock: Arc<Jumping>) -> (Result<(), How>, Option<Noted>) {
        let folder = tempfile::tempdir().unwrap();
        let module = ModuleName::new("ntemail").unwrap();
        let identity = Identity::take(&module, folder.path(), &*clock).unwrap();
        let path = identity.notes_path();
        let door = Door {
            clock,
            notes: Notes::create(&path).unwrap(),
            identity,
            pause: Box::new(|| false),
            sabotage: Sabotage::default(),
            stopping: AtomicBool::new(false),
            turns: AtomicU64::new(0),
        };
        let begun = door.begin(&order()).map(drop);
        (begun, notes::read(&path).unwrap().remove(&LEASE))
    }

    #[test]
    fn a_hand_over_begins_while_the_lease_is_ours_by_both_clocks() {
        let clock = || Jumping { boot_jumps_at: i64::MAX, ..Jumping::default() };
        assert_eq!(begun(Arc::new(clock())), (Ok(()), Some(Noted::Started)));
        let late = Jumping { boot_jumps_at: 1, ..Jumping::default() };
        assert_eq!(begun(Arc::new(late)), (Err(How::Returned), None));
        // somebody set the clock that the reaper goes by
        let set = Jumping { wall_ms: AtomicI64::new(86_400_000), ..clock() };
        assert_eq!(begun(Arc::new(set)), (Err(How::Returned), None));
    }

    // a reaper that came between the look and the note has found no start, and has given the task to another
    #[test]
    fn a_worker_that_slept_before_it_noted_the_start_sends_nothing() {
        let asleep = Jumping { boot_jumps_at: 2, ..Jumping::default() };
        assert_eq!(begun(Arc::new(asleep)), (Err(How::Returned), Some(Noted::Started)));
    }
}
