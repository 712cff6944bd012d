//! What was called, and calling it again: provisioning.log, provisioning.replay.

use super::rows::find;
use super::{events, fan_out};
use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Change, Pages, Plan, Planned};
use crate::refusal::Refusal;
use crate::when;
use notice::{EventId, GatewayId, HandlerId, ModuleName};
use store::{EventFilter, LogFilter, LogRow, Snapshot};
use wire::xml::Element;

/// Events that are counted at once.
const PAGE: u32 = 500;
/// Events replayed in one transaction.
const EVENTS: u32 = 100;

/// `provisioning.log`: the Execution Log of a handler, from the newest down, with what it answered.
pub(crate) fn log(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let limit = request.number("limit").and_then(|limit| u32::try_from(limit).ok());
    let rows = context.read(|snapshot| {
        // the log keeps what became of a handler that is gone
        let id = match find(snapshot, request.text("elid")) {
            Ok(row) => row.id,
            Err(refusal) => request.text("elid").parse().map_err(|_| refusal)?,
        };
        attempts(snapshot, id, limit.unwrap_or(100))
    })?;
    Ok(Planned::Answer(Answer::list(rows)))
}

fn attempts(
    snapshot: &mut dyn Snapshot,
    handler: HandlerId,
    limit: u32,
) -> Result<Vec<Element>, Refusal> {
    let filter = LogFilter {
        module: ModuleName::new(ModuleName::HANDLER).ok(),
        gateway: Some(GatewayId(handler.0)),
        ..LogFilter::default()
    };
    let rows = snapshot.log(&filter, None, limit)?;
    rows.iter().map(|row| attempt(snapshot, row)).collect()
}

fn attempt(snapshot: &mut dyn Snapshot, row: &LogRow) -> Result<Element, Refusal> {
    let delivery = snapshot.delivery(row.id)?;
    let status = delivery.as_ref().and_then(|delivery| delivery.status);
    let response = delivery.map(|delivery| delivery.response).unwrap_or_default();
    let log = &row.row;
    let mut element = Element::new("elem");
    for (name, value) in [
        ("at", when::shown(log.at)),
        ("task", log.task.to_string()),
        ("event", log.notice.clone().unwrap_or_default()),
        ("attempt", log.attempt.to_string()),
        ("outcome", log.outcome.clone()),
        ("status", status.map(|status| status.to_string()).unwrap_or_default()),
        ("took_ms", log.took_ms.map(|took| took.to_string()).unwrap_or_default()),
        ("reason", log.reason.clone()),
        ("response", String::from_utf8_lossy(&response).into_owned()),
    ] {
        element.push(Element::new(name).with_text(value));
    }
    Ok(element)
}

/// `provisioning.replay`: past events are told once more, in their order, to the handlers that act now.
pub(crate) fn replay(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let now = context.now();
    let moment = |name: &str| {
        let read = |text: &str| when::read(name, text, now, "").map(|moment| moment.at);
        request.given(name).map(read).transpose()
    };
    let filter = EventFilter {
        events_id: request
            .given("event")
            .map(events::find)
            .transpose()?
            .map(|kind| kind.id.to_owned()),
        object_id: request.given("object").map(str::to_owned),
        from: moment("from")?,
        // what happens while it runs is told as always
        to: Some(moment("to")?.unwrap_or(now)),
    };
    let only = match request.given("elid") {
        Some(text) => Some(context.read(|snapshot| find(snapshot, text))?.id),
        None => None,
    };
    if request.is_on("dry_run") {
        return count(context, &filter, only);
    }
    let mut after: Option<EventId> = None;
    let next = move |context: &mut Context<'_>| {
        let page = context.read(|snapshot| Ok(snapshot.events(&filter, after, EVENTS)?))?;
        let Some(last) = page.last() else { return Ok(None) };
        after = Some(last.id);
        let events = page.into_iter().map(|event| event.event).collect();
        Ok(Some(Plan::new(vec![Change::Replay(events, only)], |_| Answer::ok())))
    };
    let answer = |applied: &crate::plan::Applied| told(applied.touched, applied.accepted.len());
    Ok(Planned::Pages(Pages { next: Box::new(next), answer: Box::new(answer) }))
}

/// What a replay would do at this moment: its events, and the calls that would be queued.
fn count(
    context: &mut Context<'_>,
    filter: &EventFilter,
    only: Option<HandlerId>,
) -> Result<Planned, Refusal> {
    let (mut events, mut calls) = (0, 0);
    let mut after = None;
    let handlers = context.read(|snapshot| Ok(snapshot.active_provisionings()?))?;
    loop {
        let page = context.read(|snapshot| Ok(snapshot.events(filter, after, PAGE)?))?;
        events += page.len() as u64;
        for event in &page {
            let is_told = |handler: &&_| fan_out::is_told(handler, &event.event, only);
            calls += handlers.iter().filter(is_told).count();
        }
        after = page.last().map(|event| event.id);
        if page.len() < PAGE as usize {
            return Ok(Planned::Answer(told(events, calls)));
        }
    }
}

fn told(events: u64, tasks: usize) -> Answer {
    let number = |name: &str, number: String| Element::new(name).with_text(number);
    let document = Element::new("doc").with_child(Element::new("ok"));
    Answer::of(
        document
            .with_child(number("events", events.to_string()))
            .with_child(number("tasks", tasks.to_string())),
    )
}

/// The change of a page of events.
pub(crate) fn tell_again(
    tx: &mut dyn store::Tx,
    events: &[store::NewEvent],
    (only, now): (Option<HandlerId>, notice::Ms),
) -> store::Result<Vec<store::Accepted>> {
    let mut accepted = Vec::new();
    for event in events {
        let tasks = fan_out::deliver(tx, event, (only, now))?;
        accepted.extend(tasks.into_iter().map(store::Accepted::New));
    }
    Ok(accepted)
}
