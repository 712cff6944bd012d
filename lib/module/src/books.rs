//! The transaction of a turn: outcomes become settlements, gateways change their standing, claims are made.
//!
//! It may be repeated after a failure, so it changes nothing but the database: what it found is in
//! [`Written`], applied after the commit.

use crate::choose::gateways_of;
use crate::desk::{Desk, InHand};
use crate::kill::{KillPoint, Sabotage};
use crate::pipeline::{Ended, FileRead, FileTrouble, How};
use crate::plan::{Pause, Plan, View};
use crate::reaper::{Reaper, Suspect};
use crate::retry::age_ms;
use crate::rules::{Outlet, Rules};
use crate::settle::{self, Attempt, Settled, Via, settle};
use crate::standing::{self, Blame, Check, Moment, Seen, Spoke, after, probing, unblemished};
use crate::window::rests_to;
use notice::{Answer, GatewayId, Ms, OnUnknown, Outcome, Priority, Reach};
use std::collections::{HashMap, HashSet};
use std::mem::discriminant;
use store::{
    Condition, Done, Downtime, GatewayState, Lease, NewLog, Owner, Settlement, StoreError, Turn,
    Tx, Worker,
};

/// What came in since the last turn.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) ended: Vec<Ended>,
    pub(crate) files: Vec<FileRead>,
    pub(crate) probed: Vec<(GatewayId, Result<(), String>)>,
    /// Handed over to nobody.
    pub(crate) returned: Vec<Lease>,
}

/// What the transaction looks at.
pub(crate) struct Books<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) owner: &'a Owner,
    pub(crate) desk: &'a Desk,
    pub(crate) view: &'a View,
    pub(crate) sabotage: &'a Sabotage,
    pub(crate) now: Ms,
    pub(crate) chance: u64,
}

/// What is to be written.
pub(crate) struct Orders<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) plan: &'a Plan,
    /// True: every lease is extended.
    pub(crate) extend: Extend,
    pub(crate) suspects: &'a [Suspect],
    /// The pause has begun or ended, and the database does not know.
    pub(crate) pause: Option<Pause>,
    /// The row of this worker, until it is written.
    pub(crate) register: Option<&'a Worker>,
}

/// Whether it is time to extend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extend {
    Now,
    NotYet,
}

/// How a task was settled, for the desk and the progress.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) lease: Lease,
    pub(crate) outlet: Outlet,
    pub(crate) settlement: Settlement,
    /// What it meant for the window.
    pub(crate) tone: Tone,
}

/// What an ended attempt says to the window and the strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// The gateway took it, or answered in words.
    Took,
    /// The gateway answered in words that it is busy, or failed without words.
    Failed,
    /// As before, and it cost the task an attempt without a document.
    Strike,
    /// It said that it is unfit.
    Hold,
    /// It fell along with one that has said it.
    Along,
    /// Nobody was asked.
    Unasked,
}

/// What was written.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) turn: Turn,
    pub(crate) closed: Vec<Closed>,
    pub(crate) unfit: HashSet<GatewayId>,
    pub(crate) well: HashSet<GatewayId>,
    /// What is still ours; None when nothing was extended.
    pub(crate) extended: Option<Vec<Lease>>,
    pub(crate) reaped: u32,
    /// Files that became tasks.
    pub(crate) split: u32,
    /// Files whose lease was lost: they are somebody else's now.
    pub(crate) lost_files: Vec<Lease>,
    /// Gateways that have opened, or shut.
    pub(crate) turned: Vec<(GatewayId, Condition)>,
}

impl Books<'_> {
    /// The transaction.
    pub(crate) fn write(
        &self,
        tx: &mut dyn Tx,
        orders: &Orders<'_>,
    ) -> Result<Written, StoreError> {
        let mut written = Written::default();
        if let Some(worker) = orders.register {
            tx.add_worker(worker)?;
        }
        if let Some(pause) = orders.pause {
            tx.set_paused(pause == Pause::On, self.now)?;
        }
        self.reap(tx, orders.suspects, &mut written)?;
        let mut states = Standings::read(tx)?;
        for (gateway, result) in &orders.batch.probed {
            let state = states.of(*gateway, self.now);
            let result = result.as_ref().copied().map_err(String::as_str);
            states.set(standing::after_probe(state, result, self.moment()));
        }
        let mut done = self.settle_all(tx, &orders.batch.ended, (&mut states, &mut written))?;
        done.extend(self.settle_files(tx, &orders.batch.files, &mut written)?);
        for gateway in &orders.plan.trials {
            let state = states.of(*gateway, self.now);
            states.set(probing(state, self.moment()));
        }
        for gateway in &orders.plan.probes {
            let state = states.of(gateway.id, self.now);
            states.set(probing(state, self.moment()));
        }
        if !orders.batch.returned.is_empty() {
            tx.release(self.owner, &orders.batch.returned, self.now)?;
        }
        written.turn = tx.turn(self.owner, &done, &orders.plan.demands, self.now)?;
        written.turned = states.write(tx, self.now)?;
        self.note_rests(tx, &orders.batch.ended)?;
        self.give_back(tx, &written)?;
        if orders.extend == Extend::Now {
            let mut leases = self.desk.leases();
            leases.retain(|lease| !written.closed.iter().any(|closed| closed.lease == *lease));
            let until = self.now.plus(self.rules.lease_ms);
            written.extended = Some(tx.extend(self.owner, &leases, until, self.now)?);
        }
        if !done.is_empty() {
            self.sabotage.kill_point(KillPoint::InFinish);
        }
        if !written.turn.claimed.is_empty() {
            self.sabotage.kill_point(KillPoint::InClaim);
        }
        Ok(written)
    }

    fn moment(&self) -> Moment<'_> {
        Moment { now: self.now, ladders: &self.rules.ladders }
    }

    fn reap(
        &self,
        tx: &mut dyn Tx,
        suspects: &[Suspect],
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let reaper =
            Reaper { rules: self.rules, view: self.view, now: self.now, chance: self.chance };
        for suspect in suspects {
            written.reaped += reaper.reap(tx, suspect)?;
        }
        Ok(())
    }

    fn settle_all(
        &self,
        tx: &mut dyn Tx,
        ended: &[Ended],
        (states, written): (&mut Standings, &mut Written),
    ) -> Result<Vec<Done>, StoreError> {
        let mut done = Vec::with_capacity(ended.len());
        for end in ended {
            let Some(task) =
                self.desk.hand.get(&end.lease.task).filter(|task| task.lease == end.lease)
            else {
                continue;
            };
            done.push(self.settle_one(tx, (task, end), (&mut *states, &mut *written))?);
        }
        Ok(done)
    }

    fn settle_one(
        &self,
        tx: &mut dyn Tx,
        (task, end): (&InHand, &Ended),
        (states, written): (&mut Standings, &mut Written),
    ) -> Result<Done, StoreError> {
        let (settled, log, tone) = match &end.how {
            How::Answered { answer, spoke, check, .. } => {
                let heard = Heard { answer, spoke: *spoke, check };
                let (settled, tone) = self.answered(tx, (task, end, &heard), (states, written))?;
                let mut logged = self.log(task, end, answer).with_answer(answer);
                if answer.reach == Reach::Reached {
                    logged.waited_ms = self.waited_ms(task, end);
                }
                let log = (settled.settlement != Settlement::Back).then_some(logged);
                (settled, log, tone)
            }
            How::Refused(refusal) => {
                self.ended_here(task, end, (Outcome::Never.word(), &refusal.to_string()))
            }
            How::Expired => {
                let why = ("expired", "its time was up before it could be sent");
                let (settled, log, tone) = self.ended_here(task, end, why);
                let waited_ms = self.waited_ms(task, end);
                (settled, log.map(|log| NewLog { waited_ms, ..log }), tone)
            }
            How::NotRendered(why) => self.not_rendered(task, end, why),
            How::Broken(why) => self.broken(task, end, why),
            How::NotReady(why) => (self.not_ready(task, why), None, Tone::Unasked),
            How::Returned => (not_spent(self.now, ""), None, Tone::Unasked),
        };
        written.closed.push(Closed {
            lease: end.lease,
            outlet: task.outlet.clone(),
            settlement: settled.settlement.clone(),
            tone,
        });
        let effects = match &end.how {
            How::Answered { effects, .. } => effects.clone(),
            _ => Vec::new(),
        };
        Ok(Done {
            lease: end.lease,
            settlement: settled.settlement,
            reason: settled.reason,
            log,
            effects,
        })
    }

    fn answered(
        &self,
        tx: &mut dyn Tx,
        (task, end, heard): (&InHand, &Ended, &Heard<'_>),
        (states, written): (&mut Standings, &mut Written),
    ) -> Result<(Settled, Tone), StoreError> {
        let blame = match task.outlet.gateway() {
            Some(gateway) => self.blame(gateway, (end, heard), (states, written)),
            None => Blame::Task,
        };
        let attempt = self.attempt(tx, task, heard.answer)?;
        let mut settled = settle(&attempt, heard.answer, blame, &self.settling(task, end));
        if let (None, Settlement::Wait { maybe_sent, .. }) = (task.gateway, &mut settled.settlement)
        {
            // the module has one way only: there is no gateway to bind the task to
            *maybe_sent = false;
        }
        Ok((settled, tone(heard, blame)))
    }

    /// What the attempt means for the gateway, and whose fault it was.
    fn blame(
        &self,
        gateway: GatewayId,
        (end, heard): (&Ended, &Heard<'_>),
        (states, written): (&mut Standings, &mut Written),
    ) -> Blame {
        let known = self.desk.peek(&Outlet::Gateway(gateway));
        let again = known.is_some_and(|counter| counter.held_tasks.contains(&end.lease.task));
        let ended = standing::Ended {
            answer: heard.answer,
            spoke: heard.spoke,
            check: heard.check.clone(),
            seen: if again { Seen::Again } else { Seen::First },
        };
        let step = after(states.of(gateway, self.now), &ended, self.moment());
        if step.became_unfit {
            written.unfit.insert(gateway);
        }
        if heard.answer.outcome == Outcome::Sent {
            written.well.insert(gateway);
        }
        states.set(step.state);
        step.blame
    }

    fn settling(&self, task: &InHand, end: &Ended) -> settle::Rules {
        let terms = self.rules.terms_of(task.module.as_str());
        let gateway = task.outlet.gateway().and_then(|id| self.view.gateway(id));
        let on_unknown: Option<OnUnknown> =
            end.details.on_unknown.or_else(|| gateway.and_then(|gateway| gateway.on_unknown));
        settle::Rules {
            table: terms.retry,
            on_unknown: on_unknown.unwrap_or(terms.on_unknown),
            now: self.now,
            asked_ms: terms.asked_ms,
            chance: self.chance
                ^ end.lease.task.0.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// The age is asked for only where it can matter.
    fn attempt(
        &self,
        tx: &mut dyn Tx,
        task: &InHand,
        answer: &Answer,
    ) -> Result<Attempt, StoreError> {
        let via = match task.outlet {
            Outlet::Gateway(_) => Via::Gateway,
            Outlet::Own | Outlet::Route(_) => Via::Module,
        };
        let retried = matches!(answer.outcome, Outcome::Later | Outcome::Hold | Outcome::Unknown);
        let age_ms = if retried { self.age(tx, task)? } else { 0 };
        Ok(Attempt { error_count: task.error_count, age_ms, via })
    }

    fn age(&self, tx: &mut dyn Tx, task: &InHand) -> Result<i64, StoreError> {
        let retry = &self.rules.terms_of(task.module.as_str()).retry;
        if self.now.since(task.queued) < retry.max_age_ms {
            return Ok(self.now.since(task.queued).max(0));
        }
        let paused = tx.downtimes(None, task.queued)?;
        let mut gateways: Vec<Vec<Downtime>> = Vec::new();
        for gateway in gateways_of(&task.route, &task.module, &self.view.gateways) {
            gateways.push(tx.downtimes(Some(gateway.id), task.queued)?);
        }
        Ok(age_ms(task.queued, self.now, &paused, &gateways))
    }

    fn ended_here(
        &self,
        task: &InHand,
        end: &Ended,
        (word, reason): (&str, &str),
    ) -> (Settled, Option<NewLog>, Tone) {
        let answer = Answer::not_sent(Outcome::Never, reason);
        let mut log = self.log(task, end, &answer).with_answer(&answer);
        word.clone_into(&mut log.outcome);
        let settled = Settled { settlement: Settlement::Gone, reason: reason.to_owned() };
        (settled, Some(log), Tone::Unasked)
    }

    /// Later once, then never (DESIGN 6).
    fn not_rendered(
        &self,
        task: &InHand,
        end: &Ended,
        why: &str,
    ) -> (Settled, Option<NewLog>, Tone) {
        if task.error_count > 0 {
            return self.broken(task, end, why);
        }
        let answer = Answer::not_sent(Outcome::Later, why);
        let retry = &self.rules.terms_of(task.module.as_str()).retry;
        let at = self.now.plus(retry.delay_ms(1, self.chance));
        let settlement = Settlement::Wait { at, spent: true, maybe_sent: false };
        let log = self.log(task, end, &answer).with_answer(&answer);
        (Settled { settlement, reason: why.to_owned() }, Some(log), Tone::Unasked)
    }

    fn broken(&self, task: &InHand, end: &Ended, why: &str) -> (Settled, Option<NewLog>, Tone) {
        let answer = Answer::not_sent(Outcome::Never, why);
        let log = self.log(task, end, &answer).with_answer(&answer);
        (Settled { settlement: Settlement::Fail, reason: why.to_owned() }, Some(log), Tone::Unasked)
    }

    fn not_ready(&self, task: &InHand, why: &str) -> Settled {
        let retry = &self.rules.terms_of(task.module.as_str()).retry;
        let delay_ms = retry.delay_ms(task.error_count.saturating_add(1), self.chance);
        not_spent(self.now.plus(delay_ms), why)
    }

    fn log(&self, task: &InHand, end: &Ended, answer: &Answer) -> NewLog {
        NewLog {
            task: end.lease.task,
            key: Some(task.key.clone()),
            module: task.module.to_string(),
            notice: end.details.notice.clone(),
            user: task.user,
            project: task.project,
            gateway: task.gateway,
            contact: end.details.contact.clone(),
            attempt: task.attempt,
            outcome: answer.outcome.word().to_owned(),
            reason: String::new(),
            reference: None,
            segments: end.details.segments,
            queued: task.queued,
            at: self.now,
            took_ms: end.took_ms,
            waited_ms: None,
        }
    }

    fn waited_ms(&self, task: &InHand, end: &Ended) -> Option<i64> {
        let handed = self.now.plus(-end.took_ms.unwrap_or(0));
        waited_ms((task.priority, task.attempt), task.queued, handed)
    }

    fn settle_files(
        &self,
        tx: &mut dyn Tx,
        files: &[FileRead],
        written: &mut Written,
    ) -> Result<Vec<Done>, StoreError> {
        let mut done = Vec::new();
        for file in files {
            let Some(task) =
                self.desk.hand.get(&file.lease.task).filter(|task| task.lease == file.lease)
            else {
                continue;
            };
            match &file.result {
                Ok(parts) => match tx.split(self.owner, file.lease, parts, self.now)? {
                    Some(_) => written.split += 1,
                    None => written.lost_files.push(file.lease),
                },
                Err(trouble) => done.push(self.file_trouble(task, file, trouble)),
            }
        }
        Ok(done)
    }

    /// A file that isn't there may still be written, or be given its rights: three tries. What is wrong in
    /// it stays wrong.
    fn file_trouble(&self, task: &InHand, file: &FileRead, trouble: &FileTrouble) -> Done {
        const TRIES: u32 = 3;
        let (outcome, why) = match trouble {
            FileTrouble::Later(why) if task.error_count + 1 < TRIES => (Outcome::Later, why),
            FileTrouble::Later(why) | FileTrouble::Never(why) => (Outcome::Never, why),
        };
        let settlement = match outcome {
            Outcome::Later => Settlement::Wait {
                at: self
                    .now
                    .plus(self.rules.file_retry.delay_ms(task.error_count + 1, self.chance)),
                spent: true,
                maybe_sent: false,
            },
            Outcome::Sent | Outcome::Never | Outcome::Hold | Outcome::Unknown => Settlement::Fail,
        };
        let answer = Answer::not_sent(outcome, why.as_str());
        let nothing = crate::pipeline::Details::default();
        let end = Ended { lease: file.lease, how: How::Returned, details: nothing, took_ms: None };
        let log = self.log(task, &end, &answer).with_answer(&answer);
        Done {
            lease: file.lease,
            settlement,
            reason: why.clone(),
            log: Some(log),
            effects: Vec::new(),
        }
    }

    fn give_back(&self, tx: &mut dyn Tx, written: &Written) -> Result<(), StoreError> {
        for gateway in &written.unfit {
            let mut strikes = self
                .desk
                .peek(&Outlet::Gateway(*gateway))
                .map(|known| known.strikes.clone())
                .unwrap_or_default();
            let now =
                written.closed.iter().filter(|closed| closed.outlet == Outlet::Gateway(*gateway));
            strikes.extend(
                now.filter(|closed| closed.tone == Tone::Strike).map(|closed| closed.lease),
            );
            if !strikes.is_empty() {
                tx.give_back(&strikes, self.now)?;
            }
        }
        Ok(())
    }

    /// Notes for people until when services asked to be left alone; the windows of this worker know by themselves.
    fn note_rests(&self, tx: &mut dyn Tx, ended: &[Ended]) -> Result<(), StoreError> {
        let mut rests: HashMap<GatewayId, Ms> = HashMap::new();
        for end in ended {
            let task = self.desk.hand.get(&end.lease.task).filter(|task| task.lease == end.lease);
            let gateway = task.and_then(|task| task.outlet.gateway());
            if let (Some(secs), Some(gateway)) = (rest_secs(&end.how), gateway) {
                let until = rests_to(secs, self.now);
                rests
                    .entry(gateway)
                    .and_modify(|known| *known = until.max(*known))
                    .or_insert(until);
            }
        }
        for (gateway, until) in rests {
            let known = store::rests_until(tx, gateway, self.now)?;
            let until = known.map_or(until, |known| known.max(until));
            tx.set_setting(&store::rests_setting(gateway), &until.to_string())?;
        }
        Ok(())
    }
}

/// How long an urgent task had waited when it was handed over for the first time.
pub(crate) fn waited_ms(
    (priority, attempt): (Priority, u32),
    queued: Ms,
    handed: Ms,
) -> Option<i64> {
    (priority.is_urgent() && attempt == 1).then(|| handed.since(queued).max(0))
}

/// What an answer asks for, sent or not; what could not be reached asks for nothing.
pub(crate) fn rest_secs(how: &How) -> Option<u32> {
    match how {
        How::Answered { answer, .. }
            if matches!(answer.outcome, Outcome::Sent | Outcome::Later)
                && answer.reach == Reach::Reached =>
        {
            answer.retry_after_secs
        }
        _ => None,
    }
}

struct Heard<'a> {
    answer: &'a Answer,
    spoke: Spoke,
    check: &'a Check,
}

fn tone(heard: &Heard<'_>, blame: Blame) -> Tone {
    match (heard.answer.outcome, heard.spoke, blame) {
        (Outcome::Sent | Outcome::Never, _, _) => Tone::Took,
        (Outcome::Hold, _, _) => Tone::Hold,
        // the gateway's window has closed by the one it fell along with
        (Outcome::Later | Outcome::Unknown, Spoke::Along, _) => Tone::Along,
        (Outcome::Later | Outcome::Unknown, Spoke::Nothing, Blame::Task) => Tone::Strike,
        (Outcome::Later | Outcome::Unknown, _, _) => Tone::Failed,
    }
}

/// Ready again at that time, and nothing spent.
fn not_spent(at: Ms, why: &str) -> Settled {
    let settlement = Settlement::Wait { at, spent: false, maybe_sent: false };
    Settled { settlement, reason: why.to_owned() }
}

/// The states of the gateways inside the transaction, and which of them have changed.
struct Standings {
    states: HashMap<GatewayId, GatewayState>,
    before: HashMap<GatewayId, GatewayState>,
}

impl Standings {
    fn read(tx: &mut dyn Tx) -> Result<Self, StoreError> {
        let states: HashMap<_, _> =
            tx.gateway_states()?.into_iter().map(|state| (state.gateway, state)).collect();
        Ok(Self { before: states.clone(), states })
    }

    fn of(&self, gateway: GatewayId, now: Ms) -> GatewayState {
        self.states.get(&gateway).cloned().unwrap_or_else(|| unblemished(gateway, now))
    }

    fn set(&mut self, state: GatewayState) {
        self.states.insert(state.gateway, state);
    }

    /// Writes those that have changed, and tells which have opened or shut.
    fn write(&self, tx: &mut dyn Tx, now: Ms) -> Result<Vec<(GatewayId, Condition)>, StoreError> {
        let mut turned = Vec::new();
        for state in self.states.values() {
            let unblemished = state.last_error.is_none() && state.condition == Condition::Open;
            match self.before.get(&state.gateway) {
                Some(before) if before == state => {}
                None if unblemished => {}
                Some(_) | None => tx.set_gateway_state(state, now)?,
            }
            let before = self.before.get(&state.gateway).map(|before| &before.condition);
            if discriminant(before.unwrap_or(&Condition::Open)) != discriminant(&state.condition) {
                turned.push((state.gateway, state.condition.clone()));
            }
        }
        Ok(turned)
    }
}
