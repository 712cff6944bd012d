//! Passwords of services that are still to be opened: given anew, and those that no key opens any more.

use super::change::{ServicesChange, ServicesFact, pending};
use super::operation::ServiceOperation;
use super::order::new_password;
use super::rows;
use super::task::{PASSWORD, ServiceTask};
use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use config::{Place, Vault};
use notice::{Fields, ModuleName, Secret, ServiceId, State};
use store::{Count, Service, ServiceState, Snapshot, TaskFilter};
use wire::xml::Element;

/// Tasks of a program that are looked at, from the newest down.
const OPENINGS: u32 = 1_000;

/// `service.password elid= [password=]`. Once it is open its password is its server's.
pub(crate) fn password(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let (known, task) = context.read(|snapshot| {
        let known = rows::find(snapshot, request.text("elid"))?;
        let task = pending(snapshot, known.id)?;
        Ok((known, task))
    })?;
    let refused = |reason: String| Refusal::Conflict {
        operation: format!("give service {} a password", known.id),
        reason,
    };
    if known.state != ServiceState::Opening {
        let state = known.state.word();
        return Err(refused(format!("it is {state}: its server has it; change it there")));
    }
    if let Some(task) = task.as_ref().filter(|task| task.state == State::Sending) {
        return Err(refused(format!("task {} opens it at this moment; try again", task.id)));
    }
    let password = match request.given("password") {
        Some(given) => Secret::new(given),
        None => new_password()?,
    };
    context.mask.add(&password);
    let fields: Fields = [(PASSWORD, password.expose())].into_iter().collect();
    let secret = Vault::load(context.root)?.seal(Place::of_service(known.id.0), &fields)?;
    let facts = [Fact::Services(ServicesFact::Service(known.id, Some(known.clone())))];
    let change = ServicesChange::SaveService(Box::new(Service { secret, ..known }));
    let task = task.map(|task| task.id.to_string()).unwrap_or_default();
    let plan = Plan::new(vec![Change::Services(change)], move |_| {
        let task = Element::new("task").with_text(&task);
        Answer::of(Element::new("doc").with_child(Element::new("ok")).with_child(task))
    });
    Ok(Planned::Once(plan.based_on(facts)))
}

/// Services whose opening waits, with a password that this key does not open.
pub(crate) fn locked(
    snapshot: &mut dyn Snapshot,
    (counts, vault): (&[Count], &Vault),
) -> Result<Vec<ServiceId>, Refusal> {
    let waits = |count: &&Count| matches!(count.state, State::Ready | State::Waiting);
    let of_servers = counts.iter().filter(|count| count.route.row().is_some());
    let mut modules: Vec<&str> =
        of_servers.filter(waits).map(|count| count.module.as_str()).collect();
    modules.retain(|module| *module != ModuleName::HANDLER);
    modules.dedup();
    let mut found = Vec::new();
    for module in modules {
        let filter = TaskFilter { module: ModuleName::new(module).ok(), ..TaskFilter::default() };
        for row in snapshot.tasks(&filter, None, OPENINGS)? {
            let Some(body) = snapshot.body(row.id)? else { continue };
            let task = ServiceTask::read(&body.notice.bytes);
            let Some(task) = task.filter(|task| task.operation == ServiceOperation::Open) else {
                continue;
            };
            let Some(service) = snapshot.service(task.service)? else { continue };
            let place = Place::of_service(service.id.0);
            if vault.open_as_stored(place, &service.secret).is_err() {
                found.push(service.id);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
