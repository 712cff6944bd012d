//! An exhaustive model of lease, fence, note and reap (queue 4.3): two workers, two tasks, a death, stalls, a clock that is
//! set. Every order of steps is tried; what must hold always is looked at in every state.
//!
//! The steps are those of the drain, in the order of its code: claim, note the start (`Door::begin_all`), look at the lease
//! again, send, note the end, settle under the fence (`Tx::turn`), extend, reap (`reaper::suspects` and `Reaper::reap`, one
//! step here). A worker that takes no step is stopped; one that dies leaves its notes and frees its lock, and another
//! starts in its place. All workers of an installation run under one kernel: there is one clock that can be set, and one
//! that can't.
//!
//! The search is our own: stateright brings a web server and a dozen crates for a walk in breadth that takes 30 lines.

#![expect(clippy::unwrap_used, reason = "a test that can't go on ends")]

use std::collections::HashMap;

const TASKS: usize = 2;
const WORKERS: usize = 2;
/// A lease, in ticks.
const LEASE: i8 = 1;
/// A task is claimed so often at most; what lies beyond is not explored.
const CLAIMS: u8 = 2;
/// Workers that die.
const DEATHS: u8 = 1;
/// By how many ticks the clock is set, once: more than a lease.
const SET: i8 = 2;

const TWO_OWNERS: &str = "two owners have settled it";
const LOST: &str = "it is gone and nobody had it";
const NOT_IN_DOUBT: &str = "it was doubled and not in doubt";
const NOT_TOLD: &str = "it was doubled and did not say so";

/// What is built otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    /// As it is.
    Ours,
    /// A settlement does not ask whose lease it is.
    NoFence,
    /// The lease is looked at before the start is noted, and not after.
    CheckThenNote,
    /// The worker measures its lease by the clock that nobody can set alone; the reaper goes by the other.
    OneClock,
    /// A start without an end is taken for not begun.
    NoDoubt,
    /// What was in doubt is handed over again without a word.
    Silent,
    /// The row goes when it is claimed.
    DeleteBeforeSend,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Row {
    #[default]
    Ready,
    /// By this worker, and so many ticks of the clock that can be set are left.
    Sending {
        owner: u8,
        left: i8,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Task {
    row: Row,
    /// The fence: counts claims.
    seq: u8,
    maybe_sent: bool,
    /// Hand-overs, and those of them that did not say that they may not be the first.
    handed: u8,
    untold: u8,
    /// Claims of which a death or a theft left in doubt whether they were handed over.
    doubted: u8,
    /// Settled as sent by its owner, or by its note.
    commits: u8,
}

/// How far a worker is with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Phase {
    #[default]
    Nothing,
    Claimed,
    /// It has looked at its lease and found it its own (only where that comes first).
    Looked,
    Noted,
    /// The start is noted, and the lease is its own.
    Begun,
    Sent,
    Ended,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Note {
    #[default]
    None,
    Start,
    End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Hand {
    phase: Phase,
    seq: u8,
    maybe_sent: bool,
    /// Ticks until it believes no more: of the clock that nobody can set, and of the other.
    left: i8,
    in_row: i8,
    /// The last line of its notes on the task, and of which claim.
    note: Note,
    note_seq: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Worker {
    is_dead: bool,
    hands: [Hand; TASKS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct World {
    tasks: [Task; TASKS],
    workers: [Worker; WORKERS],
    deaths: u8,
    /// The clock has been set.
    is_set: bool,
}

impl Task {
    fn is_of(&self, worker: usize) -> bool {
        matches!(self.row, Row::Sending { owner, .. } if usize::from(owner) == worker)
    }
}

impl Hand {
    fn believes(self, build: Build) -> bool {
        self.left > 0 && (build == Build::OneClock || self.in_row > 0)
    }

    fn send(self, task: &mut Task) {
        task.handed += 1;
        task.untold += u8::from(!self.maybe_sent);
    }

    /// The notes stay.
    fn put_down(&mut self) {
        *self = Self { note: self.note, note_seq: self.note_seq, ..Self::default() };
    }

    /// Without what makes no difference any more: a lease that nobody looks at, a note that nobody reads.
    fn plain(&mut self, task: &Task, owner: usize) {
        if matches!(self.phase, Phase::Nothing | Phase::Begun | Phase::Sent | Phase::Ended) {
            (self.left, self.in_row) = (0, 0);
        }
        if !(task.is_of(owner) && task.seq == self.note_seq) {
            (self.note, self.note_seq) = (Note::None, 0);
        }
    }
}

impl World {
    /// Every state that one step leads to.
    fn next(&self, build: Build) -> Vec<Self> {
        let mut next = Vec::new();
        for owner in 0..WORKERS {
            if self.workers[owner].is_dead {
                next.extend(self.buried(owner));
                continue;
            }
            next.extend((0..TASKS).filter_map(|task| self.worked(owner, task, build)));
            next.push(self.extended(owner));
            next.extend(self.died(owner));
            let others = (0..WORKERS).filter(|other| *other != owner);
            next.extend(others.map(|other| self.reaped(other, build)));
        }
        next.push(self.ticked());
        next.extend([-SET, SET].into_iter().filter_map(|by| self.set(by)));
        next
    }

    /// The next step of a worker with a task.
    fn worked(&self, owner: usize, at: usize, build: Build) -> Option<Self> {
        let mut world = *self;
        let task = &mut world.tasks[at];
        let hand = &mut world.workers[owner].hands[at];
        let is_ours = hand.believes(build);
        hand.phase = match hand.phase {
            Phase::Nothing if task.row != Row::Ready || task.seq == CLAIMS => return None,
            Phase::Nothing => {
                task.seq += 1;
                let owner = u8::try_from(owner).unwrap();
                task.row = match build {
                    Build::DeleteBeforeSend => Row::Gone,
                    _ => Row::Sending { owner, left: LEASE },
                };
                (hand.seq, hand.maybe_sent) = (task.seq, task.maybe_sent);
                (hand.left, hand.in_row) = (LEASE, LEASE);
                Phase::Claimed
            }
            Phase::Claimed if build == Build::CheckThenNote && is_ours => Phase::Looked,
            Phase::Claimed if build == Build::CheckThenNote => Phase::Nothing,
            Phase::Claimed | Phase::Looked => {
                (hand.note, hand.note_seq) = (Note::Start, hand.seq);
                if hand.phase == Phase::Looked { Phase::Begun } else { Phase::Noted }
            }
            Phase::Noted if is_ours => Phase::Begun,
            Phase::Noted => Phase::Nothing,
            Phase::Begun => {
                hand.send(task);
                Phase::Sent
            }
            Phase::Sent => {
                (hand.note, hand.note_seq) = (Note::End, hand.seq);
                Phase::Ended
            }
            Phase::Ended => {
                if task.is_of(owner) && task.seq == hand.seq || build == Build::NoFence {
                    task.row = Row::Gone;
                    task.commits += 1;
                }
                Phase::Nothing
            }
        };
        if hand.phase == Phase::Nothing {
            hand.put_down();
        }
        Some(world)
    }

    /// All leases that are still its own; of the others it learns that they are lost.
    fn extended(&self, owner: usize) -> Self {
        let mut world = *self;
        for (task, hand) in world.tasks.iter_mut().zip(&mut world.workers[owner].hands) {
            let is_ours = task.is_of(owner) && task.seq == hand.seq;
            let until = if is_ours { LEASE } else { 0 };
            (hand.left, hand.in_row) = (until, until);
            match &mut task.row {
                Row::Sending { left, .. } if is_ours => *left = LEASE,
                Row::Ready | Row::Sending { .. } | Row::Gone => {}
            }
        }
        world
    }

    /// What it was about to send is not sent, or its gate sends it alone.
    fn died(&self, owner: usize) -> Vec<Self> {
        if self.deaths == DEATHS {
            return Vec::new();
        }
        let mut world = Self { deaths: self.deaths + 1, ..*self };
        world.workers[owner].is_dead = true;
        world.workers[owner].hands.iter_mut().for_each(Hand::put_down);
        let mut sent = world;
        for (task, hand) in sent.tasks.iter_mut().zip(&self.workers[owner].hands) {
            if hand.phase == Phase::Begun {
                hand.send(task);
            }
        }
        vec![world, sent]
    }

    /// Another starts in its place, once nothing is left of it.
    fn buried(&self, owner: usize) -> Option<Self> {
        let mut world = *self;
        world.workers[owner] = Worker::default();
        self.tasks.iter().all(|task| !task.is_of(owner)).then_some(world)
    }

    /// Another looks for what this one has left: everything if it is dead, else what has run out, each by its note.
    fn reaped(&self, owner: usize, build: Build) -> Self {
        let mut world = *self;
        let Worker { is_dead, hands } = self.workers[owner];
        for (task, hand) in world.tasks.iter_mut().zip(&hands) {
            let Row::Sending { left, .. } = task.row else { continue };
            if !task.is_of(owner) || (!is_dead && left > 0) {
                continue;
            }
            match if hand.note_seq == task.seq { hand.note } else { Note::None } {
                Note::Start if build != Build::NoDoubt => {
                    task.row = Row::Ready;
                    task.maybe_sent = build != Build::Silent;
                    task.doubted += 1;
                }
                Note::None | Note::Start => task.row = Row::Ready,
                Note::End => {
                    task.row = Row::Gone;
                    task.commits += 1;
                }
            }
        }
        world
    }

    fn ticked(&self) -> Self {
        let mut world = self.moved(-1);
        for hand in world.workers.iter_mut().flat_map(|worker| &mut worker.hands) {
            hand.left = (hand.left - 1).max(0);
        }
        world
    }

    fn set(&self, by: i8) -> Option<Self> {
        (!self.is_set).then(|| Self { is_set: true, ..self.moved(-by) })
    }

    /// What is left by the clock that can be set.
    fn moved(&self, by: i8) -> Self {
        let mut world = *self;
        for task in &mut world.tasks {
            if let Row::Sending { left, .. } = &mut task.row {
                *left = (*left + by).max(0);
            }
        }
        for hand in world.workers.iter_mut().flat_map(|worker| &mut worker.hands) {
            hand.in_row = (hand.in_row + by).max(0);
        }
        world
    }

    /// The first rule that does not hold.
    fn broken(&self) -> Option<&'static str> {
        (0..TASKS).find_map(|at| {
            let task = &self.tasks[at];
            let has = |worker: &Worker| worker.hands[at].phase != Phase::Nothing;
            let is_gone = task.row == Row::Gone && !self.workers.iter().any(has);
            let rules = [
                (task.commits > 1, TWO_OWNERS),
                (is_gone && task.handed == 0, LOST),
                (task.handed > 1 + task.doubted, NOT_IN_DOUBT),
                (task.untold > 1, NOT_TOLD),
            ];
            rules.into_iter().find_map(|(is_broken, rule)| is_broken.then_some(rule))
        })
    }

    fn is_over(&self) -> bool {
        self.tasks.iter().all(|task| task.row == Row::Gone)
    }

    /// The same world: without what makes no difference, and with workers and tasks in one order.
    fn plain(mut self) -> Self {
        for (owner, worker) in self.workers.iter_mut().enumerate() {
            let hands = worker.hands.iter_mut().zip(&self.tasks);
            hands.for_each(|(hand, task)| hand.plain(task, owner));
        }
        if self.workers[1] < self.workers[0] {
            self.workers.swap(0, 1);
            for task in &mut self.tasks {
                if let Row::Sending { owner, .. } = &mut task.row {
                    *owner = 1 - *owner;
                }
            }
        }
        if self.tasks[1] < self.tasks[0] {
            self.tasks.swap(0, 1);
            self.workers.iter_mut().for_each(|worker| worker.hands.swap(0, 1));
        }
        self
    }
}

/// Every state that can be reached.
struct Search {
    states: Vec<World>,
    /// From a state to a state.
    steps: Vec<(usize, usize)>,
    broken: Option<(&'static str, Vec<World>)>,
}

fn search(build: Build) -> Search {
    let mut found = Search { states: vec![World::default()], steps: Vec::new(), broken: None };
    let mut places = HashMap::from([(World::default(), 0)]);
    let mut at = 0;
    while at < found.states.len() {
        let world = found.states[at];
        if let Some(rule) = world.broken() {
            found.broken = Some((rule, found.way_to(at)));
            break;
        }
        for next in world.next(build).into_iter().map(World::plain) {
            let place = *places.entry(next).or_insert_with(|| {
                found.states.push(next);
                found.states.len() - 1
            });
            found.steps.push((at, place));
        }
        at += 1;
    }
    found
}

impl Search {
    /// The shortest, from the start.
    fn way_to(&self, end: usize) -> Vec<World> {
        let mut way = vec![end];
        while way[0] != 0 {
            let first = self.steps.iter().find(|(_, to)| *to == way[0]).unwrap();
            way.insert(0, first.0);
        }
        way.into_iter().map(|at| self.states[at]).collect()
    }

    /// A state from which no end can be reached; where a task has no claim left, that says nothing.
    fn stuck(&self) -> Option<World> {
        let mut before = vec![Vec::new(); self.states.len()];
        for (from, to) in &self.steps {
            before[*to].push(*from);
        }
        let mut can_end = vec![false; self.states.len()];
        let is_over = |at: &usize| self.states[*at].is_over();
        let mut waiting: Vec<usize> = (0..self.states.len()).filter(is_over).collect();
        while let Some(at) = waiting.pop() {
            if !std::mem::replace(&mut can_end[at], true) {
                waiting.extend(&before[at]);
            }
        }
        let has_claims = |world: &World| world.tasks.iter().all(|task| task.seq < CLAIMS);
        let mut all = self.states.iter().zip(can_end);
        all.find(|(world, can_end)| !can_end && has_claims(world)).map(|(world, _)| *world)
    }
}

#[test]
fn in_any_order_of_steps_no_two_owners_settle_a_task_and_doubles_were_in_doubt_and_told() {
    let found = search(Build::Ours);
    assert!(found.broken.is_none(), "{:#?}", found.broken);
    let is_doubled = |world: &World| world.tasks.iter().any(|task| task.handed > 1);
    assert!(found.states.iter().any(is_doubled), "at least once is what is promised");
    assert_eq!(found.stuck(), None, "every task can end");
    eprintln!("{} states, {} steps", found.states.len(), found.steps.len());
}

#[test]
fn the_model_is_red_for_each_part_that_is_left_out() {
    for (build, rule) in [
        (Build::NoFence, TWO_OWNERS),
        (Build::CheckThenNote, NOT_IN_DOUBT),
        (Build::OneClock, NOT_IN_DOUBT),
        (Build::NoDoubt, NOT_IN_DOUBT),
        (Build::Silent, NOT_TOLD),
        (Build::DeleteBeforeSend, LOST),
    ] {
        let found = search(build).broken.map(|(rule, _)| rule);
        assert_eq!(found, Some(rule), "{build:?}");
    }
}
