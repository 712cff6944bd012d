//! `processing.edit`: form, validation, `check_connection`, and only then the row; secrets are sealed.

use super::change::{ServicesChange, ServicesFact};
use super::products::saved;
use super::rows;
use super::servers::columns;
use crate::answer::Answer;
use crate::context::Context;
use crate::descriptions::descriptions;
use crate::function::{Asked, Request};
use crate::gateway_edit::{Split, refuse_problems, refuse_strangers, words_of};
use crate::gateway_form::{Given, lift_choices, opened};
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use config::{ConfigError, Place, Secrets, Vault};
use host::outcome::CallFailure;
use host::{Folder, Listed};
use notice::{Fields, ProcessingId, Secret};
use std::sync::Arc;
use store::Processing;
use wire::form::{FormDocument, FormRequest, Occasion};
use wire::params::{read_xmlparams, xmlparams_text};
use wire::xml::{Document, Element, Node};

/// What the ancestor's form calls our program (S1-3).
const SHELL_SCRIPTS: (&str, &str) = ("ShellScripts", "pmshell");
/// The types the ancestor has of its own, but virtual hosting: no shell scripts for them (S1-2).
const BUILT_IN: [&str; 8] =
    ["vds", "dedic", "domain", "certificate", "soft", "storage", "colocation", "dnshost"];

/// A row on its way to be saved.
struct Entry {
    row: Processing,
    listed: Arc<Listed>,
    public: Fields,
    secrets: Secrets,
}

/// `processing.edit`. Shown, it is the form; a secret is never in it.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let known = match request.asked() {
        Asked::Show("") | Asked::Create => None,
        Asked::Show(elid) | Asked::Change(elid) => {
            Some(context.read(|snapshot| rows::find_processing(snapshot, elid))?)
        }
    };
    let row = known.clone().map_or_else(|| blank(request), Ok)?;
    let names = form_of(context, &row, &Fields::new());
    let names: Vec<_> = names.form().secret_names().into_iter().map(str::to_owned).collect();
    let entry = stored(context, row, Given::of(request, &names))?;
    match request.asked() {
        Asked::Show(_) => Ok(Planned::Answer(shown(context, &entry))),
        Asked::Change(_) | Asked::Create => save(context, request, entry, known),
    }
}

fn blank(request: &Request) -> Result<Processing, Refusal> {
    let module = request.given("module").ok_or_else(|| Refusal::Missing {
        field: "module".to_owned(),
        remedy: "name the program of processing/, like pmshell".to_owned(),
    })?;
    let module = if module == SHELL_SCRIPTS.0 { SHELL_SCRIPTS.1 } else { module };
    Ok(Processing {
        id: ProcessingId(0),
        name: String::new(),
        module: module.to_owned(),
        product_type: String::new(),
        active: true,
        priority: 0,
        department: String::new(),
        concurrency: None,
        xmlparams: String::new(),
        secret: Vec::new(),
        version: 0,
    })
}

fn stored(context: &mut Context<'_>, row: Processing, anew: Given) -> Result<Entry, Refusal> {
    let listed = context.programs.one(Folder::Processing, &row.module);
    if let Err(reason) = &listed.features {
        return Err(Refusal::NotFound {
            noun: "program",
            value: format!("processing/{}", row.module),
            remedy: reason.clone(),
        });
    }
    let public = read_xmlparams(&row.xmlparams).map_err(|error| Refusal::Conflict {
        operation: format!("read xmlparams of processing row {}", row.id),
        reason: notice::chain(&error),
    })?;
    let secrets = if row.secret.is_empty() {
        Secrets::default()
    } else {
        let vault = Vault::load(context.root)?;
        opened(vault.open_as_stored(place_of(&row), &row.secret), anew)?
    };
    secrets.iter().for_each(|(_, secret)| context.mask.add(secret));
    Ok(Entry { row, listed, public, secrets })
}

/// Its secrets belong to this row and this program alone.
fn place_of(row: &Processing) -> Place<'_> {
    Place::of_server(row.id.0, &row.module)
}

fn sealed(vault: &Vault, place: Place<'_>, secrets: &Fields) -> Result<Vec<u8>, ConfigError> {
    if secrets.is_empty() { Ok(Vec::new()) } else { vault.seal(place, secrets) }
}

/// The form of the row's program with these values.
fn form_of(context: &mut Context<'_>, row: &Processing, values: &Fields) -> FormDocument {
    let (descriptions, _) = descriptions(context.root, context.config);
    let is_new = row.id.0 == 0;
    let own = format!("processing.{}", row.module);
    let names = ["processing.edit", own.as_str()];
    let mut form = FormDocument::build(
        &FormRequest {
            func: "processing.edit",
            lang: "en",
            occasion: if is_new { Occasion::New } else { Occasion::Edit },
            metadata: &names,
            values,
        },
        &descriptions,
    );
    for list in names.iter().filter_map(|name| descriptions.metadata(name)) {
        lift_choices(&mut form, list);
    }
    for (name, value) in columns(row).iter() {
        form.set_value(name, value);
    }
    form.set_value("elid", &if is_new { String::new() } else { row.id.to_string() });
    form.set_xmlparams(values);
    form
}

fn shown(context: &mut Context<'_>, entry: &Entry) -> Answer {
    let form = form_of(context, &entry.row, &entry.public);
    let mut root = form.into_document().root;
    root.children.retain(|node| !matches!(node, Node::Element(e) if e.name == "xmlparams"));
    Answer::of(root)
}

fn save(
    context: &mut Context<'_>,
    request: &Request,
    entry: Entry,
    known: Option<Processing>,
) -> Result<Planned, Refusal> {
    let Entry { mut row, listed, public, secrets } = entry;
    set_columns(request, &mut row)?;
    refuse_type(&row)?;
    let values = entered(request, secrets.merged_into(public), &secrets);
    let form = form_of(context, &row, &values);
    for name in form.form().secret_names() {
        context.mask.add(&Secret::new(values.text(name)));
    }
    refuse_strangers(("processing.edit", &[]), &request.extra, &form)?;
    refuse_problems(&row.module, &form.problems(&values))?;
    let split = Split::of(&values, &form, &secrets);
    let vault = Vault::load(context.root)?;
    row.secret = sealed(&vault, place_of(&row), &split.secret)?;
    row.xmlparams = xmlparams_text(&split.public);
    let opened = vault.open(place_of(&row), &row.secret)?;
    check(context, (&listed, &row), &opened.merged_into(split.public.clone()))?;
    if row.name.is_empty() {
        let named = form.form().identifier().map(|control| split.public.text(&control.name));
        named.filter(|name| !name.is_empty()).unwrap_or(&row.module).clone_into(&mut row.name);
    }
    let version = known.map(|row| (row.id, row.version));
    let fact =
        version.map(|(id, version)| Fact::Services(ServicesFact::Processing(id, Some(version))));
    let module = row.module.clone();
    let seal = move |id| sealed(&vault, Place::of_server(id, &module), &split.secret);
    let change = ServicesChange::SaveProcessing(Box::new(row), Box::new(seal));
    let change = Change::Services(change);
    Ok(Planned::Once(Plan::new(vec![change], saved).based_on(fact)))
}

fn set_columns(request: &Request, row: &mut Processing) -> Result<(), Refusal> {
    if request
        .given("module")
        .is_some_and(|module| module != row.module && module != SHELL_SCRIPTS.0)
    {
        return Err(Refusal::Conflict {
            operation: format!("change the module of processing row {}", row.id),
            reason: "its services were opened by it; make another row".to_owned(),
        });
    }
    for (name, field) in [
        ("name", &mut row.name),
        ("product_type", &mut row.product_type),
        ("department", &mut row.department),
    ] {
        if let Some(value) = request.given.get(name) {
            value.clone_into(field);
        }
    }
    if let Some(active) = request.given("active") {
        row.active = active == "on";
    }
    if let Some(priority) = request.number("priority") {
        row.priority = priority;
    }
    if request.given.get("concurrency").is_some() {
        row.concurrency = request.number("concurrency").and_then(|it| u32::try_from(it).ok());
    }
    Ok(())
}

/// S1-2
fn refuse_type(row: &Processing) -> Result<(), Refusal> {
    if row.module != SHELL_SCRIPTS.1 || !BUILT_IN.contains(&row.product_type.as_str()) {
        return Ok(());
    }
    Err(Refusal::Value {
        field: "product_type".to_owned(),
        value: row.product_type.clone(),
        reason: "shell scripts serve types you made yourself, and vhost".to_owned(),
    })
}

/// What was entered over what is stored. An empty secret keeps the old one (DESIGN 7).
fn entered(request: &Request, mut values: Fields, secrets: &Secrets) -> Fields {
    for (name, value) in request.extra.iter() {
        if !value.is_empty() || secrets.get(name).is_none() {
            values.set(name, value);
        }
    }
    values
}

/// Asks the program; one that refuses, or fails, saves nothing.
fn check(
    context: &mut Context<'_>,
    (listed, row): (&Listed, &Processing),
    fields: &Fields,
) -> Result<(), Refusal> {
    let mut form = FormDocument::from_document(Document::new(Element::new("doc")));
    for (name, value) in columns(row).iter().chain(fields.iter()) {
        form.set_value(name, value);
    }
    form.set_xmlparams(fields);
    match context.check_connection(listed, form.document()) {
        Ok(_) | Err(CallFailure::NotOffered { .. }) => Ok(()),
        Err(failure) => Err(Refusal::Conflict {
            operation: format!("save a processing row of {}", row.module),
            reason: words_of(&failure.to_string()),
        }),
    }
}
