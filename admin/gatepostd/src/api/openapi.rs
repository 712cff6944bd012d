//! The functions as an `OpenAPI` 3.1 document, made from their declarations: nothing is said twice.

use platform::{Extra, Function, Kind, Need, Parameter, Platform};
use serde_json::{Map, Value, json};

/// Name, help, level and parameters of every function.
pub(super) fn list() -> Value {
    Platform::functions()
        .map(|function| {
            json!({
                "name": function.name,
                "aliases": function.aliases.iter().map(|alias| alias.name()).collect::<Vec<_>>(),
                "level": function.level.word(),
                "help": function.help,
                "parameters": function.parameters.iter().map(|one| one.name).collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// The document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for function in Platform::functions() {
        paths.insert(format!("/v1/func/{}", function.name), json!({ "post": operation(function) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatepost",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The functions of the platform. On the socket var/run/api.sock the caller is \
                known by the kernel; over TCP by a token.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": problem() },
        },
        "security": [{ "token": [] }, {}],
    })
}

fn operation(function: &Function) -> Value {
    let body = json!({
        "application/json": { "schema": schema(function) },
        "application/x-www-form-urlencoded": { "schema": schema(function) },
    });
    json!({
        "operationId": function.name,
        "summary": function.help,
        "description": format!("Level: {} and above.", function.level.word()),
        "parameters": [{
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A repeated call with the same key and parameters answers with the first answer.",
            "schema": { "type": "string", "maxLength": 255 },
        }],
        "requestBody": { "content": body },
        "responses": {
            "200": {
                "description": "An object, or an array of objects for a function that lists.",
                "content": { "application/json": { "schema": {} }, "application/xml": { "schema": {} } },
            },
            "default": {
                "description": "Refused: nothing was changed.",
                "content": {
                    "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
                },
            },
        },
    })
}

fn schema(function: &Function) -> Value {
    let mut properties = Map::new();
    for parameter in function.parameters {
        properties.insert(parameter.name.to_owned(), property(parameter));
    }
    let required: Vec<&str> = function
        .parameters
        .iter()
        .filter(|parameter| parameter.need == Need::Required)
        .map(|parameter| parameter.name)
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["additionalProperties"] = json!(function.extra != Extra::Refused);
    schema
}

fn property(parameter: &Parameter) -> Value {
    let mut value = match parameter.kind {
        Kind::Line => json!({ "type": "string", "maxLength": 1000 }),
        Kind::Text | Kind::Moment | Kind::TimeZone | Kind::Language => json!({ "type": "string" }),
        Kind::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::OnOff => json!({ "type": ["string", "boolean"], "enum": ["on", "off", true, false] }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::Secret => json!({ "type": "string", "format": "password", "writeOnly": true }),
    };
    value["description"] = json!(parameter.help);
    value
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457. `kind` is the type of the error document, `exit_code` that of sysexits(3).",
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "kind": { "type": "string" },
            "exit_code": { "type": "integer" },
        },
        "required": ["type", "title", "status", "detail", "kind", "exit_code"],
    })
}
