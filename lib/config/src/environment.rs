//! The one place that looks into our own environment.

use crate::names;
use std::ffi::OsString;

/// The value of a name in our environment. Names that Gatepost itself gives a meaning stand in [`names`].
#[expect(clippy::disallowed_methods, reason = "this crate is the door to the environment")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The kill point or fault a crash test asks of this process (queue 4.4), by [`names::KILL_AT`]. Always None
/// in a release build.
pub fn kill_at() -> Option<String> {
    if !cfg!(debug_assertions) {
        return None;
    }
    variable(names::KILL_AT)?.into_string().ok().filter(|point| !point.is_empty())
}

/// Whether the person at the terminal wants colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// As many as are useful.
    Welcome,
    /// None: `NO_COLOR` is set.
    Unwelcome,
}

/// What `NO_COLOR` says.
pub fn colours() -> Colours {
    match variable(names::NO_COLOR) {
        Some(value) if !value.is_empty() => Colours::Unwelcome,
        _ => Colours::Welcome,
    }
}
