//! The one hot operation: finish the last batch, let time do its part, claim the next (queue 2).

use super::ending::Left;
use super::session::{Session, count, text};
use super::statements::{self as sql, Statement};
use crate::failed::failed_event;
use crate::{
    Blob, CallsTx, Claimed, Demand, Done, Effect, Hash, Lease, NewLog, Owner, Pool, Result,
    ServicesTx, Settlement, StoreError, StoredBody, Told, Turn,
};
use notice::{LogId, Ms, Priority, ProjectId, Route, State, TaskId};
use rusqlite::{Row, named_params};
use std::sync::Arc;

/// Rows that one turn claims at most, over all demands.
pub(crate) const CLAIMS_A_TURN: usize = 100;

impl Session<'_> {
    pub(super) fn take_turn(
        &mut self,
        owner: &Owner,
        done: &[Done],
        want: &[Demand],
        now: Ms,
    ) -> Result<Turn> {
        let mut turn = Turn::default();
        for one in done {
            if !self.settle(owner, one, now)? {
                turn.lost.push(one.lease);
            }
        }
        turn.promoted = self.promote(now)?;
        turn.expired = self.expire(now)?;
        turn.unanswered = self.fail_unanswered(now)?;
        for demand in want {
            let room = CLAIMS_A_TURN - turn.claimed.len();
            let (claimed, expired) = self.claim(owner, demand, room, now)?;
            turn.claimed.extend(claimed);
            turn.expired += expired;
        }
        Ok(turn)
    }

    /// Writes one outcome; false when the fence hit no row, and then nothing of it is written.
    fn settle(&mut self, owner: &Owner, done: &Done, now: Ms) -> Result<bool> {
        let Some(left) = self.settle_row(owner, done, now)? else { return Ok(false) };
        let mut log_id = None;
        if let Some(log) = &done.log {
            self.add_log_row(log)?;
            log_id = Some(LogId(self.last_id()));
        }
        for effect in &done.effects {
            self.apply(effect, log_id, now)?;
        }
        if let (Settlement::Fail, Some(log)) = (&done.settlement, &done.log) {
            self.tell_failed(log, &done.reason, now)?;
        }
        match done.settlement {
            Settlement::Gone | Settlement::Fail | Settlement::Ask { .. } => {
                self.let_next_go(done.lease.task, &left, now)?;
            }
            Settlement::Wait { .. } => self.let_followers_go(done.lease.task, &left, now)?,
            Settlement::Back => {}
        }
        Ok(true)
    }

    fn settle_row(&self, owner: &Owner, done: &Done, now: Ms) -> Result<Option<Left>> {
        let Lease { task, seq } = done.lease;
        let (id, owner, reason) = (task.0, &owner.0, &done.reason);
        match done.settlement {
            Settlement::Gone => {
                self.finish(named_params! {":id": id, ":owner": owner, ":seq": seq})
            }
            Settlement::Wait { at, spent, maybe_sent } => {
                let params = named_params! {
                    ":id": id, ":owner": owner, ":seq": seq, ":reason": reason,
                    ":at": at.0, ":spent": i64::from(spent), ":unknown": maybe_sent,
                };
                self.one(sql::LATER, params, Left::read)
            }
            Settlement::Back => {
                let params = named_params! {":id": id, ":owner": owner, ":seq": seq};
                self.one(sql::RELEASE, params, Left::read)
            }
            Settlement::Fail => {
                let params = named_params! {
                    ":id": id, ":owner": owner, ":seq": seq, ":reason": reason, ":now": now.0,
                };
                self.one(sql::FAIL, params, Left::read)
            }
            Settlement::Ask { until } => {
                let params = named_params! {
                    ":id": id, ":owner": owner, ":seq": seq, ":reason": reason, ":until": until.0,
                };
                self.one(sql::ASK, params, Left::read)
            }
        }
    }

    /// The one that every message ends with: a look and a change together cost less than a change that answers.
    fn finish(&self, params: &[(&str, &dyn rusqlite::ToSql)]) -> Result<Option<Left>> {
        let left = self.one(sql::FINISHING, params, Left::read_whole)?;
        if left.is_some() {
            self.change(sql::FINISH, params)?;
        }
        Ok(left)
    }

    fn apply(&mut self, effect: &Effect, log: Option<LogId>, now: Ms) -> Result<()> {
        match effect {
            Effect::Inbox { user, subject, text } => {
                let params = named_params! {
                    ":user": user.0, ":subject": subject, ":text": text, ":now": now.0,
                };
                self.change(super::platform_statements::ADD_INBOX, params)?;
            }
            Effect::Event(event) => {
                self.add_event(event, Told::NotYet)?;
            }
            Effect::ItemParam { service, param } => self.keep_item_param(*service, param)?,
            Effect::ServiceParam { service, param } => {
                self.save_service_params(*service, std::slice::from_ref(param))?;
            }
            Effect::ServiceState { service, from, to, externalid } => {
                let moved = self.move_service(*service, *from, *to)?;
                if let (true, Some(externalid)) = (moved, externalid) {
                    self.note_external_id(*service, externalid)?;
                }
            }
            Effect::Handler { handler, status } => self.switch_handler(*handler, *status)?,
            Effect::Response(delivery) => {
                if let Some(log) = log {
                    self.keep_delivery(log, delivery)?;
                }
            }
        }
        Ok(())
    }

    /// Brings the news of a task that failed for good.
    pub(super) fn tell_failed(&mut self, log: &NewLog, reason: &str, now: Ms) -> Result<()> {
        if let Some(event) = failed_event(log, reason, now) {
            self.add_event(&event, Told::NotYet)?;
        }
        Ok(())
    }

    pub(super) fn add_log_row(&self, row: &NewLog) -> Result<()> {
        self.change(
            sql::ADD_LOG,
            named_params! {
                ":task": row.task.0, ":key": row.key, ":module": row.module, ":notice": row.notice,
                ":user": row.user.map(|id| id.0), ":project": row.project.map(|id| id.0),
                ":gateway": row.gateway.map(|id| id.0), ":contact": row.contact,
                ":attempt": row.attempt, ":outcome": row.outcome, ":reason": row.reason,
                ":reference": row.reference, ":segments": row.segments, ":queued": row.queued.0,
                ":at": row.at.0, ":took": row.took_ms, ":waited": row.waited_ms,
            },
        )?;
        Ok(())
    }

    /// Nothing is due in most turns: a look is much cheaper than a change that answers with its rows.
    fn promote(&self, now: Ms) -> Result<u32> {
        let next: Option<i64> = self.one(sql::DUE_WAITING, [], |row| row.get(0))?.flatten();
        if next.is_none_or(|due| due > now.0) {
            return Ok(0);
        }
        let mut ready = 0;
        self.each(sql::PROMOTE, named_params! {":now": now.0}, |row| {
            ready += u32::from(row.get::<_, i64>(0)? == State::Ready.number());
            Ok(super::session::Next::Go)
        })?;
        Ok(ready)
    }

    /// The rows of one demand with their bodies, by (ord, id), and how many of them had lapsed meanwhile.
    fn claim(
        &mut self,
        owner: &Owner,
        demand: &Demand,
        room: usize,
        now: Ms,
    ) -> Result<(Vec<Claimed>, u32)> {
        let limit = room.min(usize::try_from(demand.count).unwrap_or(CLAIMS_A_TURN));
        let limit = limit.min(self.left_under(demand)?);
        if limit == 0 {
            return Ok((Vec::new(), 0));
        }
        let mut rows = self.claim_rows(owner, demand, limit)?;
        // RETURNING promises no order.
        rows.sort_by_key(|row| (row.ord, row.lease.task));
        let mut expired = 0;
        let mut claimed = Vec::with_capacity(rows.len());
        for mut row in rows {
            if row.expires.is_some_and(|at| at <= now) {
                self.expire_claimed(owner, row.lease, now)?;
                expired += 1;
                continue;
            }
            (row.body, row.key) = self.read_body_and_key(row.lease.task)?;
            claimed.push(row);
        }
        Ok((claimed, expired))
    }

    /// Exact: no other connection claims while this transaction is open.
    fn left_under(&self, demand: &Demand) -> Result<usize> {
        let Some(ceiling) = &demand.ceiling else { return Ok(usize::MAX) };
        let params = named_params! {
            ":module": demand.module.as_str(), ":route": ceiling.route.as_str(),
        };
        let sending = self.one(sql::SENDING, params, |row| row.get::<_, u32>(0))?.unwrap_or(0);
        Ok(ceiling.at_once.saturating_sub(sending) as usize)
    }

    fn claim_rows(&self, owner: &Owner, demand: &Demand, limit: usize) -> Result<Vec<Claimed>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let gateway = demand.gateway.map(|id| id.0);
        let (module, until) = (demand.module.as_str(), demand.lease_until.0);
        let read = |row: &Row<'_>| claimed(row, demand);
        match &demand.pool {
            Pool::Route(route) => {
                let params = named_params! {
                    ":owner": owner.0, ":until": until, ":gateway": gateway, ":module": module,
                    ":route": route.as_str(), ":count": limit,
                };
                self.all(pick(demand, sql::CLAIM, sql::CLAIM_FORCED), params, read)
            }
            Pool::Bound => {
                let params = named_params! {
                    ":owner": owner.0, ":until": until, ":gateway": gateway, ":module": module,
                    ":count": limit,
                };
                self.all(pick(demand, sql::CLAIM_BOUND, sql::CLAIM_BOUND_FORCED), params, read)
            }
        }
    }

    /// The body of a task, if it is ours.
    pub(super) fn read_body(&mut self, id: TaskId) -> Result<Option<StoredBody>> {
        Ok(self.read_body_and_key(id)?.0)
    }

    fn read_body_and_key(&mut self, id: TaskId) -> Result<(Option<StoredBody>, String)> {
        let found = self.one(sql::BODY, named_params! {":id": id.0}, |row| {
            let bundle: Option<[u8; 32]> = row.get(0)?;
            let project: Option<i64> = row.get(3)?;
            let key: Option<String> = row.get(4)?;
            Ok((bundle, row.get::<_, [u8; 32]>(1)?, text(row, 2)?, project, key))
        })?;
        let Some((bundle, notice, user, project, key)) = found else {
            return Ok((None, self.key_or_derived(id)?));
        };
        let body = StoredBody {
            bundle: bundle.map(|hash| self.blob_of(Hash(hash))).transpose()?,
            notice: self.blob_of(Hash(notice))?,
            user,
            project: project.map(ProjectId),
        };
        Ok((Some(body), key.unwrap_or_else(|| self.derived_key(id))))
    }

    fn blob_of(&mut self, hash: Hash) -> Result<Blob> {
        if let Some(bytes) = self.blobs.get(&hash) {
            return Ok(Blob { hash, bytes });
        }
        let blob = self.stored_blob(&hash)?.ok_or_else(|| StoreError::Engine {
            operation: sql::BLOB.name,
            reason: "a body names a blob that is not there".to_owned(),
        })?;
        self.blobs.keep(hash, Arc::clone(&blob.bytes));
        Ok(blob)
    }

    pub(super) fn stored_blob(&self, hash: &Hash) -> Result<Option<Blob>> {
        let found: Option<Vec<u8>> =
            self.one(sql::BLOB, named_params! {":hash": hash.0}, |row| row.get(0))?;
        Ok(found.map(|bytes| Blob { hash: *hash, bytes: bytes.into() }))
    }

    /// The producer's key, else the one that every task has.
    pub(super) fn key_or_derived(&self, id: TaskId) -> Result<String> {
        let found = self.one(sql::KEY_OF_TASK, named_params! {":id": id.0}, |row| row.get(0))?;
        Ok(found.unwrap_or_else(|| self.derived_key(id)))
    }

    fn derived_key(&self, id: TaskId) -> String {
        format!("{}:{id}", self.uuid)
    }
}

fn pick(demand: &Demand, all: Statement, forced: Statement) -> Statement {
    if demand.forced_only { forced } else { all }
}

/// The columns by their places in `RETURNING`, the same in all claims: names would be looked up row by row.
fn claimed(row: &Row<'_>, demand: &Demand) -> rusqlite::Result<Claimed> {
    Ok(Claimed {
        lease: Lease { task: TaskId(row.get(0)?), seq: row.get(10)? },
        module: demand.module.clone(),
        route: Route::from_column(text(row, 1)?),
        gateway: demand.gateway,
        filename: text(row, 2)?,
        priority: Priority::new(row.get(3)?).unwrap_or_default(),
        ord: row.get(4)?,
        error_count: count(row, 5)?,
        attempt: count(row, 6)?,
        maybe_sent: row.get(7)?,
        forced: row.get(8)?,
        object: text(row, 9)?,
        queued: Ms(row.get(11)?),
        expires: row.get::<_, Option<i64>>(12)?.map(Ms),
        key: String::new(),
        body: None,
    })
}

/// The column's check keeps it within the limit.
pub(super) fn priority(row: &Row<'_>) -> rusqlite::Result<Priority> {
    Ok(Priority::new(row.get("priority")?).unwrap_or_default())
}
