//! Taking tasks in (queue 3.4, 3.6, 3.11).

use super::session::{Session, text};
use super::statements as sql;
use crate::calendar::createdate;
use crate::{Accepted, Blob, Body, Lease, NewTask, Owner, Result, StoreError, StoredBody};
use notice::{Ms, State, TaskId};
use rusqlite::{Row, named_params};

/// A row as it will stand in the table.
struct Place<'a> {
    module: &'a str,
    filename: &'a str,
    priority: i64,
    forced: bool,
    createdate: String,
    route: &'a str,
    object: &'a str,
    follows: Option<i64>,
    state: State,
    queued: i64,
    ready: i64,
    run_at: Option<i64>,
    expires: Option<i64>,
}

impl Session<'_> {
    pub(super) fn enqueue_all(&mut self, tasks: &[NewTask], now: Ms) -> Result<Vec<Accepted>> {
        tasks.iter().map(|task| self.enqueue_one(task, now)).collect()
    }

    fn enqueue_one(&mut self, task: &NewTask, now: Ms) -> Result<Accepted> {
        if let Some(key) = &task.key
            && let Some(first) =
                self.one(sql::KNOWN, named_params! {":key": key}, |row| row.get(0))?
        {
            return Ok(Accepted::Duplicate(TaskId(first)));
        }
        let follows = match task.follows {
            Some(id) if self.blocks(id)? => Some(id.0),
            _ => None,
        };
        let behind = !task.object.is_empty() && self.oldest_of_object(task)?.is_some();
        let run_at = task.not_before.filter(|at| *at > now);
        let waits = follows.is_some() || behind || run_at.is_some();
        let id = self.add_task(&Place {
            module: task.module.as_str(),
            filename: match &task.body {
                Body::File(name) => name,
                Body::Stored(_) => "",
            },
            priority: task.priority.number(),
            forced: task.forced,
            createdate: createdate(now),
            route: task.route.as_str(),
            object: &task.object,
            follows,
            state: if waits { State::Waiting } else { State::Ready },
            queued: now.0,
            ready: now.0,
            run_at: run_at.map(|at| at.0),
            expires: task.expires.map(|at| at.0),
        })?;
        if let Some(followed) = follows {
            self.change(sql::MARK_FOLLOWED, named_params! {":id": followed})?;
        }
        if let Body::Stored(body) = &task.body {
            self.add_body(id, body, now)?;
        }
        if let Some(key) = &task.key {
            self.add_key(key, id, now)?;
        }
        Ok(Accepted::New(id))
    }

    /// Whether the first attempt of the followed task is still to come, and nothing in trouble stands before it.
    fn blocks(&self, followed: TaskId) -> Result<bool> {
        let found = self.one(sql::FOLLOW_BLOCKS, named_params! {":id": followed.0}, |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn oldest_of_object(&self, task: &NewTask) -> Result<Option<i64>> {
        let params = named_params! {
            ":module": task.module.as_str(), ":route": task.route.as_str(), ":object": task.object,
        };
        Ok(self.one(sql::OLDEST_OF_OBJECT, params, |row| row.get(0))?.flatten())
    }

    fn add_task(&self, place: &Place<'_>) -> Result<TaskId> {
        self.change(
            sql::ADD_TASK,
            named_params! {
                ":module": place.module, ":filename": place.filename, ":priority": place.priority,
                ":forced": if place.forced { "on" } else { "off" }, ":createdate": place.createdate,
                ":route": place.route, ":object": place.object, ":follows": place.follows,
                ":state": place.state.number(), ":queued": place.queued, ":ready": place.ready,
                ":run_at": place.run_at, ":expires": place.expires,
            },
        )?;
        Ok(TaskId(self.last_id()))
    }

    fn add_body(&mut self, id: TaskId, body: &StoredBody, now: Ms) -> Result<()> {
        if let Some(bundle) = &body.bundle {
            self.add_blob(bundle, now)?;
        }
        self.add_blob(&body.notice, now)?;
        self.change(
            sql::ADD_BODY,
            named_params! {
                ":id": id.0, ":bundle": body.bundle.as_ref().map(|blob| &blob.hash.0),
                ":notice": body.notice.hash.0, ":user": body.user,
                ":project": body.project.map(|project| project.0),
            },
        )?;
        Ok(())
    }

    fn add_blob(&mut self, blob: &Blob, now: Ms) -> Result<()> {
        if self.written.insert(blob.hash) {
            let bytes: &[u8] = &blob.bytes;
            let params = named_params! {":hash": blob.hash.0, ":body": bytes, ":now": now.0};
            self.change(sql::ADD_BLOB, params)?;
        }
        Ok(())
    }

    fn add_key(&self, key: &str, id: TaskId, now: Ms) -> Result<()> {
        self.change(sql::ADD_KEY, named_params! {":key": key, ":id": id.0, ":now": now.0})?;
        Ok(())
    }

    pub(super) fn split_claimed(
        &mut self,
        owner: &Owner,
        lease: Lease,
        parts: &[NewTask],
        now: Ms,
    ) -> Result<Option<Vec<TaskId>>> {
        let bodies: Vec<&StoredBody> = parts
            .iter()
            .filter_map(|part| match &part.body {
                Body::Stored(body) => Some(body),
                Body::File(_) => None,
            })
            .collect();
        let [first, ..] = parts else { return Err(no_part("a file without a notification")) };
        if bodies.len() != parts.len() {
            return Err(no_part("a part whose body is a file again"));
        }
        let params = named_params! {
            ":route": first.route.as_str(), ":expires": first.expires.map(|at| at.0),
            ":id": lease.task.0, ":owner": owner.0, ":seq": lease.seq,
        };
        let Some(row) = self.one(sql::SPLIT, params, SplitRow::read)? else { return Ok(None) };
        let key = self.key_or_derived(lease.task)?;
        let mut ids = vec![lease.task];
        self.add_body(lease.task, bodies[0], now)?;
        for (number, (part, body)) in parts.iter().zip(&bodies).enumerate().skip(1) {
            let id = self.add_task(&row.place_of(part))?;
            self.add_body(id, body, now)?;
            self.add_key(&format!("{key}/{}", number + 1), id, now)?;
            ids.push(id);
        }
        Ok(Some(ids))
    }
}

fn no_part(reason: &str) -> StoreError {
    StoreError::Refused { operation: sql::SPLIT.name, reason: reason.to_owned() }
}

/// What the parts of a file take over from its row.
struct SplitRow {
    module: String,
    priority: i64,
    forced: bool,
    createdate: String,
    queued: i64,
    ready: i64,
    expires: Option<i64>,
}

impl SplitRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            module: text(row, "modulename")?,
            priority: row.get("priority")?,
            forced: row.get("forced")?,
            createdate: text(row, "createdate")?,
            queued: row.get("queued_ms")?,
            ready: row.get("ready_ms")?,
            expires: row.get("expires_ms")?,
        })
    }

    fn place_of<'a>(&'a self, part: &'a NewTask) -> Place<'a> {
        Place {
            module: &self.module,
            filename: "",
            priority: self.priority,
            forced: self.forced,
            createdate: self.createdate.clone(),
            route: part.route.as_str(),
            object: "",
            follows: None,
            state: State::Ready,
            queued: self.queued,
            ready: self.ready,
            run_at: None,
            expires: part.expires.map(|at| at.0).or(self.expires),
        }
    }
}
