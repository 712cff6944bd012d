//! The connections of one account, and the messages that wait for one.
//!
//! There are as many as the messages need and the server bears: one more while messages wait and none
//! is idle, one at a time; fewer when the server refuses another or says 421 to it at once, and then slowly
//! more again; none after a few seconds without a message.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gatepost_gate::{Failure, GatewayParams, OutgoingMessage, Reply, Sent};

use crate::account::{Account, Accounts};
use crate::carrier;
use crate::envelope::Ready;
use crate::outcome::failure_of;
use crate::trouble::Trouble;

/// How long a connection is kept without a message.
const IDLE: Duration = Duration::from_secs(5);
/// The longest wait for the farewells.
const LEAVE: Duration = Duration::from_secs(2);
/// Messages that must go well before one connection more is tried, after the server wanted fewer: at
/// first, and at most (it doubles with every refusal).
const GOOD_TO_GROW: u32 = 50;
const MOST_GOOD_TO_GROW: u32 = 6_400;

/// Takes the outcome of a message. Dropped without one, nobody knows what became of it.
pub(crate) trait Asker: Send {
    /// False when the outcome is unknown to the queue whatever becomes of the message.
    fn is_there(&self) -> bool;

    /// Tells the outcome.
    fn tell(self: Box<Self>, ended: Result<Sent, Failure>);
}

impl Asker for Reply {
    fn is_there(&self) -> bool {
        self.is_wanted()
    }

    fn tell(self: Box<Self>, ended: Result<Sent, Failure>) {
        self.give(ended);
    }
}

/// Who waits for a message's outcome.
pub(crate) type Answer = Box<dyn Asker>;

/// A message that waits.
pub(crate) enum Job {
    /// As it came.
    Fresh(Box<OutgoingMessage>, Answer),
    /// Built; given back by a connection that ended.
    Built(Parcel),
}

impl Job {
    /// False when nobody hears what becomes of it.
    pub(crate) fn is_wanted(&self) -> bool {
        let (Self::Fresh(_, answer) | Self::Built(Parcel { answer, .. })) = self;
        answer.is_there()
    }
}

/// A message ready for the line.
pub(crate) struct Parcel {
    /// What goes out.
    pub(crate) ready: Ready,
    /// Where its outcome is wanted.
    pub(crate) answer: Answer,
    /// How many connections ended under it before it was begun.
    pub(crate) returns: u32,
}

/// The pools in use, one for each gateway.
#[derive(Default)]
pub(crate) struct Pools(Mutex<Vec<(Arc<GatewayParams>, Arc<Pool>)>>);

impl Pools {
    /// The pool of a gateway. Its account is looked up once, as long as the parameters are the same ones.
    pub(crate) fn of(
        &self,
        gateway: &Arc<GatewayParams>,
        accounts: &Accounts,
    ) -> Result<Arc<Pool>, Failure> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| Arc::ptr_eq(known, gateway)) {
            return Ok(Arc::clone(pool));
        }
        let pool = Pool::of(accounts.of(gateway)?);
        pools.push((Arc::clone(gateway), Arc::clone(&pool)));
        Ok(pool)
    }

    /// Says farewell on every connection.
    pub(crate) fn leave(&self) {
        for (_, pool) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            pool.leave();
        }
    }
}

/// Messages and the threads that carry them, a connection each.
pub(crate) struct Pool {
    account: Arc<Account>,
    state: Mutex<State>,
    work: Condvar,
    gone: Condvar,
}

struct State {
    waiting: VecDeque<Job>,
    /// Threads, the opening ones too.
    open: usize,
    opening: usize,
    idle: usize,
    /// The most connections for now.
    allowed: usize,
    good: u32,
    good_to_grow: u32,
    is_leaving: bool,
}

impl State {
    /// One connection at a time: a server that refuses one is not asked for the next.
    fn wants_more(&self) -> bool {
        self.waiting.len() > self.idle && self.opening == 0 && self.open < self.allowed
    }

    fn shrink_to(&mut self, connections: usize) {
        self.allowed = self.allowed.min(connections.max(1));
        self.good = 0;
        self.good_to_grow = (self.good_to_grow * 2).min(MOST_GOOD_TO_GROW);
    }
}

impl Pool {
    /// No connection yet.
    pub(crate) fn of(account: Arc<Account>) -> Arc<Self> {
        let state = State {
            waiting: VecDeque::new(),
            open: 0,
            opening: 0,
            idle: 0,
            allowed: account.most_connections,
            good: 0,
            good_to_grow: GOOD_TO_GROW,
            is_leaving: false,
        };
        let (work, gone) = (Condvar::new(), Condvar::new());
        Arc::new(Self { account, state: Mutex::new(state), work, gone })
    }

    /// The account it works for.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// One more message.
    pub(crate) fn take(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        state.waiting.push_back(job);
        if state.idle > 0 {
            self.work.notify_one();
        }
        self.grow(state);
    }

    /// A message that was not begun, before all others.
    pub(crate) fn take_back(self: &Arc<Self>, parcel: Parcel) {
        let mut state = self.state();
        state.waiting.push_front(Job::Built(parcel));
        if state.idle > 0 {
            self.work.notify_one();
        }
        self.grow(state);
    }

    /// The next message if one waits.
    pub(crate) fn next_waiting(self: &Arc<Self>) -> Option<Job> {
        let mut state = self.state();
        let job = state.waiting.pop_front();
        self.grow(state);
        job
    }

    /// The next message if so many wait that every connection has one.
    pub(crate) fn next_to_spare(&self) -> Option<Job> {
        let mut state = self.state();
        if state.waiting.len() > state.open { state.waiting.pop_front() } else { None }
    }

    /// Waits for a message. None: the connection is not needed any more.
    pub(crate) fn next(self: &Arc<Self>) -> Option<Job> {
        let until = Instant::now() + IDLE;
        let mut state = self.state();
        state.idle += 1;
        while state.waiting.is_empty() && !state.is_leaving {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.work.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.idle -= 1;
        let job = state.waiting.pop_front();
        self.grow(state);
        job
    }

    /// A message was taken by the server.
    pub(crate) fn went_well(self: &Arc<Self>) {
        let mut state = self.state();
        if state.allowed >= self.account.most_connections {
            return;
        }
        state.good += 1;
        if state.good >= state.good_to_grow {
            state.good = 0;
            state.allowed += 1;
            self.grow(state);
        }
    }

    /// A connection was there, and the server did not want it.
    pub(crate) fn shrink(&self) {
        let mut state = self.state();
        let fewer = state.open.saturating_sub(1);
        state.shrink_to(fewer);
    }

    /// A connection is there.
    pub(crate) fn opened(&self) {
        self.state().opening = 0;
    }

    /// No connection came about: the others go on with what waits. Without others all that waits has
    /// failed as this one did.
    pub(crate) fn not_opened(&self, trouble: &Trouble) {
        let mut state = self.state();
        state.opening = 0;
        let others = state.open - 1;
        if others > 0 {
            state.shrink_to(others);
            return;
        }
        let failed = std::mem::take(&mut state.waiting);
        drop(state);
        let failure = failure_of(trouble);
        for job in failed {
            let (Job::Fresh(_, answer) | Job::Built(Parcel { answer, .. })) = job;
            answer.tell(Err(failure.clone()));
        }
    }

    /// A thread has ended.
    pub(crate) fn closed(self: &Arc<Self>) {
        let mut state = self.state();
        state.open -= 1;
        self.gone.notify_all();
        self.grow(state);
    }

    /// Says farewell on every connection; nothing may wait any more.
    pub(crate) fn leave(&self) {
        let until = Instant::now() + LEAVE;
        let mut state = self.state();
        state.is_leaving = true;
        self.work.notify_all();
        while state.open > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.gone.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// One connection more where one is wanted.
    fn grow(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if !state.wants_more() {
            return;
        }
        state.open += 1;
        state.opening = 1;
        drop(state);
        let pool = Arc::clone(self);
        let started = thread::Builder::new().name("smtp".into()).spawn(move || carrier::run(&pool));
        if let Err(cause) = started {
            self.not_opened(&Trouble::NoThread(cause));
            self.state().open -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
