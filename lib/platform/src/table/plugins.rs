//! Plugins: what is loaded, loading and unloading.

use crate::caller::Level;
use crate::function::{Alias, Extra, Function, Kind, Parameter, optional, required};
use crate::plugins::functions;

const NAME: Parameter =
    required("name", Kind::Line, "the plugin: its file in plugins/ without .py, or its class");

/// The table.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "plugin",
        aliases: &[Alias::Same("plugin.list")],
        level: Level::Admin,
        help: "Lists the files of plugins/ and whether each is loaded, or why not.",
        parameters: &[optional("name", Kind::Line, "only this one")],
        extra: Extra::Refused,
        events: &[],
        plan: functions::list,
    },
    Function {
        name: "plugins.load",
        aliases: &[],
        level: Level::Super,
        help: "Loads a plugin from its file; one that is loaded is stopped and loaded again.",
        parameters: &[NAME],
        extra: Extra::Refused,
        events: &[],
        plan: functions::load,
    },
    Function {
        name: "plugins.unload",
        aliases: &[],
        level: Level::Super,
        help: "Stops a plugin, until it is loaded again or the server starts anew.",
        parameters: &[NAME],
        extra: Extra::Refused,
        events: &[],
        plan: functions::unload,
    },
];
