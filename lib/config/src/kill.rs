//! What the failure tests ask a debug build to do to itself (queue 4.4).

use crate::names;

/// The kill point or fault named by [`names::KILL_AT`]; None in a release build.
pub fn kill_at() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this crate is the door to the environment")]
    let asked = std::env::var(names::KILL_AT);
    asked.ok().filter(|word| cfg!(debug_assertions) && !word.is_empty())
}
