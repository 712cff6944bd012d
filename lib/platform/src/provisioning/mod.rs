//! Provisioning handlers: scripts and URLs told of every event, by tasks in the queue (002).
//!
//! Rows are edited in table `provisioning` and acted from in `provisioning_active`, which
//! `cachemanager.restart` alone rewrites. An event's tasks are written in its own transaction ([`fan_out`]);
//! `notify/nthandler` runs them with what [`Deliveries`] reads for it.

mod delivery;
mod events;
mod fan_out;
mod history;
mod payload;
mod rows;
mod sign;
mod task;
#[cfg(test)]
mod tests;

pub use delivery::{Deliveries, Handler, Moment, NotDelivered, subject_of};
pub(crate) use fan_out::fan_out;
pub(crate) use history::tell_again;
pub(crate) use rows::Seal;
pub use task::Task;

use crate::caller::Level;
use crate::function::{Alias, Extra, Function, Kind, PRIORITY, Parameter, optional, required};

const HANDLER: Parameter = optional("elid", Kind::Line, "the handler, by id or name");
const EVENT: Parameter =
    optional("event", Kind::Line, "an event, by id or title: clients.create, `Clients create`");
const TYPE: Parameter = optional("type", Kind::OneOf(&task::TYPES), "script, http:// or https://");
const STATUS: Kind = Kind::OneOf(&["enabled", "disabled", "archived"]);

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "provisioning",
        aliases: &[Alias::Same("provisioning.list")],
        level: Level::Admin,
        help: "Lists provisioning handlers by priority; archived ones only when asked for.",
        parameters: &[
            optional("name", Kind::Line, "only those whose name contains this"),
            EVENT,
            TYPE,
            optional("task", Kind::Line, "only those whose task contains this"),
            optional("status", STATUS, "only in this status"),
            optional("priority", PRIORITY, "only of this priority"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: rows::list,
    },
    Function {
        name: "provisioning.edit",
        aliases: &[Alias::Creates("provisioning.add")],
        level: Level::Super,
        help: "Shows, changes or creates a provisioning handler; it acts after cachemanager.restart.",
        parameters: &[
            optional("sok", Kind::Line, "not empty: save; empty or missing: show (S0-35)"),
            HANDLER,
            optional("name", Kind::Line, "a title for people"),
            EVENT,
            TYPE,
            optional("task", Kind::Line, "host:port/path, or the path of a script under ROOT"),
            optional("status", STATUS, "whether it acts"),
            optional("priority", PRIORITY, "the lower number goes first"),
            optional("secret", Kind::Secret, "its calls are signed with this: whsec_ and base64"),
            optional(
                "rotate",
                Kind::OnOff,
                "on: makes a new secret, and the last one is valid a day longer",
            ),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: rows::edit,
    },
    Function {
        name: "provisioning.delete",
        aliases: &[],
        level: Level::Super,
        help: "Deletes provisioning handlers; they act until cachemanager.restart.",
        parameters: &[required("elid", Kind::Line, "the handlers, by id or name: `a, b`")],
        extra: Extra::Refused,
        events: &[],
        plan: rows::delete,
    },
    Function {
        name: "provisioning.log",
        aliases: &[],
        level: Level::Admin,
        help: "Shows the calls of a provisioning handler and what it answered, from the newest down.",
        parameters: &[
            required("elid", Kind::Line, "the handler, by id or name"),
            optional("limit", Kind::Number(1, 10_000), "rows at most, 100"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: history::log,
    },
    Function {
        name: "provisioning.replay",
        aliases: &[],
        level: Level::Super,
        help: "Tells past events once more, in their order, to the handlers that act now.",
        parameters: &[
            required("from", Kind::Moment, "events since then"),
            optional("to", Kind::Moment, "and before then; else until now"),
            optional("elid", Kind::Line, "only this handler, by id or name"),
            EVENT,
            optional("object", Kind::Line, "only of this object"),
            optional("dry_run", Kind::OnOff, "on: only count"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: history::replay,
    },
    Function {
        name: "cachemanager.restart",
        aliases: &[],
        level: Level::Super,
        help: "Brings saved provisioning handlers into action, as a whole; nothing else stops.",
        parameters: &[],
        extra: Extra::Refused,
        events: &[],
        plan: rows::restart,
    },
];
