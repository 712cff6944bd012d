//! From an event to the tasks of its handlers.

use super::events;
use super::payload::payload;
use notice::{HandlerId, ModuleName, Ms, Priority, Route, TaskId};
use store::{
    Accepted, Blob, Body, Event, HandlerStatus, NewEvent, NewTask, Provisioning, StoredBody, Tx,
};

/// Writes the deliveries of an event, in the transaction that writes or tells it: one task for each handler of
/// `provisioning_active` that waits for it. Answers with how many.
pub(crate) fn fan_out(tx: &mut dyn Tx, event: &Event, now: Ms) -> store::Result<u64> {
    deliver(tx, &event.event, (None, now)).map(|tasks| tasks.len() as u64)
}

/// One task for each enabled handler that is acted from, by priority, then id (S2-19, S2-20); each starts when
/// the first attempt of the one before it has ended (S2-30). `only`: for this handler alone.
pub(crate) fn deliver(
    tx: &mut dyn Tx,
    event: &NewEvent,
    (only, now): (Option<HandlerId>, Ms),
) -> store::Result<Vec<TaskId>> {
    let mut handlers = tx.active_provisionings()?;
    handlers.retain(|handler| is_told(handler, event, only));
    let Some(first) = handlers.first() else { return Ok(Vec::new()) };
    let Some(mut new) = task_of(first, event) else { return Ok(Vec::new()) };
    let mut tasks = Vec::with_capacity(handlers.len());
    for handler in &handlers {
        new.route = Route::handler(handler.id);
        new.follows = tasks.last().copied();
        let accepted = tx.enqueue(std::slice::from_ref(&new), now)?;
        tasks.extend(accepted.into_iter().map(|accepted| match accepted {
            Accepted::New(id) | Accepted::Duplicate(id) => id,
        }));
    }
    Ok(tasks)
}

/// Whether an acting handler gets a delivery of an event. `only`: this one alone.
pub(crate) fn is_told(handler: &Provisioning, event: &NewEvent, only: Option<HandlerId>) -> bool {
    handler.status == HandlerStatus::Enabled
        && handler.event == event.events_id
        && only.is_none_or(|id| handler.id == id)
        && events::of_id(&event.events_id).is_some()
}

/// What all deliveries of an event have in common, for the first of them. Their keys are the store's: new for
/// each, the same on every attempt.
fn task_of(handler: &Provisioning, event: &NewEvent) -> Option<NewTask> {
    Some(NewTask {
        module: ModuleName::new(ModuleName::HANDLER).ok()?,
        body: Body::Stored(StoredBody {
            bundle: None,
            notice: Blob::new(payload(event)),
            user: String::new(),
            project: None,
        }),
        priority: Priority::default(),
        forced: false,
        route: Route::handler(handler.id),
        object: event.object_id.clone(),
        follows: None,
        not_before: None,
        expires: None,
        key: None,
    })
}
