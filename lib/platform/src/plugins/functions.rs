//! `plugin`, `plugins.load`, `plugins.unload` (S4-15 … S4-19).

use super::PluginHost;
use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::Refusal;
use std::sync::Arc;
use wire::xml::Element;

/// `plugin`: what stands in `plugins/`, and where each stands.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let wanted = request.given("name");
    let rows = host(context)?.list().into_iter();
    let rows = rows.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name));
    Ok(Planned::Answer(Answer::list(rows.map(|(name, state)| {
        Element::new("elem")
            .with_child(Element::new("name").with_text(name))
            .with_child(Element::new("state").with_text(state))
    }))))
}

/// `plugins.load`: from the file as it now is; one that is loaded is stopped before.
pub(crate) fn load(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let name = request.text("name").to_owned();
    host(context)?.load(&name)?;
    Ok(Planned::Answer(Answer::ok()))
}

/// `plugins.unload`: until the server starts again, for then every file of the folder is loaded.
pub(crate) fn unload(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let name = request.text("name").to_owned();
    host(context)?.unload(&name)?;
    Ok(Planned::Answer(Answer::ok()))
}

fn host(context: &Context<'_>) -> Result<Arc<PluginHost>, Refusal> {
    let plugins = context.registry.as_ref().and_then(|registry| registry.plugins.clone());
    plugins.ok_or_else(|| Refusal::Conflict {
        operation: "look after plugins".to_owned(),
        reason: "`plugins.enabled` is false in etc/gatepost.toml".to_owned(),
    })
}
