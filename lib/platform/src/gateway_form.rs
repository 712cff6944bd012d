//! The edit form of a gateway: what the gate's description asks, tuned by the gate (S3-45, S3-63).

use crate::context::Context;
use crate::descriptions::descriptions;
use crate::function::{Asked, Request};
use crate::gateways::{columns, direction_number};
use crate::modules;
use crate::refusal::Refusal;
use config::{ConfigError, Place, Secrets, Vault};
use host::{Folder, Listed};
use notice::{Fields, ModuleName};
use std::sync::Arc;
use store::{Direction, Gateway};
use wire::features::Features;
use wire::form::{Choice, Form, FormDocument, FormRequest, Occasion};
use wire::params::read_xmlparams;
use wire::xml::Element;

/// The columns of a row that the form names like fields; they are never part of `xmlparams`.
pub(crate) const BASE: [&str; 12] = [
    "id",
    "elid",
    "name",
    "project",
    "notify_module",
    "gateway_module",
    "gateway_type",
    "active",
    "priority",
    "concurrency",
    "rate",
    "on_unknown",
];

/// A gate that may be used for a module, and what it can do.
pub(crate) struct FitGate {
    pub(crate) listed: Arc<Listed>,
    pub(crate) features: Features,
    pub(crate) module: ModuleName,
}

/// The gate of that name, refused where it can't serve: unknown, broken, of another module, for a module
/// without gateways (S3-7), in a direction it doesn't offer.
pub(crate) fn fit_gate(
    context: &mut Context<'_>,
    gate: &str,
    module: Option<&str>,
    direction: Direction,
) -> Result<FitGate, Refusal> {
    let listed = context.programs.one(Folder::Gate, gate);
    let features = match &listed.features {
        Ok(features) => features.clone(),
        Err(reason) => return Err(no_gate(context, gate, reason)),
    };
    let own = features.notify_module.as_deref().filter(|own| !own.is_empty());
    let conflict = |reason: String| Refusal::Conflict {
        operation: format!("make a gateway of {gate}"),
        reason,
    };
    let module = match (own, module) {
        (Some(own), Some(module)) if own != module => {
            return Err(conflict(format!("it is a gate of {own}, not of {module}")));
        }
        (Some(module), _) | (None, Some(module)) => module,
        (None, None) => {
            let usable = modules::usable(context);
            let with_gateways = usable.iter().map(|module| module.name.as_str());
            let names: Vec<_> =
                with_gateways.filter(|name| *name != ModuleName::INTERNAL).collect();
            return Err(Refusal::Missing {
                field: "notify_module".to_owned(),
                remedy: format!(
                    "{gate} does not say which module it serves; write notify_module= and one of {}",
                    names.join(", ")
                ),
            });
        }
    };
    if module == ModuleName::INTERNAL {
        return Err(conflict("ntinternal has no gateways: it writes the inbox itself".to_owned()));
    }
    let found = modules::find(context, module)?;
    if direction == Direction::Ingoing && module == ModuleName::SMS {
        return Err(conflict("ntsms only sends".to_owned()));
    }
    let command = match direction {
        Direction::Outgoing => "outgoing",
        Direction::Ingoing => "ingoing",
    };
    if !features.has(command) {
        return Err(conflict(format!("its features do not list {command}")));
    }
    Ok(FitGate { listed, features, module: found.name })
}

fn no_gate(context: &mut Context<'_>, gate: &str, reason: &str) -> Refusal {
    let known = context.programs.list(Folder::Gate);
    let usable: Vec<_> =
        known.iter().filter(|one| one.features.is_ok()).map(|one| one.name.as_str()).collect();
    Refusal::NotFound {
        noun: "gate",
        value: gate.to_owned(),
        remedy: format!("{reason}; usable are: {}", usable.join(", ")),
    }
}

/// The values a form is filled with: the row's public fields and its secrets.
pub(crate) struct Stored {
    pub(crate) public: Fields,
    pub(crate) secrets: Secrets,
}

/// The row its secrets are sealed for.
pub(crate) fn place_of(gateway: &Gateway) -> Place<'_> {
    Place::of_gateway(gateway.id, &gateway.gate)
}

/// What is stored of a gateway; references in secrets are not followed. Secrets sealed with a key that is lost
/// are no hindrance where `anew` gives them again.
pub(crate) fn stored(
    context: &mut Context<'_>,
    gateway: &Gateway,
    anew: Given,
) -> Result<Stored, Refusal> {
    let public = read_xmlparams(&gateway.xmlparams).map_err(|error| Refusal::Conflict {
        operation: format!("read xmlparams of gateway {}", gateway.id),
        reason: notice::chain(&error),
    })?;
    let secrets = if gateway.secret.is_empty() {
        Secrets::default()
    } else {
        let vault = Vault::load(context.root)?;
        opened(vault.open_as_stored(place_of(gateway), &gateway.secret), anew)?
    };
    for (_, secret) in secrets.iter() {
        context.mask.add(secret);
    }
    Ok(Stored { public, secrets })
}

/// Whether a call brings secrets of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Secrets,
    Nothing,
}

impl Given {
    /// What a call gives of these fields.
    pub(crate) fn of(request: &Request, secret_names: &[String]) -> Self {
        let gives = |name: &String| !request.extra.text(name).is_empty();
        // the form of a row is shown in order to give them
        let is_shown = matches!(request.asked(), Asked::Show(_));
        if is_shown || secret_names.iter().any(gives) { Self::Secrets } else { Self::Nothing }
    }
}

/// What was sealed with another key is nothing to one who gives it anew.
pub(crate) fn opened(
    found: Result<Secrets, ConfigError>,
    anew: Given,
) -> Result<Secrets, ConfigError> {
    match (found, anew) {
        (Err(ConfigError::Sealed(_)), Given::Secrets) => Ok(Secrets::default()),
        (found, _) => found,
    }
}

/// A form, and what went wrong while it was tuned.
pub(crate) struct Tuned {
    pub(crate) form: FormDocument,
    pub(crate) warning: Option<String>,
}

/// Builds the form of a gateway with these values and lets the gate tune it. A gate that fails at it
/// leaves the plain form and a warning (extensions 3.5).
pub(crate) fn tuned(
    context: &mut Context<'_>,
    gate: &FitGate,
    gateway: &Gateway,
    values: &Fields,
) -> Tuned {
    let plain = plain(context, gate, gateway, values);
    if !gate.features.has("formtune") {
        return Tuned { form: plain, warning: None }; // S3-44
    }
    match context.formtune(&gate.listed, plain.document()) {
        Ok(document) => Tuned { form: FormDocument::from_document(document), warning: None },
        Err(failure) => Tuned {
            form: plain,
            warning: Some(format!(
                "formtune of {}: {failure}; the plain form is used",
                gateway.gate
            )),
        },
    }
}

/// True when a description file has a form for gateways of this gate.
pub(crate) fn is_described(context: &Context<'_>, gate: &str) -> bool {
    let (descriptions, _) = descriptions(context.root, context.config);
    descriptions.metadata(&format!("gateway.{gate}")).is_some()
}

/// The names of secret fields as the description has them, before any tuning.
pub(crate) fn secret_names(context: &mut Context<'_>, gate: &FitGate) -> Vec<String> {
    let (descriptions, _) = descriptions(context.root, context.config);
    let names = [format!("gateway.{}", gate.module), format!("gateway.{}", gate.listed.name)];
    let known = names.iter().filter_map(|name| descriptions.metadata(name));
    known
        .flat_map(|metadata| {
            let form = Form::read(metadata);
            form.secret_names().into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

fn plain(
    context: &mut Context<'_>,
    gate: &FitGate,
    gateway: &Gateway,
    values: &Fields,
) -> FormDocument {
    let (descriptions, _) = descriptions(context.root, context.config);
    let is_new = gateway.id.0 == 0;
    let names = [
        "gateway.edit".to_owned(),
        format!("gateway.{}", gate.module),
        format!("gateway.{}", gateway.gate),
    ];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request = FormRequest {
        func: "gateway.edit",
        lang: "en",
        occasion: if is_new { Occasion::New } else { Occasion::Edit },
        metadata: &names,
        values,
    };
    let mut form = FormDocument::build(&request, &descriptions);
    for list in names.iter().filter_map(|name| descriptions.metadata(name)) {
        lift_choices(&mut form, list);
    }
    for (name, value) in columns(gateway).iter() {
        form.set_value(name, value);
    }
    form.set_value("elid", &if is_new { String::new() } else { gateway.id.to_string() });
    form.set_value("gateway_type", direction_number(gateway.direction));
    form.set_xmlparams(values);
    form
}

/// A list that stands in the description itself.
pub(crate) fn lift_choices(form: &mut FormDocument, metadata: &Element) {
    for list in metadata.children_named("slist") {
        let Some(name) = list.attribute("name") else { continue };
        let choices: Vec<_> = list
            .elements()
            .map(|option| {
                let message = option.child("msg").map(Element::text).unwrap_or_default();
                let text = option.text().trim().to_owned();
                let label =
                    if message.is_empty() { text.clone() } else { form.label(message.trim()) };
                let key = option.attribute("key").map_or(text, str::to_owned);
                Choice { key, label }
            })
            .collect();
        form.set_choices(name, &choices);
    }
}
