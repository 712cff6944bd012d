//! What a function answers: one XML document, also shown as JSON or as lines.

use serde_json::{Map, Value};
use std::fmt::Write as _;
use wire::xml::Element;

/// The name of a row in an answer that lists.
const ROW: &str = "elem";

/// An answer. A list holds one `<elem>` a row; anything else holds named values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The document, root `doc`.
    pub document: Element,
}

impl Answer {
    /// An answer without content: `<doc><ok/></doc>`.
    pub fn ok() -> Self {
        Self { document: Element::new("doc").with_child(Element::new("ok")) }
    }

    /// One object: its children are the values.
    pub fn of(document: Element) -> Self {
        Self { document }
    }

    /// Rows. The root says that it is a list, so that an empty one is an empty array in JSON.
    pub fn list(rows: impl IntoIterator<Item = Element>) -> Self {
        let mut document = Element::new("doc").with_attribute("list", "yes");
        for mut row in rows {
            ROW.clone_into(&mut row.name);
            row.set_attribute("is_json_array", "yes");
            document.push(row);
        }
        Self { document }
    }

    /// The rows of a list.
    pub fn rows(&self) -> impl Iterator<Item = &Element> {
        self.document.children_named(ROW)
    }

    /// True for a list, also for an empty one.
    pub fn is_list(&self) -> bool {
        self.document.attribute("list").is_some()
    }

    /// The text of a value; empty when it is not there.
    pub fn text(&self, name: &str) -> String {
        self.document.child_text(name)
    }

    /// JSON by the rule of DESIGN 6; a list is an array of objects.
    pub fn to_json(&self) -> Value {
        if self.is_list() {
            return Value::Array(self.rows().map(json_of).collect());
        }
        json_of(&self.document)
    }

    /// The ancestor's lines: one a row, `id=1 name=…`; control characters are written as `\n`, `\t`, `\xNN`.
    pub fn to_lines(&self) -> String {
        let mut text = String::new();
        if self.is_list() {
            for row in self.rows() {
                write_line(&mut text, row);
            }
            return text;
        }
        write_line(&mut text, &self.document);
        text
    }
}

/// An answer is an object even when it holds nothing but text.
fn json_of(element: &Element) -> Value {
    match wire::json::json_of(element) {
        Value::Object(object) => Value::Object(object),
        Value::String(text) if !text.is_empty() => {
            Value::Object(Map::from_iter([("$".to_owned(), Value::String(text))]))
        }
        _ => Value::Object(Map::new()),
    }
}

fn write_line(text: &mut String, element: &Element) {
    let mut words = Vec::new();
    collect(&mut words, "", element);
    if words.is_empty() {
        words.push("OK".to_owned());
    }
    text.push_str(&words.join(" "));
    text.push('\n');
}

/// `name=value` for every element that has text or attributes, nested ones as `outer.inner=value`.
fn collect(words: &mut Vec<String>, prefix: &str, element: &Element) {
    for child in element.elements() {
        let name = format!("{prefix}{}", child.name);
        let nested = child.elements().next().is_some();
        for (attribute, value) in &child.attributes {
            if attribute != "is_json_array" {
                words.push(format!("{name}.{attribute}={}", escaped(value)));
            }
        }
        if nested {
            collect(words, &format!("{name}."), child);
        } else if !(child.name == "ok" || child.text().is_empty() && !child.attributes.is_empty()) {
            words.push(format!("{name}={}", escaped(&child.text())));
        }
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(control));
            }
            plain => text.push(plain),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, name: &str) -> Element {
        Element::new("elem")
            .with_child(Element::new("id").with_text(id))
            .with_child(Element::new("name").with_text(name))
    }

    #[test]
    fn a_list_is_one_line_a_row_and_an_array() {
        let answer = Answer::list([row("1", "bob"), row("2", "a\nb")]);
        assert_eq!(answer.to_lines(), "id=1 name=bob\nid=2 name=a\\nb\n");
        assert_eq!(answer.to_json()[0]["name"], "bob");
        assert_eq!(Answer::list([]).to_json(), serde_json::json!([]));
        assert_eq!(Answer::list([]).to_lines(), "");
    }

    #[test]
    fn an_empty_answer_says_ok() {
        assert_eq!(Answer::ok().to_lines(), "OK\n");
    }
}
