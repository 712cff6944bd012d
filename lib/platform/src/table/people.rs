//! People and what they do live: sessions, accounts, agents, shared data; and what is written down of calls.

use super::LIMIT;
use crate::caller::Level;
use crate::function::{Alias, Extra, Function, Kind, optional, required};
use crate::{events, journal, sessions};

/// The table.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "session.open",
        aliases: &[Alias::Same("auth")],
        level: Level::Nobody,
        help: "Signs in: the answer holds the session for auth=; a super caller needs no password.",
        parameters: &[
            required("username", Kind::Line, "the user: name, id, ext:EXTERNAL_ID or email"),
            optional("password", Kind::Secret, "his password"),
        ],
        extra: Extra::Refused,
        events: &[],
        plan: sessions::open,
    },
    Function {
        name: "session.close",
        aliases: &[],
        level: Level::User,
        help: "Signs out.",
        parameters: &[optional("elid", Kind::Secret, "the session; else the one of this call")],
        extra: Extra::Refused,
        events: &[],
        plan: sessions::close,
    },
    Function {
        name: "session.check",
        aliases: &[Alias::Same("whoami")],
        level: Level::Nobody,
        help: "Says who is calling.",
        parameters: &[],
        extra: Extra::Refused,
        events: &[],
        plan: sessions::check,
    },
    Function {
        name: "event",
        aliases: &[Alias::Same("event.list")],
        level: Level::Admin,
        help: "Lists what has happened, from the oldest up.",
        parameters: &[
            optional("event", Kind::Line, "only of this kind, like clients.create"),
            optional("object", Kind::Line, "only of this object"),
            optional("from", Kind::Moment, "not before"),
            optional("to", Kind::Moment, "before"),
            optional("after", Kind::Number(0, i64::MAX), "only ids above it: the next page"),
            LIMIT,
        ],
        extra: Extra::Refused,
        events: &[],
        plan: events::list,
    },
    Function {
        name: "journal",
        aliases: &[Alias::Same("journal.list")],
        level: Level::Admin,
        help: "Lists the runs of handlers and plugins inside calls, from the newest down.",
        parameters: &[
            optional("call", Kind::Line, "only of this call"),
            optional("function", Kind::Line, "only of this function"),
            optional("name", Kind::Line, "only of this handler or plugin"),
            optional("before", Kind::Number(0, i64::MAX), "only ids below it: the next page"),
            LIMIT,
        ],
        extra: Extra::Refused,
        events: &[],
        plan: journal::list,
    },
];
