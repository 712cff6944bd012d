//! The queue as people see it: list, show, retry, done, cancel.

use crate::answer::Answer;
use crate::context::Context;
use crate::errands::{self, Errand, Outlets};
use crate::function::Request;
use crate::plan::{Change, Plan, Planned};
use crate::refusal::Refusal;
use crate::{gateways, when};
use notice::{GatewayId, ModuleName, State, TaskId};
use store::{Finish, LogFilter, LogRow, Snapshot, TaskFilter, TaskRow};
use wire::rendering::Bundle;
use wire::xml::Element;

/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;
/// Rows one call can end or retry; a person calls again for more.
const MOST_TASKS: usize = 100_000;
/// Rows read at once while filtering.
const PAGE_ROWS: u32 = 1_000;

/// `task`: lists from the newest down.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let before = request.number("before").map(TaskId);
    let filter = Filter::of(context, request)?;
    let rows = context.read(|snapshot| {
        let found = filter.find(snapshot, before, limit as usize)?;
        found
            .iter()
            .map(|row| {
                let notice = notice_of(snapshot, row.id)?;
                let errand = errands::of(snapshot, row)?;
                Ok(element(row, notice.as_deref(), errand.as_ref()))
            })
            .collect::<Result<Vec<_>, Refusal>>()
    })?;
    Ok(Planned::Answer(Answer::list(rows)))
}

/// `task.show`: one task with its attempts.
pub(crate) fn show(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let id = id_of(request.text("elid"))?;
    let (row, notice, errand, (log, outlets)) = context.read(|snapshot| {
        let filter = LogFilter { task: Some(id), ..LogFilter::default() };
        let row = snapshot.task(id)?;
        let errand = row.as_ref().map(|row| errands::of(snapshot, row)).transpose()?.flatten();
        let log = snapshot.log(&filter, None, 1_000)?;
        let outlets = Outlets::of(snapshot, &log)?;
        Ok((row, notice_of(snapshot, id)?, errand, (log, outlets)))
    })?;
    let mut document = match &row {
        Some(row) => element(row, notice.as_deref(), errand.as_ref()),
        None if log.is_empty() => return Err(not_found(id)),
        None => Element::new("doc")
            .with_child(Element::new("id").with_text(id.to_string()))
            .with_child(Element::new("state").with_text(ended_word(&log))),
    };
    "doc".clone_into(&mut document.name);
    for attempt in log.iter().rev() {
        document.push(log_element(attempt, &outlets, "attempt"));
    }
    Ok(Planned::Answer(Answer::of(document)))
}

fn ended_word(log: &[LogRow]) -> String {
    log.first().map(|last| last.row.outcome.clone()).unwrap_or_default()
}

fn module_of(request: &Request) -> Result<Option<ModuleName>, Refusal> {
    let module = request.given("module").map(ModuleName::new).transpose();
    module.map_err(|error| Refusal::Value {
        field: "module".to_owned(),
        value: request.text("module").to_owned(),
        reason: error.to_string(),
    })
}

/// `log`: attempts from the newest down.
pub(crate) fn log(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let now = context.now();
    let since = request.given("since").map(|text| when::read_past("since", text, now, ""));
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let filter = LogFilter {
        module: module_of(request)?,
        task: request.number("task").map(TaskId),
        contact: request.given("contact").map(str::to_owned),
        gateway: None,
        reference: request.given("reference").map(str::to_owned),
        since: since.transpose()?.map(|moment| moment.at),
        after: request.number("after").map(notice::LogId),
        user: None,
    };
    let before = request.number("before").map(notice::LogId);
    let (rows, outlets) = context.read(|snapshot| {
        let mut filter = filter.clone();
        if let Some(text) = request.given("gateway") {
            let (id, module) = outlet(snapshot, text)?;
            filter.gateway = Some(id);
            filter.module = filter.module.or(module);
        }
        if let Some(user) = request.given("user") {
            filter.user = Some(crate::users::find(snapshot, user, None)?.id);
        }
        let rows = snapshot.log(&filter, before, limit)?;
        let outlets = Outlets::of(snapshot, &rows)?;
        Ok((rows, outlets))
    })?;
    let rows = rows.iter().map(|row| log_element(row, &outlets, "elem"));
    Ok(Planned::Answer(Answer::list(rows)))
}

/// A gateway by its number, which may be gone, or by its name; a provisioning handler by its name. With the module of
/// its attempts: gateways, handlers and servers are numbered apart.
fn outlet(
    snapshot: &mut dyn Snapshot,
    text: &str,
) -> Result<(GatewayId, Option<ModuleName>), Refusal> {
    let handlers = snapshot.provisionings()?;
    let handler = handlers.iter().find(|handler| handler.name == text);
    match (gateways::find(snapshot, text), handler, text.parse()) {
        (Ok(gateway), _, _) => Ok((gateway.id, Some(gateway.module))),
        (Err(_), Some(handler), _) => {
            Ok((GatewayId(handler.id.0), ModuleName::new(ModuleName::HANDLER).ok()))
        }
        (Err(_), None, Ok(number)) => Ok((number, None)),
        (Err(refusal), None, Err(_)) => Err(refusal),
    }
}

/// `task.retry`, `task.done`, `task.cancel`; with `dry_run=on` only the count.
pub(crate) fn retry(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    change(context, request, |ids, _| Change::Retry(ids))
}

/// `task.done`.
pub(crate) fn done(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    change(context, request, |ids, reason| Change::End(ids, Finish::Done, reason))
}

/// `task.cancel`.
pub(crate) fn cancel(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    change(context, request, |ids, reason| Change::End(ids, Finish::Cancel, reason))
}

fn change(
    context: &mut Context<'_>,
    request: &Request,
    make: fn(Vec<TaskId>, String) -> Change,
) -> Result<Planned, Refusal> {
    let ids = chosen(context, request)?;
    let count = ids.len();
    if request.is_on("dry_run") {
        let mut answer = counted(count as u64, 0);
        if let Some((module, tasks)) = not_met(context, request)? {
            let mut put = |name: &str, text: String| {
                answer.document.push(Element::new(name).with_text(text));
            };
            put("not_met", tasks.to_string());
            put("not_met_module", module);
        }
        return Ok(Planned::Answer(answer));
    }
    let reason = match request.given("comment") {
        Some(comment) => format!("by {}: {comment}", request.caller.name),
        None => format!("by {}", request.caller.name),
    };
    Ok(Planned::Once(Plan::new(vec![make(ids, reason)], move |applied| {
        counted(count as u64, applied.touched)
    })))
}

fn counted(found: u64, changed: u64) -> Answer {
    Answer::of(
        Element::new("doc")
            .with_child(Element::new("found").with_text(found.to_string()))
            .with_child(Element::new("changed").with_text(changed.to_string())),
    )
}

/// Tasks that would be met but for `gateway=`: no gateway has had them, none is chosen for them yet, and that one might
/// be given them. Their module, and how many.
fn not_met(
    context: &mut Context<'_>,
    request: &Request,
) -> Result<Option<(String, usize)>, Refusal> {
    let Some(text) = request.given("gateway").filter(|_| request.given("elid").is_none()) else {
        return Ok(None);
    };
    let gateway = context.read(|snapshot| gateways::find(snapshot, text))?;
    let mut filter = Filter::of(context, request)?;
    filter.rows.gateway = None;
    let rows = context.read(|snapshot| filter.find(snapshot, None, MOST_TASKS))?;
    let might_have = |row: &&TaskRow| {
        row.last_gateway.is_none()
            && matches!(row.state, State::Ready | State::Waiting)
            && (gateway.project.is_none() || gateway.project == row.route.project_id())
    };
    let tasks = rows.iter().filter(might_have).count();
    Ok((tasks > 0).then(|| (gateway.module.to_string(), tasks)))
}

/// The ids named, each of which must be there; or those that the filters name.
fn chosen(context: &mut Context<'_>, request: &Request) -> Result<Vec<TaskId>, Refusal> {
    let named = request.group("elid");
    if named.is_empty() {
        let filter = Filter::of(context, request)?;
        if filter.is_everything() {
            return Err(Refusal::Missing {
                field: "elid".to_owned(),
                remedy:
                    "name tasks by id, or give a filter: state=, gateway=, notice=, reason=, older="
                        .to_owned(),
            });
        }
        let rows = context.read(|snapshot| filter.find(snapshot, None, MOST_TASKS))?;
        let sending = State::Sending;
        return Ok(rows.iter().filter(|row| row.state != sending).map(|row| row.id).collect());
    }
    let ids = named.iter().map(|text| id_of(text)).collect::<Result<Vec<_>, _>>()?;
    context.read(|snapshot| {
        for id in &ids {
            let row = snapshot.task(*id)?.ok_or_else(|| not_found(*id))?;
            if row.state == State::Sending {
                return Err(Refusal::Conflict {
                    operation: format!("change task {id}"),
                    reason: "it is in a gate's hands at this moment; try again when it is not"
                        .to_owned(),
                });
            }
        }
        Ok(())
    })?;
    Ok(ids)
}

fn id_of(text: &str) -> Result<TaskId, Refusal> {
    text.parse().map_err(|_| Refusal::Value {
        field: "elid".to_owned(),
        value: text.to_owned(),
        reason: "a task is named by its number".to_owned(),
    })
}

fn not_found(id: TaskId) -> Refusal {
    Refusal::NotFound {
        noun: "task",
        value: id.to_string(),
        remedy: format!("it may be sent and gone: `gatepost why {id}` knows for 30 days"),
    }
}

/// What the parameters filter by: the store's part, and the notice, which stands in the body.
struct Filter {
    rows: TaskFilter,
    notice: Option<String>,
}

impl Filter {
    fn of(context: &mut Context<'_>, request: &Request) -> Result<Self, Refusal> {
        let now = context.now();
        let gateway = match request.given("gateway") {
            Some(text) => Some(context.read(|snapshot| gateways::find(snapshot, text))?),
            None => None,
        };
        // A handler or a server may have the number of a gateway.
        let its_module = gateway.as_ref().map(|gateway| gateway.module.clone());
        let older = request.given("older").map(|text| when::read_past("older", text, now, ""));
        let rows = TaskFilter {
            state: request.given("state").and_then(State::from_word),
            module: module_of(request)?.or(its_module),
            gateway: gateway.map(|gateway| gateway.id),
            reason: request.given("reason").map(str::to_owned),
            queued_before: older.transpose()?.map(|moment| moment.at),
        };
        Ok(Self { rows, notice: request.given("notice").map(str::to_owned) })
    }

    fn is_everything(&self) -> bool {
        self.rows == TaskFilter::default() && self.notice.is_none()
    }

    fn find(
        &self,
        snapshot: &mut dyn Snapshot,
        mut before: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskRow>, Refusal> {
        let mut found = Vec::new();
        loop {
            let wanted = u32::try_from(limit - found.len()).unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
            let page = snapshot.tasks(&self.rows, before, wanted)?;
            before = page.last().map(|row| row.id);
            let is_last = page.len() < wanted as usize;
            for row in page {
                let fits = match &self.notice {
                    Some(notice) => notice_of(snapshot, row.id)?.as_ref() == Some(notice),
                    None => true,
                };
                if fits {
                    found.push(row);
                }
            }
            if is_last || found.len() >= limit {
                return Ok(found);
            }
        }
    }
}

/// The name of the notice in a task's bundle; the event or the operation of a task without one.
pub(crate) fn notice_of(
    snapshot: &mut dyn Snapshot,
    id: TaskId,
) -> Result<Option<String>, Refusal> {
    let Some(body) = snapshot.body(id)? else { return Ok(None) };
    let Some(bundle) = body.bundle else { return Ok(errands::event_of(&body.notice.bytes)) };
    Ok(Bundle::parse(&bundle.bytes).ok().map(|bundle| bundle.notice).filter(|n| !n.is_empty()))
}

/// A row for lists: the documented columns first, times in RFC 3339.
fn element(row: &TaskRow, notice: Option<&str>, errand: Option<&Errand>) -> Element {
    let time = |at: Option<notice::Ms>| at.map(when::shown).unwrap_or_default();
    let on_off = |yes: bool| if yes { "on" } else { "off" }.to_owned();
    let columns = [
        ("id", row.id.to_string()),
        ("modulename", row.module.clone()),
        ("state", row.state.word().to_owned()),
        ("notice", notice.unwrap_or_default().to_owned()),
        ("priority", row.priority.to_string()),
        ("error_count", row.error_count.to_string()),
        ("err_info", row.err_info.clone()),
        ("forcedonothing", on_off(row.forced)),
        ("filename", row.filename.clone()),
        ("createdate", row.createdate.clone()),
        ("key", row.key.clone().unwrap_or_default()),
        ("route", row.route.to_string()),
        ("handler", errand.map(|errand| errand.handler.clone()).unwrap_or_default()),
        ("object", errand.map(|errand| errand.object.clone()).unwrap_or_default()),
        ("project", row.project.map(|id| id.to_string()).unwrap_or_default()),
        ("attempt", row.attempt.to_string()),
        ("maybe_sent", on_off(row.maybe_sent)),
        ("last_gateway", row.last_gateway.map(|id| id.to_string()).unwrap_or_default()),
        ("queued", when::shown(row.queued)),
        ("due", time(row.run_at)),
        ("expires", time(row.expires)),
    ];
    columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
        element.with_child(Element::new(name).with_text(value))
    })
}

fn log_element(row: &LogRow, outlets: &Outlets, name: &str) -> Element {
    let log = &row.row;
    let number = |value: Option<String>| value.unwrap_or_default();
    let columns = [
        ("id", row.id.to_string()),
        ("task", log.task.to_string()),
        ("at", when::shown(log.at)),
        ("outcome", log.outcome.clone()),
        ("module", log.module.clone()),
        ("notice", number(log.notice.clone())),
        ("contact", number(log.contact.clone())),
        ("reason", log.reason.clone()),
        ("gateway", number(log.gateway.map(|id| id.to_string()))),
        ("gateway_name", number(outlets.name(log))),
        ("project", number(log.project.map(|id| id.to_string()))),
        ("user", number(log.user.map(|id| id.to_string()))),
        ("attempt", log.attempt.to_string()),
        ("reference", number(log.reference.clone())),
        ("segments", number(log.segments.map(|count| count.to_string()))),
        ("queued", when::shown(log.queued)),
        ("took_ms", number(log.took_ms.map(|took| took.to_string()))),
        ("key", number(log.key.clone())),
    ];
    let element = Element::new(name).with_attribute("is_json_array", "yes");
    columns.into_iter().fold(element, |element, (name, value)| {
        element.with_child(Element::new(name).with_text(value))
    })
}
