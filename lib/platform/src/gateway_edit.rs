//! `gateway.edit`: form, formtune, validation, `check_connection`, and only then the row (S3-45 … S3-47, S3-64).

use crate::answer::Answer;
use crate::context::Context;
use crate::function::{Asked, Request};
use crate::gateway_form::{self, BASE, FitGate, Given, Stored, fit_gate, place_of, tuned};
use crate::gateways;
use crate::plan::{Change, Checked, Fact, Plan, Planned};
use crate::projects;
use crate::refusal::{Refusal, nearest};
use config::{ConfigError, Secrets, Vault};
use notice::{Fields, GatewayId, ModuleName, OnUnknown, Secret};
use store::{Direction, Gateway};
use wire::form::{FormDocument, Problem, ProblemKind};
use wire::params::xmlparams_text;
use wire::xml::{Element, Node};

/// `gateway.edit`. Shown, it is the form; a secret is never in it.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let known = match request.asked() {
        Asked::Show("") | Asked::Create => None,
        Asked::Show(elid) | Asked::Change(elid) => {
            Some(context.read(|snapshot| gateways::find(snapshot, elid))?)
        }
    };
    let mut gateway = known.clone().map_or_else(|| blank(request), Ok)?;
    let direction = direction_of(request, gateway.direction)?;
    let named = request.given("notify_module").or(known.as_ref().map(|row| row.module.as_str()));
    let gate = fit_gate(context, &gateway.gate, named, direction)?;
    gateway.direction = direction;
    gateway.module = gate.module.clone();
    let anew = Given::of(request, &gateway_form::secret_names(context, &gate));
    let stored = gateway_form::stored(context, &gateway, anew)?;
    match request.asked() {
        Asked::Show(_) => Ok(Planned::Answer(shown(context, &gate, &gateway, &stored))),
        Asked::Change(_) | Asked::Create => {
            columns(context, request, &mut gateway)?;
            let entry = Entry { gate, gateway, stored };
            save(context, request, entry, known)
        }
    }
}

/// The id of a gateway that is not saved yet.
const NEW: GatewayId = GatewayId(0);

/// What is being edited.
struct Entry {
    gate: FitGate,
    gateway: Gateway,
    stored: Stored,
}

fn blank(request: &Request) -> Result<Gateway, Refusal> {
    let gate = request.given("gateway_module").ok_or_else(|| Refusal::Missing {
        field: "gateway_module".to_owned(),
        remedy: "name the gate; `gatepost gate list` shows them".to_owned(),
    })?;
    let module = ModuleName::new(ModuleName::EMAIL).map_err(|error| Refusal::Value {
        field: "notify_module".to_owned(),
        value: String::new(),
        reason: error.to_string(),
    })?;
    Ok(Gateway {
        id: NEW,
        name: String::new(),
        project: None,
        module,
        gate: gate.to_owned(),
        direction: Direction::Outgoing,
        active: true,
        priority: 0,
        concurrency: None,
        rate_per_sec: None,
        on_unknown: None,
        xmlparams: String::new(),
        secret: Vec::new(),
        version: 0,
    })
}

fn direction_of(request: &Request, known: Direction) -> Result<Direction, Refusal> {
    match request.given("gateway_type") {
        None => Ok(known),
        Some("1" | "outgoing") => Ok(Direction::Outgoing),
        Some("2" | "ingoing") => Ok(Direction::Ingoing),
        Some(other) => Err(Refusal::Value {
            field: "gateway_type".to_owned(),
            value: other.to_owned(),
            reason: "write 1 or outgoing, 2 or ingoing".to_owned(),
        }),
    }
}

fn columns(
    context: &mut Context<'_>,
    request: &Request,
    gateway: &mut Gateway,
) -> Result<(), Refusal> {
    if let Some(text) = request.given.get("project") {
        gateway.project = match text {
            "" | "*" => None,
            text => Some(context.read(|snapshot| projects::find(snapshot, text))?.id),
        };
    }
    if let Some(name) = request.given("name") {
        name.clone_into(&mut gateway.name);
    }
    if let Some(active) = request.given("active") {
        gateway.active = active == "on";
    }
    if let Some(priority) = request.number("priority") {
        gateway.priority = priority;
    }
    let limit = |name: &str, old| match request.given.get(name) {
        None => old,
        Some(_) => request.number(name).and_then(|number| u32::try_from(number).ok()),
    };
    gateway.concurrency = limit("concurrency", gateway.concurrency);
    gateway.rate_per_sec = limit("rate", gateway.rate_per_sec);
    if let Some(word) = request.given.get("on_unknown") {
        gateway.on_unknown = word.parse::<OnUnknown>().ok();
    }
    Ok(())
}

/// The form as an answer: what stands in the fields, without any secret.
fn shown(context: &mut Context<'_>, gate: &FitGate, gateway: &Gateway, stored: &Stored) -> Answer {
    let values = stored.secrets.merged_into(stored.public.clone());
    let tuned = tuned(context, gate, gateway, &values);
    let form = tuned.form.form();
    let secret: Vec<_> = form.secret_names().into_iter().map(str::to_owned).collect();
    let mut root = tuned.form.into_document().root;
    root.children.retain(|node| !matches!(node, Node::Element(e) if e.name == "xmlparams"));
    for value in root.elements_mut() {
        if secret.contains(&value.name) || stored.secrets.get(&value.name).is_some() {
            value.set_text("");
        }
    }
    if let Some(warning) = tuned.warning {
        root.push(Element::new("warning").with_text(warning));
    }
    Answer::of(root)
}

fn save(
    context: &mut Context<'_>,
    request: &Request,
    entry: Entry,
    known: Option<Gateway>,
) -> Result<Planned, Refusal> {
    let Entry { gate, mut gateway, stored } = entry;
    let old = stored.secrets.merged_into(stored.public.clone());
    let entered = entered(&old, request, &stored.secrets);
    hide_entered(context, &gate, request);
    let tuned = tuned(context, &gate, &gateway, &entered);
    refuse_strangers(("gateway.edit", &OWN), &request.extra, &tuned.form)
        .map_err(|refusal| without_description(context, &gateway.gate, refusal))?;
    let values = with_defaults(entered, &tuned.form, known.is_none());
    refuse_problems(&gateway.gate, &tuned.form.problems(&values))?;
    let split = Split::of(&values, &tuned.form, &stored.secrets);
    let vault = Vault::load(context.root)?;
    gateway.secret = sealed(&vault, &gateway, &split.secret)?;
    let opened = vault.open(place_of(&gateway), &gateway.secret)?;
    let public = checked(context, (&gate, &gateway), (&tuned.form, &split.public), &opened)?;
    gateway.xmlparams = xmlparams_text(&public);
    if gateway.name.is_empty() {
        gateway.name = name_of(&tuned.form, &public, &gateway.gate);
    }
    let now = context.now();
    let reopened = context.read(|snapshot| gateways::reopened(snapshot, gateway.id, now))?;
    let (reopen, held) = reopened.split();
    let fact = known.map(|row| Fact::Gateway(row.id, Some(row.version)));
    let name = gateway.name.clone();
    let was_checked = if asks_connection(&gate, &gateway) {
        Checked::Passed
    } else if gate.features.has("check_connection") {
        Checked::OutOfUse
    } else {
        Checked::NotOffered
    };
    let seal = move |row: &Gateway| sealed(&vault, row, &split.secret);
    let mut changes = vec![Change::SaveGateway(Box::new(gateway), was_checked, Box::new(seal))];
    changes.extend(reopen);
    let warning = tuned.warning;
    let plan = Plan::new(changes, move |applied| {
        let id = applied.ids.first().copied().unwrap_or_default();
        let mut document = Element::new("doc")
            .with_child(Element::new("id").with_text(id.to_string()))
            .with_child(Element::new("name").with_text(&name));
        if let Some(warning) = &warning {
            document.push(Element::new("warning").with_text(warning));
        }
        if let Some(held) = &held {
            document.push(Element::new("held").with_text(held));
        }
        if was_checked == Checked::NotOffered {
            let words = "the gate offers no check_connection: saved unchecked"; // S3-44
            document.push(Element::new("warning").with_text(words));
        }
        Answer::of(document)
    });
    Ok(Planned::Once(plan.based_on(fact)))
}

/// The column `secret` of a row.
fn sealed(vault: &Vault, row: &Gateway, secrets: &Fields) -> Result<Vec<u8>, ConfigError> {
    if secrets.is_empty() { Ok(Vec::new()) } else { vault.seal(place_of(row), secrets) }
}

/// Entered secrets join the mask before any program sees them.
fn hide_entered(context: &mut Context<'_>, gate: &FitGate, request: &Request) {
    for name in gateway_form::secret_names(context, gate) {
        if let Some(value) = request.extra.get(&name) {
            context.mask.add(&Secret::new(value));
        }
    }
}

/// What was entered over what is stored. An empty secret keeps the old one (DESIGN 7).
fn entered(old: &Fields, request: &Request, secrets: &Secrets) -> Fields {
    let mut values = old.clone();
    for (name, value) in request.extra.iter().filter(|(name, _)| !BASE.contains(name)) {
        if value.is_empty() && secrets.get(name).is_some() {
            continue;
        }
        values.set(name, value);
    }
    values
}

/// What every gateway has beside the fields of its form.
const OWN: [&str; 7] =
    ["name", "project", "active", "priority", "concurrency", "rate", "on_unknown"];

/// Whoever wrote a gate, and gives its fields before there is a description of them, is told what is missing.
fn without_description(context: &mut Context<'_>, gate: &str, refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::NoParameter { function, name, nearest }
            if !gateway_form::is_described(context, gate) =>
        {
            let file = format!("etc/xml/gatepost_mod_{gate}.xml");
            let missing = format!(
                "; {gate} has no fields of its own, since no file describes them: write {file} (docs/gate.md, The description)"
            );
            Refusal::NoParameter { function, name, nearest: nearest + &missing }
        }
        other => other,
    }
}

/// A field that no form has, with those there are. A program without a form takes what it is given.
pub(crate) fn refuse_strangers(
    (function, own): (&str, &[&str]),
    given: &Fields,
    form: &FormDocument,
) -> Result<(), Refusal> {
    let form = form.form();
    let known: Vec<_> = form.controls().map(|control| control.name.as_str()).collect();
    let Some((name, _)) = given.iter().find(|(name, _)| !known.contains(name)) else {
        return Ok(());
    };
    if known.is_empty() {
        return Ok(());
    }
    let asked = form.controls().filter(|control| control.takes_value());
    let mut names: Vec<_> = asked.map(|control| control.name.as_str()).collect();
    names.extend(own.iter().filter(|name| !known.contains(name)));
    Err(Refusal::NoParameter {
        function: function.to_owned(),
        name: name.to_owned(),
        nearest: format!("{}; it takes {}", nearest(name, known), names.join(", ")),
    })
}

/// What formtune put into a field that nobody filled is its default, for a new gateway.
fn with_defaults(mut values: Fields, form: &FormDocument, is_new: bool) -> Fields {
    for (name, tuned) in form.values().iter().filter(|(name, _)| !BASE.contains(name)) {
        let empty = values.text(name).is_empty();
        if empty && (is_new || values.get(name).is_none()) {
            values.set(name, tuned);
        }
    }
    values
}

/// All of them, what is wrong before what is missing: a wrong choice may be why a field is asked for.
pub(crate) fn refuse_problems(program: &str, problems: &[Problem]) -> Result<(), Refusal> {
    let (missed, wrong): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| problem.kind == ProblemKind::Missed);
    let words = wrong.iter().chain(&missed).map(ToString::to_string).collect::<Vec<_>>();
    let words = words.join("; ");
    match (wrong.first(), missed.first()) {
        (None, None) => Ok(()),
        (None, Some(first)) => Err(Refusal::Missing {
            field: first.name.clone(),
            remedy: format!("the form of {program} says: {words}"),
        }),
        (Some(first), _) => Err(Refusal::Value {
            field: first.name.clone(),
            value: first.value.clone().unwrap_or_default(),
            reason: words,
        }),
    }
}

/// Fields by where they are stored.
pub(crate) struct Split {
    pub(crate) public: Fields,
    pub(crate) secret: Fields,
}

impl Split {
    /// Passwords and `private="yes"` are secret, and what was sealed before stays so.
    pub(crate) fn of(values: &Fields, form: &FormDocument, sealed: &Secrets) -> Self {
        let form = form.form();
        let names = form.secret_names();
        let is_secret = |name: &str| names.contains(name) || sealed.get(name).is_some();
        let mut split = Self { public: Fields::new(), secret: Fields::new() };
        for (name, value) in values.iter() {
            match is_secret(name) {
                true if !value.is_empty() => split.secret.set(name, value),
                true => {}
                false => split.public.set(name, value),
            }
        }
        split
    }
}

/// Asks `check_connection`, with references in secrets followed; what the gate changed in a public field is
/// taken over (S3-46). A gate that refuses, or fails, saves nothing (S3-47, S3-74).
fn checked(
    context: &mut Context<'_>,
    (gate, gateway): (&FitGate, &Gateway),
    (form, public): (&FormDocument, &Fields),
    secrets: &Secrets,
) -> Result<Fields, Refusal> {
    for (_, secret) in secrets.iter() {
        context.mask.add(secret);
    }
    if !asks_connection(gate, gateway) {
        return Ok(public.clone());
    }
    let all = secrets.merged_into(public.clone());
    let mut asked = form.clone();
    for (name, value) in all.iter() {
        asked.set_value(name, value);
    }
    asked.set_value("name", &gateway.name);
    asked.set_xmlparams(&all);
    let answer = context.check_connection(&gate.listed, asked.document()).map_err(|failure| {
        Refusal::Gate { gate: gateway.gate.clone(), reason: words_of(&failure.to_string()) }
    })?;
    let answer = FormDocument::from_document(answer);
    let mut public = public.clone();
    let names: Vec<_> = public.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let value = answer.value(&name);
        if !value.is_empty() && value != public.text(&name) && secrets.get(&name).is_none() {
            public.set(name, value);
        }
    }
    Ok(public)
}

/// A gateway that is taken out of use may well be out of reach.
fn asks_connection(gate: &FitGate, gateway: &Gateway) -> bool {
    let is_taken_out = gateway.id != NEW && !gateway.active;
    gate.features.has("check_connection") && !is_taken_out
}

/// Never without a word: the seed's own gate refuses with an empty error.
pub(crate) fn words_of(reason: &str) -> String {
    if reason.trim().is_empty() {
        return "check_connection failed without saying why".to_owned();
    }
    reason.to_owned()
}

/// The identifier's value names it, else the gate.
fn name_of(form: &FormDocument, public: &Fields, gate: &str) -> String {
    let form = form.form();
    let value = form.identifier().map(|control| public.text(&control.name)).unwrap_or_default();
    if value.is_empty() { gate.to_owned() } else { value.to_owned() }
}
