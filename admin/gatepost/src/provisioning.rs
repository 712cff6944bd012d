//! `gatepost provisioning …`: handlers that are told of events.

use crate::arguments::Provisioning;
use crate::failure::Result;
use crate::session::Session;
use crate::users::{delete, edit, list};

const NOUN: &str = "provisioning";
const COLUMNS: &[&str] =
    &["id", "priority", "name", "event", "handler", "status", "acts", "event_title"];
const LOG: &[&str] =
    &["at", "event", "attempt", "outcome", "status", "reason", "task", "took_ms", "response"];

/// Runs it.
pub(crate) fn run(session: &mut Session, what: Provisioning) -> Result<()> {
    match what {
        Provisioning::List { fields } => list(session, NOUN, &fields, (COLUMNS, 7)),
        Provisioning::Add { fields } => edit(session, NOUN, "", &fields),
        Provisioning::Edit { id, fields } => edit(session, NOUN, &id, &fields),
        Provisioning::Delete { id } => delete(session, NOUN, &id),
        Provisioning::Restart => {
            let answer = session.ask("cachemanager.restart", &[])?;
            session.report(&answer, &format!("{} handlers act as saved", answer.text("handlers")))
        }
        Provisioning::Log { id } => {
            let answer = session.ask("provisioning.log", &[("elid", &id)])?;
            session.list(&answer, LOG, 6)
        }
        Provisioning::Replay { from, to, handler, event, object, dry_run } => {
            let given = [
                ("from", from.as_str()),
                ("to", to.as_deref().unwrap_or_default()),
                ("elid", handler.as_deref().unwrap_or_default()),
                ("event", event.as_deref().unwrap_or_default()),
                ("object", object.as_deref().unwrap_or_default()),
                ("dry_run", if dry_run { "on" } else { "" }),
            ];
            let answer = session.ask("provisioning.replay", &given)?;
            let counted = (answer.text("events"), answer.text("tasks"));
            session.report(&answer, &format!("{} events, {} calls", counted.0, counted.1))
        }
    }
}
