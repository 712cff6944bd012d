//! Shared data: a small store of values under names, which plugins' hooks may change on the way in.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use serde_json::Value;
use wire::xml::Element;

/// `shared`: the value under a name.
pub(crate) fn show(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let id = request.text("id");
    let value = context.read(|snapshot| Ok(snapshot.shared(id)?))?;
    let Some(value) = value else {
        return Err(Refusal::NotFound {
            noun: "shared value",
            value: id.to_owned(),
            remedy: "`shared.set` makes it".to_owned(),
        });
    };
    Ok(Planned::Answer(answer(id, &value)))
}

/// `shared.set`: the value is JSON, tagged as the plugin host tags it; a text that is no JSON is a string.
pub(crate) fn set(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let id = request.text("id").to_owned();
    let text = request.text("value");
    let new = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let known = context.read(|snapshot| Ok(snapshot.shared(&id)?))?;
    let old = known.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let old: Value = old.unwrap_or(Value::Null);
    let value = match context.registry.clone().and_then(|one| one.plugins.clone()) {
        Some(plugins) => plugins.shared_hook(&id, (&old, &new), &mut context.journal)?,
        None => new,
    };
    let text = value.to_string();
    let shown = answer(&id, &text);
    let changes = vec![Change::SetShared(id.clone(), text)];
    let plan = Plan::new(changes, move |_| shown.clone());
    Ok(Planned::Once(plan.based_on([Fact::Shared(id, known)])))
}

fn answer(id: &str, value: &str) -> Answer {
    Answer::of(
        Element::new("doc")
            .with_child(Element::new("id").with_text(id))
            .with_child(Element::new("value").with_text(value)),
    )
}
