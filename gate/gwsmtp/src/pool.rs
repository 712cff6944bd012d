//! The connections of one account, and the messages that wait for one.
//!
//! There are as many as the messages need and the server bears: one more while messages wait and none
//! is idle, one at a time; fewer when the server refuses another or says 421 to it at once, and then slowly
//! more again; none after a few seconds without a message. A server that is quick has few at work: a message
//! waits for a busy connection where that takes less than [`SOON`], so that its envelope leaves together with
//! the content before it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gatepost_gate::{Failure, GatewayParams, OutgoingMessage, Reply, Sent};

use crate::account::Account;
use crate::carrier;
use crate::envelope::Ready;
use crate::outcome::failure_of;
use crate::trouble::Trouble;

/// How long a connection is kept without a message.
const IDLE: Duration = Duration::from_secs(5);
/// So long a message may wait for a connection that is at work, while others are idle.
const SOON: Duration = Duration::from_millis(5);
/// How often an idle connection looks whether the others have come to a stand, while they are at work.
const LOOK: Duration = Duration::from_millis(20);
/// A new round trip counts one part in so many of the usual one.
const USUAL_PARTS: u32 = 8;
/// The longest wait for the farewells.
const LEAVE: Duration = Duration::from_secs(2);
/// Messages that must go well before one connection more is tried, after the server wanted fewer: at
/// first, and at most (it doubles with every refusal).
const GOOD_TO_GROW: u32 = 50;
const MOST_GOOD_TO_GROW: u32 = 6_400;

/// Who is owed the outcome of a message. Dropped without one, nobody knows what became of it.
pub(crate) trait Owed: Send {
    /// False when the outcome is unknown to the queue whatever becomes of the message.
    fn is_there(&self) -> bool;

    /// Tells the outcome.
    fn tell(self: Box<Self>, ended: Result<Sent, Failure>);
}

impl Owed for Reply {
    fn is_there(&self) -> bool {
        self.is_wanted()
    }

    fn tell(self: Box<Self>, ended: Result<Sent, Failure>) {
        self.give(ended);
    }
}

/// A message that waits.
pub(crate) enum Waiting {
    /// As it came.
    Fresh(Box<OutgoingMessage>, Box<dyn Owed>),
    /// Built ahead, or given back by a connection that ended.
    Built(Parcel),
}

impl Waiting {
    /// False when nobody hears what becomes of it.
    pub(crate) fn is_wanted(&self) -> bool {
        let (Self::Fresh(_, owed) | Self::Built(Parcel { owed, .. })) = self;
        owed.is_there()
    }
}

/// A message ready for the line.
pub(crate) struct Parcel {
    /// What goes out.
    pub(crate) ready: Ready,
    /// Where its outcome is wanted.
    pub(crate) owed: Box<dyn Owed>,
    /// How many connections ended under it before it was begun.
    pub(crate) returns: u32,
}

/// The pools in use, one for each gateway.
#[derive(Default)]
pub(crate) struct Pools(Mutex<Vec<(Arc<GatewayParams>, Arc<Pool>)>>);

impl Pools {
    /// The pool of a gateway. Its fields are read once, as long as the parameters are the same ones.
    pub(crate) fn of(&self, gateway: &Arc<GatewayParams>) -> Result<Arc<Pool>, Failure> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| Arc::ptr_eq(known, gateway)) {
            return Ok(Arc::clone(pool));
        }
        let pool = Pool::of(Arc::new(Account::read(gateway)?));
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
    waiting: VecDeque<Waiting>,
    /// Threads, the opening ones too.
    open: usize,
    opening: usize,
    idle: usize,
    /// One of the idle ones looks after those at work.
    is_watched: bool,
    /// How long a round trip takes as a rule; None before the first.
    usual: Option<Duration>,
    /// How many messages have ended.
    ended: u64,
    /// The most connections for now.
    allowed: usize,
    good: u32,
    good_to_grow: u32,
    is_leaving: bool,
}

impl State {
    /// One connection at a time: a server that refuses one is not asked for the next.
    fn wants_more(&self) -> bool {
        let is_short = self.idle == 0 || self.is_urgent();
        self.waiting.len() > self.idle && is_short && self.opening == 0 && self.open < self.allowed
    }

    /// The place of the first that is not built. Built ones stand before it, about as many as connections.
    fn first_fresh(&self) -> Option<usize> {
        self.waiting.iter().position(|waiting| matches!(waiting, Waiting::Fresh(..)))
    }

    /// The place of the one to build ahead.
    fn first_to_build(&self) -> Option<usize> {
        let fresh = self.first_fresh()?;
        (self.waiting.len() > self.open && fresh < self.open).then_some(fresh)
    }

    fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Connections with a message.
    fn at_work(&self) -> usize {
        self.open.saturating_sub(self.idle + self.opening)
    }

    /// True when those at work would not soon have taken up what waits.
    fn is_urgent(&self) -> bool {
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let at_work = u32::try_from(self.at_work()).unwrap_or(u32::MAX);
        match (self.usual, at_work) {
            (None, _) | (_, 0) => waiting > 0,
            (Some(usual), at_work) => usual.saturating_mul(waiting) / at_work > SOON,
        }
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
            is_watched: false,
            usual: None,
            ended: 0,
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
    pub(crate) fn take(self: &Arc<Self>, message: Waiting) {
        let mut state = self.state();
        state.waiting.push_back(message);
        self.call(state);
    }

    /// A message that was not begun, before all others.
    pub(crate) fn take_back(self: &Arc<Self>, parcel: Parcel) {
        let mut state = self.state();
        state.waiting.push_front(Waiting::Built(parcel));
        self.call(state);
    }

    /// A message built ahead, behind those built before. Whoever is free has it: the connection that built it
    /// may wait for its server for long.
    pub(crate) fn keep(self: &Arc<Self>, parcel: Parcel) {
        let mut state = self.state();
        let place = state.first_fresh().unwrap_or(state.waiting.len());
        state.waiting.insert(place, Waiting::Built(parcel));
        self.call(state);
    }

    /// Calls a connection to what waits.
    fn call(self: &Arc<Self>, state: MutexGuard<'_, State>) {
        if state.idle > 0 && (state.is_urgent() || !state.is_watched) {
            self.work.notify_one();
        }
        self.grow(state);
    }

    /// The next message if one waits.
    pub(crate) fn next_waiting(self: &Arc<Self>) -> Option<Waiting> {
        let mut state = self.state();
        let message = state.waiting.pop_front();
        self.grow(state);
        message
    }

    /// A message to build ahead if so many wait that every connection has one, and fewer than that are built.
    pub(crate) fn next_to_build(&self) -> Option<Waiting> {
        let mut state = self.state();
        let fresh = state.first_to_build()?;
        state.waiting.remove(fresh)
    }

    /// Waits for a message. None: the connection is not needed any more.
    pub(crate) fn next(self: &Arc<Self>) -> Option<Waiting> {
        let mut state = self.state();
        if state.waiting.is_empty() && !state.is_leaving {
            state = self.rest(state);
        }
        let message = state.waiting.pop_front();
        if state.idle > 0 && !state.is_watched && state.has_waiting() {
            // who takes this one watches no more
            self.work.notify_one();
        }
        self.grow(state);
        message
    }

    /// Waits until this connection is needed, or has not been for long.
    fn rest<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let until = Instant::now() + IDLE;
        let mut stands_still = false;
        state.idle += 1;
        while !(state.is_leaving || state.is_urgent() || stands_still && state.has_waiting()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let ended = state.ended;
            let watches = state.at_work() > 0 && !state.is_watched;
            state.is_watched |= watches;
            let wait = if watches { left.min(LOOK) } else { left };
            let woken = self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = woken.0;
            state.is_watched &= !watches;
            stands_still = woken.1.timed_out() && state.ended == ended;
        }
        state.idle -= 1;
        state
    }

    /// A message was taken by the server; its round trip took so long.
    pub(crate) fn went_well(self: &Arc<Self>, took: Duration) {
        let mut state = self.state();
        state.ended += 1;
        let usual = state.usual.unwrap_or(took);
        state.usual = Some((usual * (USUAL_PARTS - 1) + took) / USUAL_PARTS);
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
        for message in failed {
            let (Waiting::Fresh(_, owed) | Waiting::Built(Parcel { owed, .. })) = message;
            owed.tell(Err(failure.clone()));
        }
    }

    /// A thread has ended.
    pub(crate) fn closed(self: &Arc<Self>) {
        let mut state = self.state();
        state.open -= 1;
        self.gone.notify_all();
        if state.idle > 0 && state.is_urgent() {
            self.work.notify_one();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Envelope, Partial};

    struct Nobody;

    impl Owed for Nobody {
        fn is_there(&self) -> bool {
            true
        }
        fn tell(self: Box<Self>, _: Result<Sent, Failure>) {}
    }

    fn waiting(messages: usize) -> VecDeque<Waiting> {
        (0..messages).map(|_| Waiting::Fresh(Box::default(), Box::new(Nobody))).collect()
    }

    /// One connection at work, one idle, and a server that takes so long for each message.
    fn state(usual: Option<Duration>, messages: usize) -> State {
        State {
            waiting: waiting(messages),
            open: 2,
            opening: 0,
            idle: 1,
            is_watched: false,
            usual,
            ended: 0,
            allowed: 10,
            good: 0,
            good_to_grow: GOOD_TO_GROW,
            is_leaving: false,
        }
    }

    fn built() -> Waiting {
        let envelope = Envelope {
            sender: None,
            recipients: Vec::new(),
            partial: Partial::AllOrNothing,
            id: String::new(),
        };
        let ready = Ready { envelope, content: Vec::new() };
        Waiting::Built(Parcel { ready, owed: Box::new(Nobody), returns: 0 })
    }

    #[test]
    fn as_many_are_built_ahead_as_there_are_connections_while_more_wait() {
        let mut state = state(None, 2);
        assert_eq!(state.first_to_build(), None, "each connection has one");
        state.waiting = waiting(3);
        for place in 0..2 {
            assert_eq!(state.first_to_build(), Some(place));
            state.waiting[place] = built();
        }
        assert_eq!((state.first_to_build(), state.first_fresh()), (None, Some(2)));
    }

    #[test]
    fn a_message_waits_for_a_busy_connection_only_where_that_is_soon_free() {
        let (quick, slow) = (Some(Duration::from_micros(50)), Some(Duration::from_millis(30)));
        assert!(!state(quick, 100).is_urgent());
        assert!(state(quick, 101).is_urgent());
        assert!(state(slow, 1).is_urgent());
        assert!(state(None, 1).is_urgent());
        assert!(!state(slow, 0).is_urgent());
        let nobody_works = State { open: 1, ..state(quick, 1) };
        assert!(nobody_works.is_urgent());
    }

    #[test]
    fn there_is_always_one_connection_more_than_are_at_work() {
        let quick = Some(Duration::from_micros(50));
        assert!(!state(quick, 30).wants_more());
        assert!(State { idle: 0, ..state(quick, 30) }.wants_more());
        assert!(!State { idle: 0, allowed: 2, ..state(quick, 30) }.wants_more());
        assert!(!State { idle: 0, opening: 1, ..state(quick, 30) }.wants_more());
    }
}
