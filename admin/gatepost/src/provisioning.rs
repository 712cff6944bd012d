//! `gatepost provisioning …`: handlers that are told of events.

#![expect(clippy::doc_markdown, reason = "these texts are what --help shows")]

use crate::failure::Result;
use crate::session::Session;
use crate::users::{Rows, rows};
use clap::Subcommand;

const NOUN: &str = "provisioning";
const COLUMNS: &[&str] =
    &["id", "priority", "name", "event", "handler", "status", "acts", "event_title"];
const LOG: &[&str] =
    &["at", "event", "attempt", "outcome", "status", "reason", "task", "took_ms", "response"];

/// What is asked of handlers.
#[derive(Subcommand)]
pub(crate) enum Provisioning {
    #[command(flatten)]
    Rows(Rows),
    /// Bring what is saved, changed or deleted into action (cachemanager.restart)
    Restart,
    /// What was called, and what it answered
    Log {
        /// Id or name
        id: String,
    },
    /// Tell past events once more
    Replay {
        /// Events since then
        #[arg(long, value_name = "T")]
        from: String,
        /// And before then; else until now
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// Only to this handler, by id or name
        #[arg(long)]
        handler: Option<String>,
        /// Only this event
        #[arg(long)]
        event: Option<String>,
        /// Only of this object
        #[arg(long, value_name = "ID")]
        object: Option<String>,
        /// Only count
        #[arg(long)]
        dry_run: bool,
    },
}

/// What is asked of the staff.
#[derive(Subcommand)]
pub(crate) enum Agent {
    /// List or filter
    List {
        /// Filters
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Switch the status of one
    Status {
        /// Id, ext:EXTERNAL_ID, email or name
        agent: String,
        /// ready, aux or offline
        status: String,
        /// Why not ready
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Runs it.
pub(crate) fn run(session: &mut Session, what: Provisioning) -> Result<()> {
    match what {
        Provisioning::Rows(what) => rows(session, NOUN, what, (COLUMNS, 7)),
        Provisioning::Restart => {
            let answer = session.ask("cachemanager.restart", &[])?;
            session.report(
                &answer,
                &format!("handlers that act as saved: {}", answer.text("handlers")),
            )
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
            let would = if dry_run { "nothing was queued; it would be " } else { "" };
            let said = format!("{would}events: {}, calls: {}", counted.0, counted.1);
            session.report(&answer, &said)
        }
    }
}
