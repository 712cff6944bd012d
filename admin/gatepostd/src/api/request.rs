//! Routes, and how a request becomes the parameters of a call.

use super::answer::{Good, Problem, Replay};
use super::{Shared, openapi};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, StatusCode};
use notice::Fields;
use platform::{Caller, Once, Platform, Refusal};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// A request as it comes in.
pub(super) type Incoming = hyper::Request<hyper::body::Incoming>;

/// Longest body, bytes: the longest text a function takes, and room for the rest.
const BODY_BYTES: usize = 9 * 1024 * 1024;

/// How long a client may take over its body.
const BODY: Duration = Duration::from_secs(30);

/// Longest `Idempotency-Key`, bytes.
const KEY_BYTES: usize = 255;

/// Most parameters of a call.
const PARAMETERS: usize = 1_000;

/// Deepest JSON object: `{"data": {"invoice": {"number": …}}}` is the parameter `data.invoice.number`.
const DEPTH: usize = 8;

/// Answers one request.
pub(super) async fn route(
    asked: Incoming,
    caller: &Caller,
    shared: Arc<Shared>,
) -> Result<Good, Problem> {
    let path = asked.uri().path().to_owned();
    match (asked.method(), path.as_str()) {
        (&Method::GET, "/v1/func") => Ok(Good::Document(openapi::list())),
        (&Method::GET, "/v1/openapi.json") => Ok(Good::Document(openapi::document())),
        (method, path) => match (path.strip_prefix("/v1/func/"), method) {
            (Some(name), &Method::POST) => {
                let name = name.to_owned();
                call(name, asked, caller, shared).await
            }
            (Some(name), _) => Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                format!("call `{name}` with POST"),
            )),
            (None, _) => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "missed",
                format!(
                    "there is no `{path}`: POST /v1/func/NAME, GET /v1/func, GET /v1/openapi.json"
                ),
            )),
        },
    }
}

async fn call(
    name: String,
    asked: Incoming,
    caller: &Caller,
    shared: Arc<Shared>,
) -> Result<Good, Problem> {
    let key = key_of(asked.headers())?;
    let mut given = Fields::new();
    add_pairs(&mut given, asked.uri().query().unwrap_or(""))?;
    let form = BodyForm::of(asked.headers())?;
    let body = body_of(asked).await?;
    form.read(&body, &mut given)?;
    let caller = caller.clone();
    let platforms = shared.platforms.clone();
    let work = move || {
        platforms.with(|platform| match key {
            None => platform.call(&name, &given, &caller).map(|answer| (answer, Replay::First)),
            Some(key) => called_once(platform, &key, (&name, &given), &caller),
        })
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(Ok((answer, replay)))) => Ok(Good::Called(answer, replay)),
        Ok(Ok(Err(refusal))) => Err(Problem::refused(&refusal)),
        Ok(Err(error)) => {
            shared.log.error(&format!("api: {}", notice::chain(&error)));
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store",
                "the installation can't be opened; see var/gatepost.log",
            ))
        }
        Err(panic) => {
            shared.log.error(&format!("api: a call broke off: {panic}"));
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the call broke off; see var/gatepost.log",
            ))
        }
    }
}

fn called_once(
    platform: &mut Platform,
    key: &str,
    call: (&str, &Fields),
    caller: &Caller,
) -> Result<(platform::Answer, Replay), Refusal> {
    match platform.call_once(key, call, caller)? {
        Once::Called(answer) => Ok((answer, Replay::First)),
        Once::Known(answer) => Ok((answer, Replay::Repeated)),
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim().trim_matches('"');
    if text.is_empty() || text.len() > KEY_BYTES {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "value",
            format!("Idempotency-Key must be 1 to {KEY_BYTES} printable characters"),
        ));
    }
    Ok(Some(text.to_owned()))
}

/// How the parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyForm {
    Json,
    Pairs,
}

impl BodyForm {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        match kind.split(';').next().unwrap_or("").trim() {
            "" | "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::Pairs),
            other => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "value",
                format!(
                    "`{other}` is not read here: send application/json or application/x-www-form-urlencoded"
                ),
            )),
        }
    }

    fn read(self, body: &Bytes, given: &mut Fields) -> Result<(), Problem> {
        let refuse = |detail: String| Err(Problem::new(StatusCode::BAD_REQUEST, "value", detail));
        let Ok(text) = std::str::from_utf8(body) else {
            return refuse("the body is not UTF-8".to_owned());
        };
        if self == Self::Pairs && !text.trim_start().starts_with('{') {
            return add_pairs(given, text);
        }
        if text.trim().is_empty() {
            return Ok(());
        }
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(object)) => flatten(given, "", &object, DEPTH)
                .map_err(|detail| Problem::new(StatusCode::BAD_REQUEST, "value", detail)),
            Ok(_) => refuse("the body must be a JSON object: {\"name\": \"value\"}".to_owned()),
            Err(error) => refuse(format!("the body is no JSON: {error}")),
        }
    }
}

/// Nested objects become `outer.inner`, arrays of values `a, b`; null is a parameter that was left out.
fn flatten(
    given: &mut Fields,
    prefix: &str,
    object: &Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    for (key, value) in object {
        let name = format!("{prefix}{key}");
        match value {
            Value::Object(_) if depth == 0 => {
                return Err(format!("`{name}` is nested deeper than {DEPTH} levels"));
            }
            Value::Object(inner) => flatten(given, &format!("{name}."), inner, depth - 1)?,
            Value::Array(values) => {
                let words: Option<Vec<String>> = values.iter().map(scalar).collect();
                let Some(words) = words else {
                    return Err(format!("`{name}` may list plain values only"));
                };
                add(given, &name, words.join(", "))?;
            }
            plain => {
                if let Some(text) = scalar(plain) {
                    add(given, &name, text)?;
                }
            }
        }
    }
    Ok(())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(true) => Some("on".to_owned()),
        Value::Bool(false) => Some("off".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn add_pairs(given: &mut Fields, text: &str) -> Result<(), Problem> {
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        add(given, &name, value.into_owned())
            .map_err(|detail| Problem::new(StatusCode::BAD_REQUEST, "value", detail))?;
    }
    Ok(())
}

fn add(given: &mut Fields, name: &str, value: String) -> Result<(), String> {
    given.set(name, value);
    if given.iter().nth(PARAMETERS).is_some() {
        return Err(format!("a call takes at most {PARAMETERS} parameters"));
    }
    Ok(())
}

async fn body_of(asked: Incoming) -> Result<Bytes, Problem> {
    let whole = Limited::new(asked.into_body(), BODY_BYTES).collect();
    match tokio::time::timeout(BODY, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "value",
            format!("the body is longer than {} MiB", BODY_BYTES / 1024 / 1024),
        )),
        Ok(Err(error)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "value",
            format!("the body can't be read: {error}"),
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "value",
            format!("the body took longer than {} s", BODY.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: BodyForm, text: &str) -> Result<Fields, String> {
        let mut given = Fields::new();
        form.read(&Bytes::from(text.to_owned()), &mut given).map_err(|problem| problem.detail)?;
        Ok(given)
    }

    #[test]
    fn json_becomes_parameters() {
        let text = r#"{"user": 7, "active": true, "data": {"sum": 1.5, "who": "é"}, "module": ["ntsms", "ntemail"], "none": null}"#;
        let given = read(BodyForm::Json, text).unwrap();
        let pairs: Vec<(&str, &str)> = given.iter().collect();
        assert_eq!(
            pairs,
            [
                ("user", "7"),
                ("active", "on"),
                ("data.sum", "1.5"),
                ("data.who", "é"),
                ("module", "ntsms, ntemail")
            ]
        );
    }

    #[test]
    fn a_form_becomes_parameters_and_curls_json_without_a_type_is_read() {
        let given = read(BodyForm::Pairs, "name=bob+b&passwd=%26%3D").unwrap();
        assert_eq!(given.text("name"), "bob b");
        assert_eq!(given.text("passwd"), "&=");
        assert_eq!(read(BodyForm::Pairs, r#"{"name": "bob"}"#).unwrap().text("name"), "bob");
    }

    #[test]
    fn more_parameters_than_a_call_takes_are_refused() {
        let pairs: Vec<String> = (0..=PARAMETERS).map(|number| format!("p{number}=")).collect();
        assert!(read(BodyForm::Pairs, &pairs[..PARAMETERS].join("&")).is_ok());
        let refusal = read(BodyForm::Pairs, &pairs.join("&")).unwrap_err();
        assert!(refusal.contains("at most 1000"), "{refusal}");
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        assert!(read(BodyForm::Json, "[1]").unwrap_err().contains("JSON object"));
        assert!(read(BodyForm::Json, "{\"a\": ").unwrap_err().contains("line 1 column"));
        assert!(read(BodyForm::Json, r#"{"a": [[1]]}"#).unwrap_err().contains("`a`"));
        let deep = format!("{}1{}", "{\"a\":".repeat(12), "}".repeat(12));
        assert!(read(BodyForm::Json, &deep).unwrap_err().contains("nested"));
    }
}
