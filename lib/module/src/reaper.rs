//! Takes back what dead workers have left (queue 3.1).

use crate::books::waited_ms;
use crate::contact::{Person, contact_of};
use crate::kill::{Fault, Sabotage};
use crate::notes::{self, Noted};
use crate::owner::{Life, Machine, life_of, lock_path, notes_path};
use crate::plan::View;
use crate::rules::{Outlet, Rules, Way};
use crate::settle::{self, Attempt, Via, settle};
use crate::standing::Blame;
use notice::{Answer, GatewayId, Ms, OnUnknown, Outcome, State};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use store::{Done, Lease, LogFilter, NewLog, Owner, Settlement, StoreError, TaskRow, Tx};
use wire::rendering::Bundle;

/// How the log begins to tell of an attempt that a death ended.
const DIED: &str = "the worker died while the gate had the message";

/// An owner of leases that may be dead.
pub(crate) struct Suspect {
    pub(crate) owner: String,
    /// Which of its leases are meant.
    reach: LeaseReach,
    /// What it noted; None: nothing is known, so everything is unknown.
    noted: Option<HashMap<Lease, Noted>>,
    /// Its lock, held until it is buried.
    _lock: Option<File>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeaseReach {
    /// It is dead.
    All,
    /// It may live: only what has run out.
    RunOut,
}

/// Looks for owners of this module's leases, and for workers, that are dead or late. Their host names don't
/// matter: `var/run` is never on a network file system, so all of them share this kernel, its locks and notes.
pub(crate) fn suspects(
    view: &View,
    (run, now): (&Path, Ms),
    (me, rules, sabotage): (&Owner, &Rules, &Sabotage),
) -> Vec<Suspect> {
    let here = Machine::this();
    let prefix = format!("{}-", rules.module);
    let mut names: Vec<&String> = view.lease_owners.iter().collect();
    names.extend(view.workers.iter().map(|worker| &worker.owner));
    names.sort_unstable();
    names.dedup();
    names.retain(|name| **name != me.0 && name.starts_with(&prefix));
    let look = |name: &String| {
        let worker = view.workers.iter().find(|worker| worker.owner == *name);
        let before_boot = worker.is_some_and(|worker| worker.boot_id != here.boot_id);
        let silent = worker.is_some_and(|worker| now.since(worker.beat) >= 2 * rules.lease_ms);
        let noted = || notes::read(&notes_path(run, name)).ok();
        let suspect =
            |reach, noted, lock| Suspect { owner: name.clone(), reach, noted, _lock: lock };
        match life_of(run, name).ok()? {
            // a held lock is a living worker, or another that buries it
            Life::Alive if before_boot => Some(suspect(LeaseReach::RunOut, None, None)),
            _ if before_boot => Some(suspect(LeaseReach::All, None, None)),
            Life::Dead(lock) => Some(suspect(LeaseReach::All, noted(), Some(lock))),
            Life::Alive if sabotage.commits(Fault::FenceOff) => {
                Some(suspect(LeaseReach::All, noted(), None))
            }
            // somebody removed its lock file: it may live, until it has been silent for two leases
            Life::NoFile if silent => Some(suspect(LeaseReach::All, noted(), None)),
            Life::Alive | Life::NoFile => Some(suspect(LeaseReach::RunOut, noted(), None)),
        }
    };
    names.into_iter().filter_map(look).collect()
}

/// Removes the files of an owner whose death is in the database now.
pub(crate) fn bury(run: &Path, suspect: &Suspect) {
    if suspect.reach == LeaseReach::All {
        let _ = std::fs::remove_file(notes_path(run, &suspect.owner));
        let _ = std::fs::remove_file(lock_path(run, &suspect.owner));
    }
}

impl Suspect {
    /// True when it is known to be dead.
    pub(crate) fn is_dead(&self) -> bool {
        self.reach == LeaseReach::All
    }
}

pub(crate) struct Reaper<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) view: &'a View,
    pub(crate) now: Ms,
    pub(crate) chance: u64,
}

impl Reaper<'_> {
    /// Settles what a suspect has left; how many rows.
    pub(crate) fn reap(&self, tx: &mut dyn Tx, suspect: &Suspect) -> Result<u32, StoreError> {
        let owner = Owner(suspect.owner.clone());
        let mut done = Vec::new();
        let mut unharmed = Vec::new();
        for (lease, until, gateway) in tx.leases_of(&suspect.owner)? {
            if suspect.reach == LeaseReach::RunOut && until > self.now {
                continue;
            }
            let noted = suspect.noted.as_ref().map(|noted| noted.get(&lease));
            match (self.rules.way, noted) {
                (Way::Module, _) | (_, Some(None)) => unharmed.push(lease),
                (_, None | Some(Some(Noted::Started))) => {
                    done.push(self.in_doubt(tx, lease, gateway)?);
                }
                (_, Some(Some(Noted::Ended(answer)))) => {
                    done.push(self.as_noted(tx, (lease, gateway), answer)?);
                }
            }
        }
        let mut count = 0;
        for some in done.chunks(100) {
            tx.turn(&owner, some, &[], self.now)?;
            count += u32::try_from(some.len()).unwrap_or(0);
        }
        if !unharmed.is_empty() {
            count += tx.release(&owner, &unharmed, self.now)?;
        }
        if suspect.is_dead() {
            tx.remove_worker(&suspect.owner)?;
        }
        Ok(count)
    }

    /// A start without an end: nobody knows. A task that has done this to several workers is poison.
    fn in_doubt(
        &self,
        tx: &mut dyn Tx,
        lease: Lease,
        gateway: Option<GatewayId>,
    ) -> Result<Done, StoreError> {
        let filter = LogFilter { task: Some(lease.task), ..LogFilter::default() };
        let before = tx.log(&filter, None, 100)?;
        let deaths = before.iter().filter(|row| row.row.reason.starts_with(DIED)).count() + 1;
        let answer = Answer::not_sent(Outcome::Unknown, DIED);
        let mut done = self.as_noted(tx, (lease, gateway), &answer)?;
        if deaths >= self.rules.poison_crashes as usize && done.settlement != Settlement::Back {
            done.settlement = Settlement::Fail;
            done.reason = format!("poison: {deaths} workers died while a gate had this message");
        }
        Ok(done)
    }

    fn as_noted(
        &self,
        tx: &mut dyn Tx,
        (lease, gateway): (Lease, Option<GatewayId>),
        answer: &Answer,
    ) -> Result<Done, StoreError> {
        let Some(row) = tx.task(lease.task)?.filter(|row| row.state == State::Sending) else {
            return Ok(Done {
                lease,
                settlement: Settlement::Back,
                reason: String::new(),
                log: None,
                effects: Vec::new(),
            });
        };
        let outlet = Outlet::of(self.rules.way, gateway, &row.route);
        let terms = self.rules.terms_of(&row.module);
        let on_unknown = self.on_unknown(tx, lease, &outlet)?.unwrap_or(terms.on_unknown);
        let via = if outlet.gateway().is_some() { Via::Gateway } else { Via::Module };
        let attempt = Attempt { error_count: row.error_count, age_ms: 0, via };
        let rules = settle::Rules {
            table: terms.retry,
            on_unknown,
            now: self.now,
            asked_ms: terms.asked_ms,
            chance: self.chance,
        };
        let blame =
            if answer.reach == notice::Reach::Unreached { Blame::Gateway } else { Blame::Task };
        let mut settled = settle(&attempt, answer, blame, &rules);
        if let (None, Settlement::Wait { maybe_sent, .. }) = (gateway, &mut settled.settlement) {
            *maybe_sent = false;
        }
        let log = match settled.settlement {
            Settlement::Back => None,
            _ => Some(self.log(tx, &row, gateway)?.with_answer(answer)),
        };
        Ok(Done {
            lease,
            settlement: settled.settlement,
            reason: settled.reason,
            log,
            effects: Vec::new(),
        })
    }

    fn on_unknown(
        &self,
        tx: &mut dyn Tx,
        lease: Lease,
        outlet: &Outlet,
    ) -> Result<Option<OnUnknown>, StoreError> {
        let bundle = tx.body(lease.task)?.and_then(|body| body.bundle);
        let of_notice = bundle
            .and_then(|bundle| Bundle::parse(&bundle.bytes).ok())
            .and_then(|bundle| bundle.on_unknown);
        let of_gateway = outlet.gateway().and_then(|id| self.view.gateway(id)?.on_unknown);
        Ok(of_notice.or(of_gateway))
    }

    fn log(
        &self,
        tx: &mut dyn Tx,
        row: &TaskRow,
        gateway: Option<GatewayId>,
    ) -> Result<NewLog, StoreError> {
        let body = tx.body(row.id)?;
        let person = body.as_ref().map(|body| Person::read(&body.user)).unwrap_or_default();
        let rules = self.rules;
        let contact = contact_of(&rules.contact_kind, rules.contact_form, &person, &rules.country);
        let bundle = body.and_then(|body| Bundle::parse(&body.bundle?.bytes).ok());
        Ok(NewLog {
            task: row.id,
            key: row.key.clone(),
            module: row.module.clone(),
            notice: bundle.map(|bundle| bundle.notice).filter(|name| !name.is_empty()),
            user: person.id,
            project: row.project,
            gateway,
            contact: contact.ok().map(|contact| contact.address),
            attempt: row.attempt,
            outcome: String::new(),
            reason: String::new(),
            reference: None,
            segments: None,
            queued: row.queued,
            at: self.now,
            took_ms: None,
            waited_ms: waited_ms((row.priority, row.attempt), row.queued, self.now),
        })
    }
}
