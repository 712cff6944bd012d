//! Event handlers: scripts in `addon/`, registered by `etc/xml` (000).

use crate::call::{Call, Outside};
use crate::refusal::Refusal;
use config::{Config, Level, Root};
use wire::xml::Element;

/// A line for the log: component `external` or `action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) component: &'static str,
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// Every registered handler, immutable.
#[derive(Debug, Default)]
pub(crate) struct Handlers {}

/// What the before handlers decided; a refusal is an error.
pub(crate) enum Before {
    /// The function is called, with the parameters as they now are.
    GoOn,
    /// `<skipaction/>`: this document is the answer.
    Skip(Element),
}

impl Handlers {
    /// Reads the registrations of ROOT; what is wrong with one is a line, the others load.
    pub(crate) fn load(_root: &Root, _config: &Config) -> (Self, Vec<Line>) {
        (Self::default(), Vec::new())
    }

    /// Step 2: one after the other; each sees the changes of the one before it.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "nothing registers yet")]
    pub(crate) fn before(
        &self,
        _call: &mut Call,
        _outside: &mut Outside<'_>,
    ) -> Result<Before, Refusal> {
        Ok(Before::GoOn)
    }

    /// Step 6, before the late modifiers (S0-51): adds to the answer; what goes wrong is a run of the
    /// journal, never a failed call.
    #[expect(clippy::unused_self, reason = "nothing registers yet")]
    pub(crate) fn after(&self, _call: &Call, _answer: &mut Element, _outside: &mut Outside<'_>) {}

    /// Step 8, after them: `proirity="after"` (S0-52); then `final` handlers, which influence nothing.
    #[expect(clippy::unused_self, reason = "nothing registers yet")]
    pub(crate) fn late(&self, _call: &Call, _answer: &mut Element, _outside: &mut Outside<'_>) {}
}
