//! How tasks leave, and who may start then (queue 3.6); leases; retention.

use super::call_statements as calls;
use super::looking::log_row;
use super::session::{Session, text};
use super::statements::{self as sql, Statement};
use crate::retention::before;
use crate::untried::{BUNDLE_HEAD_BYTES, Untried, untried};
use crate::{Finish, Lease, Owner, Result, Retention};
use notice::{Ms, TaskId};
use rusqlite::{Row, named_params};

/// Where a row stood that has changed.
pub(super) struct Left {
    module: String,
    route: String,
    object: String,
    followers: Followers,
}

/// Whether somebody follows the task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Followers {
    None,
    /// It was not asked.
    Perhaps,
}

impl Left {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            module: text(row, "modulename")?,
            route: text(row, "lane")?,
            object: text(row, "object")?,
            followers: Followers::Perhaps,
        })
    }

    /// A row that says whether somebody follows it; by the places of its columns, as every message has one.
    pub(super) fn read_whole(row: &Row<'_>) -> rusqlite::Result<Self> {
        let followers = if row.get(3)? { Followers::Perhaps } else { Followers::None };
        let (module, route, object) = (text(row, 0)?, text(row, 1)?, text(row, 2)?);
        Ok(Self { module, route, object, followers })
    }
}

fn read_untried(row: &Row<'_>) -> rusqlite::Result<Untried> {
    let head: Option<Vec<u8>> = row.get("head")?;
    Ok(untried(&text(row, "modulename")?, &text(row, "user")?, &head.unwrap_or_default()))
}

fn followed(row: &Row<'_>) -> rusqlite::Result<(TaskId, Left)> {
    Ok((TaskId(row.get("id")?), Left::read(row)?))
}

impl Session<'_> {
    /// A task has left ready, sending and waiting.
    pub(super) fn let_next_go(&self, id: TaskId, left: &Left, now: Ms) -> Result<()> {
        if left.followers == Followers::Perhaps {
            self.let_direct_followers_go(id, now)?;
        }
        self.start_next_of(left, now)
    }

    /// A task waits after its first attempt: it keeps its object's turn, but holds nobody outside of it.
    pub(super) fn let_followers_go(&self, id: TaskId, left: &Left, now: Ms) -> Result<()> {
        self.let_direct_followers_go(id, now)?;
        if left.object.is_empty() {
            return Ok(());
        }
        let params = named_params! {
            ":id": id.0, ":module": left.module, ":route": left.route, ":object": left.object,
        };
        self.let_go(sql::LET_GO_BEHIND, params, now)?;
        self.change(sql::NOBODY_FOLLOWS, params).map(|_| ())
    }

    /// Most tasks have none: a look is much cheaper than a change that answers with its rows.
    fn let_direct_followers_go(&self, id: TaskId, now: Ms) -> Result<()> {
        let params = named_params! {":id": id.0};
        match self.one(sql::FOLLOWED, params, |_| Ok(()))? {
            Some(()) => self.let_go(sql::LET_GO, params, now),
            None => Ok(()),
        }
    }

    fn let_go(
        &self,
        statement: Statement,
        params: &[(&str, &dyn rusqlite::ToSql)],
        now: Ms,
    ) -> Result<()> {
        for (id, left) in self.all(statement, params, followed)? {
            if left.object.is_empty() {
                self.change(sql::START, named_params! {":id": id.0, ":now": now.0})?;
            }
            self.start_next_of(&left, now)?;
        }
        Ok(())
    }

    fn start_next_of(&self, left: &Left, now: Ms) -> Result<()> {
        if !left.object.is_empty() {
            let params = named_params! {
                ":module": left.module, ":route": left.route, ":object": left.object, ":now": now.0,
            };
            self.change(sql::NEXT_OF_OBJECT, params)?;
        }
        Ok(())
    }

    /// For rows whose predecessor was deleted by hand; at the start of every process.
    pub(super) fn start_stuck(&self, now: Ms) -> Result<()> {
        self.change(sql::LET_GO_ORPHANS, [])?;
        self.change(sql::START_STUCK, named_params! {":now": now.0})?;
        Ok(())
    }

    pub(super) fn expire(&self, now: Ms) -> Result<u32> {
        let due: Vec<i64> =
            self.all(sql::DUE_TO_EXPIRE, named_params! {":now": now.0}, |row| row.get(0))?;
        let mut expired = 0;
        for id in due {
            expired += self.end_one(TaskId(id), "expired", "its time was up", now)?;
        }
        Ok(expired)
    }

    /// A row that lapsed between the turn's expiry and its claim; it is still under our lease.
    pub(super) fn expire_claimed(&self, owner: &Owner, lease: Lease, now: Ms) -> Result<()> {
        self.release_one(owner, lease)?;
        self.end_one(lease.task, "expired", "its time was up", now)?;
        Ok(())
    }

    pub(super) fn fail_unanswered(&mut self, now: Ms) -> Result<u32> {
        let due: Vec<i64> =
            self.all(sql::DUE_UNANSWERED, named_params! {":now": now.0}, |row| row.get(0))?;
        let mut failed = 0;
        for id in due {
            let reason = "nobody answered in time";
            self.log_end(TaskId(id), "unanswered", reason, now)?;
            let params = named_params! {":id": self.last_id()};
            let log = self.one(sql::LOG_ROW, params, log_row)?;
            failed += self.change(sql::UNANSWERED, named_params! {":id": id, ":now": now.0})?;
            if let Some(log) = log {
                self.tell_failed(&log.row, reason, now)?;
            }
        }
        Ok(number(failed))
    }

    pub(super) fn end_all(
        &self,
        ids: &[TaskId],
        how: Finish,
        reason: &str,
        now: Ms,
    ) -> Result<u32> {
        let outcome = match how {
            Finish::Done => "sent",
            Finish::Cancel => "cancelled",
        };
        ids.iter().try_fold(0, |ended, id| Ok(ended + self.end_one(*id, outcome, reason, now)?))
    }

    /// Takes a row away that nobody is sending, with its log row; 1 if there was one.
    fn end_one(&self, id: TaskId, outcome: &str, reason: &str, now: Ms) -> Result<u32> {
        self.log_end(id, outcome, reason, now)?;
        let Some(left) = self.one(sql::REMOVE, named_params! {":id": id.0}, Left::read)? else {
            return Ok(0);
        };
        self.let_next_go(id, &left, now)?;
        Ok(1)
    }

    fn log_end(&self, id: TaskId, outcome: &str, reason: &str, now: Ms) -> Result<()> {
        let most = i64::try_from(BUNDLE_HEAD_BYTES).unwrap_or(i64::MAX);
        let asked = named_params! {":id": id.0, ":most": most};
        let known = self.one(sql::UNTRIED, asked, read_untried)?.unwrap_or_default();
        let params = named_params! {
            ":id": id.0, ":uuid": self.uuid, ":outcome": outcome, ":reason": reason, ":now": now.0,
            ":notice": known.notice, ":contact": known.contact,
        };
        self.change(sql::LOG_END, params)?;
        Ok(())
    }

    pub(super) fn retry_all(&self, ids: &[TaskId], now: Ms) -> Result<u32> {
        let mut retried = 0;
        for id in ids {
            let params = named_params! {":id": id.0, ":now": now.0};
            let Some(left) = self.one(sql::RETRY, params, Left::read)? else { continue };
            retried += 1;
            if !left.object.is_empty() {
                let params = named_params! {
                    ":id": id.0, ":module": left.module, ":route": left.route, ":object": left.object,
                };
                self.change(sql::STEP_BACK, params)?;
                self.start_next_of(&left, now)?;
            }
        }
        Ok(retried)
    }

    pub(super) fn release_all(&self, owner: &Owner, leases: &[Lease]) -> Result<u32> {
        leases.iter().try_fold(0, |count, lease| Ok(count + self.release_one(owner, *lease)?))
    }

    fn release_one(&self, owner: &Owner, lease: Lease) -> Result<u32> {
        let params = named_params! {":id": lease.task.0, ":owner": owner.0, ":seq": lease.seq};
        let hit = self.one(sql::RELEASE, params, |_| Ok(()))?;
        Ok(u32::from(hit.is_some()))
    }

    pub(super) fn extend_all(
        &self,
        owner: &Owner,
        leases: &[Lease],
        until: Ms,
        now: Ms,
    ) -> Result<Vec<Lease>> {
        self.change(sql::BEAT, named_params! {":owner": owner.0, ":now": now.0})?;
        let mut ours = Vec::with_capacity(leases.len());
        for lease in leases {
            let params = named_params! {
                ":until": until.0, ":id": lease.task.0, ":owner": owner.0, ":seq": lease.seq,
            };
            if self.change(sql::EXTEND, params)? == 1 {
                ours.push(*lease);
            }
        }
        Ok(ours)
    }

    pub(super) fn give_all_back(&self, leases: &[Lease], now: Ms) -> Result<u32> {
        let mut given = 0;
        for lease in leases {
            let params = named_params! {":id": lease.task.0, ":seq": lease.seq, ":now": now.0};
            given += self.change(sql::GIVE_BACK, params)?;
        }
        Ok(number(given))
    }

    pub(super) fn prune_all(&self, now: Ms, keep: &Retention) -> Result<bool> {
        let cut = |days| before(now, days).0;
        let chunks = [
            (sql::PRUNE_FAILED, cut(keep.failed_days)),
            (sql::PRUNE_KEYS, cut(keep.key_days)),
            (sql::PRUNE_BLOBS, cut(keep.blob_days)),
            (sql::PRUNE_DOWNTIMES, cut(keep.log_days)),
            (calls::PRUNE_SIGN_INS, now.0),
            (calls::PRUNE_CALL_KEYS, cut(keep.call_key_days)),
            (calls::PRUNE_REPLY_TOKENS, cut(keep.reply_token_days)),
        ];
        let mut more = false;
        for (statement, before) in chunks {
            more |= self.change(statement, named_params! {":cut": before})? >= 1_000;
        }
        let rows = [
            (sql::PRUNE_LOG, cut(keep.log_days)),
            (sql::PRUNE_EVENTS, cut(keep.event_days)),
            (calls::PRUNE_JOURNAL, cut(keep.journal_days)),
        ];
        for (statement, before) in rows {
            more |= self.change(statement, named_params! {":cut": before})? > 0;
        }
        Ok(more)
    }
}

pub(super) fn number(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
