//! Tasks that are no message: an event for a provisioning handler, an operation on a service. nthandler does both.

use crate::provisioning;
use crate::refusal::Refusal;
use crate::services::ServiceTask;
use notice::{GatewayId, HandlerId, ModuleName, ProcessingId};
use std::collections::BTreeMap;
use store::{LogRow, NewLog, Snapshot, TaskRow};

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

/// What attempts were handed to, with their names; one that is gone has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlets(BTreeMap<String, String>);

impl Outlets {
    pub(crate) fn of(snapshot: &mut dyn Snapshot, rows: &[LogRow]) -> Result<Self, Refusal> {
        let mut names = BTreeMap::new();
        for LogRow { row: log, .. } in rows {
            let Some((noun, id)) = outlet(log) else { continue };
            let key = format!("{noun} {id}");
            if names.contains_key(&key) {
                continue;
            }
            let name = match noun {
                HANDLER => snapshot.provisioning(HandlerId(id.0))?.map(|handler| handler.name),
                SERVER => snapshot.processing(ProcessingId(id.0))?.map(|server| server.name),
                _ => snapshot.gateway(id)?.map(|gateway| gateway.name),
            };
            names.insert(key, name.unwrap_or_default());
        }
        Ok(Self(names))
    }

    /// `gateway 1 relay`, `handler 2 Billing`; None where it was nobody.
    pub(crate) fn words(&self, log: &NewLog) -> Option<String> {
        let (noun, id) = outlet(log)?;
        let key = format!("{noun} {id}");
        let name = self.0.get(&key).filter(|name| !name.is_empty());
        Some(name.map(|name| format!("{key} {name}")).unwrap_or(key))
    }

    /// The name alone, or the number of one that has none.
    pub(crate) fn name(&self, log: &NewLog) -> Option<String> {
        let (noun, id) = outlet(log)?;
        let name = self.0.get(&format!("{noun} {id}")).filter(|name| !name.is_empty());
        Some(name.cloned().unwrap_or_else(|| id.to_string()))
    }
}

const HANDLER: &str = "handler";
const SERVER: &str = "server";

fn outlet(log: &NewLog) -> Option<(&'static str, GatewayId)> {
    let noun = match log.module.as_str() {
        ModuleName::HANDLER => HANDLER,
        _ if is_operation(log) => SERVER,
        _ => "gateway",
    };
    log.gateway.map(|id| (noun, id))
}

/// Whether an attempt was of such a task.
pub(crate) fn is_errand(log: &NewLog) -> bool {
    log.module == ModuleName::HANDLER || is_operation(log)
}

fn is_operation(log: &NewLog) -> bool {
    log.contact.is_none() && log.notice.as_deref().is_some_and(|name| name.starts_with("service."))
}
