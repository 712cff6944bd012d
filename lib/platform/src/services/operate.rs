//! `service.suspend`, `resume`, `close`, `setparam`, `renew`, `edit` and the list.

use super::change::{ServicesChange, ServicesFact, pending, task_of};
use super::operation::ServiceOperation;
use super::order::{blank_task, ordered, task_number};
use super::rows;
use super::task::ServiceTask;
use crate::answer::Answer;
use crate::context::Context;
use crate::events::Raise;
use crate::function::{Asked, Request};
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use crate::users;
use notice::ServiceId;
use serde_json::Value;
use store::{
    Processing, Product, Service, ServiceFilter, ServiceParam, ServiceState, Snapshot, User,
};
use wire::xml::Element;

/// Rows of a list when `limit` is not given.
const LIST_ROWS: u32 = 100;

/// `service`: lists.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let limit = request.number("limit").and_then(|n| u32::try_from(n).ok()).unwrap_or(LIST_ROWS);
    let rows = context.read(|snapshot| {
        let id_of = |text: &str| text.parse::<ServiceId>().ok();
        let filter = ServiceFilter {
            user: match request.given("user") {
                Some(text) => Some(users::find(snapshot, text, None)?.id),
                None => None,
            },
            product: match request.given("product") {
                Some(text) => Some(rows::find_product(snapshot, text)?.id),
                None => None,
            },
            processing: match request.given("processing") {
                Some(text) => Some(rows::find_processing(snapshot, text)?.id),
                None => None,
            },
            state: request.given("state").and_then(ServiceState::from_word),
        };
        let mut services =
            snapshot.services(&filter, request.given("after").and_then(id_of), limit)?;
        if let Some(id) = request.given("id") {
            services.retain(|service| service.id.to_string() == id);
        }
        services.iter().map(|service| shown(snapshot, service)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(Planned::Answer(Answer::list(rows)))
}

fn shown(snapshot: &mut dyn Snapshot, service: &Service) -> Result<Element, Refusal> {
    let product = snapshot.product(service.product)?;
    let ordered = snapshot.service_params(service.id)?;
    let answered = snapshot.item_params(service.id)?;
    Ok(rows::element(service, product.as_ref(), &ordered, &answered))
}

/// `service.suspend elid="1, 2"`.
pub(crate) fn suspend(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    all(context, request, ServiceOperation::Suspend)
}

/// `service.resume`.
pub(crate) fn resume(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    all(context, request, ServiceOperation::Resume)
}

/// `service.close`.
pub(crate) fn close(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    all(context, request, ServiceOperation::Close)
}

/// `service.setparam elid= addon.NAME= param.NAME=`: the values hold once the server has them (S1-37).
pub(crate) fn setparam(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    if request.extra.is_empty() {
        return Err(Refusal::Missing {
            field: "param.NAME".to_owned(),
            remedy: "name a value to change: `addon.disk=5`, `param.domain=example.com`".to_owned(),
        });
    }
    all(context, request, ServiceOperation::SetParam)
}

/// A service with what stands around it.
struct Known {
    service: Service,
    user: Option<User>,
    product: Option<Product>,
    processing: Option<Processing>,
    ordered: Vec<ServiceParam>,
}

fn known(snapshot: &mut dyn Snapshot, text: &str) -> Result<Known, Refusal> {
    let service = rows::find(snapshot, text)?;
    Ok(Known {
        user: snapshot.user(service.user)?,
        product: snapshot.product(service.product)?,
        processing: snapshot.processing(service.processing)?,
        ordered: snapshot.service_params(service.id)?,
        service,
    })
}

/// One task for each service, or none at all.
fn all(
    context: &mut Context<'_>,
    request: &Request,
    operation: ServiceOperation,
) -> Result<Planned, Refusal> {
    let params = ordered(request)?;
    let now = context.now();
    let (mut tasks, mut facts, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for text in request.group("elid") {
        let known = context.read(|snapshot| ready_for(snapshot, text, operation))?;
        let Known { service, user, processing, .. } = known;
        let Some(row) = processing else {
            return Err(refused(&service, operation, "its processing row is gone"));
        };
        let blank = blank_task(context, &row, operation)?;
        let task = ServiceTask { operation, service: service.id, params: params.clone() };
        let user_xml = user.map(|user| users::element(&user).to_xml()).unwrap_or_default();
        tasks.push(task_of(&task, blank, user_xml, now));
        ids.push(service.id);
        facts.push(Fact::Services(ServicesFact::Idle(service.id)));
        facts.push(Fact::Services(ServicesFact::Service(service.id, Some(service))));
    }
    let plan = Plan::new(vec![Change::Enqueue(tasks)], move |applied| {
        let answer = ids.iter().enumerate().fold(Element::new("doc"), |document, (at, id)| {
            let number = task_number(&applied.accepted, at);
            document
                .with_child(Element::new("id").with_text(id.to_string()))
                .with_child(Element::new("task").with_text(number))
        });
        Answer::of(answer)
    });
    Ok(Planned::Once(plan.based_on(facts)))
}

/// Refuses what a transition does not allow, a service that was never opened, and one that is being worked
/// on: all before any connection (S1-34, S1-35).
fn ready_for(
    snapshot: &mut dyn Snapshot,
    text: &str,
    operation: ServiceOperation,
) -> Result<Known, Refusal> {
    let known = known(snapshot, text)?;
    let service = &known.service;
    if let Some(task) = pending(snapshot, service.id)? {
        let reason =
            format!("task {} of it is {}; `gatepost why {0}` says more", task.id, task.state);
        return Err(refused(service, operation, &reason));
    }
    if !operation.may_begin_in(service.state) {
        return Err(refused(service, operation, &format!("it is {}", service.state.word())));
    }
    if service.externalid.is_empty() {
        return Err(refused(service, operation, "it has no externalid: it was never opened"));
    }
    Ok(known)
}

fn refused(service: &Service, operation: ServiceOperation, reason: &str) -> Refusal {
    Refusal::Conflict {
        operation: format!("{} service {}", operation.command(), service.id),
        reason: reason.to_owned(),
    }
}

/// `service.renew`: it was paid for on. Nothing is run; who listens is told.
pub(crate) fn renew(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (mut changes, mut facts) = (Vec::new(), Vec::new());
    for text in request.group("elid") {
        let known = context.read(|snapshot| known(snapshot, text))?;
        let service = known.service;
        if !matches!(service.state, ServiceState::Active | ServiceState::Suspended) {
            return Err(Refusal::Conflict {
                operation: format!("renew service {}", service.id),
                reason: format!("it is {}", service.state.word()),
            });
        }
        let mut told = rows::told(&service, known.product.as_ref(), &known.ordered, &[]);
        if let (Some(until), Some(told)) = (request.given("until"), told.as_object_mut()) {
            told.insert("expires".to_owned(), Value::from(until));
        }
        changes.push(Change::Raise(Raise::of("clients.subscriptions.renew", service.id.0, told)));
        facts.push(Fact::Services(ServicesFact::Service(service.id, Some(service))));
    }
    Ok(Planned::Once(Plan::new(changes, |_| Answer::ok()).based_on(facts)))
}

/// `service.edit`: what a person knows better than the queue, after a task ended otherwise. Nothing is run.
pub(crate) fn edit(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let elid = match request.asked() {
        Asked::Show(elid) => {
            let mut row = context.read(|snapshot| {
                let service = rows::find(snapshot, elid)?;
                shown(snapshot, &service)
            })?;
            "doc".clone_into(&mut row.name);
            return Ok(Planned::Answer(Answer::of(row)));
        }
        Asked::Change(elid) => elid,
        Asked::Create => {
            return Err(Refusal::Missing {
                field: "elid".to_owned(),
                remedy: "name the service; `service.open` makes a new one".to_owned(),
            });
        }
    };
    let known = context.read(|snapshot| rows::find(snapshot, elid))?;
    let mut service = known.clone();
    if let Some(state) = request.given("state").and_then(ServiceState::from_word) {
        service.state = state;
    }
    if let Some(externalid) = request.given("externalid") {
        externalid.clone_into(&mut service.externalid);
    }
    let is_open = matches!(service.state, ServiceState::Active | ServiceState::Suspended);
    if is_open && service.externalid.is_empty() {
        return Err(Refusal::Missing {
            field: "externalid".to_owned(),
            remedy: "say by which id the server knows it".to_owned(),
        });
    }
    let facts = [
        Fact::Services(ServicesFact::Idle(service.id)),
        Fact::Services(ServicesFact::Service(service.id, Some(known.clone()))),
    ];
    if let Some(task) = context.read(|snapshot| Ok(pending(snapshot, known.id)?))? {
        return Err(Refusal::Conflict {
            operation: format!("edit service {}", known.id),
            reason: format!(
                "task {0} of it is {1}; end it first: `gatepost done {0}` or `gatepost cancel {0}`",
                task.id, task.state
            ),
        });
    }
    let change = Change::Services(ServicesChange::SaveService(Box::new(service)));
    Ok(Planned::Once(Plan::new(vec![change], |_| Answer::ok()).based_on(facts)))
}
