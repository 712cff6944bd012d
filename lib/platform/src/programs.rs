//! `gate` and `module`: the programs that stand in `gate/` and `notify/`, and what each says it can do.

use crate::answer::Answer;
use crate::context::Context;
use crate::descriptions::descriptions;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::Refusal;
use config::Root;
use host::{Folder, Listed};
use wire::xml::Element;

/// `gate`: one that can't be used is listed with the reason (S3-21).
pub(crate) fn gates(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (described, _) = descriptions(context.root, context.config);
    let lang = request.given("lang").unwrap_or("en").to_owned();
    let root = context.root.clone();
    let logo = |name: &str| logo(&root, name);
    list(context, request, Folder::Gate, |name| (described.gate_caption(name, &lang), logo(name)))
}

/// The picture of a gate, relative to ROOT; empty when there is none (S3-60).
fn logo(root: &Root, gate: &str) -> String {
    let file = format!("billmanager-plugin-{gate}.png");
    let places = [
        root.path("skins/common/plugin-logo").join(&file),
        root.overlay(format!("etc/img/{file}")),
    ];
    let found = places.iter().find(|path| path.is_file());
    let relative = found.map(|path| path.strip_prefix(root.folder()).unwrap_or(path));
    relative.map(|path| path.display().to_string()).unwrap_or_default()
}

/// `module`: likewise.
pub(crate) fn modules(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    list(context, request, Folder::Notify, |name| (name.to_owned(), String::new()))
}

fn list(
    context: &mut Context<'_>,
    request: &Request,
    folder: Folder,
    shown: impl Fn(&str) -> (String, String),
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
    Ok(Planned::Answer(Answer::list(listed.iter().map(|one| row(one, shown(&one.name))))))
}

/// `shown` is what a person sees of it: caption and logo.
fn row(program: &Listed, shown: (String, String)) -> Element {
    let (features, error) = match &program.features {
        Ok(features) => (Some(features), String::new()),
        Err(reason) => (None, reason.clone()),
    };
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let columns = [
        ("name", program.name.clone()),
        ("caption", shown.0),
        ("logo", shown.1),
        ("features", features.map(|known| known.names.join(", ")).unwrap_or_default()),
        ("notify_module", text(features.and_then(|known| known.notify_module.as_ref()))),
        ("contact_type", text(features.and_then(|known| known.contact_type.as_ref()))),
        ("error", error),
    ];
    columns.into_iter().fold(Element::new("elem"), |element, (name, value)| {
        element.with_child(Element::new(name).with_text(value))
    })
}
