//! Turns: gather what ended, ask what is ready, write both in one transaction, give away what was claimed.

use crate::books::{Batch, Books, Closed, Extend, Orders, Tone, Written, rest_secs};
use crate::choose::Rounds;
use crate::contact::{Contact, Person, Refusal, contact_of, shown};
use crate::desk::{Desk, InHand};
use crate::handover::Door;
use crate::kill::{Fault, KillPoint};
use crate::pipeline::{Details, Ended, Event, How, LeaseEnd, LeaseTime, Order, Pipeline, Work};
use crate::plan::{Desks, GateBook, Pause, Plan, Scope, Untold, View, plan};
use crate::prepare::details_of_refused;
use crate::reaper::{bury, suspects};
use crate::rules::{Outlet, Rules, Way};
use config::Level;
use notice::{Fields, GatewayId, ModuleName, Ms, ProjectId, Route, UserId};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{Claimed, Condition, Effect, Settlement, Store, StoreError};

/// How often dead workers are looked for, milliseconds.
const REAP_MS: i64 = 1_000;

/// The store thread's half of a module: owns the connection, decides, never waits for a gate.
pub struct Drain {
    store: Box<dyn Store>,
    pipeline: Box<dyn Pipeline>,
    gates: Arc<dyn GateBook>,
    door: Arc<Door>,
    rules: Rules,
    run: PathBuf,
    log: Lines,
    desk: Desk,
    /// What runs before this one were asked to leave alone has been read.
    knows_rests: bool,
    rounds: Rounds,
    pending: VecDeque<Event>,
    tally: Tally,
    claimed_in_all: u64,
    extended_at: Ms,
    reaped_at: Ms,
    registered: bool,
    /// Gateways that are being asked by their `check_connection`.
    probing: usize,
    chance: u64,
}

/// A claimed row that is a message.
struct Taken {
    row: Claimed,
    person: Person,
    until: LeaseTime,
    outlet: Outlet,
}

/// Takes lines for people.
pub type Lines = Box<dyn Fn(Level, &str) + Send>;

/// What a drain needs.
pub struct DrainParts {
    /// The connection, its own.
    pub store: Box<dyn Store>,
    /// Who does the work.
    pub pipeline: Box<dyn Pipeline>,
    /// What the gates can do.
    pub gates: Arc<dyn GateBook>,
    /// What every hand-over passes.
    pub door: Arc<Door>,
    /// What it goes by.
    pub rules: Rules,
    /// The folder `var/run`.
    pub run: PathBuf,
    /// What is said of gateways.
    pub log: Lines,
}

/// How many attempts ended how, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sent.
    pub sent: u64,
    /// Gone without being sent: no contact, no text, too late.
    pub refused: u64,
    /// Waiting for another attempt.
    pub later: u64,
    /// Failed, and kept for a person.
    pub failed: u64,
    /// A person is asked.
    pub asked: u64,
    /// Given back unharmed.
    pub back: u64,
    /// What lost leases brought: nothing was written.
    pub lost: u64,
    /// Taken back from dead workers.
    pub reaped: u64,
}

/// What a turn did, and when the next one is worth it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Rows claimed.
    pub claimed: u32,
    /// Rows in hand.
    pub in_hand: u32,
    /// Gateways that are being asked whether they are well.
    pub probing: usize,
    /// There may be more right now.
    pub again: bool,
    /// Something is ready that a token or a probe will let through.
    pub soon: Option<Ms>,
    /// The earliest time written in the queue.
    pub next_due: Option<Ms>,
    /// Whether there are, or may be by now, events that the module has to tell.
    pub untold: Untold,
    /// The queue is paused.
    pub paused: bool,
}

/// Whether a turn claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// It does.
    Claim,
    /// It only finishes: the worker is stopping.
    Finish,
}

impl Drain {
    /// A drain. Its row in `notifyworker` is written with its first transaction: looking at an empty queue
    /// changes nothing.
    pub fn open(parts: DrainParts) -> Self {
        let pid = parts.door.identity.worker.pid;
        let now = parts.door.clock.since_boot();
        let seed = parts.door.clock.now().0.unsigned_abs() ^ pid.unsigned_abs() << 32;
        Self {
            store: parts.store,
            pipeline: parts.pipeline,
            gates: parts.gates,
            door: parts.door,
            rules: parts.rules,
            run: parts.run,
            log: parts.log,
            desk: Desk::default(),
            knows_rests: false,
            rounds: Rounds::default(),
            pending: VecDeque::new(),
            tally: Tally::default(),
            claimed_in_all: 0,
            extended_at: now,
            reaped_at: now.plus(-REAP_MS),
            registered: false,
            probing: 0,
            chance: seed | 1,
        }
    }

    /// What has been done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Keeps an event for the next turn.
    pub fn remember(&mut self, event: Event) {
        match &event {
            Event::News | Event::Stirred => return,
            Event::Ended(ended) => self.make_room(ended),
            Event::Read(_) | Event::Probed(..) => {}
        }
        self.pending.push_back(event);
    }

    /// What has ended makes room at once, so that the turn that settles it claims the next; or, where the service asked
    /// to be left alone, none.
    fn make_room(&mut self, ended: &Ended) {
        let in_hand = self.desk.hand.get(&ended.lease.task);
        let Some(task) = in_hand.filter(|task| task.lease == ended.lease) else {
            return;
        };
        let outlet = task.outlet.clone();
        let now = self.door.clock.now();
        if let Some(counter) = self.desk.known(&outlet) {
            counter.window.landed();
            if let (Some(secs), Outlet::Gateway(_)) = (rest_secs(&ended.how), &outlet) {
                counter.window.rest(secs, now);
            }
        }
    }

    /// Tasks of this module that are ready; 0 when they can't be counted.
    pub fn ready_now(&mut self) -> u64 {
        let module = self.rules.module.to_string();
        let counts =
            store::read(&mut *self.store, |snapshot| snapshot.counts()).unwrap_or_default();
        let ready =
            |count: &&store::Count| count.module == module && count.state == notice::State::Ready;
        counts.iter().filter(ready).map(|count| count.tasks).sum()
    }

    /// The connection, for what is read beside the turns (progress).
    pub fn store(&mut self) -> &mut dyn Store {
        &mut *self.store
    }

    /// One turn. After an error nothing is lost: the same events are settled by the next turn.
    pub fn turn(&mut self, events: Vec<Event>, appetite: Appetite) -> Result<Turned, StoreError> {
        for event in events {
            self.remember(event);
        }
        let now = self.door.clock.now();
        let paused = self.door.paused();
        let scope = if paused { Scope::ForcedOnly } else { Scope::All };
        self.step_chance();
        let view = self.look(scope, now)?;
        let plan = self.plan(&view, (scope, appetite), now);
        let suspects = self.suspects(&view);
        let extend = self.extend_due();
        let pause =
            Some(if paused { Pause::On } else { Pause::Off }).filter(|pause| *pause != view.pause);
        let is_due = view.next_due.is_some_and(|due| due <= now);
        let waits = !self.pending.is_empty() || !plan.demands.is_empty() || !plan.probes.is_empty();
        let mut turned = Turned {
            in_hand: self.in_hand(),
            probing: self.probing,
            soon: plan.next,
            next_due: view.next_due,
            untold: view.untold,
            paused,
            ..Turned::default()
        };
        if !waits && suspects.is_empty() && extend == Extend::NotYet && pause.is_none() && !is_due {
            self.door.turns.fetch_add(1, Ordering::SeqCst);
            return Ok(turned);
        }
        let batch = self.take_batch();
        let door = Arc::clone(&self.door);
        let register = (!self.registered).then_some(&door.identity.worker);
        let orders =
            Orders { batch: &batch, plan: &plan, extend, suspects: &suspects, pause, register };
        let written = match self.write(&view, &orders, now) {
            Ok(written) => written,
            Err(error) => {
                self.put_back(batch);
                return Err(error);
            }
        };
        for suspect in &suspects {
            bury(&self.run, suspect);
        }
        self.registered = true;
        self.door.turns.fetch_add(1, Ordering::SeqCst);
        if self.rules.processing.is_some() && may_have_raised(&batch, &written) {
            turned.untold = Untold::Some;
        }
        turned.claimed = u32::try_from(written.turn.claimed.len()).unwrap_or(u32::MAX);
        turned.again = self.is_worth_again(&plan, &written, &batch);
        self.apply(batch, written, (&view, &plan, now))?;
        (turned.in_hand, turned.probing) = (self.in_hand(), self.probing);
        Ok(turned)
    }

    /// Reads what a turn decides by; the first time also who rests still, since a rest outlives the run that was asked
    /// for it.
    fn look(&mut self, scope: Scope, now: Ms) -> Result<View, StoreError> {
        let (rules, rests) = (&self.rules, &mut self.desk.rests);
        let knows_rests = std::mem::replace(&mut self.knows_rests, true);
        let seen = store::read(&mut *self.store, |snapshot| {
            let view = View::read(snapshot, rules, scope)?;
            let unknown = if knows_rests { &[] } else { view.gateways.as_slice() };
            for gateway in unknown {
                if let Some(until) = store::rests_until(snapshot, gateway.id, now)? {
                    rests.insert(Outlet::Gateway(gateway.id), until);
                }
            }
            Ok(view)
        });
        self.knows_rests = knows_rests || seen.is_ok();
        seen
    }

    /// Makes itself known before there is anything to do: a daemon that others look for.
    pub fn register(&mut self) -> Result<(), StoreError> {
        let worker = self.door.identity.worker.clone();
        store::write(&mut *self.store, self.rules.durability, |tx| tx.add_worker(&worker))?;
        self.registered = true;
        Ok(())
    }

    /// Gateways, handlers and servers that have something in hand get nothing more from this run.
    pub fn mark_slow(&mut self) {
        self.desk.mark_slow();
    }

    /// Whether one of them has it still.
    pub fn waits_for_slow(&self) -> bool {
        self.desk.waits_for_slow()
    }

    /// Removes the worker's row: a clean stop, with nothing in hand.
    pub fn leave(&mut self) -> Result<(), StoreError> {
        if !self.registered {
            return Ok(());
        }
        let owner = self.door.identity.owner.clone();
        store::write(&mut *self.store, self.rules.durability, |tx| tx.remove_worker(&owner.0))
    }

    fn in_hand(&self) -> u32 {
        u32::try_from(self.desk.hand.len()).unwrap_or(u32::MAX)
    }

    fn step_chance(&mut self) {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
    }

    fn plan(&mut self, view: &View, (scope, appetite): (Scope, Appetite), now: Ms) -> Plan {
        if appetite == Appetite::Finish {
            return Plan::default();
        }
        let left =
            self.rules.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.claimed_in_all));
        let room = u32::try_from(left).unwrap_or(u32::MAX).min(self.rules.turn_tasks);
        let ending = self.ending();
        let mut desks = Desks {
            ending: &ending,
            rules: &self.rules,
            desk: &mut self.desk,
            rounds: &mut self.rounds,
            gates: &*self.gates,
        };
        plan(view, &mut desks, (scope, room), now)
    }

    /// Routes of the ordered tasks that this turn settles.
    fn ending(&self) -> Vec<(ModuleName, Route)> {
        if self.rules.way != Way::Routes {
            return Vec::new();
        }
        let ended = self.pending.iter().filter_map(|event| match event {
            Event::Ended(ended) => self.desk.hand.get(&ended.lease.task),
            Event::Read(_) | Event::Probed(..) | Event::News | Event::Stirred => None,
        });
        let ended: BTreeSet<_> =
            ended.map(|task| (task.module.clone(), task.route.clone())).collect();
        ended.into_iter().collect()
    }

    fn suspects(&mut self, view: &View) -> Vec<crate::reaper::Suspect> {
        let boot = self.door.clock.since_boot();
        if boot.since(self.reaped_at) < REAP_MS {
            return Vec::new();
        }
        self.reaped_at = boot;
        let mut found = suspects(
            view,
            (&self.run, self.door.clock.now()),
            (&self.door.identity.owner, &self.rules, &self.door.sabotage),
        );
        // the living are suspects only while they have leases that may have run out
        found.retain(|suspect| suspect.is_dead() || view.lease_owners.contains(&suspect.owner));
        found.retain(|suspect| {
            suspect.is_dead() || view.next_due.is_some_and(|due| due <= self.door.clock.now())
        });
        found
    }

    fn extend_due(&self) -> Extend {
        let since = self.door.clock.since_boot().since(self.extended_at);
        if since >= self.rules.extend_ms { Extend::Now } else { Extend::NotYet }
    }

    fn take_batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..self.pending.len().min(self.rules.turn_tasks.max(1) as usize) {
            match self.pending.pop_front() {
                Some(Event::Ended(ended)) if ended.how == How::Returned => {
                    batch.returned.push(ended.lease);
                }
                Some(Event::Ended(ended)) => batch.ended.push(*ended),
                Some(Event::Read(file)) => batch.files.push(*file),
                Some(Event::Probed(gateway, result)) => batch.probed.push((gateway, result)),
                Some(Event::News | Event::Stirred) | None => {}
            }
        }
        batch
    }

    fn put_back(&mut self, batch: Batch) {
        let returned = batch.returned.into_iter().map(|lease| Ended {
            lease,
            how: How::Returned,
            details: Details::default(),
            took_ms: None,
        });
        let ended =
            batch.ended.into_iter().chain(returned).map(|ended| Event::Ended(Box::new(ended)));
        let files = batch.files.into_iter().map(|file| Event::Read(Box::new(file)));
        let probed =
            batch.probed.into_iter().map(|(gateway, result)| Event::Probed(gateway, result));
        for event in ended.chain(files).chain(probed) {
            self.pending.push_front(event);
        }
    }

    fn write(&mut self, view: &View, orders: &Orders<'_>, now: Ms) -> Result<Written, StoreError> {
        let door = Arc::clone(&self.door);
        door.sabotage.kill_point(KillPoint::BeforeClaim);
        let books = Books {
            rules: &self.rules,
            owner: &door.identity.owner,
            desk: &self.desk,
            view,
            sabotage: &door.sabotage,
            now,
            chance: self.chance,
        };
        // a file is removed once its notifications are in the database, so they must be there for good
        let removes = orders.batch.files.iter().any(|file| file.remove.is_some());
        let durability = if removes { store::Durability::Power } else { self.rules.durability };
        let mut written = store::write(&mut *self.store, durability, |tx| books.write(tx, orders))?;
        if door.sabotage.commits(Fault::DeleteBeforeSend) {
            self.delete_before_send(&mut written, now)?;
        }
        if !written.closed.is_empty() {
            door.sabotage.kill_point(KillPoint::AfterFinish);
        }
        if !written.turn.claimed.is_empty() {
            door.sabotage.kill_point(KillPoint::AfterClaim);
        }
        Ok(written)
    }

    /// What a build would do that took a claim for a delivery; only the harness asks for it.
    fn delete_before_send(&mut self, written: &mut Written, now: Ms) -> Result<(), StoreError> {
        let owner = self.door.identity.owner.clone();
        let gone = |claimed: &Claimed| store::Done {
            lease: claimed.lease,
            settlement: Settlement::Gone,
            reason: String::new(),
            log: None,
            effects: Vec::new(),
        };
        let done: Vec<store::Done> = written
            .turn
            .claimed
            .iter()
            .filter(|claimed| !claimed.route.is_unread())
            .map(gone)
            .collect();
        store::write(&mut *self.store, self.rules.durability, |tx| {
            tx.turn(&owner, &done, &[], now).map(|_| ())
        })
    }

    /// A demand that was filled to the brim may have more behind it; so may events that are left.
    fn is_worth_again(&self, plan: &Plan, written: &Written, batch: &Batch) -> bool {
        // what was given back just now, and who is open again, was not in the view
        let is_seen = batch.returned.is_empty() && batch.probed.is_empty();
        if !self.pending.is_empty() || !is_seen {
            return true;
        }
        let wanted: u32 = plan.demands.iter().map(|demand| demand.count).sum();
        let got = u32::try_from(written.turn.claimed.len()).unwrap_or(u32::MAX);
        let moved = written.turn.promoted + written.reaped + written.split;
        let settled = !written.closed.is_empty() || moved > 0;
        match got {
            0 => settled,
            // a route with less than its share leaves room for another; one with more has more
            _ => moved > 0 || got < wanted || wanted >= self.rules.turn_tasks,
        }
    }

    fn apply(
        &mut self,
        batch: Batch,
        written: Written,
        (view, plan, now): (&View, &Plan, Ms),
    ) -> Result<(), StoreError> {
        self.tell_turned(&written, view);
        self.note_closed(&written);
        self.probing = (self.probing + plan.probes.len()).saturating_sub(batch.probed.len());
        self.door.notes.settled(batch.returned.iter().copied());
        for lease in &batch.returned {
            self.put_down(*lease);
        }
        for file in batch.files {
            self.desk.reading = self.desk.reading.saturating_sub(1);
            self.desk.hand.remove(&file.lease.task);
            if let (Ok(_), Some(path)) = (&file.result, &file.remove)
                && !written.lost_files.contains(&file.lease)
            {
                let _ = std::fs::remove_file(path);
            }
        }
        if let Some(ours) = &written.extended {
            self.note_extended(ours, now);
        }
        self.tally.lost += written.turn.lost.len() as u64;
        self.tally.reaped += u64::from(written.reaped);
        let mut work: Vec<Work> = plan.probes.iter().cloned().map(Work::Probe).collect();
        let messages = self.take_in_hand(written.turn.claimed, now, &mut work);
        let leases: Vec<store::Lease> = messages.iter().map(|message| message.row.lease).collect();
        let accepted = self.accept(messages, view).map(|orders| {
            work.extend(orders.into_iter().map(|order| Work::Deliver(Box::new(order))));
        });
        if !work.is_empty() {
            self.pipeline.take(work);
        }
        if accepted.is_err() {
            // the claim is committed: what got no order is given back by the next turn
            for lease in leases {
                self.remember(Ended::before_a_gate(lease, How::Returned, Details::default()));
            }
        }
        accepted
    }

    /// A line for each gateway that has opened or shut.
    fn tell_turned(&self, written: &Written, view: &View) {
        for (id, condition) in &written.turned {
            let name =
                view.gateway(*id).map_or_else(String::new, |known| format!(" {}", known.name));
            let (level, words) = match condition {
                Condition::Open => (Level::Info, "is used again".to_owned()),
                Condition::Held { reason, .. } => (Level::Warning, format!("is held: {reason}")),
                Condition::Down { reason } => (Level::Warning, format!("is down: {reason}")),
            };
            (self.log)(level, &format!("gateway {id}{name} {words}"));
        }
    }

    fn note_closed(&mut self, written: &Written) {
        let now = self.door.clock.now();
        self.door.notes.settled(written.closed.iter().map(|closed| closed.lease));
        for gateway in written.well.iter().chain(&written.unfit) {
            if let Some(counter) = self.desk.known(&Outlet::Gateway(*gateway)) {
                counter.strikes.clear();
                counter.held_tasks.clear();
            }
        }
        for closed in &written.closed {
            self.desk.hand.remove(&closed.lease.task);
            if written.turn.lost.contains(&closed.lease) {
                continue;
            }
            self.count(closed);
            let unfit =
                closed.outlet.gateway().is_some_and(|gateway| written.unfit.contains(&gateway));
            self.turn_window(closed, now, unfit.then_some(()));
        }
    }

    fn count(&mut self, closed: &Closed) {
        match &closed.settlement {
            Settlement::Gone if closed.tone == Tone::Unasked => self.tally.refused += 1,
            Settlement::Gone => self.tally.sent += 1,
            Settlement::Wait { spent: true, .. } => self.tally.later += 1,
            Settlement::Wait { spent: false, .. } | Settlement::Back => self.tally.back += 1,
            Settlement::Fail => self.tally.failed += 1,
            Settlement::Ask { .. } => self.tally.asked += 1,
        }
    }

    fn turn_window(&mut self, closed: &Closed, now: Ms, unfit: Option<()>) {
        let Some(counter) = self.desk.known(&closed.outlet) else { return };
        match closed.tone {
            Tone::Took => counter.window.took(now),
            Tone::Failed | Tone::Strike | Tone::Hold => counter.window.failed(),
            Tone::Along => {}
            Tone::Unasked => counter.window.refund(),
        }
        if closed.tone == Tone::Strike && unfit.is_none() {
            counter.strikes.push(closed.lease);
        }
        if closed.tone == Tone::Hold && unfit.is_none() {
            counter.held_tasks.insert(closed.lease.task);
        }
        if closed.outlet != Outlet::Own {
            let open = counter.window.open();
            self.pipeline.set_window(&closed.outlet, open);
        }
    }

    fn put_down(&mut self, lease: store::Lease) {
        let Some(task) = self.desk.hand.remove(&lease.task) else { return };
        self.tally.back += 1;
        if let Some(counter) = self.desk.known(&task.outlet) {
            counter.window.refund();
        }
    }

    fn note_extended(&mut self, ours: &[store::Lease], now: Ms) {
        self.extended_at = self.door.clock.since_boot();
        let until = self.lease_end(now);
        for task in self.desk.hand.values() {
            if ours.contains(&task.lease) { task.until.extend(until) } else { task.until.lose() }
        }
    }

    /// Of what a turn claimed or extended that took place then.
    fn lease_end(&self, now: Ms) -> LeaseEnd {
        let lease_ms = self.rules.lease_ms;
        LeaseEnd {
            since_boot: self.door.clock.since_boot().plus(lease_ms),
            in_row: now.plus(lease_ms),
        }
    }

    /// Takes claimed rows in hand; files go to be read, messages come back. Reads nothing, so it can't fail.
    fn take_in_hand(&mut self, claimed: Vec<Claimed>, now: Ms, work: &mut Vec<Work>) -> Vec<Taken> {
        self.claimed_in_all += claimed.len() as u64;
        let until = self.lease_end(now);
        let mut messages = Vec::new();
        for row in claimed {
            let person = row.body.as_ref().map(|body| Person::read(&body.user)).unwrap_or_default();
            let until = LeaseTime::until(until);
            let task = InHand::of(&row, self.rules.way, (person.id, until.clone()));
            let outlet = task.outlet.clone();
            self.desk.hand.insert(row.lease.task, task);
            if row.route.is_unread() || row.body.is_none() {
                self.desk.reading += 1;
                work.push(Work::Read(Box::new(row)));
                continue;
            }
            if let Some(counter) = self.desk.known(&outlet) {
                counter.window.claimed(1);
                if outlet != Outlet::Own {
                    self.pipeline.set_window(&outlet, counter.window.open());
                }
            }
            messages.push(Taken { row, person, until, outlet });
        }
        messages
    }

    /// Makes orders of messages in hand. After an error none of them has ended.
    fn accept(&mut self, messages: Vec<Taken>, view: &View) -> Result<Vec<Order>, StoreError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let projects = self.projects(&messages)?;
        let gone = self.deleted_users(&messages)?;
        let mut orders = Vec::new();
        let (mut refused, mut without_user) = (Vec::new(), Vec::new());
        for Taken { row, person, until, outlet } in messages {
            let project = row.body.as_ref().and_then(|body| body.project);
            let project = projects.get(&project).cloned().unwrap_or_default();
            let gateway = outlet.gateway().and_then(|id| view.gateway(id)).cloned();
            if person.id.is_some_and(|id| gone.contains(&id)) {
                without_user.push(row);
                continue;
            }
            match self.contact(&person, &project) {
                Ok(contact) => {
                    let claimed = row;
                    orders.push(Order {
                        claimed,
                        person,
                        contact,
                        gateway,
                        outlet,
                        project,
                        until,
                    });
                }
                Err(refusal) => refused.push((row, person, refusal)),
            }
        }
        let orders = self.without_blocked(orders)?;
        for row in without_user {
            // nothing of him is logged any more
            self.refuse(&row, "", Refusal::UserGone);
        }
        for (row, person, refusal) in refused {
            let stored = shown(person.fields.text(&self.rules.contact_kind).trim());
            self.refuse(&row, &stored, refusal);
        }
        Ok(orders)
    }

    fn projects(
        &mut self,
        messages: &[Taken],
    ) -> Result<HashMap<Option<ProjectId>, Arc<Fields>>, StoreError> {
        let mut ids: Vec<ProjectId> =
            messages.iter().filter_map(|message| message.row.body.as_ref()?.project).collect();
        ids.sort_unstable();
        ids.dedup();
        store::read(&mut *self.store, |snapshot| {
            let mut projects = HashMap::new();
            for id in &ids {
                if let Some(mut project) = snapshot.project(*id)? {
                    project.fields.set("id", id.to_string());
                    projects.insert(Some(*id), Arc::new(project.fields));
                }
            }
            Ok(projects)
        })
    }

    fn deleted_users(&mut self, messages: &[Taken]) -> Result<Vec<UserId>, StoreError> {
        let mut ids: Vec<_> = messages.iter().filter_map(|message| message.person.id).collect();
        ids.sort_unstable();
        ids.dedup();
        store::read(&mut *self.store, |snapshot| snapshot.deleted_users(&ids))
    }

    fn contact(&self, person: &Person, project: &Fields) -> Result<Contact, Refusal> {
        let country = project.text("country_default");
        let country = if country.is_empty() { &self.rules.country } else { country };
        contact_of(&self.rules.contact_kind, self.rules.contact_form, person, country)
    }

    /// Asks `contact_state` of all of them at once.
    fn without_blocked(&mut self, orders: Vec<Order>) -> Result<Vec<Order>, StoreError> {
        let contacts = orders.iter().map(|order| order.contact.address.as_str());
        let contacts: Vec<&str> = contacts.filter(|address| !address.is_empty()).collect();
        if contacts.is_empty() {
            return Ok(orders);
        }
        let kind = &self.rules.contact_kind;
        let states =
            store::read(&mut *self.store, |snapshot| snapshot.contact_states(kind, &contacts))?;
        let mut kept = Vec::with_capacity(orders.len());
        for order in orders {
            let blocked = states
                .iter()
                .find(|state| state.contact == order.contact.address && state.state == "blocked");
            match blocked {
                None => kept.push(order),
                Some(state) => {
                    let refusal = Refusal::Blocked(state.reason.clone());
                    self.refuse(&order.claimed, &order.contact.address, refusal);
                }
            }
        }
        Ok(kept)
    }

    /// The log says what was refused and for whom.
    fn refuse(&mut self, row: &Claimed, contact: &str, refusal: Refusal) {
        let details = details_of_refused(row, contact);
        self.remember(Ended::before_a_gate(row.lease, How::Refused(refusal), details));
    }

    /// True while what has ended may wait for more to end, so that one turn settles and claims for many: nothing
    /// but ends is waiting, and every outlet still has more than it works on.
    pub fn may_gather(&self) -> bool {
        self.pending.iter().all(|event| match event {
            Event::Ended(ended) => {
                let task = self.desk.hand.get(&ended.lease.task);
                let counter = task.and_then(|task| self.desk.peek(&task.outlet));
                counter.is_some_and(|counter| counter.window.is_supplied())
            }
            Event::Read(_) | Event::Probed(..) | Event::News | Event::Stirred => false,
        })
    }

    /// What waits to be settled.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gateways with something in hand, for the progress.
    pub fn in_hand_of(&self, gateway: Option<GatewayId>) -> usize {
        self.desk.hand.values().filter(|task| task.gateway == gateway).count()
    }

    /// Leases that have not ended, and may be in a gate's hands.
    pub fn leases(&self) -> Vec<store::Lease> {
        self.desk.leases()
    }
}

/// Whether a turn may have written events: those that are effects, and those of tasks that have failed.
fn may_have_raised(batch: &Batch, written: &Written) -> bool {
    let is_event = |effect: &Effect| matches!(effect, Effect::Event(_));
    let brings = |ended: &Ended| match &ended.how {
        How::Answered { effects, .. } => effects.iter().any(is_event),
        _ => false,
    };
    written.reaped + written.turn.expired + written.turn.unanswered > 0
        || written.closed.iter().any(|closed| closed.settlement == Settlement::Fail)
        || batch.ended.iter().any(brings)
}

#[cfg(test)]
mod tests;
