//! What a user wants and what he has left (S3-10).

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::modules;
use crate::notices;
use crate::plan::{Change, Plan, Planned};
use crate::refusal::Refusal;
use crate::users;
use store::Subscription;
use wire::xml::Element;

/// `subscription`: what is not listed is subscribed.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let lines = context.read(|snapshot| {
        let user = users::find(snapshot, request.text("user"), None)?;
        Ok(snapshot.subscriptions(user.id)?)
    })?;
    let rows = lines.iter().map(|line| {
        Element::new("elem")
            .with_child(Element::new("user").with_text(line.user.to_string()))
            .with_child(Element::new("notice").with_text(&line.notice))
            .with_child(Element::new("module").with_text(&line.module))
            .with_child(Element::new("active").with_text(if line.active { "on" } else { "off" }))
    });
    Ok(Planned::Answer(Answer::list(rows)))
}

/// `subscription.edit`: leaves a notice or takes it up again.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let user = context.read(|snapshot| users::find(snapshot, request.text("user"), None))?;
    let notice = request.given("notice").unwrap_or("*").to_owned();
    let module = request.given("module").unwrap_or("*").to_owned();
    let active = request.text("active") != "off";
    if notice != "*" {
        let notice = notices::load(context.root, &notice)?;
        if !active && !notice.unsubscribable {
            return Err(Refusal::Conflict {
                operation: format!("leave {}", notice.name),
                reason: "its notice.toml says unsubscribable = false: everybody gets it".to_owned(),
            });
        }
    }
    if module != "*" {
        modules::find(context, &module)?;
    }
    let change = Change::SaveSubscription(Subscription { user: user.id, notice, module, active });
    Ok(Planned::Once(Plan::new(vec![change], |_| Answer::ok())))
}
