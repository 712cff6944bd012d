//! The running installation as an object of calls: `desktop`, `exit`, the registry.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::Refusal;
use wire::xml::Element;

/// `desktop`: who is calling; late modifiers add to it (S0-53).
#[expect(clippy::unnecessary_wraps, reason = "the form of every plan")]
pub(crate) fn desktop(_: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let caller = &request.caller;
    Ok(Planned::Answer(Answer::of(
        Element::new("doc")
            .with_child(Element::new("user").with_text(&caller.name))
            .with_child(Element::new("level").with_text(caller.level.word())),
    )))
}

/// `exit`: whoever runs the platform for others leaves and is started again (S0-6); without a daemon there is
/// nobody to leave, and each call reads everything afresh.
pub(crate) fn exit(context: &mut Context<'_>, _: &Request) -> Result<Planned, Refusal> {
    context.installation.ask_to_leave();
    reloaded(context)
}

/// `registry.reload`.
pub(crate) fn reload(context: &mut Context<'_>, _: &Request) -> Result<Planned, Refusal> {
    reloaded(context)
}

fn reloaded(context: &mut Context<'_>) -> Result<Planned, Refusal> {
    context.installation.reload()?;
    Ok(Planned::Answer(Answer::ok()))
}
