//! Events, the journal, and how callers are known.

use super::Tables;
use super::platform::refused;
use crate::retention::before;
use crate::sqlite::{event_fits, journal_fits};
use crate::{
    ApiToken, CallsSnapshot, CallsTx, Delivery, Event, EventFilter, Hash, JournalFilter,
    JournalRow, KeyedCall, NewEvent, NewJournalRow, ReplyToken, Result, Retention, SignIn, Told,
};
use notice::{EventId, LogId, Ms, UserId};
use std::collections::BTreeMap;

/// Events whose object is a user and which say what is known of him.
const OF_A_USER: [&str; 3] = ["clients.create", "clients.update", "clients.custom_fields.update"];

/// The rows of calls.
#[derive(Clone, Default)]
pub(super) struct Calls {
    pub(super) events: BTreeMap<i64, Event>,
    last_event: i64,
    pub(super) journal: BTreeMap<i64, JournalRow>,
    last_run: i64,
    pub(super) passwords: BTreeMap<i64, String>,
    pub(super) sign_ins: BTreeMap<Hash, SignIn>,
    pub(super) tokens: BTreeMap<Hash, ApiToken>,
    pub(super) keys: BTreeMap<(String, String), KeyedCall>,
    pub(super) reply_tokens: BTreeMap<Hash, ReplyToken>,
    pub(super) deliveries: BTreeMap<i64, Delivery>,
}

impl Calls {
    /// Everything of a user goes with him.
    pub(super) fn drop_user(&mut self, id: UserId) {
        self.passwords.remove(&id.0);
        self.sign_ins.retain(|_, row| row.user != Some(id));
        self.tokens.retain(|_, row| row.user != Some(id));
        self.reply_tokens.retain(|_, row| row.user != id);
    }
}

impl CallsSnapshot for Tables {
    fn events(
        &mut self,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let rows = self.calls.events.values();
        let rows = rows.filter(|row| after.is_none_or(|after| row.id > after));
        Ok(rows.filter(|row| event_fits(row, filter)).take(limit as usize).cloned().collect())
    }

    fn untold_events(&mut self, limit: u32) -> Result<Vec<Event>> {
        let rows = self.calls.events.values().filter(|row| row.told == Told::NotYet);
        Ok(rows.take(limit as usize).cloned().collect())
    }

    fn journal(
        &mut self,
        filter: &JournalFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<JournalRow>> {
        let rows = self.calls.journal.values().rev();
        let rows = rows.filter(|row| before.is_none_or(|before| row.id < before));
        Ok(rows
            .filter(|row| journal_fits(&row.row, filter))
            .take(limit as usize)
            .cloned()
            .collect())
    }

    fn password_hash(&mut self, user: UserId) -> Result<Option<String>> {
        Ok(self.calls.passwords.get(&user.0).cloned())
    }

    fn sign_in(&mut self, hash: &Hash) -> Result<Option<SignIn>> {
        Ok(self.calls.sign_ins.get(hash).cloned())
    }

    fn token(&mut self, hash: &Hash) -> Result<Option<ApiToken>> {
        Ok(self.calls.tokens.get(hash).cloned())
    }

    fn tokens(&mut self) -> Result<Vec<ApiToken>> {
        let mut tokens: Vec<ApiToken> = self.calls.tokens.values().cloned().collect();
        tokens.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tokens)
    }

    fn keyed_call(&mut self, caller: &str, key: &str) -> Result<Option<KeyedCall>> {
        Ok(self.calls.keys.get(&(caller.to_owned(), key.to_owned())).cloned())
    }

    fn reply_token(&mut self, hash: &Hash) -> Result<Option<ReplyToken>> {
        Ok(self.calls.reply_tokens.get(hash).cloned())
    }

    fn delivery(&mut self, log: LogId) -> Result<Option<Delivery>> {
        Ok(self.calls.deliveries.get(&log.0).cloned())
    }
}

impl CallsTx for Tables {
    fn add_event(&mut self, event: &NewEvent, told: Told) -> Result<EventId> {
        Ok(self.put_event(event, told))
    }

    fn mark_events_told(&mut self, ids: &[EventId]) -> Result<u32> {
        let mut marked = 0;
        for id in ids {
            if let Some(event) = self.calls.events.get_mut(&id.0)
                && event.told == Told::NotYet
            {
                event.told = Told::Yes;
                marked += 1;
            }
        }
        Ok(marked)
    }

    fn add_journal(&mut self, rows: &[NewJournalRow]) -> Result<()> {
        for row in rows {
            self.calls.last_run += 1;
            let id = self.calls.last_run;
            self.calls.journal.insert(id, JournalRow { id, row: row.clone() });
        }
        Ok(())
    }

    fn set_password_hash(&mut self, user: UserId, hash: Option<&str>) -> Result<()> {
        let Some(hash) = hash else {
            self.calls.passwords.remove(&user.0);
            return Ok(());
        };
        self.need_user(Some(user), "set the hash of a password")?;
        self.calls.passwords.insert(user.0, hash.to_owned());
        Ok(())
    }

    fn add_sign_in(&mut self, sign_in: &SignIn) -> Result<()> {
        self.need_user(sign_in.user, "write a session")?;
        self.calls.sign_ins.insert(sign_in.hash, sign_in.clone());
        Ok(())
    }

    fn see_sign_in(&mut self, hash: &Hash, seen: Ms, expires: Ms) -> Result<bool> {
        let Some(row) = self.calls.sign_ins.get_mut(hash) else { return Ok(false) };
        (row.seen, row.expires) = (seen, expires);
        Ok(true)
    }

    fn end_sign_in(&mut self, hash: &Hash) -> Result<bool> {
        Ok(self.calls.sign_ins.remove(hash).is_some())
    }

    fn end_sign_ins_of(&mut self, user: UserId) -> Result<u32> {
        let before = self.calls.sign_ins.len();
        self.calls.sign_ins.retain(|_, row| row.user != Some(user));
        Ok(u32::try_from(before - self.calls.sign_ins.len()).unwrap_or(u32::MAX))
    }

    fn add_token(&mut self, token: &ApiToken) -> Result<()> {
        if self.calls.tokens.values().any(|known| known.name == token.name) {
            return Err(refused("add a token", "there is a token of that name"));
        }
        self.need_user(token.user, "add a token")?;
        self.calls.tokens.insert(token.hash, token.clone());
        Ok(())
    }

    fn delete_token(&mut self, name: &str) -> Result<bool> {
        let before = self.calls.tokens.len();
        self.calls.tokens.retain(|_, token| token.name != name);
        Ok(self.calls.tokens.len() < before)
    }

    fn take_call_key(&mut self, call: &KeyedCall) -> Result<Option<KeyedCall>> {
        let place = (call.caller.clone(), call.key.clone());
        if let Some(known) = self.calls.keys.get(&place) {
            return Ok(Some(known.clone()));
        }
        self.calls.keys.insert(place, call.clone());
        Ok(None)
    }

    fn answer_call_key(&mut self, caller: &str, key: &str, answer: &str) -> Result<()> {
        if let Some(call) = self.calls.keys.get_mut(&(caller.to_owned(), key.to_owned())) {
            call.answer = Some(answer.to_owned());
        }
        Ok(())
    }

    fn drop_call_key(&mut self, caller: &str, key: &str) -> Result<()> {
        let place = (caller.to_owned(), key.to_owned());
        if self.calls.keys.get(&place).is_some_and(|call| call.answer.is_none()) {
            self.calls.keys.remove(&place);
        }
        Ok(())
    }

    fn add_reply_token(&mut self, token: &ReplyToken) -> Result<()> {
        self.need_user(Some(token.user), "write a reply token")?;
        self.calls.reply_tokens.insert(token.hash, token.clone());
        Ok(())
    }

    fn use_reply_token(&mut self, hash: &Hash, now: Ms) -> Result<bool> {
        let token = self.calls.reply_tokens.get_mut(hash).filter(|token| token.used.is_none());
        let Some(token) = token else { return Ok(false) };
        token.used = Some(now);
        Ok(true)
    }
}

impl Tables {
    pub(super) fn put_event(&mut self, event: &NewEvent, told: Told) -> EventId {
        self.calls.last_event += 1;
        let id = EventId(self.calls.last_event);
        self.calls.events.insert(id.0, Event { id, event: event.clone(), told });
        id
    }

    /// True while there is more.
    pub(super) fn prune_calls(&mut self, now: Ms, keep: &Retention) -> bool {
        let cut = |days| before(now, days);
        let calls = &mut self.calls;
        let rows = calls.events.len() + calls.journal.len();
        let is_due = |row: &Event| row.told == Told::Yes && row.event.at < cut(keep.event_days);
        calls.events.retain(|_, row| !is_due(row));
        calls.journal.retain(|_, row| row.row.at >= cut(keep.journal_days));
        calls.sign_ins.retain(|_, row| row.expires >= now);
        calls.keys.retain(|_, row| row.made >= cut(keep.call_key_days));
        calls.reply_tokens.retain(|_, row| row.made >= cut(keep.reply_token_days));
        calls.events.len() + calls.journal.len() < rows
    }

    /// What is known of a user beyond his log; how many rows it was.
    pub(super) fn forget_calls(&mut self, id: UserId) -> u32 {
        let log = &self.log;
        let before = self.calls.deliveries.len();
        self.calls.deliveries.retain(|row, _| log.get(row).is_none_or(|row| row.user != Some(id)));
        let mut rows = before - self.calls.deliveries.len();
        for row in self.calls.events.values_mut() {
            let event = &mut row.event;
            let is_his = OF_A_USER.contains(&event.events_id.as_str());
            if is_his && event.object_id == id.to_string() && event.data != "{}" {
                "{}".clone_into(&mut event.data);
                rows += 1;
            }
        }
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    pub(super) fn need_user(&self, user: Option<UserId>, operation: &'static str) -> Result<()> {
        match user {
            Some(id) if !self.users.contains_key(&id.0) => {
                Err(refused(operation, "there is no such user"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
