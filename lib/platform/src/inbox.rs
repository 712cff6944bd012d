//! What came to users: their inbox; and what came from them: incoming messages, the state of contacts.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Change, Plan, Planned};
use crate::refusal::Refusal;
use crate::{gateways, users, when};
use store::ContactState;
use wire::xml::Element;

/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;

fn limit_of(request: &Request) -> u32 {
    request.number("limit").and_then(|number| u32::try_from(number).ok()).unwrap_or(LIST_ROWS)
}

fn row(columns: &[(&str, &str)]) -> Element {
    columns.iter().fold(Element::new("elem"), |element, (name, value)| {
        element.with_child(Element::new(*name).with_text(*value))
    })
}

/// `inbox`: the internal notices of a user, from the newest down (S3-6).
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let before = request.number("before");
    let rows = context.read(|snapshot| {
        let user = users::find(snapshot, request.text("user"), None)?;
        Ok(snapshot.inbox(user.id, before, limit_of(request))?)
    })?;
    let rows = rows.iter().map(|message| {
        row(&[
            ("id", &message.id.to_string()),
            ("at", &when::shown(message.at)),
            ("subject", &message.subject),
            ("text", &message.text),
            ("read", &message.read_at.map(when::shown).unwrap_or_default()),
        ])
    });
    Ok(Planned::Answer(Answer::list(rows)))
}

/// `inbox.read`: marks messages as read.
pub(crate) fn mark_read(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let user = context.read(|snapshot| users::find(snapshot, request.text("user"), None))?;
    let ids = request.group("elid").iter().map(|text| number(text)).collect::<Result<_, _>>()?;
    Ok(Planned::Once(Plan::new(vec![Change::MarkRead(user.id, ids)], |_| Answer::ok())))
}

fn number(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| Refusal::Value {
        field: "elid".to_owned(),
        value: text.to_owned(),
        reason: "an inbox message is named by its number".to_owned(),
    })
}

/// `incoming`: messages that came in, from the newest down; the raw source only when asked for one.
pub(crate) fn incoming(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let only = request.number("id");
    let before = only.map(|id| id + 1).or(request.number("before"));
    let limit = if only.is_some() { 1 } else { limit_of(request) };
    let rows = context.read(|snapshot| {
        let gateway = match request.given("gateway") {
            Some(text) => Some(gateways::find(snapshot, text)?.id),
            None => None,
        };
        Ok(snapshot.incoming(gateway, before, limit)?)
    })?;
    let rows = rows.iter().filter(|found| only.is_none_or(|id| found.id == id)).map(|found| {
        let message = &found.message;
        let mut element = row(&[
            ("id", &found.id.to_string()),
            ("at", &when::shown(found.at)),
            ("gateway", &message.gateway.to_string()),
            ("sender", &message.sender),
            ("user", &message.user.map(|id| id.to_string()).unwrap_or_default()),
            ("project", &message.project.map(|id| id.to_string()).unwrap_or_default()),
            ("reason", &message.reason),
            ("subject", &message.subject),
            ("uid", &message.uid),
        ]);
        if only.is_some() {
            let source = String::from_utf8_lossy(&message.source).into_owned();
            element.push(Element::new("source").with_text(source));
        }
        element
    });
    Ok(Planned::Answer(Answer::list(rows)))
}

/// `contact_state`: what is known of a contact; nothing known is no row.
pub(crate) fn contact_states(
    context: &mut Context<'_>,
    request: &Request,
) -> Result<Planned, Refusal> {
    let contacts = request.group("contact");
    let states =
        context.read(|snapshot| Ok(snapshot.contact_states(request.text("kind"), &contacts)?))?;
    let rows = states.iter().map(|state| {
        row(&[
            ("kind", &state.kind),
            ("contact", &state.contact),
            ("state", &state.state),
            ("reason", &state.reason),
            ("since", &when::shown(state.since)),
        ])
    });
    Ok(Planned::Answer(Answer::list(rows)))
}

/// `contact_state.edit`: blocks a contact, or sets it right again.
pub(crate) fn set_contact_state(
    context: &mut Context<'_>,
    request: &Request,
) -> Result<Planned, Refusal> {
    let kind = request.text("kind").to_owned();
    let contact = request.text("contact");
    if kind == "email" && !users::is_email(contact) {
        return Err(Refusal::Value {
            field: "contact".to_owned(),
            value: contact.to_owned(),
            reason: "write an address like `name@example.com`".to_owned(),
        });
    }
    let contact = if kind == "email" { contact.to_lowercase() } else { contact.to_owned() };
    let change = Change::SetContactState(ContactState {
        kind,
        contact,
        state: request.text("state").to_owned(),
        reason: request.text("reason").to_owned(),
        since: context.now(),
    });
    Ok(Planned::Once(Plan::new(vec![change], |_| Answer::ok())))
}

/// `forget`: erases a person from log, inbox and incoming messages; with `delete=on` his row too.
pub(crate) fn forget(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let user = context.read(|snapshot| users::find(snapshot, request.text("user"), None))?;
    let modules = crate::modules::all(context);
    let columns = modules.iter().filter_map(|module| module.contact.as_deref());
    let mut contacts: Vec<String> = columns
        .map(|column| user.fields.text(column).to_owned())
        .filter(|contact| !contact.is_empty())
        .collect();
    contacts.dedup();
    // first the tasks, so that what their end has logged is forgotten with the rest
    let mut changes =
        vec![Change::EndTasksOf(user.id, store::FORGOTTEN), Change::ForgetUser(user.id, contacts)];
    if request.is_on("delete") {
        changes.push(Change::DeleteUser(user.id));
    }
    Ok(Planned::Once(Plan::new(changes, |applied| {
        let rows = Element::new("rows").with_text(applied.touched.to_string());
        Answer::of(Element::new("doc").with_child(rows))
    })))
}
