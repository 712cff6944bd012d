//! The gateway's fields as values.

use std::path::PathBuf;
use std::time::Duration;

use gatepost_gate::{Failure, GatewayParams};
use reqwest::Method;

use crate::expect::Expect;
use crate::template::Encoding;

const TIMEOUT_SECS: u64 = 20;
const TIMEOUT_LIMIT_SECS: u64 = 55;

/// How the service knows us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    /// `login` and `password`.
    Basic,
    /// `token`.
    Bearer,
}

/// What one gateway needs.
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) method: Method,
    pub(crate) content_type: &'static str,
    pub(crate) encoding: Encoding,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) auth: Auth,
    pub(crate) success: Vec<Expect>,
    pub(crate) never: Vec<Expect>,
    pub(crate) hold: Vec<Expect>,
    pub(crate) reference: Option<Reference>,
    pub(crate) retry_after: Option<String>,
    pub(crate) check_url: Option<String>,
    pub(crate) check_success: Vec<Expect>,
    pub(crate) timeout: Duration,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Where the answer holds the service's own number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A path of the JSON body.
    Json(String),
    /// A header.
    Header(String),
    /// What follows this text up to the end of the word.
    After(String),
}

impl Settings {
    /// Reads the fields; what can't be used holds the gateway.
    pub(crate) fn read(gateway: &GatewayParams) -> Result<Self, Failure> {
        let tests = |name: &str| Expect::read_lines(gateway.text(name));
        let (content_type, encoding) = content_type(gateway.text("content_type"))?;
        Ok(Self {
            url: required(gateway, "url")?,
            method: method(gateway.text("method"))?,
            content_type,
            encoding,
            headers: headers(gateway.text("headers"))?,
            body: gateway.text("body").to_owned(),
            auth: auth(gateway.text("auth"))?,
            success: tests("success")?,
            never: tests("never")?,
            hold: tests("hold")?,
            reference: filled(gateway, "reference").map(|text| reference(&text)),
            retry_after: filled(gateway, "retry_after"),
            check_url: filled(gateway, "check_url"),
            check_success: tests("check_success")?,
            timeout: timeout(gateway.text("timeout_secs"))?,
            ca_file: filled(gateway, "ca_file").map(PathBuf::from),
        })
    }
}

fn filled(gateway: &GatewayParams, name: &str) -> Option<String> {
    let text = gateway.text(name).trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn required(gateway: &GatewayParams, name: &str) -> Result<String, Failure> {
    filled(gateway, name).ok_or_else(|| Failure::hold(format!("`{name}` is empty")))
}

fn method(text: &str) -> Result<Method, Failure> {
    match text.trim().to_ascii_uppercase().as_str() {
        "" | "POST" => Ok(Method::POST),
        "GET" => Ok(Method::GET),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        other => Err(Failure::hold(format!("`method` is `{other}`: use GET, POST, PUT or PATCH"))),
    }
}

fn content_type(text: &str) -> Result<(&'static str, Encoding), Failure> {
    match text.trim() {
        "" | "json" => Ok(("application/json", Encoding::Json)),
        "form" => Ok(("application/x-www-form-urlencoded", Encoding::Percent)),
        "xml" => Ok(("application/xml; charset=utf-8", Encoding::Xml)),
        "text" => Ok(("text/plain; charset=utf-8", Encoding::Plain)),
        other => {
            Err(Failure::hold(format!("`content_type` is `{other}`: use json, form, xml or text")))
        }
    }
}

fn auth(text: &str) -> Result<Auth, Failure> {
    match text.trim() {
        "" | "none" => Ok(Auth::None),
        "basic" => Ok(Auth::Basic),
        "bearer" => Ok(Auth::Bearer),
        other => Err(Failure::hold(format!("`auth` is `{other}`: use none, basic or bearer"))),
    }
}

/// Lines `Name: value`.
fn headers(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let split = |line: &str| {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| Failure::hold(format!("header `{line}` has no `:`")))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    lines.map(split).collect()
}

fn reference(text: &str) -> Reference {
    let after = |prefix| text.strip_prefix(prefix).map(|rest: &str| rest.trim_start().to_owned());
    match (after("header:"), after("after:"), after("json:")) {
        (Some(name), _, _) => Reference::Header(name),
        (_, Some(words), _) => Reference::After(words),
        (_, _, Some(path)) => Reference::Json(path),
        _ => Reference::Json(text.to_owned()),
    }
}

fn timeout(text: &str) -> Result<Duration, Failure> {
    let text = text.trim();
    let secs = if text.is_empty() { Some(TIMEOUT_SECS) } else { text.parse().ok() };
    secs.filter(|secs| (1..=TIMEOUT_LIMIT_SECS).contains(secs)).map(Duration::from_secs).ok_or_else(
        || Failure::hold(format!("`timeout_secs` is `{text}`: use 1 to {TIMEOUT_LIMIT_SECS}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Settings, Failure> {
        let columns = [("name", "main")].into_iter().collect();
        Settings::read(&GatewayParams::new(columns, fields.iter().copied().collect()))
    }

    #[test]
    fn an_address_is_enough() {
        let settings = read(&[("url", "http://x/")]).unwrap_or_else(|it| panic!("{}", it.text));
        assert_eq!(settings.method, Method::POST);
        assert_eq!(
            (settings.content_type, settings.encoding),
            ("application/json", Encoding::Json)
        );
        assert_eq!((settings.auth, settings.timeout.as_secs()), (Auth::None, 20));
    }

    #[test]
    fn a_field_that_can_not_be_used_is_named() {
        for (name, value) in [
            ("method", "DELETE"),
            ("content_type", "yaml"),
            ("auth", "digest"),
            ("headers", "X-No-Colon"),
            ("success", "maybe"),
            ("timeout_secs", "0"),
            ("timeout_secs", "soon"),
            ("url", " "),
        ] {
            let failure = read(&[("url", "http://x/"), (name, value)]).err().unwrap();
            assert_eq!(failure.kind, gatepost_gate::FailureKind::Hold, "{name}={value}");
            assert!(failure.text.contains(value.trim()), "{}", failure.text);
        }
    }

    #[test]
    fn a_reference_is_found_in_three_places() {
        assert_eq!(reference("a.0.id"), Reference::Json("a.0.id".into()));
        assert_eq!(reference("header: X-Id"), Reference::Header("X-Id".into()));
        assert_eq!(reference("after: OK id="), Reference::After("OK id=".into()));
    }
}
