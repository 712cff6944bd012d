//! `gate` and `module`: the programs that stand in `gate/` and `notify/`, and what each says it can do.

use crate::answer::Answer;
use crate::context::Context;
use crate::descriptions::descriptions;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::Refusal;
use host::{Folder, Listed};
use wire::xml::Element;

/// `gate`: one that can't be used is listed with the reason (S3-21).
pub(crate) fn gates(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (described, _) = descriptions(context.root, context.config);
    let lang = request.given("lang").unwrap_or("en").to_owned();
    list(context, request, Folder::Gate, |name| described.gate_caption(name, &lang))
}

/// `module`: likewise.
pub(crate) fn modules(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    list(context, request, Folder::Notify, str::to_owned)
}

fn list(
    context: &mut Context<'_>,
    request: &Request,
    folder: Folder,
    caption: impl Fn(&str) -> String,
) -> Result<Planned, Refusal> {
    let mut listed = context.programs.list(folder);
    if let Some(name) = request.given("name") {
        listed.retain(|program| program.name == name);
        if listed.is_empty() {
            return Err(Refusal::NotFound {
                noun: "program",
                value: format!("{}/{name}", folder.name()),
                remedy: "put an executable of that name there".to_owned(),
            });
        }
    }
    Ok(Planned::Answer(Answer::list(listed.iter().map(|one| row(one, &caption(&one.name))))))
}

fn row(program: &Listed, caption: &str) -> Element {
    let (features, error) = match &program.features {
        Ok(features) => (Some(features), String::new()),
        Err(reason) => (None, reason.clone()),
    };
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let columns = [
        ("name", program.name.clone()),
        ("caption", caption.to_owned()),
        ("features", features.map(|known| known.names.join(", ")).unwrap_or_default()),
        ("notify_module", text(features.and_then(|known| known.notify_module.as_ref()))),
        ("contact_type", text(features.and_then(|known| known.contact_type.as_ref()))),
        ("error", error),
    ];
    columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
        element.with_child(Element::new(name).with_text(value))
    })
}
