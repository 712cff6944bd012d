//! Every function, declared once.

use crate::caller::Level;
use crate::function::{Alias, Extra, Function, Kind, Parameter, optional, required};
use crate::{notices, projects, templates, users};

const SOK: Parameter =
    optional("sok", Kind::Line, "not empty: save; empty or missing: show (S0-35)");
const PROJECT_ELID: Parameter = optional("elid", Kind::Line, "the project, by id or name");
const USER_ELID: Parameter = optional("elid", Kind::Line, "the user: id, ext:EXTERNAL_ID or email");
const PROJECT: Parameter =
    optional("project", Kind::Line, "the project, by id or name; the only one if there is one");
const LIMIT: Parameter = optional("limit", Kind::Number(1, 10_000), "rows at most, 100");

/// The table.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        name: "project",
        aliases: &[Alias::Same("project.list")],
        level: Level::Admin,
        help: "Lists projects.",
        parameters: &[
            optional("id", Kind::Number(1, i64::MAX), "only this one"),
            optional("name", Kind::Line, "only those of that name"),
        ],
        extra: Extra::Refused,
        plan: projects::list,
    },
    Function {
        name: "project.edit",
        aliases: &[Alias::Creates("project.add")],
        level: Level::Admin,
        help: "Shows, changes or creates a project.",
        parameters: &[
            SOK,
            PROJECT_ELID,
            optional("name", Kind::Line, "its name"),
            optional("site", Kind::Line, "its web site"),
            optional("billurl", Kind::Line, "address of its billing"),
            optional("notifyemail", Kind::Line, "address its mail comes from"),
            optional("supportemail", Kind::Line, "address of its support"),
            optional("supportphone", Kind::Line, "phone of its support"),
            optional("theme", Kind::Line, "theme of its pages"),
            optional(
                "country_default",
                Kind::Line,
                "country of phones without a prefix, like `RU`",
            ),
            optional("language", Kind::Language, "language of users who have none"),
            optional("timezone", Kind::TimeZone, "time zone of users who have none"),
            optional("active", Kind::OnOff, "off: nothing new is taken for it"),
        ],
        extra: Extra::Refused,
        plan: projects::edit,
    },
    Function {
        name: "project.delete",
        aliases: &[],
        level: Level::Admin,
        help: "Deletes projects that have neither users nor gateways.",
        parameters: &[required("elid", Kind::Line, "the projects: `a, b`")],
        extra: Extra::Refused,
        plan: projects::delete,
    },
    Function {
        name: "user",
        aliases: &[Alias::Same("user.list")],
        level: Level::Admin,
        help: "Lists users.",
        parameters: &[
            optional("id", Kind::Number(1, i64::MAX), "only this one"),
            PROJECT,
            optional("external_id", Kind::Line, "only this external id"),
            LIMIT,
            optional("after", Kind::Number(0, i64::MAX), "only ids above it: the next page"),
        ],
        extra: Extra::Planned,
        plan: users::list,
    },
    Function {
        name: "user.edit",
        aliases: &[
            Alias::Creates("user.add"),
            Alias::Same("config.users.edit"),
            Alias::Same("config.users.get"),
        ],
        level: Level::Admin,
        help: "Shows, changes or creates a user; with a known external_id it changes that one.",
        parameters: &[
            SOK,
            USER_ELID,
            PROJECT,
            optional("external_id", Kind::Line, "his id in your system, unique per project"),
            optional("name", Kind::Line, "login name"),
            optional("realname", Kind::Line, "name he is addressed by"),
            optional("email", Kind::Line, "where ntemail sends"),
            optional("phone", Kind::Line, "where ntsms sends"),
            optional("language", Kind::Language, "his language"),
            optional("timezone", Kind::TimeZone, "his time zone"),
            optional("account", Kind::Line, "his account"),
            optional("level", Kind::Line, "his access level"),
            optional("passwd", Kind::Secret, "for handlers; never stored"),
        ],
        extra: Extra::Planned,
        plan: users::edit,
    },
    Function {
        name: "user.delete",
        aliases: &[Alias::Same("config.users.delete")],
        level: Level::Admin,
        help: "Deletes users with their subscriptions and inbox.",
        parameters: &[required("elid", Kind::Line, "the users: `a, b`")],
        extra: Extra::Refused,
        plan: users::delete,
    },
    Function {
        name: "notice",
        aliases: &[Alias::Same("notice.list")],
        level: Level::Admin,
        help: "Lists notices.",
        parameters: &[
            optional("name", Kind::Line, "only this one"),
            optional("lang", Kind::Language, "language of the titles"),
        ],
        extra: Extra::Refused,
        plan: notices::list,
    },
    Function {
        name: "template",
        aliases: &[Alias::Same("template.list")],
        level: Level::Admin,
        help: "Lists entry templates.",
        parameters: &[
            optional("notice", Kind::Line, "only of this notice"),
            optional("module", Kind::Line, "only for this module"),
            optional("language", Kind::Language, "only in this language"),
            optional("engine", Kind::OneOf(&["xslt", "ejs", "tera"]), "only for this engine"),
        ],
        extra: Extra::Refused,
        plan: templates::list,
    },
];
