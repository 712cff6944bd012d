//! Tasks that are no message: an event for a provisioning handler, an operation on a service. nthandler does both.

use crate::provisioning;
use crate::refusal::Refusal;
use crate::services::ServiceTask;
use notice::{HandlerId, ModuleName, ProcessingId};
use store::{NewLog, Snapshot, TaskRow};

/// What such a task is about, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// Who gets it, with its number: `handler 2 Billing`, `server 1 node`.
    pub handler: String,
    /// What the event or the operation is about: an id.
    pub object: String,
}

/// None: the row is a message.
pub(crate) fn of(snapshot: &mut dyn Snapshot, row: &TaskRow) -> Result<Option<Errand>, Refusal> {
    let Some(number) = row.route.row() else { return Ok(None) };
    let (noun, name) = if row.route.is_handler() {
        ("handler", snapshot.provisioning(HandlerId(number.0))?.map(|handler| handler.name))
    } else {
        ("server", snapshot.processing(ProcessingId(number.0))?.map(|server| server.name))
    };
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    Ok(Some(Errand { handler: format!("{noun} {number}{name}"), object: row.object.clone() }))
}

/// What the body of such a task names: `clients.create`, `service.open`.
pub(crate) fn event_of(body: &[u8]) -> Option<String> {
    provisioning::subject_of(body).or_else(|| ServiceTask::read(body).map(|task| task.subject()))
}

/// What an attempt was handed to, with its number; None where it was nobody.
pub(crate) fn outlet(log: &NewLog) -> Option<String> {
    let noun = match log.module.as_str() {
        ModuleName::HANDLER => "handler",
        _ if is_operation(log) => "server",
        _ => "gateway",
    };
    log.gateway.map(|id| format!("{noun} {id}"))
}

/// Whether an attempt was of such a task.
pub(crate) fn is_errand(log: &NewLog) -> bool {
    log.module == ModuleName::HANDLER || is_operation(log)
}

fn is_operation(log: &NewLog) -> bool {
    log.contact.is_none() && log.notice.as_deref().is_some_and(|name| name.starts_with("service."))
}
