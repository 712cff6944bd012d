//! The places of the pipeline where other people's code plugs in: empty so far, in their order.

use crate::answer::Answer;
use crate::function::Function;
use crate::refusal::Refusal;
use notice::Fields;

/// Event handlers and plugins, immutable: a call keeps the registry it began with (extensions 3.4).
#[derive(Debug, Default)]
pub(crate) struct Registry {}

impl Registry {
    /// Step 2: before handlers, one after the other; they may change parameters or refuse.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "no handler can register yet"
    )]
    pub(crate) fn before(&self, _function: &Function, params: &Fields) -> Result<Fields, Refusal> {
        Ok(params.clone())
    }

    /// Step 3: the middleware chain around planning and applying.
    #[expect(clippy::unused_self, reason = "no middleware can register yet")]
    pub(crate) fn around(
        &self,
        _function: &Function,
        inner: impl FnOnce() -> Result<Answer, Refusal>,
    ) -> Result<Answer, Refusal> {
        inner()
    }

    /// Steps 6 to 8: after handlers, late modifiers, after handlers with `proirity="after"`.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "no handler can register yet"
    )]
    pub(crate) fn after(&self, _function: &Function, answer: Answer) -> Result<Answer, Refusal> {
        Ok(answer)
    }
}
