//! Events, the journal, and how callers are known.

use super::call_statements as sql;
use super::ending::number;
use super::services::unless_there;
use super::session::{Next, Session, text, text_or_none};
use crate::{
    ApiToken, CallsSnapshot, CallsTx, Delivery, Event, EventFilter, Hash, JournalFilter,
    JournalRow, KeyedCall, NewEvent, NewJournalRow, ReplyToken, Result, SignIn, StoreError, Told,
};
use notice::{EventId, LogId, Ms, TaskId, UserId};
use rusqlite::{Row, named_params};

impl CallsSnapshot for Session<'_> {
    fn events(
        &mut self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let Some(after) = self.start_of(filter, after)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let look = |row: &Row<'_>| {
            if found.len() == limit as usize {
                return Ok(Next::Stop);
            }
            let event = event(row)?;
            if event_fits(&event, filter) {
                found.push(event);
            }
            Ok(Next::Go)
        };
        match (&filter.events_id, &filter.object_id) {
            (Some(events_id), Some(object)) => {
                let params = named_params! {
                    ":events_id": events_id, ":object": object, ":after": after,
                };
                self.each(sql::EVENTS_OF_OBJECT, params, look)?;
            }
            (Some(events_id), None) => {
                let params = named_params! {":events_id": events_id, ":after": after};
                self.each(sql::EVENTS_OF_KIND, params, look)?;
            }
            (None, _) => self.each(sql::EVENTS, named_params! {":after": after}, look)?,
        }
        Ok(found)
    }

    fn untold_events(&mut self, limit: u32) -> Result<Vec<Event>> {
        self.all(sql::UNTOLD_EVENTS, named_params! {":count": limit}, event)
    }

    fn journal(
        &mut self,
        filter: &JournalFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<JournalRow>> {
        let before = before.unwrap_or(i64::MAX);
        let mut found = Vec::new();
        let look = |row: &Row<'_>| {
            if found.len() == limit as usize {
                return Ok(Next::Stop);
            }
            let row = journal_row(row)?;
            if journal_fits(&row.row, filter) {
                found.push(row);
            }
            Ok(Next::Go)
        };
        let walked = match (&filter.call, &filter.name) {
            (Some(call), _) => Some((sql::JOURNAL_OF_CALL, call)),
            (None, Some(name)) => Some((sql::JOURNAL_OF_NAME, name)),
            (None, None) => None,
        };
        match walked {
            Some((statement, text)) => {
                self.each(statement, named_params! {":text": text, ":before": before}, look)?;
            }
            None => self.each(sql::JOURNAL, named_params! {":before": before}, look)?,
        }
        Ok(found)
    }

    fn password_hash(&mut self, user: UserId) -> Result<Option<String>> {
        self.one(sql::PASSWORD, named_params! {":user": user.0}, |row| row.get(0))
    }

    fn sign_in(&mut self, hash: &Hash) -> Result<Option<SignIn>> {
        self.one(sql::SIGN_IN, named_params! {":hash": hash.0}, |row| {
            Ok(SignIn {
                hash: Hash(row.get("hash")?),
                user: row.get::<_, Option<i64>>("user")?.map(UserId),
                name: text(row, "name")?,
                level: text(row, "level")?,
                made: Ms(row.get("made_ms")?),
                seen: Ms(row.get("seen_ms")?),
                expires: Ms(row.get("expires_ms")?),
            })
        })
    }

    fn token(&mut self, hash: &Hash) -> Result<Option<ApiToken>> {
        self.one(sql::TOKEN, named_params! {":hash": hash.0}, token)
    }

    fn tokens(&mut self) -> Result<Vec<ApiToken>> {
        self.all(sql::TOKENS, [], token)
    }

    fn keyed_call(&mut self, caller: &str, key: &str) -> Result<Option<KeyedCall>> {
        self.one(sql::KEYED_CALL, named_params! {":caller": caller, ":key": key}, |row| {
            Ok(KeyedCall {
                caller: text(row, "caller")?,
                key: text(row, "key")?,
                function: text(row, "function")?,
                request: Hash(row.get("request")?),
                answer: text_or_none(row, "answer")?,
                made: Ms(row.get("made_ms")?),
            })
        })
    }

    fn reply_token(&mut self, hash: &Hash) -> Result<Option<ReplyToken>> {
        self.one(sql::REPLY_TOKEN, named_params! {":hash": hash.0}, |row| {
            Ok(ReplyToken {
                hash: Hash(row.get("hash")?),
                user: UserId(row.get("user")?),
                notice: text(row, "notice")?,
                task: TaskId(row.get("task")?),
                made: Ms(row.get("made_ms")?),
                used: row.get::<_, Option<i64>>("used_ms")?.map(Ms),
            })
        })
    }

    fn delivery(&mut self, log: LogId) -> Result<Option<Delivery>> {
        self.one(sql::DELIVERY, named_params! {":log": log.0}, |row| {
            Ok(Delivery { status: row.get("status")?, response: row.get("response")? })
        })
    }
}

impl CallsTx for Session<'_> {
    fn add_event(&mut self, event: &NewEvent, told: Told) -> Result<EventId> {
        let NewEvent { events_id, object_id, data, at } = event;
        let params = named_params! {
            ":at": at.0, ":events_id": events_id, ":object": object_id, ":data": data,
            ":told": told == Told::Yes,
        };
        self.change(sql::ADD_EVENT, params)?;
        Ok(EventId(self.last_id()))
    }

    fn mark_events_told(&mut self, ids: &[EventId]) -> Result<u32> {
        let mut marked = 0;
        for id in ids {
            marked += self.change(sql::MARK_EVENT_TOLD, named_params! {":id": id.0})?;
        }
        Ok(number(marked))
    }

    fn add_journal(&mut self, rows: &[NewJournalRow]) -> Result<()> {
        for row in rows {
            let params = named_params! {
                ":call": row.call, ":at": row.at.0, ":function": row.function,
                ":place": row.place, ":name": row.name, ":outcome": row.outcome,
                ":took": row.took_ms, ":output": row.output,
            };
            self.change(sql::ADD_JOURNAL, params)?;
        }
        Ok(())
    }

    fn set_password_hash(&mut self, user: UserId, hash: Option<&str>) -> Result<()> {
        let set = match hash {
            Some(hash) => {
                self.change(sql::SET_PASSWORD, named_params! {":user": user.0, ":hash": hash})
            }
            None => self.change(sql::DROP_PASSWORD, named_params! {":user": user.0}),
        };
        set.map(|_| ()).map_err(no_user)
    }

    fn add_sign_in(&mut self, sign_in: &SignIn) -> Result<()> {
        let params = named_params! {
            ":hash": sign_in.hash.0, ":user": sign_in.user.map(|id| id.0), ":name": sign_in.name,
            ":level": sign_in.level, ":made": sign_in.made.0, ":seen": sign_in.seen.0,
            ":expires": sign_in.expires.0,
        };
        self.change(sql::ADD_SIGN_IN, params).map(|_| ()).map_err(no_user)
    }

    fn see_sign_in(&mut self, hash: &Hash, seen: Ms, expires: Ms) -> Result<bool> {
        let params = named_params! {":hash": hash.0, ":seen": seen.0, ":expires": expires.0};
        Ok(self.change(sql::SEE_SIGN_IN, params)? > 0)
    }

    fn end_sign_in(&mut self, hash: &Hash) -> Result<bool> {
        Ok(self.change(sql::END_SIGN_IN, named_params! {":hash": hash.0})? > 0)
    }

    fn end_sign_ins_of(&mut self, user: UserId) -> Result<u32> {
        self.change(sql::END_SIGN_INS, named_params! {":user": user.0}).map(number)
    }

    fn add_token(&mut self, token: &ApiToken) -> Result<()> {
        let params = named_params! {
            ":hash": token.hash.0, ":name": token.name, ":user": token.user.map(|id| id.0),
            ":level": token.level, ":made": token.made.0,
        };
        let added = self.change(sql::ADD_TOKEN, params).map(|_| ());
        added.map_err(|error| match error {
            StoreError::Refused { operation, reason } if reason.contains("UNIQUE") => {
                let reason = format!("there is a token `{}` already", token.name);
                StoreError::Refused { operation, reason }
            }
            other => no_user(other),
        })
    }

    fn delete_token(&mut self, name: &str) -> Result<bool> {
        Ok(self.change(sql::DELETE_TOKEN, named_params! {":name": name})? > 0)
    }

    fn take_call_key(&mut self, call: &KeyedCall) -> Result<Option<KeyedCall>> {
        let params = named_params! {
            ":caller": call.caller, ":key": call.key, ":function": call.function,
            ":request": call.request.0, ":answer": call.answer, ":made": call.made.0,
        };
        match self.change(sql::TAKE_CALL_KEY, params)? {
            0 => self.keyed_call(&call.caller, &call.key),
            _ => Ok(None),
        }
    }

    fn answer_call_key(&mut self, caller: &str, key: &str, answer: &str) -> Result<()> {
        let params = named_params! {":caller": caller, ":key": key, ":answer": answer};
        self.change(sql::ANSWER_CALL_KEY, params).map(|_| ())
    }

    fn drop_call_key(&mut self, caller: &str, key: &str) -> Result<()> {
        let params = named_params! {":caller": caller, ":key": key};
        self.change(sql::DROP_CALL_KEY, params).map(|_| ())
    }

    fn add_reply_token(&mut self, token: &ReplyToken) -> Result<()> {
        let params = named_params! {
            ":hash": token.hash.0, ":user": token.user.0, ":notice": token.notice,
            ":task": token.task.0, ":made": token.made.0, ":used": token.used.map(|at| at.0),
        };
        self.change(sql::ADD_REPLY_TOKEN, params).map(|_| ()).map_err(no_user)
    }

    fn use_reply_token(&mut self, hash: &Hash, now: Ms) -> Result<bool> {
        let params = named_params! {":hash": hash.0, ":now": now.0};
        Ok(self.change(sql::USE_REPLY_TOKEN, params)? > 0)
    }
}

impl Session<'_> {
    pub(super) fn keep_delivery(&self, log: LogId, delivery: &Delivery) -> Result<()> {
        let Delivery { status, response } = delivery;
        let params = named_params! {":log": log.0, ":status": status, ":response": response};
        self.change(sql::ADD_DELIVERY, params).map(|_| ())
    }

    /// The id after which the wanted events begin; None: there are none.
    fn start_of(&self, filter: &EventFilter, after: Option<EventId>) -> Result<Option<i64>> {
        match (after, filter.from) {
            (Some(after), _) => Ok(Some(after.0)),
            (None, None) => Ok(Some(0)),
            (None, Some(from)) => {
                let params = named_params! {":from": from.0};
                let first: Option<Option<i64>> =
                    self.one(sql::FIRST_EVENT_SINCE, params, |row| row.get(0))?;
                Ok(first.flatten().map(|id| id - 1))
            }
        }
    }
}

/// Whether an event fits every part of a filter.
pub(crate) fn event_fits(event: &Event, filter: &EventFilter) -> bool {
    let event = &event.event;
    filter.events_id.as_ref().is_none_or(|wanted| *wanted == event.events_id)
        && filter.object_id.as_ref().is_none_or(|wanted| *wanted == event.object_id)
        && filter.from.is_none_or(|from| event.at >= from)
        && filter.to.is_none_or(|to| event.at < to)
}

/// Whether a run fits every part of a filter.
pub(crate) fn journal_fits(row: &NewJournalRow, filter: &JournalFilter) -> bool {
    filter.call.as_ref().is_none_or(|wanted| *wanted == row.call)
        && filter.function.as_ref().is_none_or(|wanted| *wanted == row.function)
        && filter.name.as_ref().is_none_or(|wanted| *wanted == row.name)
        && filter.since.is_none_or(|since| row.at >= since)
}

fn no_user(error: StoreError) -> StoreError {
    unless_there(error, "there is no such user")
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let event = NewEvent {
        events_id: text(row, "events_id")?,
        object_id: text(row, "object_id")?,
        data: text(row, "data")?,
        at: Ms(row.get("at_ms")?),
    };
    let told = if row.get("told")? { Told::Yes } else { Told::NotYet };
    Ok(Event { id: EventId(row.get("id")?), event, told })
}

fn journal_row(row: &Row<'_>) -> rusqlite::Result<JournalRow> {
    let id = row.get("id")?;
    let row = NewJournalRow {
        call: text(row, "call")?,
        at: Ms(row.get("at_ms")?),
        function: text(row, "function")?,
        place: text(row, "place")?,
        name: text(row, "name")?,
        outcome: text(row, "outcome")?,
        took_ms: row.get("took_ms")?,
        output: text(row, "output")?,
    };
    Ok(JournalRow { id, row })
}

fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        hash: Hash(row.get("hash")?),
        name: text(row, "name")?,
        user: row.get::<_, Option<i64>>("user")?.map(UserId),
        level: text(row, "level")?,
        made: Ms(row.get("made_ms")?),
    })
}
