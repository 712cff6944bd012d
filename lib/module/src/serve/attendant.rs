//! Who attends to one gateway's child: starts it, feeds it, sends it home, buries it.

use super::rest::Rest;
use super::talk::{Fall, Setup, Talk};
use super::{Glimpse, Hands, Inside};
use crate::pipeline::How;
use crate::standing::{Check, Spoke};
use host::{Folder, Listed};
use notice::{Answer, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Gateway;

/// While there is work, whether the worker is to stop is asked that often.
const TICK: Duration = Duration::from_millis(100);
/// Without work.
const LONG: Duration = Duration::from_hours(1);
/// A gate that still has half its window to do is given more so late, so that many go out in one write.
const GATHER: Duration = Duration::from_millis(5);

/// The thread of one sender.
pub(super) struct Attendant {
    inside: Arc<Inside>,
    talk: Option<Talk>,
    rest: Rest,
    refill: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    Home,
}

impl Attendant {
    pub(super) fn new(inside: Arc<Inside>, pauses: (Duration, Duration)) -> Self {
        Self { inside, talk: None, rest: Rest::new(pauses), refill: None }
    }

    pub(super) fn run(mut self) {
        while self.step() == Going::On {}
    }

    fn step(&mut self) -> Going {
        let mut seen = self.inside.look();
        if seen.is_closed || self.inside.tools.door.is_stopping() {
            self.inside.give_back();
            seen.waiting = 0;
        }
        match self.talk.take() {
            Some(talk) => {
                self.talk = self.attend(talk, &seen);
                Going::On
            }
            None if seen.is_closed => Going::Home,
            None => {
                self.talk = self.begin(&seen);
                Going::On
            }
        }
    }

    /// Starts a child when there is something for it.
    fn begin(&mut self, seen: &Glimpse) -> Option<Talk> {
        if seen.waiting == 0 {
            self.inside.bell.wait(LONG);
            return None;
        }
        if let Some(left) = self.rest.left(Instant::now()) {
            self.inside.bell.wait(left.min(TICK));
            return None;
        }
        let listed = |gateway: Arc<Gateway>| {
            (self.inside.tools.programs.one(Folder::Gate, &gateway.gate), gateway)
        };
        let Some((listed, gateway)) =
            seen.gateway.clone().map(listed).filter(|(listed, _)| listed.offers("serve"))
        else {
            // it was replaced a moment ago: another way is chosen for what comes back
            self.inside.give_back();
            return None;
        };
        match self.start(gateway, listed) {
            Ok(talk) => Some(talk),
            Err(why) => {
                self.not_started(Answer::unreached(why), Check::Absent);
                None
            }
        }
    }

    fn start(&self, gateway: Arc<Gateway>, listed: Arc<Listed>) -> Result<Talk, String> {
        let project = {
            let queue = self.inside.queue();
            let first = queue.waiting.values().next();
            first.map(|message| Arc::clone(&message.order.project)).unwrap_or_default()
        };
        self.inside.freshen();
        Talk::start(Setup { gateway, listed, project }, &self.inside)
    }

    /// No gate was asked: the most urgent message says why, the others go back, and the breaker does the rest.
    fn not_started(&mut self, answer: Answer, check: Check) {
        self.rest.not_started(Instant::now());
        if let Some((lease, details)) = self.inside.first() {
            let how = How::Answered { answer, spoke: Spoke::Nothing, check, effects: Vec::new() };
            self.inside.tell(lease, how, details);
        }
        self.inside.give_back();
    }

    /// One round with a child; None: it is gone.
    fn attend(&mut self, mut talk: Talk, seen: &Glimpse) -> Option<Talk> {
        if seen.is_closed {
            talk.hurry();
        } else if self.is_to_leave(&talk, seen) {
            talk.close();
        }
        if talk.is_done() {
            talk.leave(&self.inside);
            return None;
        }
        self.hand_over(&mut talk, seen);
        match talk.exchange(&self.inside, self.wait(&talk, seen)) {
            Ok(()) => Some(talk),
            Err(fall) => {
                self.bury(talk, &fall);
                None
            }
        }
    }

    /// Whether it is another gate now, or told otherwise, or not needed.
    fn is_to_leave(&self, talk: &Talk, seen: &Glimpse) -> bool {
        let setup = talk.setup();
        let is_edited = || seen.gateway.as_ref().is_some_and(|now| *now != setup.gateway);
        let is_replaced = || {
            let listed = self.inside.tools.programs.one(Folder::Gate, &setup.gateway.gate);
            !Arc::ptr_eq(&listed, &setup.listed)
        };
        seen.is_stale
            || talk.is_idle() && seen.waiting == 0
            || seen.waiting > 0 && (is_edited() || is_replaced())
    }

    fn hand_over(&mut self, talk: &mut Talk, seen: &Glimpse) {
        let (has, room) = (talk.in_hands(), self.room(talk, seen));
        if !talk.takes_more() || room == 0 || seen.waiting == 0 {
            self.refill = None;
            return;
        }
        let has_enough = has > room;
        let now = Instant::now();
        if has_enough && *self.refill.get_or_insert(now + GATHER) > now {
            return;
        }
        self.refill = None;
        let hands = if has == 0 { Hands::Empty } else { Hands::Full };
        let messages = self.inside.take(room, hands);
        talk.give(messages, &self.inside);
    }

    /// What the run's window, the gateway and the gate itself leave free.
    fn room(&self, talk: &Talk, seen: &Glimpse) -> u32 {
        let setup = talk.setup();
        let takes = setup.listed.features.as_ref().ok().and_then(|features| features.window);
        let set = setup.gateway.concurrency.unwrap_or(u32::MAX);
        let window = seen.open.min(takes.unwrap_or(1)).min(set).max(1);
        let window = if self.rest.is_wary() && !talk.has_answered() { 1 } else { window };
        window.saturating_sub(talk.in_hands())
    }

    fn wait(&self, talk: &Talk, seen: &Glimpse) -> Duration {
        let is_busy = seen.waiting > 0 || talk.in_hands() > 0;
        let most = if is_busy { TICK } else { LONG };
        let refill = self.refill.map(|at| at.saturating_duration_since(Instant::now()));
        refill.map_or(most, |refill| refill.min(most))
    }

    /// What a child leaves behind is settled; who waits behind it waits no longer than for an immediate start.
    fn bury(&mut self, talk: Talk, fall: &Fall) {
        let setup = (Arc::clone(&talk.setup().listed), Arc::clone(&talk.setup().gateway));
        let mut fallen = talk.end(fall, &self.inside);
        let words = format!("{}: {}", setup.1.gate, fallen.words);
        (self.inside.tools.log)(&format!("{words}; it had {} messages in hand", fallen.had));
        if fallen.is_at_start {
            let (answer, check) = if fallen.remains.asks_to_be_held() {
                let answer = Answer::not_sent(Outcome::Hold, fallen.words.as_str());
                (answer, self.inside.check((&setup.0, &setup.1)))
            } else {
                (Answer::unreached(fallen.words.as_str()), Check::Absent)
            };
            return self.not_started(answer, check);
        }
        let pause = self.rest.fell((fallen.lived, fallen.answered), Instant::now());
        fallen.settle(&self.inside);
        if !pause.is_zero() {
            self.inside.give_back();
        }
    }
}
