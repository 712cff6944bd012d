//! What goes back: JSON or XML by what the caller accepts, refusals as problem documents (RFC 9457).

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{StatusCode, http};
use platform::{Answer, Refusal};
use serde_json::{Value, json};
use wire::xml::Element;

/// A whole answer.
pub(super) type Response = http::Response<Full<Bytes>>;

/// How the caller wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Xml,
}

impl Form {
    /// `Accept: application/xml` asks for the platform's own documents; all else gets JSON.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let first = accepted.split([',', ';']).next().unwrap_or("").trim();
        if first == "application/xml" || first == "text/xml" { Self::Xml } else { Self::Json }
    }
}

/// What a route brings.
pub(super) enum Good {
    /// A call's answer; whether it was kept from an earlier call under the same key.
    Called(Answer, Replay),
    /// A document of the api itself.
    Document(Value),
}

/// Whether an answer is an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    First,
    Repeated,
}

/// Why a request brought nothing.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) kind: String,
    pub(super) detail: String,
    document: Option<Box<Element>>,
    exit_code: u8,
}

impl Problem {
    /// One of the api itself.
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind: kind.to_owned(), detail: detail.into(), document: None, exit_code: 64 }
    }

    /// A function's refusal.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        Self {
            status: status_of(refusal),
            kind: refusal.kind().to_owned(),
            detail: notice::chain(refusal),
            document: Some(Box::new(refusal.to_document())),
            exit_code: refusal.exit_code(),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "type": format!("urn:gatepost:problem:{}", self.kind),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "kind": self.kind,
            "exit_code": self.exit_code,
        })
    }

    fn to_xml(&self) -> Element {
        let made = || {
            let message = Element::new("msg").with_text(self.detail.clone());
            let error =
                Element::new("error").with_attribute("type", self.kind.clone()).with_child(message);
            Element::new("doc").with_child(error)
        };
        let mut document = self.document.as_deref().cloned().unwrap_or_else(made);
        document.set_attribute("exit_code", self.exit_code.to_string());
        document
    }
}

/// The status of a refusal, by what the caller can do about it.
fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal.kind() {
        "missed" => StatusCode::NOT_FOUND,
        "access" | "PermissionDenied" => StatusCode::FORBIDDEN,
        "auth" => StatusCode::UNAUTHORIZED,
        "exists" | "conflict" | "changed" => StatusCode::CONFLICT,
        "gate" => StatusCode::BAD_GATEWAY,
        "store" if refusal.exit_code() == 75 => StatusCode::SERVICE_UNAVAILABLE,
        // code beside ours broke: the caller did nothing wrong (S4-49)
        "store" | "config" | "file" | "plugin_failed" | "handler_failed" => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// 200 and the answer.
pub(super) fn good(good: Good, wanted: Form) -> Response {
    match good {
        Good::Document(value) => respond(StatusCode::OK, "application/json", value.to_string()),
        Good::Called(answer, replay) => {
            let mut response = match wanted {
                Form::Json => {
                    respond(StatusCode::OK, "application/json", answer.to_json().to_string())
                }
                Form::Xml => respond(StatusCode::OK, "application/xml", answer.document.to_xml()),
            };
            if replay == Replay::Repeated {
                response
                    .headers_mut()
                    .insert("idempotent-replayed", http::HeaderValue::from_static("true"));
            }
            response
        }
    }
}

/// The problem's status and document.
pub(super) fn problem(problem: &Problem, wanted: Form) -> Response {
    let mut response = match wanted {
        Form::Json => {
            respond(problem.status, "application/problem+json", problem.to_json().to_string())
        }
        Form::Xml => respond(problem.status, "application/xml", problem.to_xml().to_xml()),
    };
    let headers = response.headers_mut();
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
    }
    response
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = http::Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
