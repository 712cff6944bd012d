//! The functions of the list: provisioning, provisioning.edit, provisioning.delete, cachemanager.restart.

use super::{events, sign, task};
use crate::answer::Answer;
use crate::context::Context;
use crate::function::{Asked, Request};
use crate::gateway_form::{Given, opened};
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use config::{ConfigError, Place, Vault};
use notice::{Fields, HandlerId, Secret};
use store::{HandlerStatus, Provisioning, Snapshot, TaskType};
use wire::xml::Element;

/// `provisioning`: the list with its columns (S2-1 … S2-6) and its advanced search (S2-7).
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let event = request.given("event").map(events::find).transpose()?.map(|kind| kind.id);
    let (rows, acting) = context
        .read(|snapshot| Ok((snapshot.provisionings()?, snapshot.active_provisionings()?)))?;
    let holds = |text: &str, part: Option<&str>| {
        part.is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
    };
    let kind = request.given("type").map(|kind| kind.trim_end_matches("://"));
    let wanted = |row: &&Provisioning| {
        // S2-18: archived ones are seen by those who look for them
        request
            .given("status")
            .map_or(row.status != HandlerStatus::Archived, |status| row.status.word() == status)
            && holds(&row.name, request.given("name"))
            && event.is_none_or(|event| row.event == event)
            && kind.is_none_or(|kind| row.task_type.word() == kind)
            && holds(&task::shown(row.task_type, &row.task), request.given("task"))
            && request.number("priority").is_none_or(|priority| row.priority == priority)
    };
    let rows = rows.iter().filter(wanted).map(|row| element(row, &acting));
    Ok(Planned::Answer(Answer::list(rows)))
}

/// A row as people see it. `acts`: as it is saved, as it was saved before, or not at all (S2-23).
fn element(row: &Provisioning, acting: &[Provisioning]) -> Element {
    let acts = match acting.iter().find(|acting| acting.id == row.id) {
        Some(acting) if acting == row => "as saved",
        Some(_) => "as before, until `gatepost provisioning restart`",
        None => "not before `gatepost provisioning restart`",
    };
    let title = events::of_id(&row.event).map_or(row.event.as_str(), |kind| kind.title);
    let mut element = Element::new("elem");
    for (name, value) in [
        ("id", row.id.to_string().as_str()),
        ("priority", row.priority.to_string().as_str()),
        ("name", row.name.as_str()),
        ("event", row.event.as_str()),
        ("event_title", title),
        ("handler", task::shown(row.task_type, &row.task).as_str()),
        ("status", row.status.word()),
        ("acts", acts),
    ] {
        element.push(Element::new(name).with_text(value));
    }
    element
}

/// The handler of that id or name.
pub(crate) fn find(snapshot: &mut dyn Snapshot, text: &str) -> Result<Provisioning, Refusal> {
    if let Ok(id) = text.parse::<HandlerId>()
        && let Some(row) = snapshot.provisioning(id)?
    {
        return Ok(row);
    }
    let mut named = snapshot.provisionings()?;
    named.retain(|row| row.name == text);
    match named.len() {
        0 => Err(Refusal::NotFound {
            noun: "provisioning handler",
            value: text.to_owned(),
            remedy: "`gatepost provisioning list` shows them".to_owned(),
        }),
        1 => Ok(named.remove(0)),
        _ => Err(Refusal::Ambiguous {
            noun: "provisioning handler",
            value: text.to_owned(),
            candidates: named.iter().map(|row| format!("{} {}", row.id, row.name)).collect(),
        }),
    }
}

/// `provisioning.edit`: shows, changes or makes a handler. It comes into action with the next
/// `cachemanager.restart` (S2-23).
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    match request.asked() {
        Asked::Show("") => Ok(Planned::Answer(form(&blank()))),
        Asked::Show(elid) => {
            let row = context.read(|snapshot| find(snapshot, elid))?;
            Ok(Planned::Answer(form(&row)))
        }
        Asked::Change(elid) => {
            let known = context.read(|snapshot| find(snapshot, elid))?;
            let fact = Fact::Provisioning(known.id, Some(known.version));
            save(context, request, known).map(|plan| Planned::Once(plan.based_on([fact])))
        }
        Asked::Create => save(context, request, blank()).map(Planned::Once),
    }
}

fn blank() -> Provisioning {
    Provisioning {
        id: HandlerId(0),
        name: String::new(),
        event: String::new(),
        task_type: TaskType::Http,
        task: String::new(),
        status: HandlerStatus::Enabled,
        priority: 1,
        secret: Vec::new(),
        old_secret: Vec::new(),
        version: 0,
    }
}

/// The fields of the form (S2-8 … S2-19), without the secret.
fn form(row: &Provisioning) -> Answer {
    let mut document = Element::new("doc");
    for (name, value) in [
        ("id", row.id.to_string().as_str()),
        ("name", row.name.as_str()),
        ("event", row.event.as_str()),
        ("type", row.task_type.word()),
        ("task", row.task.as_str()),
        ("status", row.status.word()),
        ("priority", row.priority.to_string().as_str()),
        ("signed", if row.secret.is_empty() { "off" } else { "on" }),
        ("rotating", if row.old_secret.is_empty() { "off" } else { "on" }),
    ] {
        document.push(Element::new(name).with_text(value));
    }
    Answer::of(document)
}

fn save(
    context: &mut Context<'_>,
    request: &Request,
    mut row: Provisioning,
) -> Result<Plan, Refusal> {
    let is_new = row.id.0 == 0;
    set_fields(context, request, &mut row)?;
    let (made, seal) = set_secret(context, request, (&mut row, is_new))?;
    let name = row.name.clone();
    Ok(Plan::new(vec![Change::SaveProvisioning(Box::new(row), seal)], move |applied| {
        let id = applied.ids.first().copied().unwrap_or_default();
        let mut document = Element::new("doc")
            .with_child(Element::new("id").with_text(id.to_string()))
            .with_child(Element::new("name").with_text(&name));
        if let Some(secret) = &made {
            document.push(Element::new("secret").with_text(secret.expose()));
        }
        let words = "it acts after `gatepost provisioning restart`"; // S2-23
        document.push(Element::new("note").with_text(words));
        Answer::of(document)
    }))
}

fn set_fields(
    context: &Context<'_>,
    request: &Request,
    row: &mut Provisioning,
) -> Result<(), Refusal> {
    if let Some(name) = request.given("name") {
        name.clone_into(&mut row.name);
    }
    if row.name.is_empty() {
        return Err(missing("name", "a title for people"));
    }
    if let Some(event) = request.given("event") {
        events::find(event)?.id.clone_into(&mut row.event);
    }
    if row.event.is_empty() {
        return Err(missing("event", "what it is told of: clients.create …"));
    }
    let is_given = ["type", "task"].iter().any(|name| request.given.get(name).is_some());
    if is_given || row.task.is_empty() {
        let kind = request.given("type").or_else(|| {
            let brings = request.text("task").contains("://");
            (!row.task.is_empty() && !brings).then_some(row.task_type.word())
        });
        let given = request.given.get("task").unwrap_or(&row.task);
        (row.task_type, row.task) = task::columns(kind, given, (context.root, context.config))?;
    }
    if let Some(status) = request.given("status").and_then(HandlerStatus::from_word) {
        row.status = status;
    }
    if let Some(priority) = request.number("priority") {
        row.priority = priority;
    }
    Ok(())
}

/// Seals a new handler's secret once its id is known (decision 0011).
pub(crate) type Seal = Box<dyn Fn(HandlerId) -> Result<Vec<u8>, ConfigError>>;

/// A new handler that is called by POST gets a secret; `rotate=on` makes another, and the last one is signed
/// with beside it for a day. Answers with a secret that we made, to be shown once.
fn set_secret(
    context: &mut Context<'_>,
    request: &Request,
    (row, is_new): (&mut Provisioning, bool),
) -> Result<(Option<Secret>, Option<Seal>), Refusal> {
    let given = request.given("secret");
    let makes =
        request.is_on("rotate") || is_new && given.is_none() && row.task_type != TaskType::Script;
    let secret = match given {
        _ if makes => sign::new_secret().map_err(|error| Refusal::Conflict {
            operation: "make a secret".to_owned(),
            reason: error.to_string(),
        })?,
        Some(given) => Secret::new(given),
        None => return Ok((None, None)),
    };
    if let Some(reason) = sign::problem(secret.expose()) {
        return Err(Refusal::Value { field: "secret".to_owned(), value: String::new(), reason });
    }
    context.mask.add(&secret);
    let vault = Vault::load(context.root)?;
    let place = Place::of_handler(row.id.0);
    if !row.secret.is_empty() {
        let until = context.now().plus(sign::ROTATION_MS).0.to_string();
        // one that was sealed with a lost key is let go: rotating is how it is replaced
        let last = opened(vault.open(place, &row.secret), Given::Secrets)?;
        row.old_secret = match last.get(sign::SECRET) {
            None => Vec::new(),
            Some(last) => {
                let last = [(sign::SECRET, last.expose().to_owned()), (sign::UNTIL, until)];
                vault.seal(place, &last.into_iter().collect())?
            }
        };
    }
    row.secret = sealed(&vault, row.id, &secret)?;
    let shown = makes.then(|| secret.clone());
    let seal: Seal = Box::new(move |id| sealed(&vault, id, &secret));
    Ok((shown, is_new.then_some(seal)))
}

/// A secret in the place of its row.
fn sealed(vault: &Vault, id: HandlerId, secret: &Secret) -> Result<Vec<u8>, ConfigError> {
    let fields: Fields = [(sign::SECRET, secret.expose())].into_iter().collect();
    vault.seal(Place::of_handler(id.0), &fields)
}

fn missing(field: &str, remedy: &str) -> Refusal {
    Refusal::Missing { field: field.to_owned(), remedy: remedy.to_owned() }
}

/// `provisioning.delete`: it acts on until the cache manager is restarted (S2-23).
pub(crate) fn delete(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let names = request.group("elid");
    let rows = context.read(|snapshot| {
        names.iter().map(|name| find(snapshot, name)).collect::<Result<Vec<_>, _>>()
    })?;
    let changes = rows.iter().map(|row| Change::DeleteProvisioning(row.id)).collect();
    let facts: Vec<_> =
        rows.iter().map(|row| Fact::Provisioning(row.id, Some(row.version))).collect();
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok()).based_on(facts)))
}

/// `cachemanager.restart`: what is saved is acted from, as a whole; nothing else stops or starts (S2-24).
#[expect(clippy::unnecessary_wraps, reason = "the form of every plan")]
pub(crate) fn restart(_: &mut Context<'_>, _: &Request) -> Result<Planned, Refusal> {
    let changes = vec![Change::ActivateProvisionings];
    Ok(Planned::Once(Plan::new(changes, |applied| {
        let count = Element::new("handlers").with_text(applied.touched.to_string());
        Answer::of(Element::new("doc").with_child(Element::new("ok")).with_child(count))
    })))
}
