//! `gateway.test`: `check_connection`, and with a contact a real message, straight through the gate.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::gateway_edit::words_of;
use crate::gateway_form::{FitGate, fit_gate, place_of};
use crate::gateways::{self, columns};
use crate::modules;
use crate::plan::{Change, Plan, Planned};
use crate::projects;
use crate::refusal::Refusal;
use config::Vault;
use host::outcome::CallFailure;
use notice::{Fields, Outcome, TaskId};
use store::Gateway;
use wire::form::FormDocument;
use wire::outgoing::{Outgoing, TaskAttributes};
use wire::params::{read_xmlparams, xmlparams_text};
use wire::xml::{Document, Element};

/// `gateway.test`. Success releases the gateway that the system held (queue 3.2).
pub(crate) fn test(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let gateway = context.read(|snapshot| gateways::find(snapshot, request.text("elid")))?;
    let module = gateway.module.to_string();
    let gate = fit_gate(context, &gateway.gate, Some(&module), gateway.direction)?;
    let fields = all_fields(context, &gateway)?;
    let mut document = Element::new("doc");
    let mut put = |name: &str, text: &str| document.push(Element::new(name).with_text(text));
    put("id", &gateway.id.to_string());
    put("check", check(context, &gate, &gateway, &fields)?);
    if let Some(contact) = request.given("to") {
        let answer = send(context, (&gate, &gateway), &fields, contact)?;
        put("outcome", answer.outcome.word());
        put("reference", answer.reference.as_deref().unwrap_or_default());
        if answer.outcome != Outcome::Sent {
            let (outcome, reason) = (answer.outcome, answer.reason);
            return Err(failed(
                gateway,
                &format!("test message to {contact}: {outcome}: {reason}"),
            ));
        }
    }
    let now = context.now();
    let reopened = context.read(|snapshot| gateways::reopened(snapshot, gateway.id, now))?;
    let (reopen, held) = reopened.split();
    if let Some(held) = held {
        document.push(Element::new("held").with_text(held));
    }
    let changes = reopen.into_iter().chain([Change::MarkTested(gateway.id)]);
    Ok(Planned::Once(Plan::new(changes.collect(), move |_| Answer::of(document.clone()))))
}

/// Every field of the form, secrets opened, references followed. The secrets join the mask.
pub(crate) fn all_fields(context: &mut Context<'_>, gateway: &Gateway) -> Result<Fields, Refusal> {
    let public = read_xmlparams(&gateway.xmlparams).map_err(|error| Refusal::Conflict {
        operation: format!("read xmlparams of gateway {}", gateway.id),
        reason: notice::chain(&error),
    })?;
    if gateway.secret.is_empty() {
        return Ok(public);
    }
    let secrets = Vault::load(context.root)?.open(place_of(gateway), &gateway.secret)?;
    for (_, secret) in secrets.iter() {
        context.mask.add(secret);
    }
    Ok(secrets.merged_into(public))
}

fn check(
    context: &mut Context<'_>,
    gate: &FitGate,
    gateway: &Gateway,
    fields: &Fields,
) -> Result<&'static str, Refusal> {
    let mut form = FormDocument::from_document(Document::new(Element::new("doc")));
    for (name, value) in columns(gateway).iter().chain(fields.iter()) {
        form.set_value(name, value);
    }
    form.set_xmlparams(fields);
    match context.check_connection(&gate.listed, form.document()) {
        Ok(_) => Ok("passed"),
        Err(CallFailure::NotOffered { .. }) => Ok("not offered"),
        Err(failure) => {
            let reason = words_of(&failure.to_string());
            Err(failed(gateway.clone(), &format!("check_connection: {reason}")))
        }
    }
}

/// It stays as it was: a test that fails holds nothing.
fn failed(gateway: Gateway, reason: &str) -> Refusal {
    let reason = format!("gate/{}, {reason}", gateway.gate);
    Refusal::Test { gateway: gateway.name, reason }
}

fn send(
    context: &mut Context<'_>,
    (gate, gateway): (&FitGate, &Gateway),
    fields: &Fields,
    contact: &str,
) -> Result<notice::Answer, Refusal> {
    let message = TestMessage::new(context, gateway, fields, contact)?;
    let key = format!("test/{}/{}", gateway.id, context.now());
    Ok(context.outgoing(&gate.listed, &message.to_bytes(&key)).answer)
}

/// The message that tries a gateway, as its gate gets it.
pub(crate) struct TestMessage {
    gateway: Fields,
    xmlparams: String,
    user_xml: String,
    project: Fields,
}

impl TestMessage {
    /// To that contact; `fields` are all of the gateway's, secrets opened.
    pub(crate) fn new(
        context: &mut Context<'_>,
        gateway: &Gateway,
        fields: &Fields,
        contact: &str,
    ) -> Result<Self, Refusal> {
        let project = match gateway.project {
            Some(id) => context.read(|snapshot| Ok(snapshot.project(id)?))?,
            None => context.read(|snapshot| projects::named_or_only(snapshot, None)).ok(),
        };
        let project = project.map(|project| {
            let id = [("id".to_owned(), project.id.to_string())];
            let rest =
                project.fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            id.into_iter().chain(rest).collect::<Fields>()
        });
        let module = modules::find(context, gateway.module.as_str())?;
        let column = module.contact.unwrap_or_else(|| "email".to_owned());
        let user = Element::new("user").with_child(Element::new(column).with_text(contact));
        Ok(Self {
            gateway: columns(gateway),
            xmlparams: xmlparams_text(fields),
            user_xml: user.to_xml(),
            project: project.unwrap_or_default(),
        })
    }

    /// The document under a key of its own.
    pub(crate) fn to_bytes(&self, key: &str) -> Vec<u8> {
        let outgoing = Outgoing {
            gateway: &self.gateway,
            xmlparams: &self.xmlparams,
            message: "Gatepost: this is a test message.",
            subject: "Gatepost test",
            text: Some("Gatepost: this is a test message."),
            headers: &[],
            attachments: &[],
            user_xml: &self.user_xml,
            project: &self.project,
            task: TaskAttributes { id: TaskId(0), key, attempt: 1, maybe_sent: false, phone: None },
        };
        outgoing.to_bytes()
    }
}
