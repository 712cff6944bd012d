//! Looking at the queue and its log.

use super::{Tables, Task};
use crate::{Count, Lease, LogFilter, LogRow, NewLog, TaskFilter, TaskRow, Urgent};
use notice::{GatewayId, LogId, ModuleName, Ms, Route, State, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// Task ids that one key answers with.
const IDS_OF_KEY: usize = 100;

impl Tables {
    /// A row as readers see it: with its key and its body's project.
    pub(super) fn shown(&self, task: &Task) -> TaskRow {
        let project = task.body.as_ref().and_then(|body| body.project);
        TaskRow { key: Some(self.key_of(task.row.id)), project, ..task.row.clone() }
    }

    fn ready(&self, module: &ModuleName, forced_only: bool) -> impl Iterator<Item = &TaskRow> {
        let rows = self.tasks.values().map(|task| &task.row);
        rows.filter(move |row| {
            row.state == State::Ready
                && row.module == module.as_str()
                && (row.forced || !forced_only)
        })
    }

    pub(super) fn routes(&self, module: &ModuleName, forced_only: bool) -> Vec<Route> {
        let free = self.ready(module, forced_only).filter(|row| !row.maybe_sent);
        let routes: BTreeSet<Route> = free.map(|row| row.route.clone()).collect();
        routes.into_iter().collect()
    }

    pub(super) fn bound(&self, module: &ModuleName, forced_only: bool) -> Vec<GatewayId> {
        let bound = self.ready(module, forced_only).filter(|row| row.maybe_sent);
        let gateways: BTreeSet<GatewayId> = bound.filter_map(|row| row.last_gateway).collect();
        gateways.into_iter().collect()
    }

    pub(super) fn live_of_object(
        &self,
        module: &ModuleName,
        route: &Route,
        object: &str,
    ) -> Vec<TaskId> {
        let is_of = |row: &TaskRow| {
            !object.is_empty()
                && row.object == object
                && row.module == module.as_str()
                && row.route == *route
                && matches!(row.state, State::Ready | State::Sending | State::Waiting)
        };
        self.tasks.values().filter(|task| is_of(&task.row)).map(|task| task.row.id).collect()
    }

    pub(super) fn list_tasks(
        &self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Vec<TaskRow> {
        let fits = |row: &TaskRow| {
            before.is_none_or(|before| row.id < before)
                && filter.state.is_none_or(|state| state == row.state)
                && filter.module.as_ref().is_none_or(|module| module.as_str() == row.module)
                && (filter.gateway.is_none() || filter.gateway == row.last_gateway)
                && filter.reason.as_ref().is_none_or(|reason| row.err_info.contains(reason))
                && filter.queued_before.is_none_or(|at| row.queued < at)
        };
        let rows = self.tasks.values().rev().filter(|task| fits(&task.row));
        rows.take(limit as usize).map(|task| self.shown(task)).collect()
    }

    pub(super) fn count_all(&self) -> Vec<Count> {
        let mut places: BTreeMap<(String, Route, State), (u64, Ms)> = BTreeMap::new();
        for task in self.tasks.values() {
            let place = (task.row.module.clone(), task.row.route.clone(), task.row.state);
            let sum = places.entry(place).or_insert((0, task.row.queued));
            *sum = (sum.0 + 1, sum.1.min(task.row.queued));
        }
        let count = |((module, route, state), (tasks, oldest))| Count {
            module,
            route,
            state,
            tasks,
            oldest,
        };
        places.into_iter().map(count).collect()
    }

    pub(super) fn stored_key(&self, id: TaskId) -> Option<String> {
        let known = self.keys.iter().find(|(_, (task, _))| *task == id.0);
        known.map(|(key, _)| key.clone())
    }

    pub(super) fn ids_of_key(&self, key: &str) -> Vec<TaskId> {
        let beginning = format!("{key}/");
        let fits = |known: &str| known == key || known.starts_with(&beginning);
        let stored = self.keys.iter().filter(|(known, _)| fits(known)).map(|(_, (id, _))| *id);
        let mut ids: BTreeSet<i64> = stored.collect();
        let derived = key.strip_prefix(self.uuid()).and_then(|rest| rest.strip_prefix(':'));
        ids.extend(derived.and_then(|id| id.parse::<i64>().ok()));
        ids.into_iter().rev().take(IDS_OF_KEY).map(TaskId).collect()
    }

    pub(super) fn list_log(
        &self,
        filter: &LogFilter,
        before: Option<LogId>,
        limit: u32,
    ) -> Vec<LogRow> {
        let rows =
            self.log.iter().rev().map(|(id, row)| LogRow { id: LogId(*id), row: row.clone() });
        let fits = |found: &LogRow| {
            let row = &found.row;
            before.is_none_or(|before| found.id < before)
                && filter.after.is_none_or(|after| found.id > after)
                && filter.task.is_none_or(|task| task == row.task)
                && filter.module.as_ref().is_none_or(|module| module.as_str() == row.module)
                && (filter.contact.is_none() || filter.contact == row.contact)
                && (filter.user.is_none() || filter.user == row.user)
                && (filter.gateway.is_none() || filter.gateway == row.gateway)
                && (filter.reference.is_none() || filter.reference == row.reference)
                && filter.since.is_none_or(|since| row.at >= since)
        };
        rows.filter(fits).take(limit as usize).collect()
    }

    pub(super) fn list_refused(&self, since: Ms, limit: u32) -> Vec<LogRow> {
        let refused = |row: &NewLog| row.outcome == "never" && row.took_ms.is_none();
        let rows = self.log.iter().filter(|(_, row)| refused(row) && row.at >= since);
        let mut rows: Vec<_> =
            rows.map(|(id, row)| LogRow { id: LogId(*id), row: row.clone() }).collect();
        rows.sort_by_key(|found| std::cmp::Reverse((found.row.at, found.id)));
        rows.truncate(limit as usize);
        rows
    }

    pub(super) fn list_urgent(&self, module: &ModuleName) -> Vec<Urgent> {
        let urgent = |row: &&TaskRow| !row.maybe_sent && row.priority.is_urgent();
        let mut oldest: BTreeMap<Route, (Ms, TaskId)> = BTreeMap::new();
        for row in self.ready(module, false).filter(urgent) {
            let first = oldest.entry(row.route.clone()).or_insert((row.ready, row.id));
            *first = (*first).min((row.ready, row.id));
        }
        let urgent = |(route, (ready, task))| Urgent { route, task, ready };
        oldest.into_iter().map(urgent).collect()
    }

    pub(super) fn list_urgent_waits(&self, since: Ms, limit: u32) -> Vec<i64> {
        let rows = self.log.iter().filter(|(_, row)| row.at >= since);
        let mut waits: Vec<_> =
            rows.filter_map(|(id, row)| Some((row.at, *id, row.waited_ms?))).collect();
        waits.sort_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));
        waits.iter().take(limit as usize).map(|(_, _, waited)| *waited).collect()
    }

    pub(super) fn earliest_due(&self) -> Option<Ms> {
        let due = self.tasks.values().flat_map(|task| {
            let row = &task.row;
            let run_at = row.run_at.filter(|_| matches!(row.state, State::Waiting | State::Asked));
            let expires = row.expires.filter(|_| row.state != State::Sending);
            [run_at, expires, row.lease_until]
        });
        due.flatten().min()
    }

    pub(super) fn owners(&self) -> Vec<String> {
        let owners = self.tasks.values().filter_map(|task| task.row.lease_owner.clone());
        owners.collect::<BTreeSet<String>>().into_iter().collect()
    }

    pub(super) fn leases(&self, owner: &str) -> Vec<(Lease, Ms, Option<GatewayId>)> {
        let rows =
            self.tasks.values().filter(|task| task.row.lease_owner.as_deref() == Some(owner));
        let mut leases: Vec<(Lease, Ms, Option<GatewayId>)> = rows
            .filter_map(|task| {
                let lease = Lease { task: task.row.id, seq: task.seq };
                task.row.lease_until.map(|until| (lease, until, task.row.last_gateway))
            })
            .collect();
        leases.sort_by_key(|(lease, until, _)| (*until, lease.task));
        leases
    }
}
