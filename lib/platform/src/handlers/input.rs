//! What a script gets: its environment and its stdin (ancestor-facts 3.2).

use super::registration::{Calls, Event, Transfer, When};
use crate::call::Call;
use config::names;
use host::Environment;
use notice::Fields;
use std::fmt::Write as _;
use wire::xml::{Document, Element};

/// Longer values are left out of the environment, which the system limits; they come with `postdata`.
const VALUE_BYTES: usize = 32 << 10;
/// What is left out once the rest has filled this, names and all: the system limits the sum too.
const VALUES_BYTES: usize = 512 << 10;
/// A longer query is left out likewise.
const QUERY_BYTES: usize = 96 << 10;
/// What is set on the root of a document that has none of its own, and taken off again.
const ROOT_ATTRIBUTES: [&str; 5] = ["lang", "func", "binary", "user", "level"];

/// A script's input.
pub(super) struct Input {
    pub(super) environment: Environment,
    pub(super) stdin: Vec<u8>,
    /// Names of parameters that were too long for the environment.
    pub(super) left_out: Vec<String>,
}

/// Makes it: both types get all of it, real handlers read either.
pub(super) fn input(
    (call, event): (&Call, &Event),
    answer: Option<&Element>,
    base: &Environment,
    within: &str,
) -> Input {
    let params = params_of(call, event);
    let mut filled = 0;
    let (short, long): (Vec<_>, Vec<_>) = params.iter().partition(|(name, value)| {
        let bytes = name.len() + value.len() + "PARAM_=".len() + size_of::<usize>();
        let fits = value.len() <= VALUE_BYTES && filled + bytes <= VALUES_BYTES;
        let is_taken = fits && !value.contains('\0');
        filled += if is_taken { bytes } else { 0 };
        is_taken
    });
    let short: Fields = short.into_iter().collect();
    let left_out: Vec<String> = long.into_iter().map(|(name, _)| name.to_owned()).collect();
    let query = Some(query_of(&short)).filter(|query| query.len() <= QUERY_BYTES);
    let (stdin, content_type) = match (event.script.transfer, event.postdata) {
        (Transfer::Xml, _) => (document(call, event, answer).to_bytes(), "text/xml"),
        (Transfer::Cgi, true) => {
            (query_of(&params).into_bytes(), "application/x-www-form-urlencoded")
        }
        (Transfer::Cgi, false) => (Vec::new(), ""),
    };
    let mut more = known_names(call, event, &short);
    more.set("QUERY_STRING", query.unwrap_or_else(|| query_of(&essential(&short))));
    more.set("REQUEST_METHOD", if event.postdata { "POST" } else { "GET" });
    if !content_type.is_empty() {
        more.set("CONTENT_TYPE", content_type);
        more.set("CONTENT_LENGTH", stdin.len().to_string());
    }
    if event.when != When::Final {
        more.set(names::WITHIN, within);
    }
    for (name, value) in short.iter() {
        if !name.contains(['=', '\0']) && !name.is_empty() {
            more.set(format!("PARAM_{name}"), value);
        }
    }
    Input { environment: base.with(more.iter()), stdin, left_out }
}

/// What the script is told: the name it was registered for, and a creation as one (S0-28, S0-33).
fn params_of(call: &Call, event: &Event) -> Fields {
    let mut params: Fields = [("func", event.shown_as.as_str())].into_iter().collect();
    for (name, value) in call.params.iter().filter(|(name, _)| *name != "func") {
        params.set(name, value);
    }
    if event.calls == Calls::Creations {
        if params.text("sok").is_empty() {
            params.set("sok", "ok");
        }
        params.set("elid", "");
    }
    params
}

fn known_names(call: &Call, event: &Event, params: &Fields) -> Fields {
    let stage = match event.when {
        When::Before => "before",
        When::After | When::Late => "after",
        When::Final => "final",
    };
    let caller = &call.caller;
    let level = caller.level.number().to_string();
    let lang = lang_of(call);
    let mut all = Fields::new();
    for (name, value) in [
        ("AUTH_USER", caller.name.as_str()),
        ("REMOTE_USER", &caller.name),
        ("AUTH_LEVEL", &level),
        ("SESSION_LEVEL", &level),
        ("SESSION_LANG", lang),
        ("ACTION_NAME", &event.shown_as),
        ("EVENT_TYPE", stage),
        ("HANDLER_STAGE", stage),
        ("MGR", &call.manager),
        ("MGR_VERSION", env!("CARGO_PKG_VERSION")),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
    ] {
        all.set(name, value.replace('\0', ""));
    }
    if !caller.ip.is_empty() {
        all.set("AUTH_IP", caller.ip.as_str());
        all.set("REMOTE_ADDR", caller.ip.as_str());
    }
    if let Some(session) = &caller.session {
        all.set("AUTHID", session.as_str());
        all.set("HTTP_COOKIE", format!("billmgrses5={session}"));
    }
    let elid = params.text("elid");
    if elid.contains(',') {
        all.set("PARAM_elids", elid);
    }
    all
}

fn lang_of(call: &Call) -> &str {
    Some(call.params.text("lang")).filter(|lang| !lang.is_empty()).unwrap_or("en")
}

/// Which function, for whom: what a query is cut down to when it is too long.
fn essential(params: &Fields) -> Fields {
    let kept = ["func", "elid", "sok", "clicked_button"];
    params.iter().filter(|(name, value)| kept.contains(name) && value.len() < 1024).collect()
}

/// `a=b&c=d`, with everything but letters, digits and `-_.~` percent-encoded: some readers split at `;` too
/// (S0-60), some take `+` for itself.
pub(super) fn query_of(params: &Fields) -> String {
    let mut query = String::new();
    for (name, value) in params.iter() {
        if !query.is_empty() {
            query.push('&');
        }
        encode(&mut query, name);
        query.push('=');
        encode(&mut query, value);
    }
    query
}

/// What [`query_of`] wrote.
pub(super) fn params_of_query(query: &str) -> Fields {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let number = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match number.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encode(query: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                query.push(char::from(byte));
            }
            _ => {
                let _ = write!(query, "%{byte:02X}");
            }
        }
    }
}

/// The document a type=xml script reads. It is never empty and ends with `</doc>` on the line (ancestor-facts 3.3):
/// before the function the parameters, after it the answer.
fn document(call: &Call, event: &Event, answer: Option<&Element>) -> Document {
    let mut root = answer.cloned().unwrap_or_else(|| {
        let mut params = Element::new("params");
        for (name, value) in params_of(call, event).iter().filter(|(name, _)| is_xml_name(name)) {
            params.push(Element::new(name).with_text(value));
        }
        Element::new("doc").with_child(params)
    });
    for (name, value) in marks(call, event) {
        if root.attribute(name).is_none() {
            root.set_attribute(name, value);
        }
    }
    Document::new(root)
}

fn marks(call: &Call, event: &Event) -> [(&'static str, String); 5] {
    let values = [
        lang_of(call).to_owned(),
        event.shown_as.clone(),
        format!("/{}", call.manager),
        call.caller.name.clone(),
        call.caller.level.number().to_string(),
    ];
    let mut values = values.into_iter();
    ROOT_ATTRIBUTES.map(|name| (name, values.next().unwrap_or_default()))
}

/// What a script made of the document, without what we had put on its root.
pub(super) fn unmarked(mut root: Element, call: &Call, event: &Event) -> Element {
    let ours = marks(call, event);
    root.attributes
        .retain(|(name, value)| !ours.iter().any(|(known, put)| known == name && put == value));
    root
}

/// A name that an element may have.
pub(super) fn is_xml_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || "_-.".contains(letter))
}
