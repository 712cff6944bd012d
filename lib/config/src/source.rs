//! One source of settings as a flat list of keys: the file, the environment, or arguments.

use crate::ConfigError;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::Value;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// A key with its sections, its value, and where it stands.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) line: usize,
    pub(crate) span: Range<usize>,
}

/// Every key of a TOML text in the order they stand there, sections written before it with a dot.
pub(crate) fn entries(text: &str, place: &str) -> Result<Vec<Entry>, ConfigError> {
    let refused = |span: Option<Range<usize>>, why: &str| ConfigError::Syntax {
        place: at_line(place, span.map_or(1, |span| lines_in(text, 0..span.start) + 1)),
        text: why.to_owned(),
    };
    let table = DeTable::parse(text).map_err(|error| refused(error.span(), error.message()))?;
    let mut found = Vec::new();
    collect(&mut String::new(), table.into_inner(), &mut found);
    found.sort_by_key(|(_, value)| value.span().start);
    let (mut line, mut counted) = (1, 0);
    let mut all = Vec::with_capacity(found.len());
    for (key, value) in found {
        let span = value.span();
        line += lines_in(text, counted..span.start);
        counted = span.start;
        let value = Value::deserialize(ValueDeserializer::from(value))
            .map_err(|error| refused(Some(span.clone()), error.message()))?;
        all.push(Entry { key, value, line, span });
    }
    Ok(all)
}

/// `before` is as it was when this returns.
fn collect<'a>(
    before: &mut String,
    table: DeTable<'a>,
    found: &mut Vec<(String, Spanned<DeValue<'a>>)>,
) {
    let section = before.len();
    for (name, value) in table {
        before.push_str(name.get_ref());
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) => {
                before.push('.');
                collect(before, inner, found);
            }
            value => found.push((before.clone(), Spanned::new(span, value))),
        }
        before.truncate(section);
    }
}

/// The place as a person reads it: `etc/gatepost.toml:12`.
pub(crate) fn at_line(place: &str, line: usize) -> String {
    format!("{place}:{line}")
}

fn parse_value(text: &str) -> Result<Value, String> {
    let value: Result<toml::Table, _> = format!("value = {text}").parse();
    match value {
        Ok(mut table) => table.remove("value").ok_or_else(|| "a value is missing".to_owned()),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// A value as an argument or the environment writes it: TOML, or a bare word where the key is a text.
pub(crate) fn loose_value(text: &str, like: &Value) -> Value {
    if like.is_str() {
        return Value::String(text.to_owned());
    }
    if like.is_array() && !text.trim_start().starts_with('[') {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        return Value::Array(words.map(|word| Value::String(word.to_owned())).collect());
    }
    parse_value(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A value as TOML writes it.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        }
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(all) => {
            format!("[{}]", all.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Value::Table(_) => "a section".to_owned(),
    }
}

fn lines_in(text: &str, part: Range<usize>) -> usize {
    text[part].matches('\n').count()
}

/// The text of a settings file with one key set: in its place if it is there, else at the end of its
/// section, else in a new section. Everything else, comments too, stays as it was. `literal` is TOML.
pub fn with_key(text: &str, key: &str, literal: &str) -> Result<String, ConfigError> {
    let known = entries(text, "etc/gatepost.toml")?;
    if let Some(entry) = known.iter().find(|entry| entry.key == key) {
        let (before, after) = (&text[..entry.span.start], &text[entry.span.end..]);
        return Ok(format!("{before}{literal}{after}"));
    }
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut lines: Vec<&str> = text.lines().collect();
    let line = format!("{name} = {literal}");
    let heading = format!("[{section}]");
    match lines.iter().position(|line| line.trim() == heading) {
        Some(at) => lines.insert(at + 1, &line),
        None if section.is_empty() => lines.insert(0, &line),
        None => lines.extend(["", &heading, &line]),
    }
    let mut changed = lines.join("\n");
    changed.push('\n');
    entries(&changed, "etc/gatepost.toml").map(|_| changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_key_keeps_every_other_byte() {
        let text = "# mine\n[gate]\noutgoing_secs = 60 # a minute\n";
        let changed = with_key(text, "gate.outgoing_secs", "5").unwrap();
        assert_eq!(changed, "# mine\n[gate]\noutgoing_secs = 5 # a minute\n");
        let more = with_key(&changed, "gate.kill_secs", "1").unwrap();
        assert_eq!(more, "# mine\n[gate]\nkill_secs = 1\noutgoing_secs = 5 # a minute\n");
        let new = with_key(text, "retry.mail.base_secs", "1").unwrap();
        assert!(new.ends_with("\n\n[retry.mail]\nbase_secs = 1\n"));
        assert!(
            with_key(text, "worker_sync", "\"full\"")
                .unwrap()
                .starts_with("worker_sync = \"full\"\n")
        );
    }

    #[test]
    fn a_value_that_is_no_toml_is_refused() {
        assert!(with_key("", "gate.kill_secs", "1 2").is_err());
    }

    #[test]
    fn a_line_is_named() {
        let all = entries("a = 1\n\n[b]\nc = 'x'\n", "f").unwrap();
        assert_eq!((all[1].key.as_str(), all[1].line), ("b.c", 4));
    }
}
