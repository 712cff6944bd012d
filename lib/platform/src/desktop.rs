//! The running installation as an object of calls: `desktop`, `exit`, the registry, plugins.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::Planned;
use crate::plugins::PluginHost;
use crate::refusal::Refusal;
use std::sync::Arc;
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

/// `plugin`: lists.
#[expect(clippy::unnecessary_wraps, reason = "the form of every plan")]
pub(crate) fn plugins(context: &mut Context<'_>, _: &Request) -> Result<Planned, Refusal> {
    let rows = host(context).map(|plugins| plugins.list()).unwrap_or_default();
    Ok(Planned::Answer(Answer::list(rows.into_iter().map(|(name, state)| {
        Element::new("elem")
            .with_child(Element::new("name").with_text(name))
            .with_child(Element::new("state").with_text(state))
    }))))
}

/// `plugins.load`.
pub(crate) fn load_plugin(
    context: &mut Context<'_>,
    request: &Request,
) -> Result<Planned, Refusal> {
    let name = request.text("name");
    // The first plugin of all: the worker is not there yet.
    let plugins = if let Some(plugins) = host(context) {
        plugins
    } else {
        let registry = context.installation.reload()?;
        registry.plugins.clone().ok_or_else(|| no_plugin(name))?
    };
    plugins.load(name)?;
    Ok(Planned::Answer(Answer::ok()))
}

/// `plugins.unload`.
pub(crate) fn unload_plugin(
    context: &mut Context<'_>,
    request: &Request,
) -> Result<Planned, Refusal> {
    let name = request.text("name");
    host(context).ok_or_else(|| no_plugin(name))?.unload(name)?;
    Ok(Planned::Answer(Answer::ok()))
}

/// The plugins of this moment, not those the call began with: who loads one sees the newest.
fn host(context: &Context<'_>) -> Option<Arc<PluginHost>> {
    context.installation.known().and_then(|registry| registry.plugins.clone())
}

fn no_plugin(name: &str) -> Refusal {
    Refusal::NotFound {
        noun: "plugin",
        value: name.to_owned(),
        remedy: "put NAME.py into plugins/; `gatepost func plugin` lists them".to_owned(),
    }
}
