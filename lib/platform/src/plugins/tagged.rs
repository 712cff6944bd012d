//! Tagged values: what plugins give and get, as JSON that keeps their types (extensions 2.3).

use crate::answer::Answer;
use serde_json::{Map, Value, json};
use wire::xml::Element;

/// Keys of a map in JSON are texts; a map with whole numbers as keys is written as pairs.
pub(super) fn map_by_number(pairs: impl IntoIterator<Item = (i64, Value)>) -> Value {
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| json!([key, value])).collect();
    json!({ "$m": pairs })
}

/// An answer as plugins see it: rows a list of maps, else a map; ids are whole numbers.
pub(super) fn of_answer(answer: &Answer) -> Value {
    let mut value = answer.to_json();
    match &mut value {
        Value::Array(rows) => rows.iter_mut().for_each(number_ids),
        one => number_ids(one),
    }
    value
}

fn number_ids(row: &mut Value) {
    let Some(id) = row.get_mut("id") else { return };
    if let Some(number) = id.as_str().and_then(|text| text.parse::<i64>().ok()) {
        *id = number.into();
    }
}

/// The answer that a plugin made or changed.
pub(super) fn to_answer(value: &Value) -> Answer {
    match value {
        Value::Null => Answer::ok(),
        Value::Array(rows) => Answer::list(rows.iter().map(|row| element("elem", row))),
        one => Answer::of(element("doc", one)),
    }
}

fn element(name: &str, value: &Value) -> Element {
    let mut element = Element::new(name);
    let fields = match value {
        Value::Object(fields) => fields,
        other => return element.with_text(plain(other)),
    };
    for (name, value) in pairs(fields) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| element.push(self::element(&name, one))),
            one => element.push(self::element(&name, one)),
        }
    }
    element
}

/// The fields of a map, tagged or not, whose names can stand in XML.
fn pairs(fields: &Map<String, Value>) -> Vec<(String, &Value)> {
    let tagged = fields.get("$m").and_then(Value::as_array);
    let all: Vec<(String, &Value)> = match tagged {
        Some(pairs) => {
            pairs.iter().filter_map(|pair| Some((plain(pair.get(0)?), pair.get(1)?))).collect()
        }
        None => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
    };
    let is_name = |name: &str| {
        let rest = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(rest)
    };
    all.into_iter().filter(|(name, _)| is_name(name)).collect()
}

/// A value as a text: texts as they are, numbers as written, on and off, the rest as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// RFC 4648, with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for few in bytes.chunks(3) {
        let three = [few[0], few.get(1).copied().unwrap_or(0), few.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= few.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_base64() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xff\xfe", "//4="),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }

    #[test]
    fn an_answer_comes_back_from_what_plugins_see() {
        let row = |id: &str| {
            Element::new("elem")
                .with_child(Element::new("id").with_text(id))
                .with_child(Element::new("name").with_text("bob"))
        };
        let list = Answer::list([row("1"), row("2")]);
        let seen = of_answer(&list);
        assert_eq!(seen, json!([{ "id": 1, "name": "bob" }, { "id": 2, "name": "bob" }]));
        assert_eq!(to_answer(&seen).to_lines(), list.to_lines());
        let one = to_answer(&json!({ "id": 7, "tag": ["a", "b"], "no name": 1, "on": true }));
        assert_eq!(one.to_lines(), "id=7 tag=a tag=b on=on\n");
        assert_eq!(to_answer(&Value::Null).to_lines(), "OK\n");
    }
}
