//! The loop around the turns: when to take one, when to wait, when to leave (queue 3.7, 3.8, 3.9).

use crate::arguments::Follow;
use crate::drain::{Appetite, Drain, Turned};
use crate::handover::Door;
use crate::idle::is_prune_due;
use crate::pipeline::{Event, Outcomes};
use crate::plan::Untold;
use crate::progress::Progress;
use crate::signals::Signals;
use notice::Ms;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use store::{Durability, Retention, Snapshot, Store, StoreError, Wake, Woken};

/// How a run is bounded.
pub struct Bounds {
    /// Stay when nothing is left.
    pub follow: Follow,
    /// Leave after that.
    pub time: Duration,
    /// Look anew without a wake-up.
    pub poll: Duration,
    /// What in-flight sends get on SIGTERM.
    pub grace: Duration,
    /// Between two prunings.
    pub prune: Duration,
    /// What they leave.
    pub keep: Retention,
}

/// How a run ended.
#[derive(Debug)]
pub enum Left {
    /// Nothing was left to do, the time was up, or a signal came: all is in order.
    Clean,
    /// A signal came and sends were still in a gate's hands at the end of the grace.
    InFlight,
    /// The store can't be reached.
    Store(StoreError),
}

/// Everything a run holds.
pub struct Run {
    /// Tells events that nobody was told of.
    pub tell: Box<dyn FnMut() -> Telling>,
    /// Turns.
    pub drain: Drain,
    /// What comes back.
    pub events: Receiver<Event>,
    /// What every hand-over passes.
    pub door: Arc<Door>,
    /// What ends it from outside.
    pub signals: Signals,
    /// Ends the gates that run.
    pub stop: Arc<host::Stop>,
    /// For a person.
    pub progress: Progress,
    /// Limits.
    pub bounds: Bounds,
    /// Since when what is in hand may end: the time is over, and nothing is claimed.
    pub finishing: Option<Instant>,
}

/// What came of telling events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// They are told, or at least a part of them.
    Done,
    /// They are not.
    Failed,
}

/// After an error that may pass, the next try.
const AFTER_ERROR: Duration = Duration::from_millis(500);
/// Gates that are ended have so long to be heard.
const AFTER_STOP: Duration = Duration::from_secs(5);
/// A run without `--follow` gives up after so many errors in a row.
const ERRORS: u32 = 3;
/// What is in hand has so long to end when the time is over, before those that have it are slow.
const FINISH: Duration = Duration::from_secs(1);
/// What has ended waits so long for more to end, while the gateways have enough to do: a turn for thirty messages
/// costs little more than a turn for one.
const GATHER: Duration = Duration::from_millis(40);
/// Meanwhile the store thread is not woken for each of them, but looks that often.
const GATHER_LOOK: Duration = Duration::from_millis(4);
/// The progress is counted anew after that.
const COUNT: Duration = Duration::from_secs(1);

/// What an event is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// It was our own doing.
    Nothing,
    /// A turn, but not for this alone.
    More,
    /// A turn at once.
    ATurn,
}

impl Run {
    /// Runs to its end.
    pub fn go(&mut self) -> Left {
        let started = Instant::now();
        let mut errors = 0;
        let mut counted = None;
        let mut untold = Untold::None;
        loop {
            if self.signals.count() > 0 {
                return self.stop();
            }
            let telling = match untold {
                Untold::Some => (self.tell)(),
                Untold::None => Telling::Done,
            };
            let events: Vec<Event> = self.events.try_iter().collect();
            let is_late = self.bounds.follow == Follow::No && started.elapsed() >= self.bounds.time;
            let appetite = if is_late { self.last_appetite() } else { Appetite::Claim };
            let turned = match self.drain.turn(events, appetite) {
                Ok(turned) => turned,
                Err(error) => {
                    errors += 1;
                    let stays = error.is_passing()
                        && (self.bounds.follow == Follow::Yes || errors < ERRORS);
                    if !stays {
                        return Left::Store(error);
                    }
                    self.wait(AFTER_ERROR);
                    continue;
                }
            };
            errors = 0;
            self.show(&mut counted);
            untold = turned.untold;
            let is_to_tell = untold == Untold::Some && telling == Telling::Done;
            if turned.again || is_to_tell || self.drain.has_pending() {
                continue;
            }
            if turned.in_hand == 0 {
                self.idle();
            }
            if is_late && turned.in_hand == 0 || self.is_done(&turned) {
                return self.leave(turned.probing);
            }
            self.wait(self.nap(&turned));
        }
    }

    /// The time is over: what is in hand ends, and the run leaves. Cron's next one can't begin before: so who is slow
    /// keeps only its own messages waiting, and as long as it has one in hand the others go on. Each is found slow
    /// once, so this comes to an end.
    fn last_appetite(&mut self) -> Appetite {
        if self.finishing.is_some_and(|since| since.elapsed() >= FINISH) {
            self.drain.mark_slow();
        }
        if self.drain.waits_for_slow() {
            self.finishing = None;
            return Appetite::Claim;
        }
        self.finishing.get_or_insert_with(Instant::now);
        Appetite::Finish
    }

    /// A run that does not stay is done when nothing is in hand and nothing will come of waiting a moment.
    fn is_done(&self, turned: &Turned) -> bool {
        let soon =
            turned.soon.is_some_and(|at| at.since(self.door.clock.now()) <= self.bounds.poll_ms());
        let is_busy = turned.in_hand > 0 || turned.claimed > 0 || turned.probing > 0;
        self.bounds.follow == Follow::No && !is_busy && !soon
    }

    fn nap(&self, turned: &Turned) -> Duration {
        let now = self.door.clock.now();
        let left = |at: Option<Ms>| at.map(|at| at.since(now).max(1));
        let finish = self.finishing.map(|since| FINISH.saturating_sub(since.elapsed()));
        let finish = finish.map(|left| i64::try_from(left.as_millis()).unwrap_or(0).max(1));
        let ms = [left(turned.soon), left(turned.next_due), Some(self.bounds.poll_ms()), finish];
        let ms = ms.into_iter().flatten().min().unwrap_or(1);
        Duration::from_millis(u64::try_from(ms).unwrap_or(1))
    }

    /// Waits for the first event that is worth a turn; what it brings is taken into the next one.
    fn wait(&mut self, at_most: Duration) {
        self.signals.hear();
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else { return };
            match self.weigh(event) {
                Worth::Nothing => {}
                Worth::ATurn => return,
                Worth::More => return self.gather(),
            }
        }
    }

    /// Lets more end before the turn.
    fn gather(&mut self) {
        let until = Instant::now() + GATHER;
        while Instant::now() < until {
            std::thread::park_timeout(GATHER_LOOK);
            while let Ok(event) = self.events.try_recv() {
                if self.weigh(event) == Worth::ATurn {
                    return;
                }
            }
        }
    }

    /// Keeps an event for the next turn, and says what it is worth.
    fn weigh(&mut self, event: Event) -> Worth {
        match event {
            // an error shows itself in the turn
            Event::Stirred if matches!(self.drain.store().has_news(), Ok(false)) => {
                return Worth::Nothing;
            }
            Event::Stirred | Event::News => return Worth::ATurn,
            Event::Ended(_) | Event::Read(_) | Event::Probed(..) => self.drain.remember(event),
        }
        if self.drain.may_gather() { Worth::More } else { Worth::ATurn }
    }

    /// Idle work: retention, and what the database wants done outside transactions. Who does not stay leaves that to the
    /// closing of the database, but for the room that retention has made.
    fn idle(&mut self) {
        let now = self.door.clock.now();
        // retention that fails today is done tomorrow
        let pruned = prune(self.drain.store(), now, &self.bounds).unwrap_or(0);
        let tidies = match self.bounds.follow {
            Follow::No => pruned,
            Follow::Yes => 1,
        };
        for _ in 0..tidies {
            let _ = self.drain.store().tidy();
        }
    }

    fn show(&mut self, counted: &mut Option<(Instant, u64)>) {
        if !self.progress.is_shown() {
            return;
        }
        let waiting = match counted {
            Some((at, waiting)) if at.elapsed() < COUNT => *waiting,
            Some(_) | None => {
                let waiting = self.drain.ready_now();
                *counted = Some((Instant::now(), waiting));
                waiting
            }
        };
        self.progress.show(self.drain.tally(), waiting);
    }

    /// SIGTERM (queue 3.8): nothing begins any more, what is not handed over goes back, in-flight sends get
    /// their grace, then their gates are ended. A second signal: what is known is written, and that is all.
    fn stop(&mut self) -> Left {
        self.door.stopping.store(true, Ordering::SeqCst);
        let mut until = Instant::now() + self.bounds.grace;
        let mut ended = false;
        loop {
            let events: Vec<Event> = self.events.try_iter().collect();
            let turned = match self.drain.turn(events, Appetite::Finish) {
                Ok(turned) => turned,
                Err(error) => return Left::Store(error),
            };
            if turned.in_hand == 0 && !self.drain.has_pending() {
                return self.leave(turned.probing);
            }
            let is_over = Instant::now() >= until;
            if self.signals.count() > 1 || is_over && ended {
                return Left::InFlight;
            }
            if is_over {
                self.stop.raise();
                until += AFTER_STOP;
                ended = true;
            }
            self.wait(Duration::from_millis(50));
        }
    }

    /// Nothing is in hand. A gate that is still asked whether it is well is ended: it must not outlive us.
    fn leave(&mut self, mut probing: usize) -> Left {
        if probing > 0 {
            self.stop.raise();
        }
        let until = Instant::now() + AFTER_STOP;
        while probing > 0 && Instant::now() < until {
            self.wait(Duration::from_millis(50));
            let events: Vec<Event> = self.events.try_iter().collect();
            match self.drain.turn(events, Appetite::Finish) {
                Ok(turned) => probing = turned.probing,
                Err(error) => return Left::Store(error),
            }
        }
        Left::Clean
    }
}

impl Bounds {
    fn poll_ms(&self) -> i64 {
        i64::try_from(self.poll.as_millis()).unwrap_or(1_000).max(1)
    }
}

/// At most so many parts of what is too old go at a time.
const PRUNE_CHUNKS: u32 = 10;

/// The setting that says when what is too old was deleted last.
const PRUNED_MS: &str = "pruned_ms";

/// When what is too old was deleted last.
pub(crate) fn pruned(snapshot: &mut dyn Snapshot) -> Result<Ms, StoreError> {
    Ok(Ms(snapshot.setting(PRUNED_MS)?.and_then(|text| text.parse().ok()).unwrap_or(0)))
}

/// Deletes what is too old, if that is due, in so many parts.
fn prune(store: &mut dyn Store, now: Ms, bounds: &Bounds) -> Result<u32, StoreError> {
    if !is_prune_due(store::read(store, pruned)?, now, bounds.prune) {
        return Ok(0);
    }
    store::write(store, Durability::Crash, |tx| tx.set_setting(PRUNED_MS, &now.to_string()))?;
    for part in 1..=PRUNE_CHUNKS {
        if !store::write(store, Durability::Crash, |tx| tx.prune(now, &bounds.keep))? {
            return Ok(part);
        }
    }
    Ok(PRUNE_CHUNKS)
}

/// A thread that turns wake-ups of the database into events.
pub fn listen(mut waker: Box<dyn Wake>, outcomes: Outcomes, at_most: Duration) {
    std::thread::spawn(move || {
        loop {
            let event = match waker.wait(at_most) {
                Woken::News => Event::News,
                Woken::Stirred => Event::Stirred,
                Woken::Timeout => continue,
            };
            if outcomes.send(event).is_err() {
                return;
            }
        }
    });
}
