//! What plugins may call back (`ucs.agents`, `ucs.tree`, `ucs.shared`, `ucs.api`), and what they are told.

use super::worker::{Nested, Told};
use super::{Agent, Server, tagged};
use crate::refusal::Refusal;
use notice::Fields;
use serde_json::{Value, json};

/// Answers one call.
pub(super) fn serve(server: &dyn Server, nested: &Nested) -> Result<Value, Told> {
    let arg = |at: usize| nested.args.get(at);
    let text = |at: usize| arg(at).and_then(Value::as_str);
    match (nested.name.as_str(), text(0)) {
        ("agents.getAgents", _) => {
            let agents = server.agents().map_err(|refusal| told(&refusal))?;
            Ok(agents.iter().map(of_agent).collect())
        }
        ("tree.getUsers", Some(field)) => {
            let users = server.users(field).map_err(|refusal| told(&refusal))?;
            Ok(tagged::map_by_number(users.into_iter().map(|(id, text)| (id.0, text.into()))))
        }
        ("shared.get", Some(id)) => {
            Ok(server.shared(id).map_err(|refusal| told(&refusal))?.unwrap_or_default())
        }
        ("api", Some(function)) => {
            let params = params_of(function, nested.args.get(2..).unwrap_or_default())?;
            let answer = server.call(text(1), function, &params);
            answer.map(|answer| tagged::of_answer(&answer)).map_err(|refusal| told(&refusal))
        }
        ("handler", _) => {
            Err(processing("the request is over, its handler can not be called any more"))
        }
        (name, _) => Err(processing(&format!("`{name}` takes other arguments"))),
    }
}

/// An agent as plugins see him.
pub(super) fn of_agent(agent: &Agent) -> Value {
    json!({
        "id": agent.user.0,
        "username": agent.username,
        "displayname": agent.displayname,
        "status": agent.status,
        "reason": agent.reason,
    })
}

/// What stands after `sid`: a map of parameters, or the one name or id that the function is about.
fn params_of(function: &str, args: &[Value]) -> Result<Fields, Told> {
    match args {
        [] => Ok(Fields::new()),
        [Value::Object(fields)] if !fields.contains_key("$m") => {
            Ok(fields.iter().map(|(name, value)| (name.clone(), tagged::plain(value))).collect())
        }
        [one] if !one.is_object() && !one.is_array() => {
            let name = if function.starts_with("plugins.") { "name" } else { "elid" };
            Ok([(name, tagged::plain(one))].into_iter().collect())
        }
        _ => Err(processing(&format!(
            "`{function}` takes (sid, name) or (sid, {{parameter: value}})"
        ))),
    }
}

/// A refusal as the exception it is for a plugin.
pub(super) fn told(refusal: &Refusal) -> Told {
    let text = refusal.to_string();
    let by_field = |field: &str| Told {
        kind: "InvalidDataInput",
        value: json!({ field: text }),
        origin: None,
    };
    match refusal {
        Refusal::Denied { .. } => {
            Told { kind: "PermissionDenied", value: text.into(), origin: None }
        }
        Refusal::NoParameter { name, .. } => by_field(name),
        Refusal::Missing { field, .. } | Refusal::Value { field, .. } => by_field(field),
        Refusal::Exists { field, .. } => by_field(field),
        Refusal::Said { kind, .. } if kind == "access" || kind == "PermissionDenied" => {
            Told { kind: "PermissionDenied", value: text.into(), origin: None }
        }
        _ => processing(&text),
    }
}

/// A `ProcessingError`.
pub(super) fn processing(text: &str) -> Told {
    Told { kind: "ProcessingError", value: text.into(), origin: None }
}
