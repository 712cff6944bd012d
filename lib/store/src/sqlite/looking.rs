//! Reading the queue and its log. Lists never sort in the database: where no index gives the order, the ids
//! are gathered from a partial index and sorted here.

use super::session::{Next, Session, count, text, text_or_none};
use super::statements::{self as sql, Statement};
use crate::{Count, Lease, LogFilter, LogRow, NewLog, Result, TaskFilter, TaskRow, Urgent};
use notice::{GatewayId, LogId, ModuleName, Ms, ProjectId, Route, State, TaskId, UserId};
use rusqlite::{Row, named_params};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Rows of the log may be this much out of the order of their ids, in ms: a receipt tells of the past.
const LOG_DISORDER_MS: i64 = Ms::DAY;
/// Rows of the log that have their references indexed together (0006).
const STRETCH_ROWS: i64 = 1_000;

impl Session<'_> {
    pub(super) fn routes(&self, module: &ModuleName, forced_only: bool) -> Result<Vec<Route>> {
        let (unread, next) = if forced_only {
            (sql::UNREAD_ROUTE_FORCED, sql::NEXT_ROUTE_FORCED)
        } else {
            (sql::UNREAD_ROUTE, sql::NEXT_ROUTE)
        };
        let module = module.as_str();
        let first = |row: &Row<'_>| row.get::<_, Option<String>>(0);
        let mut routes = Vec::new();
        let mut found = self.one(unread, named_params! {":module": module}, first)?.flatten();
        if found.is_none() {
            let params = named_params! {":module": module, ":route": ""};
            found = self.one(next, params, first)?.flatten();
        }
        while let Some(route) = found {
            let params = named_params! {":module": module, ":route": route};
            found = self.one(next, params, first)?.flatten();
            routes.push(Route::from_column(route));
        }
        Ok(routes)
    }

    pub(super) fn bound(&self, module: &ModuleName, forced_only: bool) -> Result<Vec<GatewayId>> {
        let next = if forced_only { sql::NEXT_BOUND_FORCED } else { sql::NEXT_BOUND };
        let mut gateways = Vec::new();
        let mut last = i64::MIN;
        loop {
            let params = named_params! {":module": module.as_str(), ":gateway": last};
            match self.one(next, params, |row| row.get(0))?.flatten() {
                Some(gateway) => {
                    gateways.push(GatewayId(gateway));
                    last = gateway;
                }
                None => return Ok(gateways),
            }
        }
    }

    pub(super) fn list_urgent(&self, module: &ModuleName) -> Result<Vec<Urgent>> {
        let mut urgent = Vec::new();
        let mut from = String::new();
        loop {
            let params = named_params! {":module": module.as_str(), ":from": from};
            let found = self.one(sql::NEXT_URGENT, params, |row| {
                Ok((text(row, "lane")?, TaskId(row.get("id")?), Ms(row.get("ready_ms")?)))
            })?;
            let Some((route, task, ready)) = found else { return Ok(urgent) };
            // nothing stands between a text and the same with a NUL
            from = format!("{route}\0");
            urgent.push(Urgent { route: Route::from_column(route), task, ready });
        }
    }

    pub(super) fn live_of_object(
        &self,
        module: &ModuleName,
        route: &Route,
        object: &str,
    ) -> Result<Vec<TaskId>> {
        let params = named_params! {
            ":module": module.as_str(), ":route": route.as_str(), ":object": object,
        };
        self.all(sql::LIVE_OF_OBJECT, params, |row| row.get(0).map(TaskId))
    }

    pub(super) fn read_task(&self, id: TaskId) -> Result<Option<TaskRow>> {
        let task = self.one(sql::TASK, named_params! {":id": id.0}, task_row)?;
        Ok(task.map(|mut task| {
            task.key.get_or_insert_with(|| format!("{}:{id}", self.uuid));
            task
        }))
    }

    pub(super) fn list_tasks(
        &self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<TaskRow>> {
        let before = before.map_or(i64::MAX, |id| id.0);
        let ids = match filter.state {
            None | Some(State::Ready) => self.ids_below(filter, before, limit)?,
            Some(state) => self.ids_of_state(state, filter, before, limit)?,
        };
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(self.read_task(TaskId(id))?);
        }
        Ok(rows)
    }

    fn ids_below(&self, filter: &TaskFilter, before: i64, limit: u32) -> Result<Vec<i64>> {
        let params = named_params! {
            ":before": before, ":state": filter.state.map(State::number),
            ":module": filter.module.as_ref().map(ModuleName::as_str),
            ":gateway": filter.gateway.map(|id| id.0), ":reason": filter.reason,
            ":queued_before": filter.queued_before.map(|at| at.0), ":count": limit,
        };
        self.all(sql::IDS_BELOW, params, |row| row.get(0))
    }

    fn ids_of_state(
        &self,
        state: State,
        filter: &TaskFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<i64>> {
        let statements: &[Statement] = match state {
            State::Ready => &[],
            State::Sending => &[sql::IDS_SENDING],
            State::Waiting => &[sql::IDS_WAITING, sql::IDS_BEHIND],
            State::Failed => &[sql::IDS_FAILED],
            State::Asked => &[sql::IDS_ASKED],
        };
        let mut ids: Vec<i64> = Vec::new();
        for statement in statements {
            ids.extend(self.all(*statement, [], |row| row.get::<_, i64>(0))?);
        }
        ids.retain(|id| *id < before);
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut fitting = Vec::new();
        for id in ids {
            if fitting.len() == limit {
                break;
            }
            if self.fits(id, filter)? {
                fitting.push(id);
            }
        }
        Ok(fitting)
    }

    fn fits(&self, id: i64, filter: &TaskFilter) -> Result<bool> {
        let params = named_params! {
            ":id": id, ":module": filter.module.as_ref().map(ModuleName::as_str),
            ":gateway": filter.gateway.map(|id| id.0), ":reason": filter.reason,
            ":queued_before": filter.queued_before.map(|at| at.0),
        };
        Ok(self.one(sql::MATCHES, params, |_| Ok(()))?.is_some())
    }

    pub(super) fn count_all(&self) -> Result<Vec<Count>> {
        let mut places = Places::default();
        let mut module = String::new();
        while let Some(next) = self
            .one(sql::NEXT_MODULE, named_params! {":module": module}, |row| {
                row.get::<_, Option<String>>(0)
            })?
            .flatten()
        {
            self.count_module(&next, &mut places)?;
            module = next;
        }
        for (statement, state) in [
            (sql::PLACES_BOUND, State::Ready),
            (sql::PLACES_SENDING, State::Sending),
            (sql::PLACES_WAITING, State::Waiting),
            (sql::PLACES_BEHIND, State::Waiting),
            (sql::PLACES_FAILED, State::Failed),
            (sql::PLACES_ASKED, State::Asked),
        ] {
            self.each(statement, [], |row| {
                let key = (text(row, "modulename")?, text(row, "lane")?, state);
                places.add(key, 1, row.get("queued_ms")?);
                Ok(Next::Go)
            })?;
        }
        Ok(places.counts())
    }

    fn count_module(&self, module: &str, places: &mut Places) -> Result<()> {
        let first = |row: &Row<'_>| row.get::<_, Option<String>>(0);
        let mut route =
            self.one(sql::UNREAD_ROUTE, named_params! {":module": module}, first)?.flatten();
        if route.is_none() {
            let params = named_params! {":module": module, ":route": ""};
            route = self.one(sql::NEXT_ROUTE, params, first)?.flatten();
        }
        while let Some(place) = route {
            let params = named_params! {":module": module, ":route": place};
            let counted =
                self.one(sql::COUNT_ROUTE, params, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
            route = self.one(sql::NEXT_ROUTE, params, first)?.flatten();
            if let Some((tasks, oldest)) = counted {
                places.add((module.to_owned(), place, State::Ready), tasks.unsigned_abs(), oldest);
            }
        }
        Ok(())
    }

    pub(super) fn ids_of_key(&self, key: &str) -> Result<Vec<TaskId>> {
        let read = |row: &Row<'_>| row.get::<_, i64>(0);
        let mut ids = self.all(sql::KNOWN, named_params! {":key": key}, read)?;
        ids.extend(self.all(sql::TASKS_OF_KEYS, named_params! {":key": key}, read)?);
        let derived = key.strip_prefix(self.uuid).and_then(|rest| rest.strip_prefix(':'));
        ids.extend(derived.and_then(|id| id.parse::<i64>().ok()));
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        ids.truncate(100);
        Ok(ids.into_iter().map(TaskId).collect())
    }

    pub(super) fn read_key(&self, id: TaskId) -> Result<Option<String>> {
        if let Some(key) =
            self.one(sql::KEY_OF_TASK, named_params! {":id": id.0}, |row| row.get(0))?
        {
            return Ok(Some(key));
        }
        Ok(self.read_task(id)?.and_then(|task| task.key))
    }

    pub(super) fn read_log(
        &self,
        filter: &LogFilter,
        before: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<LogRow>> {
        let before = before.map_or(i64::MAX, |id| id.0);
        let after = filter.after.map_or(0, |id| id.0);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if let (None, None, Some(user)) = (filter.task, &filter.contact, filter.user) {
            return self.read_log_of_user(user, filter, before, limit);
        }
        let mut rows = Vec::new();
        let is_over = Cell::new(false);
        let mut look = |row: &Row<'_>| {
            let found = log_row(row)?;
            let too_old =
                filter.since.is_some_and(|since| found.row.at < since.plus(-LOG_DISORDER_MS));
            if too_old || rows.len() == limit {
                is_over.set(true);
                return Ok(Next::Stop);
            }
            if fits_log(&found, filter) {
                rows.push(found);
            }
            Ok(Next::Go)
        };
        if let Some(task) = filter.task {
            let params = named_params! {":task": task.0, ":before": before, ":after": after};
            self.each(sql::LOG_OF_TASK, params, &mut look)?;
        } else if let Some(contact) = &filter.contact {
            let params = named_params! {":contact": contact, ":before": before, ":after": after};
            self.each(sql::LOG_OF_CONTACT, params, &mut look)?;
        } else if let (Some(gateway), Some(reference)) = (filter.gateway, &filter.reference) {
            for stretch in self.stretches((before, after))?.rev() {
                let params = named_params! {
                    ":stretch": stretch, ":gateway": gateway.0, ":reference": reference,
                    ":before": before, ":after": after,
                };
                self.each(sql::LOG_OF_REFERENCE, params, &mut look)?;
                if is_over.get() {
                    break;
                }
            }
        } else if let (Some(gateway), true) = (filter.gateway, is_of_handlers(filter)) {
            let params = named_params! {":gateway": gateway.0, ":before": before, ":after": after};
            self.each(sql::LOG_OF_HANDLER, params, &mut look)?;
        } else {
            let params = named_params! {":before": before, ":after": after};
            self.each(sql::LOG, params, &mut look)?;
        }
        Ok(rows)
    }

    /// The stretches of the log between two rows, each with an index of its references.
    fn stretches(&self, (before, after): (i64, i64)) -> Result<RangeInclusive<i64>> {
        let read = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
        let first = self.one(sql::LOG_FIRST, [], read)?.flatten().unwrap_or(0).max(after);
        let last = self.one(sql::LOG_LAST, [], read)?.flatten().unwrap_or(0).min(before);
        Ok(first / STRETCH_ROWS..=last / STRETCH_ROWS)
    }

    fn read_log_of_user(
        &self,
        user: UserId,
        filter: &LogFilter,
        before: i64,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        let since = filter.since.map_or(i64::MIN, |at| at.0);
        let params = named_params! {":user": user.0, ":since": since};
        let mut ids: Vec<i64> = self.all(sql::LOG_IDS_OF_USER, params, |row| row.get(0))?;
        ids.retain(|id| *id < before);
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let mut rows = Vec::new();
        for id in ids {
            if rows.len() == limit {
                break;
            }
            let found = self.one(sql::LOG_ROW, named_params! {":id": id}, log_row)?;
            rows.extend(found.filter(|row| fits_log(row, filter)));
        }
        Ok(rows)
    }

    pub(super) fn earliest_due(&self) -> Result<Option<Ms>> {
        let read = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
        let mut due = Vec::new();
        for statement in [sql::DUE_WAITING, sql::DUE_ASKED, sql::DUE_EXPIRY] {
            due.extend(self.one(statement, [], read)?.flatten());
        }
        for owner in self.owners()? {
            due.extend(
                self.one(sql::FIRST_LEASE, named_params! {":owner": owner}, read)?.flatten(),
            );
        }
        Ok(due.into_iter().min().map(Ms))
    }

    pub(super) fn owners(&self) -> Result<Vec<String>> {
        let mut owners: Vec<String> = Vec::new();
        loop {
            let last = owners.last().map_or("", String::as_str);
            let next = self.one(sql::NEXT_OWNER, named_params! {":owner": last}, |row| {
                row.get::<_, Option<String>>(0)
            })?;
            match next.flatten() {
                Some(owner) => owners.push(owner),
                None => return Ok(owners),
            }
        }
    }

    pub(super) fn leases(&self, owner: &str) -> Result<Vec<(Lease, Ms, Option<GatewayId>)>> {
        self.all(sql::LEASES_OF, named_params! {":owner": owner}, |row| {
            let lease = Lease { task: TaskId(row.get(0)?), seq: row.get(1)? };
            Ok((lease, Ms(row.get(2)?), row.get::<_, Option<i64>>(3)?.map(GatewayId)))
        })
    }
}

/// Counts by module, route and state.
#[derive(Default)]
struct Places(BTreeMap<(String, String, State), (u64, i64)>);

impl Places {
    fn add(&mut self, place: (String, String, State), tasks: u64, oldest: i64) {
        let sum = self.0.entry(place).or_insert((0, i64::MAX));
        *sum = (sum.0 + tasks, sum.1.min(oldest));
    }

    fn counts(self) -> Vec<Count> {
        let count = |((module, route, state), (tasks, oldest))| Count {
            module,
            route: Route::from_column(route),
            state,
            tasks,
            oldest: Ms(oldest),
        };
        self.0.into_iter().map(count).collect()
    }
}

/// Whether only deliveries to provisioning handlers are wanted.
fn is_of_handlers(filter: &LogFilter) -> bool {
    filter.module.as_ref().is_some_and(|module| module.as_str() == ModuleName::HANDLER)
}

fn fits_log(found: &LogRow, filter: &LogFilter) -> bool {
    let row = &found.row;
    filter.task.is_none_or(|task| task == row.task)
        && filter.module.as_ref().is_none_or(|module| module.as_str() == row.module)
        && (filter.contact.is_none() || filter.contact == row.contact)
        && (filter.user.is_none() || filter.user == row.user)
        && (filter.gateway.is_none() || filter.gateway == row.gateway)
        && (filter.reference.is_none() || filter.reference == row.reference)
        && filter.since.is_none_or(|since| row.at >= since)
        && filter.after.is_none_or(|after| found.id > after)
}

fn task_row(row: &Row<'_>) -> rusqlite::Result<TaskRow> {
    let ms = |column: &str| row.get::<_, Option<i64>>(column).map(|at| at.map(Ms));
    Ok(TaskRow {
        id: TaskId(row.get("id")?),
        key: row.get("key")?,
        module: text(row, "modulename")?,
        filename: text(row, "filename")?,
        priority: super::turn::priority(row)?,
        error_count: count(row, "error_count")?,
        forced: text(row, "forcedonothing")?.eq_ignore_ascii_case("on"),
        err_info: text(row, "err_info")?,
        createdate: text(row, "createdate")?,
        route: Route::from_column(text(row, "lane")?),
        object: text(row, "object")?,
        state: State::from_number(row.get("state")?).unwrap_or(State::Failed),
        queued: Ms(row.get("queued_ms")?),
        ready: Ms(row.get("ready_ms")?),
        run_at: ms("run_at")?,
        expires: ms("expires_ms")?,
        attempt: count(row, "attempt")?,
        maybe_sent: row.get("maybe_sent")?,
        last_gateway: row.get::<_, Option<i64>>("last_gateway")?.map(GatewayId),
        lease_until: ms("lease_until")?,
        lease_owner: text_or_none(row, "lease_owner")?,
        project: row.get::<_, Option<i64>>("project_id")?.map(ProjectId),
    })
}

pub(super) fn log_row(row: &Row<'_>) -> rusqlite::Result<LogRow> {
    let number = |column: &str| row.get::<_, Option<i64>>(column);
    Ok(LogRow {
        id: LogId(row.get("id")?),
        row: NewLog {
            task: TaskId(row.get("task")?),
            key: text_or_none(row, "key")?,
            module: text(row, "module")?,
            notice: text_or_none(row, "notice")?,
            user: number("user")?.map(UserId),
            project: number("project")?.map(ProjectId),
            gateway: number("gateway")?.map(GatewayId),
            contact: text_or_none(row, "contact")?,
            attempt: count(row, "attempt")?,
            outcome: text(row, "outcome")?,
            reason: text(row, "reason")?,
            reference: text_or_none(row, "reference")?,
            segments: row.get("segments")?,
            queued: Ms(row.get("queued")?),
            at: Ms(row.get("at")?),
            took_ms: number("took")?,
            waited_ms: number("waited")?,
        },
    })
}
