//! Past facts: what a plan raises, and what is written of it in the transaction that makes it true.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::Refusal;
use crate::when;
use notice::{EventId, Ms, UserId};
use serde_json::{Map, Value};
use store::{EventFilter, NewEvent, Paid, User};
use wire::xml::Element;

pub(crate) const CLIENTS_CREATE: &str = "clients.create";
pub(crate) const CLIENTS_UPDATE: &str = "clients.update";
pub(crate) const CLIENTS_DELETE: &str = "clients.delete";
pub(crate) const CLIENTS_ARCHIVE: &str = "clients.archive";
pub(crate) const CUSTOM_FIELDS: &str = "clients.custom_fields.update";
/// `>=0` (extensions 1.1).
pub(crate) const BALANCE_NOT_ZERO: &str = "clients.balance_notzero";
/// `<=0`.
pub(crate) const BALANCE_ZERO: &str = "clients.balance_zero";
pub(crate) const ACCOUNTS_CREATE: &str = "clients.accounts.create";
pub(crate) const ACCOUNTS_UPDATE: &str = "clients.accounts.update";
pub(crate) const ACCOUNTS_DELETE: &str = "clients.accounts.delete";
/// An agent's status as it now is; plugins know it as `EVENT_AGENT_STATUS`.
pub(crate) const AGENT_STATUS: &str = "agents.status";

/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;

/// A fact that a plan will make true.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raise {
    pub(crate) events_id: &'static str,
    pub(crate) object: Object,
    /// What receivers get; `{}` where the event carries none.
    pub(crate) data: Value,
    pub(crate) notices: Notices,
}

/// What it happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A row that is there.
    Known(i64),
    /// The row that this saving change of the plan makes: the first is 0. Its id becomes `data.id`.
    Saved(usize),
}

/// Whether notices follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notices {
    /// As `notice.toml` says.
    Sent,
    /// None: an import of people who are clients already must not welcome them.
    Withheld,
}

impl Notices {
    /// As the call asks.
    pub(crate) fn of(request: &Request) -> Self {
        if request.is_on("quiet") { Self::Withheld } else { Self::Sent }
    }
}

impl Raise {
    /// An event about a row that is there.
    pub(crate) fn of(events_id: &'static str, id: i64, data: Value) -> Self {
        Self { events_id, object: Object::Known(id), data, notices: Notices::Sent }
    }

    /// An event about the row that the plan's change number `saved` makes.
    pub(crate) fn of_saved(events_id: &'static str, saved: usize, data: Value) -> Self {
        Self { events_id, object: Object::Saved(saved), data, notices: Notices::Sent }
    }

    /// The same without notices when a call asks for quiet.
    pub(crate) fn quiet(mut self, request: &Request) -> Self {
        self.notices = Notices::of(request);
        self
    }

    /// The row, once the ids of what was saved are known.
    pub(crate) fn event(&self, ids: &[i64], now: Ms) -> NewEvent {
        let mut data = self.data.clone();
        let id = match self.object {
            Object::Known(id) => id,
            Object::Saved(at) => {
                let id = ids.get(at).copied().unwrap_or_default();
                if let Some(object) = data.as_object_mut().filter(|object| !object.is_empty()) {
                    object.insert("id".to_owned(), Value::from(id));
                }
                id
            }
        };
        NewEvent {
            events_id: self.events_id.to_owned(),
            object_id: id.to_string(),
            data: data.to_string(),
            at: now,
        }
    }
}

/// No data: `{}`.
pub(crate) fn nothing() -> Value {
    Value::Object(Map::new())
}

/// A client as receivers get him: every column, the id a number.
pub(crate) fn client(user: &User) -> Value {
    let mut object = Map::new();
    object.insert("id".to_owned(), Value::from(user.id.0));
    object.insert("project".to_owned(), Value::from(user.project.0));
    if let Some(external_id) = &user.external_id {
        object.insert("external_id".to_owned(), Value::from(external_id.as_str()));
    }
    for (name, value) in user.fields.iter() {
        object.insert(name.to_owned(), Value::from(value));
    }
    Value::Object(object)
}

/// Which balance events a change brings: on crossing only (S2-22).
pub(crate) fn crossings(old: i64, new: i64) -> Vec<&'static str> {
    let mut events = Vec::new();
    if old < 0 && new >= 0 {
        events.push(BALANCE_NOT_ZERO);
    }
    if old > 0 && new <= 0 {
        events.push(BALANCE_ZERO);
    }
    events
}

/// What a payment raises for each of those who share the account; a repeated one nothing.
pub(crate) fn of_payment(paid: Paid, holders: &[UserId], notices: Notices) -> Vec<Raise> {
    let Paid::New { before, after, .. } = paid else { return Vec::new() };
    let each = crossings(before, after).into_iter().flat_map(|kind| {
        holders.iter().map(move |holder| Raise { notices, ..Raise::of(kind, holder.0, nothing()) })
    });
    each.collect()
}

/// `event`: what has happened, by id upwards.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let now = context.now();
    let moment = |name: &str| {
        let read = request.given(name).map(|text| when::read(name, text, now, ""));
        Ok::<_, Refusal>(read.transpose()?.map(|moment| moment.at))
    };
    let filter = EventFilter {
        events_id: request.given("event").map(str::to_owned),
        object_id: request.given("object").map(str::to_owned),
        from: moment("from")?,
        to: moment("to")?,
    };
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let after = request.number("after").map(EventId);
    let rows = context.read(|snapshot| Ok(snapshot.events(&filter, after, limit)?))?;
    Ok(Planned::Answer(Answer::list(rows.iter().map(|row| {
        let columns = [
            ("id", row.id.to_string()),
            ("at", when::shown(row.event.at)),
            ("event", row.event.events_id.clone()),
            ("object", row.event.object_id.clone()),
            ("data", row.event.data.clone()),
        ];
        columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
            element.with_child(Element::new(name).with_text(value))
        })
    }))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_event_comes_on_crossing_only() {
        // S2-22
        assert_eq!(crossings(0, 0), [""; 0]);
        assert_eq!(crossings(-1, 0), [BALANCE_NOT_ZERO]);
        assert_eq!(crossings(1, 0), [BALANCE_ZERO]);
        assert_eq!(crossings(-1, 1), [BALANCE_NOT_ZERO]);
        assert_eq!(crossings(1, -1), [BALANCE_ZERO]);
        assert_eq!(crossings(0, 5), [""; 0]);
        assert_eq!(crossings(0, -5), [""; 0]);
        assert_eq!(crossings(5, 7), [""; 0]);
    }

    #[test]
    fn the_id_of_what_was_made_stands_in_the_data() {
        let raise = Raise::of_saved(CLIENTS_CREATE, 0, serde_json::json!({"id": 0, "name": "bob"}));
        let event = raise.event(&[7], Ms(1));
        assert_eq!(
            (event.object_id.as_str(), event.data.as_str()),
            ("7", r#"{"id":7,"name":"bob"}"#)
        );
        let empty = Raise::of(CLIENTS_DELETE, 7, nothing()).event(&[], Ms(1));
        assert_eq!(empty.data, "{}");
    }
}
