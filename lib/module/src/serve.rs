//! The way of a gate in serve mode (DESIGN 5): one child for each gateway, many messages in its hands at once.
//!
//! The queue is the lane's: by urgency. One thread, the attendant, hands over, hears and settles; what is said to
//! one child and heard from it is its [`talk`]. Nothing is in the gate's hands before it has answered a first ping,
//! so a gate that can't even start costs nobody an attempt.

mod attendant;
mod rest;
mod talk;

use crate::oneshot::OneShotTools;
use crate::pipeline::{Details, Ended, How, Message, Outcomes, Sender};
use crate::standing::Check;
use attendant::Attendant;
use host::serve::Bell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::{Gateway, Lease};

/// A message that has been in doubt and tried so often goes alone: if it is the one that ends the gate, it takes
/// no other along.
const ALONE_FROM: u32 = 3;
/// What `check_connection` said holds so long for others that ended `hold`.
const CHECKED: Duration = Duration::from_secs(1);

/// A way to a gate in serve mode.
pub struct Serve {
    inside: Arc<Inside>,
    attendant: Mutex<Option<JoinHandle<()>>>,
}

/// What the attendant shares with whoever sends.
struct Inside {
    tools: Arc<OneShotTools>,
    outcomes: Outcomes,
    queue: Mutex<Queue>,
    bell: Bell,
    /// What was said of the connection, and when.
    checked: Mutex<Option<(Instant, Check)>>,
}

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<(i64, i64), Message>,
    /// The row as it was read last.
    gateway: Option<Arc<Gateway>>,
    open: u32,
    is_closed: bool,
    /// The child must not get another message: what it was configured with is of no use.
    is_stale: bool,
    /// The attendant waits, and is to be rung.
    sleeps: bool,
}

/// The queue at one moment.
struct Glimpse {
    waiting: usize,
    gateway: Option<Arc<Gateway>>,
    open: u32,
    is_closed: bool,
    is_stale: bool,
}

impl Serve {
    /// A sender with a window of one. `pauses`: the first and the longest before a child is started again. Fails only
    /// when we are out of descriptors or threads.
    pub fn start(
        tools: Arc<OneShotTools>,
        outcomes: Outcomes,
        pauses: (Duration, Duration),
    ) -> io::Result<Self> {
        let inside = Arc::new(Inside {
            tools,
            outcomes,
            queue: Mutex::new(Queue { open: 1, ..Queue::default() }),
            bell: Bell::new()?,
            checked: Mutex::default(),
        });
        let attendant = Attendant::new(Arc::clone(&inside), pauses);
        let attendant = std::thread::Builder::new().spawn(move || attendant.run())?;
        Ok(Self { inside, attendant: Mutex::new(Some(attendant)) })
    }
}

impl Sender for Serve {
    fn send(&self, messages: Vec<Message>) {
        let mut queue = self.inside.queue();
        for message in messages {
            queue.learn(&message);
            queue.waiting.insert(message.place(), message);
        }
        self.inside.ring(queue);
    }

    fn set_window(&self, open: u32) {
        let mut queue = self.inside.queue();
        if std::mem::replace(&mut queue.open, open.max(1)) != queue.open {
            self.inside.ring(queue);
        }
    }
}

impl Serve {
    /// What waits goes back; the child is sent home.
    pub fn close(&self) {
        let mut queue = self.inside.queue();
        queue.is_closed = true;
        self.inside.ring(queue);
    }
}

impl Drop for Serve {
    /// The child is waited for, not long.
    fn drop(&mut self) {
        self.close();
        let attendant = self.attendant.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(attendant) = attendant {
            let _ = attendant.join();
        }
    }
}

impl Queue {
    /// The row that came with a message, if none is newer.
    fn learn(&mut self, message: &Message) {
        let Some(gateway) = &message.order.gateway else { return };
        if self.gateway.as_ref().is_none_or(|known| known.version <= gateway.version) {
            self.gateway = Some(Arc::clone(gateway));
        }
    }
}

impl Inside {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One ring a sleep: thirty messages are no thirty writes.
    fn ring(&self, mut queue: MutexGuard<'_, Queue>) {
        if std::mem::take(&mut queue.sleeps) {
            drop(queue);
            self.bell.ring();
        }
    }

    /// How things stand. From now on the attendant is rung for anything new.
    fn look(&self) -> Glimpse {
        let mut queue = self.queue();
        queue.sleeps = true;
        Glimpse {
            waiting: queue.waiting.len(),
            gateway: queue.gateway.clone(),
            open: queue.open,
            is_closed: queue.is_closed,
            is_stale: queue.is_stale,
        }
    }

    /// A child that starts now is told what holds now.
    fn freshen(&self) {
        self.queue().is_stale = false;
    }

    /// The child is to be replaced.
    fn spoil(&self) {
        let mut queue = self.queue();
        queue.is_stale = true;
        self.ring(queue);
    }

    /// The most urgent messages that may go into the gate's hands together, at most `room`.
    fn take(&self, room: u32, hands: Hands) -> Vec<Message> {
        let mut queue = self.queue();
        let mut taken: Vec<Message> = Vec::new();
        while taken.len() < room as usize {
            let Some(first) = queue.waiting.first_entry() else { break };
            if goes_alone(first.get()) {
                if taken.is_empty() && hands == Hands::Empty {
                    taken.push(first.remove());
                }
                break;
            }
            taken.push(first.remove());
        }
        taken
    }

    /// Takes the most urgent one out of the queue.
    fn first(&self) -> Option<(Lease, Details)> {
        let (_, message) = self.queue().waiting.pop_first()?;
        Some((message.order.claimed.lease, message.details))
    }

    /// Whatever waits goes back as if nothing had happened.
    fn give_back(&self) {
        while let Some((lease, details)) = self.first() {
            self.tell(lease, How::Returned, details);
        }
    }

    /// The end of an attempt that never reached the gate.
    fn tell(&self, lease: Lease, how: How, details: Details) {
        // the store thread is gone only when the process is
        let _ = self.outcomes.send(Ended::before_a_gate(lease, how, details));
    }

    /// The check after a `hold`, one for all that ended so within a moment.
    fn check(&self, (listed, gateway): (&host::Listed, &Gateway)) -> Check {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, check)) = &*checked
            && at.elapsed() < CHECKED
        {
            return check.clone();
        }
        let check = match self.tools.openings.open(gateway) {
            Ok(opened) => self.tools.check_of(listed, &opened),
            Err(why) => Check::Failed(why),
        };
        *checked = Some((Instant::now(), check.clone()));
        check
    }
}

/// What the gate has in its hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hands {
    Empty,
    Full,
}

fn goes_alone(message: &Message) -> bool {
    let claimed = &message.order.claimed;
    claimed.maybe_sent && claimed.attempt >= ALONE_FROM
}
