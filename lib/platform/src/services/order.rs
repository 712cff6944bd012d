//! `service.open`: an order becomes a service, what was ordered with it, and the task that opens it.

use super::change::{Order, ServicesChange, ServicesFact};
use super::choice::choose;
use super::operation::ServiceOperation;
use super::rows;
use super::task::PASSWORD;
use crate::answer::Answer;
use crate::context::Context;
use crate::events::Raise;
use crate::function::Request;
use crate::plan::{Change, Fact, Plan, Planned};
use crate::refusal::Refusal;
use crate::users;
use config::{Place, Vault};
use host::Folder;
use notice::{Fields, ModuleName, Priority, Route, Secret, ServiceId};
use store::{Accepted, Body, NewTask, ParamKind, Processing, Service, ServiceParam, ServiceState};
use wire::xml::Element;

/// S1-18
const PASSWORD_LETTERS: usize = 20;
/// Longest name of an ordered value, and longest value, bytes.
const NAME_BYTES: usize = 64;
const VALUE_BYTES: usize = 64 << 10;

/// `service.open user= product= [processing=] [addon.NAME=] [param.NAME=]`.
pub(crate) fn open(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let params = ordered(request)?;
    let (user, product, row) = context.read(|snapshot| {
        let user = users::find(snapshot, request.text("user"), None)?;
        let product = rows::find_product(snapshot, request.text("product"))?;
        let row = choose(snapshot, &product, request.given("processing"), user.id)?;
        Ok((user, product, row))
    })?;
    let task = blank_task(context, &row, ServiceOperation::Open)?;
    let password = new_password()?;
    context.mask.add(&password);
    let fields: Fields = [(PASSWORD, password.expose())].into_iter().collect();
    let service = Service {
        id: ServiceId(0),
        user: user.id,
        product: product.id,
        processing: row.id,
        username: String::new(),
        secret: Vec::new(),
        state: ServiceState::Opening,
        externalid: String::new(),
        made: context.now(),
    };
    let mut told = rows::told(&service, Some(&product), &params, &[]);
    // Known once the id is.
    for name in ["username", "login", "externalid"] {
        told.as_object_mut().map(|told| told.remove(name));
    }
    let user_xml = users::element(&user).to_xml();
    let server = row.id;
    let facts = [
        Fact::User(user.id, Some(user)),
        Fact::Services(ServicesFact::Product(product.id, Some(product))),
        Fact::Services(ServicesFact::Processing(row.id, Some(row.version))),
    ];
    let vault = Vault::load(context.root)?;
    let seal = Box::new(move |id| vault.seal(Place::of_service(id), &fields));
    let order = ServicesChange::Order(Box::new(Order { service, params, task, user_xml, seal }));
    let changes = vec![
        Change::Services(order),
        Change::Raise(Raise::of_saved("clients.subscriptions.assign", 0, told)),
    ];
    let plan = Plan::new(changes, move |applied| {
        let id = applied.ids.first().copied().unwrap_or_default();
        let text = |name: &str, text: String| Element::new(name).with_text(text);
        Answer::of(
            Element::new("doc")
                .with_child(text("id", id.to_string()))
                .with_child(text("username", format!("u{id}")))
                .with_child(text("processing", server.to_string()))
                .with_child(text("task", task_number(&applied.accepted, 0))),
        )
    });
    Ok(Planned::Once(plan.based_on(facts)))
}

/// The number of a task that was taken in.
pub(crate) fn task_number(accepted: &[Accepted], at: usize) -> String {
    match accepted.get(at) {
        Some(Accepted::New(id) | Accepted::Duplicate(id)) => id.to_string(),
        None => String::new(),
    }
}

/// A task for the row's program, without its body. A program that is not there, or does not offer the
/// operation, is refused now: nobody would ever do it.
pub(crate) fn blank_task(
    context: &mut Context<'_>,
    row: &Processing,
    operation: ServiceOperation,
) -> Result<NewTask, Refusal> {
    let refused = |reason: String| Refusal::Conflict {
        operation: format!("{} a service on processing row {}", operation.command(), row.id),
        reason,
    };
    let listed = context.programs.one(Folder::Processing, &row.module);
    listed.must_offer(operation.command()).map_err(|failure| refused(failure.to_string()))?;
    let module = ModuleName::new(&row.module).map_err(|error| refused(error.to_string()))?;
    Ok(NewTask {
        module,
        body: Body::File(String::new()),
        priority: Priority::default(),
        forced: false,
        route: Route::server(row.id),
        object: String::new(),
        follows: None,
        not_before: None,
        expires: None,
        key: None,
    })
}

/// `addon.NAME=value` and `param.NAME=value` (S1-15, S1-16, S1-29).
pub(crate) fn ordered(request: &Request) -> Result<Vec<ServiceParam>, Refusal> {
    request.extra.iter().map(|(name, value)| one(request, name, value)).collect()
}

fn one(request: &Request, parameter: &str, value: &str) -> Result<ServiceParam, Refusal> {
    let named = parameter.split_once('.');
    let named = named.and_then(|(kind, name)| Some((ParamKind::from_word(kind)?, name)));
    let Some((kind, name)) = named else {
        return Err(Refusal::NoParameter {
            function: request.function.name.to_owned(),
            name: parameter.to_owned(),
            nearest: " (ordered values are `addon.NAME` and `param.NAME`)".to_owned(),
        });
    };
    let is_fit = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let refused = |reason: &str| Refusal::Value {
        field: parameter.to_owned(),
        value: String::new(),
        reason: reason.to_owned(),
    };
    if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(is_fit) {
        return Err(refused("a name is 1 to 64 letters of A-Z, a-z, 0-9, `_`, `.`, `-`"));
    }
    if value.len() > VALUE_BYTES || value.contains('\0') {
        return Err(refused("a value has at most 64 KiB and no NUL"));
    }
    Ok(ServiceParam { kind, name: name.to_owned(), value: value.to_owned() })
}

/// 20 letters of `[A-Za-z0-9]`, each as likely as any other (S1-18).
pub(crate) fn new_password() -> Result<Secret, Refusal> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut password = String::with_capacity(PASSWORD_LETTERS);
    while password.len() < PASSWORD_LETTERS {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|error| Refusal::Conflict {
            operation: "make a password".to_owned(),
            reason: error.to_string(),
        })?;
        // 248 is 4 × 62: no letter is favoured.
        if byte[0] < 248 {
            password.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_twenty_letters_and_is_never_the_same() {
        // S1-18
        let made: std::collections::HashSet<String> =
            (0..100).map(|_| new_password().unwrap().expose().to_owned()).collect();
        assert_eq!(made.len(), 100);
        for password in made {
            assert_eq!(password.len(), 20);
            assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{password}");
        }
    }
}
