//! The requests, built from the gateway's fields and one message.

use std::sync::Arc;

use gatepost_gate::{Failure, GatewayParams, OutgoingMessage};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Url};

use crate::settings::{Auth, Settings};
use crate::template::{Encoding, Lookup, fill};

/// The request that hands over a message.
pub(crate) fn of_message(
    client: &Client,
    settings: &Settings,
    message: &OutgoingMessage,
) -> Result<RequestBuilder, Failure> {
    let lookup = |name: &str| value_of(name, message);
    if refers_to(settings, "{phone}") && message.phone().is_empty() {
        return Err(Failure::never("no phone"));
    }
    let url = parse_url(&fill(&settings.url, Encoding::Percent, &lookup)?)?;
    let request = dressed(client.request(settings.method.clone(), url), settings, &lookup)?;
    if settings.body.is_empty() {
        return Ok(request);
    }
    let body = fill(&settings.body, settings.encoding, &lookup)?;
    Ok(request.header(CONTENT_TYPE, settings.content_type).body(body))
}

/// The same for a message made up, never sent: every template is filled once.
pub(crate) fn trial(
    client: &Client,
    settings: &Settings,
    gateway: &GatewayParams,
) -> Result<(), Failure> {
    let mut message =
        OutgoingMessage { gateway: Arc::new(gateway.clone()), ..OutgoingMessage::default() };
    message.user.set("phone", "10000000000");
    of_message(client, settings, &message).map(drop)
}

/// The request of `check_url`.
pub(crate) fn check(
    client: &Client,
    settings: &Settings,
    gateway: &GatewayParams,
    url: &str,
) -> Result<RequestBuilder, Failure> {
    let message =
        OutgoingMessage { gateway: Arc::new(gateway.clone()), ..OutgoingMessage::default() };
    let lookup = |name: &str| value_of(name, &message);
    let url = parse_url(&fill(url, Encoding::Percent, &lookup)?)?;
    dressed(client.get(url), settings, &lookup)
}

/// A HEAD of the server's root: it sends nothing and carries no secret.
pub(crate) fn knock(
    client: &Client,
    settings: &Settings,
    gateway: &GatewayParams,
) -> Result<RequestBuilder, Failure> {
    let message =
        OutgoingMessage { gateway: Arc::new(gateway.clone()), ..OutgoingMessage::default() };
    let lookup = |name: &str| value_of(name, &message);
    let mut url = parse_url(&fill(&settings.url, Encoding::Percent, &lookup)?)?;
    url.set_path("/");
    url.set_query(None);
    Ok(client.request(Method::HEAD, url))
}

fn parse_url(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|error| Failure::hold(format!("url: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => {
            Err(Failure::hold(format!("url begins with `{other}:`, not with http: or https:")))
        }
    }
}

fn dressed(
    request: RequestBuilder,
    settings: &Settings,
    lookup: &Lookup<'_>,
) -> Result<RequestBuilder, Failure> {
    let value = |name: &str| lookup(name).unwrap_or_default();
    let mut request = match settings.auth {
        Auth::None => request,
        Auth::Basic => request.basic_auth(value("login"), Some(value("password"))),
        Auth::Bearer => request.bearer_auth(value("token")),
    };
    request = request.header(ACCEPT, "*/*");
    for (name, template) in &settings.headers {
        let unusable = || Failure::hold(format!("header `{name}` can't be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let text = fill(template, Encoding::Header, lookup)?;
        request = request.header(name, HeaderValue::from_str(&text).map_err(|_| unusable())?);
    }
    Ok(request)
}

fn refers_to(settings: &Settings, placeholder: &str) -> bool {
    let headers = settings.headers.iter().map(|(_, value)| value);
    headers.chain([&settings.url, &settings.body]).any(|text| text.contains(placeholder))
}

fn value_of(name: &str, message: &OutgoingMessage) -> Option<String> {
    let phone = message.task.phone.as_ref();
    let text = match name {
        "phone" => message.phone(),
        "email" => message.user.text("email"),
        "message" => &message.message,
        "subject" => &message.subject,
        "key" | "task.key" => &message.task.key,
        "sender" | "login" | "password" | "token" => message.param(name),
        "task.id" => return Some(message.task.id.map_or(0, |id| id.0).to_string()),
        "task.attempt" => return Some(message.task.attempt.to_string()),
        "task.country" => phone.map_or("", |phone| &phone.country),
        "task.encoding" => phone.map_or("", |phone| &phone.encoding),
        "task.segments" => {
            return phone.map_or(Some("1".to_owned()), |it| Some(it.segments.to_string()));
        }
        _ => match name.split_once('.')? {
            ("user", column) => message.user.text(column),
            ("project", column) => message.project.text(column),
            ("gateway", field) => message.param(field),
            _ => return None,
        },
    };
    Some(text.to_owned())
}
