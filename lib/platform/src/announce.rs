//! Any event can send a notice: one line in its `notice.toml` (extensions 3.3).
//!
//! What costs time is done before the transaction ([`Announcer::prepare`] asks the modules what they can do);
//! inside it only rows are read, and templates, which no foreign code is.

use crate::addressee::{self, Addressee};
use crate::context::Context;
use crate::modules::{self, Module};
use crate::money;
use crate::notices::{Audience, Condition, Notice, Operator};
use crate::refusal::Refusal;
use crate::sending::Sending;
use config::Root;
use notice::{AccountId, Ms, ProjectId, ServiceId, UserId};
use serde_json::Value;
use store::{Accepted, AgentStatus, Event, NewTask, Project, ReplyToken, Tx, User, UserFilter};
use wire::xml::Element;

/// The notices that events of a plan may send.
pub(crate) struct Announcer {
    root: Root,
    now: Ms,
    notices: Vec<Prepared>,
}

struct Prepared {
    notice: Notice,
    modules: Vec<Module>,
}

/// Whom an event is about, and what its notices are told.
struct Story {
    client: Option<User>,
    project: Option<Project>,
    /// Fields that conditions look at.
    data: Value,
    /// Children of the notice document.
    content: Vec<Element>,
}

impl Announcer {
    /// For these kinds of event; costs nothing when no notice waits for them.
    pub(crate) fn prepare<'a>(
        context: &mut Context<'_>,
        events: impl Iterator<Item = &'a str>,
    ) -> Self {
        let events: Vec<&str> = events.collect();
        let registry = context.registry.clone();
        let waiting: Vec<Notice> = registry
            .iter()
            .flat_map(|registry| &registry.notices.list)
            .filter(|notice| notice.event.as_deref().is_some_and(|kind| events.contains(&kind)))
            .cloned()
            .collect();
        let usable = if waiting.is_empty() { Vec::new() } else { modules::usable(context) };
        let notices = waiting
            .into_iter()
            .map(|notice| Prepared { modules: chosen(&notice, &usable), notice })
            .collect();
        Self { root: context.root.clone(), now: context.now(), notices }
    }

    /// Writes the tasks of an event's notices. A notice that can't be made is a problem in words and fails
    /// nothing: what the event tells of is true all the same.
    pub(crate) fn announce(
        &self,
        tx: &mut dyn Tx,
        event: &Event,
        problems: &mut Vec<String>,
    ) -> store::Result<u64> {
        let kind = event.event.events_id.as_str();
        let mut waiting =
            self.notices.iter().filter(|one| one.notice.event.as_deref() == Some(kind)).peekable();
        if waiting.peek().is_none() {
            return Ok(0);
        }
        let story = story(tx, event)?;
        let mut tasks = 0;
        for prepared in waiting.filter(|one| holds(&one.notice.conditions, &story.data)) {
            let Some((addressee, project)) = addressed(tx, &prepared.notice, &story)? else {
                continue;
            };
            let made = self.tasks(prepared, (&addressee, project), (event, &story.content));
            match made {
                Ok((made, tokens)) => {
                    let accepted = tx.enqueue(&made, self.now)?;
                    for (token, accepted) in tokens.into_iter().zip(&accepted) {
                        let (Accepted::New(task) | Accepted::Duplicate(task)) = *accepted;
                        tx.add_reply_token(&ReplyToken { task, ..token })?;
                    }
                    tasks += accepted.len() as u64;
                }
                Err(refusal) => problems.push(format!(
                    "notice {} of event {} ({kind}) was not sent: {refusal}",
                    prepared.notice.name, event.id
                )),
            }
        }
        Ok(tasks)
    }

    fn tasks(
        &self,
        prepared: &Prepared,
        (addressee, project): (&Addressee, Project),
        (event, content): (&Event, &[Element]),
    ) -> Result<(Vec<NewTask>, Vec<ReplyToken>), Refusal> {
        if project.fields.text("active") == "off" {
            return Ok((Vec::new(), Vec::new()));
        }
        let key = format!("event/{}/{}", event.id, prepared.notice.name);
        let given = content.iter().cloned().fold(Element::new("doc"), Element::with_child);
        let mut sending = Sending::of_event(
            (prepared.notice.clone(), prepared.modules.clone()),
            (project, self.now),
            (given, key),
        )?;
        let (tasks, _) = sending.tasks_for(&self.root, addressee)?;
        Ok((tasks, sending.take_tokens()))
    }
}

/// Those the notice names, else every usable one: without a template for it a module is passed over.
fn chosen(notice: &Notice, usable: &[Module]) -> Vec<Module> {
    let named =
        |module: &&Module| notice.modules.is_empty() || notice.modules.contains(&module.name);
    usable.iter().filter(named).cloned().collect()
}

/// Who gets it: the client the event is about; or the member of staff who is READY, else the project.
fn addressed(
    tx: &mut dyn Tx,
    notice: &Notice,
    story: &Story,
) -> store::Result<Option<(Addressee, Project)>> {
    if notice.audience == Audience::Staff {
        return staff(tx, story.project.clone());
    }
    let (Some(user), Some(project)) = (story.client.clone(), story.project.clone()) else {
        return Ok(None);
    };
    let subscriptions = tx.subscriptions(user.id)?;
    Ok(Some((Addressee::User { user, subscriptions }, project)))
}

/// The agent who has been READY longest; AUX and OFFLINE are passed over; nobody: the project's own address.
fn staff(tx: &mut dyn Tx, project: Option<Project>) -> store::Result<Option<(Addressee, Project)>> {
    let mut ready: Vec<_> =
        tx.agents()?.into_iter().filter(|agent| agent.status == AgentStatus::Ready).collect();
    ready.sort_by_key(|agent| (agent.since, agent.user));
    for agent in ready {
        let Some(user) = tx.user(agent.user)? else { continue };
        let own = tx.project(user.project)?;
        let Some(project) = project.clone().or(own) else { continue };
        let subscriptions = tx.subscriptions(user.id)?;
        return Ok(Some((Addressee::User { user, subscriptions }, project)));
    }
    let project = match project {
        Some(project) => Some(project),
        None => tx.projects()?.into_iter().find(|one| one.fields.text("active") != "off"),
    };
    let Some(project) = project else { return Ok(None) };
    let address = ["supportemail", "notifyemail"]
        .iter()
        .map(|name| project.fields.text(name))
        .find(|address| !address.is_empty());
    let bare = address.and_then(|address| {
        addressee::bare(address, project.fields.text("language")).ok().map(|(who, _)| who)
    });
    Ok(bare.map(|addressee| (addressee, project)))
}

/// Looks up whom the event is about and what there is to tell.
fn story(tx: &mut dyn Tx, event: &Event) -> store::Result<Story> {
    let mut data: Value = serde_json::from_str(&event.event.data).unwrap_or(Value::Null);
    if !data.is_object() {
        data = crate::events::nothing();
    }
    let kind = event.event.events_id.as_str();
    let object: Option<i64> = event.event.object_id.parse().ok();
    let mut client = None;
    if kind.starts_with("clients.subscriptions.") {
        client = service_owner(tx, object, &data)?;
    } else if kind.starts_with("clients.accounts.") {
        client = account_holder(tx, object)?;
    } else if kind.starts_with("clients.") {
        client = object.map(|id| tx.user(UserId(id))).transpose()?.flatten();
    } else if let Some(id) = number(&data, "user") {
        client = tx.user(UserId(id))?;
    }
    let named = client.as_ref().map(|user| user.project);
    let project = named.or(number(&data, "project").map(ProjectId));
    let project = project.map(|id| tx.project(id)).transpose()?.flatten();
    let balance = balance(tx, client.as_ref())?;
    if let (Some(balance), Some(object)) = (&balance, data.as_object_mut()) {
        object.entry("balance").or_insert_with(|| Value::from(balance.as_str()));
    }
    let content = content(event, client.as_ref(), &data);
    Ok(Story { client, project, data, content })
}

fn number(data: &Value, name: &str) -> Option<i64> {
    let value = data.get(name)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn service_owner(
    tx: &mut dyn Tx,
    object: Option<i64>,
    data: &Value,
) -> store::Result<Option<User>> {
    let named = number(data, "user").map(UserId);
    let service = object.filter(|_| named.is_none()).map(|id| tx.service(ServiceId(id)));
    let user = named.or(service.transpose()?.flatten().map(|service| service.user));
    Ok(user.map(|id| tx.user(id)).transpose()?.flatten())
}

/// The first user of an account.
fn account_holder(tx: &mut dyn Tx, object: Option<i64>) -> store::Result<Option<User>> {
    let Some(id) = object else { return Ok(None) };
    let field = Some(("account".to_owned(), id.to_string()));
    Ok(tx.users(&UserFilter { field, ..UserFilter::default() }, None, 1)?.pop())
}

fn balance(tx: &mut dyn Tx, client: Option<&User>) -> store::Result<Option<String>> {
    let account = client.and_then(|user| user.fields.text("account").parse().ok()).map(AccountId);
    let account = account.map(|id| tx.account(id)).transpose()?.flatten();
    Ok(account.map(|account| money::shown(account.balance)))
}

/// What templates read: `<event>`, the object under the name of its kind, and what the shipped notices use.
fn content(event: &Event, client: Option<&User>, data: &Value) -> Vec<Element> {
    let text = |name: &str, value: &str| Element::new(name).with_text(value);
    let kind = event.event.events_id.as_str();
    let mut content = vec![
        Element::new("event")
            .with_child(text("id", &event.id.to_string()))
            .with_child(text("events_id", kind))
            .with_child(text("object_id", &event.event.object_id)),
    ];
    let noun = match kind {
        _ if kind.starts_with("clients.subscriptions.") => "service",
        _ if kind.starts_with("clients.accounts.") => "account",
        _ if kind.starts_with("clients.") => "client",
        _ => "object",
    };
    if let Some(object) = data.as_object().filter(|object| !object.is_empty()) {
        content.push(object.iter().fold(Element::new(noun), |element, (name, value)| {
            if is_plain(name) { element.with_child(of_json(name, value)) } else { element }
        }));
    }
    if let Some(user) = client.filter(|_| noun == "client") {
        content.push(text("login", user.fields.text("name")));
        if let Some(balance) = data.get("balance").and_then(Value::as_str) {
            content.push(text("balance", balance));
        }
    }
    if kind == "tasks.failed" {
        content.push(alert(event, data));
    }
    content
}

fn alert(event: &Event, data: &Value) -> Element {
    let word = |name: &str| match data.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let what = format!("task {} of {} has failed", event.event.object_id, word("module"));
    let text = |name: &str, value: &str| Element::new(name).with_text(value);
    Element::new("alert")
        .with_child(text("severity", "warning"))
        .with_child(text("what", &what))
        .with_child(text("value", &word("notice")))
        .with_child(text("since", &crate::when::shown(event.event.at)))
        .with_child(text("text", &word("reason")))
}

fn of_json(name: &str, value: &Value) -> Element {
    let element = Element::new(name);
    match value {
        Value::Null => element,
        Value::String(text) => element.with_text(text),
        Value::Object(object) => object
            .iter()
            .filter(|(name, _)| is_plain(name))
            .fold(element, |element, (name, value)| element.with_child(of_json(name, value))),
        other => element.with_text(other.to_string()),
    }
}

/// Can it be the name of an element?
fn is_plain(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// All hold. A field that the data has not is empty; two numbers are compared as numbers.
fn holds(conditions: &[Condition], data: &Value) -> bool {
    conditions.iter().all(|condition| {
        let found = match condition.field.split('.').try_fold(data, |at, part| at.get(part)) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let wanted = condition.value.trim_matches('"');
        let numbers = found.parse::<f64>().ok().zip(wanted.parse::<f64>().ok());
        let order = match numbers {
            Some((found, wanted)) => found.partial_cmp(&wanted),
            None => Some(found.as_str().cmp(wanted)),
        };
        let Some(order) = order else { return false };
        match condition.operator {
            Operator::Equal => order.is_eq(),
            Operator::Unequal => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::AtLeast => order.is_ge(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_condition_must_hold() {
        let condition = |field: &str, operator: Operator, value: &str| Condition {
            field: field.to_owned(),
            operator,
            value: value.to_owned(),
        };
        let data = json!({"balance": "-5.00", "status": "open", "count": 9, "a": {"b": "x"}});
        let all = [
            condition("balance", Operator::AtMost, "0"),
            condition("status", Operator::Unequal, "closed"),
            condition("count", Operator::Less, "10"),
            condition("a.b", Operator::Equal, "x"),
            condition("none", Operator::Equal, ""),
        ];
        assert!(holds(&all, &data));
        for wrong in [
            condition("balance", Operator::Greater, "0"),
            condition("status", Operator::Equal, "closed"),
            condition("count", Operator::AtLeast, "10"),
            condition("none", Operator::Equal, "x"),
        ] {
            assert!(!holds(&[all[0].clone(), wrong.clone()], &data), "{wrong:?}");
        }
    }
}
