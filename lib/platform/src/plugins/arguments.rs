//! A call as middleware sees it: `(handler, user, data)`, or `(handler, user, id)` where an object is shown or deleted.

use super::tagged;
use crate::call::Call;
use crate::function::{Alias, Function, Kind};
use crate::refusal::Refusal;
use notice::Fields;
use serde_json::{Map, Value, json};

/// Not data: what the three-way rule and forms need.
const OURS: [&str; 6] = ["sok", "elid", "func", "out", "auth", "lang"];
/// Columns of a user under the names that plugins know (seed 004).
const USER_NAMES: [(&str, &str); 2] = [("name", "username"), ("passwd", "password")];

/// What a call asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Show one object: `NOUN.get`.
    Show,
    /// Names objects and nothing else: `NOUN.delete`.
    Delete,
    /// All else.
    Data,
}

/// Names under which middleware of this call may be registered: the function's and its aliases. Showing an
/// object is `NOUN.get`, also where the function is `NOUN.edit`.
pub(super) fn names_of(call: &Call) -> Vec<String> {
    let function = call.function;
    let is_show = shape_of(call) == Shape::Show;
    let is_new = call.params.text("elid").is_empty();
    let aliases = function.aliases.iter().filter(|alias| match alias {
        Alias::Same(name) => has_sok(function)
            .then(|| name.rsplit('.').next() == Some("get"))
            .is_none_or(|get| get == is_show),
        Alias::Purpose(name) => *name == call.called_as,
        Alias::Creates(name) => *name == call.called_as || is_new && !is_show,
    });
    let own = match function.name.strip_suffix(".edit") {
        Some(noun) if is_show => format!("{noun}.get"),
        _ => function.name.to_owned(),
    };
    let mut names = vec![own];
    names.extend(aliases.map(|alias| alias.name().to_owned()));
    names
}

/// The arguments after `handler`.
pub(super) fn of_call(call: &Call) -> Vec<Value> {
    let caller = &call.caller;
    let user = json!({
        "id": caller.user.map(|id| id.0),
        "username": caller.name,
        "level": caller.level.word(),
    });
    let second = match shape_of(call) {
        Shape::Show | Shape::Delete => number_or_text(call.params.text("elid")),
        Shape::Data => data_of(call),
    };
    vec![user, second]
}

fn data_of(call: &Call) -> Value {
    let mut data = Map::new();
    if takes(call.function, "elid") {
        data.insert("id".to_owned(), number_or_text(call.params.text("elid")));
    }
    for (name, text) in call.params.iter().filter(|(name, _)| !OURS.contains(name)) {
        data.insert(shown_name(call.function, name).to_owned(), typed(call.function, name, text));
    }
    Value::Object(data)
}

/// The parameters that the middleware hands on: what it left alone stays as it came.
pub(super) fn to_params(call: &Call, args: &[Value]) -> Result<Fields, Refusal> {
    let mut params = call.params.clone();
    let [_, second] = args else {
        return Err(wrong(
            "handler",
            "it takes the two arguments after itself: user, and data or id",
        ));
    };
    if *second == of_call(call)[1] {
        return Ok(params);
    }
    if shape_of(call) != Shape::Data {
        params.set("elid", text_of("id", second)?);
        return Ok(params);
    }
    let Value::Object(data) = second else { return Err(wrong("data", "it is no map of texts")) };
    let gone: Vec<String> = call
        .params
        .iter()
        .map(|(name, _)| name.to_owned())
        .filter(|name| !OURS.contains(&name.as_str()))
        .filter(|name| data.get(shown_name(call.function, name)).is_none_or(Value::is_null))
        .collect();
    for name in gone {
        params.remove(&name);
    }
    for (shown, value) in data.iter().filter(|(_, value)| !value.is_null()) {
        let name = if shown == "id" && takes(call.function, "elid") {
            "elid"
        } else {
            own_name(call.function, shown)
        };
        if OURS.contains(&name) && name != "elid" {
            return Err(wrong(shown, "a plugin may not set it"));
        }
        params.set(name, text_of(shown, value)?);
    }
    Ok(params)
}

fn shape_of(call: &Call) -> Shape {
    let function = call.function;
    let creates = function
        .aliases
        .iter()
        .any(|alias| matches!(alias, Alias::Creates(name) if *name == call.called_as));
    if function.name.ends_with(".delete") {
        Shape::Delete
    } else if has_sok(function) && call.params.text("sok").is_empty() && !creates {
        Shape::Show
    } else {
        Shape::Data
    }
}

fn has_sok(function: &Function) -> bool {
    takes(function, "sok")
}

fn takes(function: &Function, name: &str) -> bool {
    function.parameters.iter().any(|parameter| parameter.name == name)
}

fn shown_name<'a>(function: &Function, name: &'a str) -> &'a str {
    let known = USER_NAMES.iter().find(|(own, _)| function.name == "user.edit" && *own == name);
    known.map_or(name, |(_, shown)| shown)
}

fn own_name<'a>(function: &Function, shown: &'a str) -> &'a str {
    let known =
        USER_NAMES.iter().find(|(_, known)| function.name == "user.edit" && *known == shown);
    known.map_or(shown, |(own, _)| own)
}

fn typed(function: &Function, name: &str, text: &str) -> Value {
    let kind = function.parameters.iter().find(|one| one.name == name).map(|one| one.kind);
    match (kind, text.trim()) {
        (Some(Kind::Number(..)), number) => {
            number.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        }
        (Some(Kind::OnOff), "on" | "yes" | "1" | "true") => true.into(),
        (Some(Kind::OnOff), "off" | "no" | "0" | "false") => false.into(),
        _ => text.into(),
    }
}

fn number_or_text(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        text => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}

fn text_of(name: &str, value: &Value) -> Result<String, Refusal> {
    match value {
        Value::Array(_) | Value::Object(_) => {
            Err(wrong(name, "a parameter is a text, a number or a boolean"))
        }
        plain => Ok(tagged::plain(plain)),
    }
}

fn wrong(field: &str, reason: &str) -> Refusal {
    Refusal::Value {
        field: field.to_owned(),
        value: String::new(),
        reason: format!("a plugin gave it so: {reason}"),
    }
}
