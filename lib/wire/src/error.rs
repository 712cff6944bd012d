//! Error documents, in the two shapes that are known (ancestor-facts 1.6).

use notice::Fields;

use crate::placeholders;
use crate::xml::{Document, Element};

/// Longer texts are cut: a reason is read by a person and stored in a column.
const TEXT_BYTES: usize = 4096;

/// What `/doc/error` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorDocument {
    /// The type: `never`, `hold`, `missed`, `exists`, `value` …; `error` when none was given.
    pub kind: String,
    /// What it is about, a field's or an object's name; may be empty.
    pub object: String,
    /// Named texts for the placeholders, `value` among them.
    pub params: Fields,
    /// A text with placeholders that came with the error.
    pub template: Option<String>,
    /// The finished text that came with the error.
    pub text: Option<String>,
}

impl ErrorDocument {
    /// An error of that type, with nothing said about it.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// With what it is about.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// With a named text.
    #[must_use]
    pub fn with_param(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.params.set(name, text);
        self
    }

    /// With its finished text.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Reads the error of a document: its root's child `error`, or the root if it is one.
    pub fn read(root: &Element) -> Option<Self> {
        let element = if root.name == "error" { root } else { root.child("error")? };
        Some(match element.attribute("code") {
            Some(code) if element.attribute("type").is_none() => read_numbered(element, code),
            _ => read_typed(element),
        })
    }

    /// The text a person reads: the finished one; else the one `lookup` has for
    /// `msg_error_TYPE`, else the one that came along, placeholders filled; else type, object, value.
    pub fn text(&self, lookup: impl Fn(&str) -> Option<String>) -> String {
        let looked_up = || lookup(&format!("msg_error_{}", self.kind)).or(self.template.clone());
        let text = match &self.text {
            Some(text) => text.clone(),
            None => looked_up().map_or_else(|| self.bare(), |text| self.fill(&text)),
        };
        cut(text)
    }

    /// The text without any messages at hand.
    pub fn plain_text(&self) -> String {
        self.text(|_| None)
    }

    fn fill(&self, text: &str) -> String {
        placeholders::fill(text, |name| match self.params.get(name) {
            None if name == "object" => Some(self.object.as_str()),
            known => known,
        })
    }

    fn bare(&self) -> String {
        let mut text = self.kind.clone();
        for more in [self.object.as_str(), self.params.text("value"), self.params.text("desc")] {
            if !more.is_empty() {
                let between = if text == self.kind { ": " } else { ", " };
                text.push_str(between);
                text.push_str(more);
            }
        }
        text
    }

    /// The element, in the typed shape.
    pub fn to_element(&self) -> Element {
        let mut element = Element::new("error").with_attribute("type", &self.kind);
        if !self.object.is_empty() {
            element.set_attribute("object", &self.object);
            element.push(param("object", &self.object));
        }
        for (name, text) in self.params.iter().filter(|(name, _)| *name != "object") {
            element.push(param(name, text));
        }
        for (name, text) in [("group", &self.template), ("msg", &self.text)] {
            if let Some(text) = text {
                element.push(Element::new(name).with_text(text));
            }
        }
        element
    }

    /// A document of this error alone.
    pub fn to_document(&self) -> Document {
        Document::new(Element::new("doc").with_child(self.to_element()))
    }
}

fn param(name: &str, text: &str) -> Element {
    Element::new("param").with_attribute("name", name).with_text(text)
}

fn read_typed(element: &Element) -> ErrorDocument {
    let mut error = ErrorDocument::new(element.attribute("type").unwrap_or("error").trim());
    if error.kind.is_empty() {
        error.kind = "error".into();
    }
    if let Some(value) = element.attribute("value") {
        error.params.set("value", value);
    }
    for param in element.children_named("param") {
        if let Some(name) = param.attribute("name") {
            error.params.set(name, param.text().trim());
        }
        if let (Some(text), None) = (param.attribute("msg"), &error.template) {
            error.template = filled(text);
        }
    }
    let object = element.attribute("object").or(error.params.get("object")).unwrap_or_default();
    error.object = object.to_owned();
    error.params.remove("object");
    error.template = filled(&element.child_text("group")).or(error.template);
    error.text = filled(&element.child_text("msg")).or_else(|| filled(&element.text()));
    error
}

/// `<error code="N" obj|val="..">text</error>` of older programs.
fn read_numbered(element: &Element, code: &str) -> ErrorDocument {
    let kind = match code.trim() {
        "2" => "exists",
        "3" => "missed",
        "4" => "value",
        "5" => "limit",
        "6" => "access",
        "7" => "licence",
        "8" => element.attribute("msg").unwrap_or("message"),
        _ => "error",
    };
    let mut error = ErrorDocument::new(kind).about(element.attribute("obj").unwrap_or_default());
    if let Some(value) = element.attribute("val") {
        error.params.set("value", value);
    }
    error.text = filled(&element.child_text("msg")).or_else(|| filled(&element.text()));
    if code.trim() == "8" && element.attribute("msg").is_none() {
        // The text is the name of a message, for the lookup.
        error.kind = error.text.take().unwrap_or(error.kind);
    }
    error
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ErrorDocument {
        ErrorDocument::read(&Document::parse(text.as_bytes()).unwrap().root).unwrap()
    }

    #[test]
    fn both_shapes_give_a_text_a_person_can_read() {
        let table = [
            ("<doc>\n <error type=\"error\"></error>\n</doc>", "error", "error"),
            ("<doc><error/></doc>", "error", "error"),
            ("<error type='never'>no such number</error>", "never", "no such number"),
            (
                "<doc><error type='exists' object='user' value='bob'/></doc>",
                "exists",
                "exists: user, bob",
            ),
            (
                "<doc><error type='value' report='yes' lang='ru'><param name='object' type='msg' \
                 msg='The __object__ can not be __value__'>phone</param><param name='value'>12</param>\
                 <stack><action level='30' user='root'>f</action></stack></error></doc>",
                "value",
                "The phone can not be 12",
            ),
            (
                "<doc><error type='limit'><param name='max'>5</param><group>At most __max__</group></error></doc>",
                "limit",
                "At most 5",
            ),
            (
                "<doc><error type='x'><group>g</group><msg> final __value__ </msg></error></doc>",
                "x",
                "final __value__",
            ),
            (
                "<doc><error type='x' object='a'><backtrace><b>q</b></backtrace>\
                 <param name='desc' type='msg'>no route</param></error></doc>",
                "x",
                "x: a, no route",
            ),
            ("<doc><error code='1'>disk full</error></doc>", "error", "disk full"),
            ("<doc><error code='2' obj='user'/></doc>", "exists", "exists: user"),
            ("<doc><error code='4' val='abc'/></doc>", "value", "value: abc"),
            ("<doc><error code='8'>no_money</error></doc>", "no_money", "no_money"),
            ("<doc><error code='99'/></doc>", "error", "error"),
        ];
        for (text, kind, expected) in table {
            let error = read(text);
            assert_eq!(
                (error.kind.as_str(), error.plain_text().as_str()),
                (kind, expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_of_the_catalogue_is_filled_in() {
        let error = read(
            "<doc><error type='missed' object='gate'><param name='value'>__object__</param></error></doc>",
        );
        let lookup = |name: &str| {
            (name == "msg_error_missed").then(|| "No __object__ `__value__` __other__".to_owned())
        };
        assert_eq!(error.text(lookup), "No gate `__object__` __other__");
    }

    #[test]
    fn a_document_without_an_error_has_none() {
        let root = Document::parse(b"<doc><x><error/></x></doc>").unwrap().root;
        assert_eq!(ErrorDocument::read(&root), None);
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        let error = ErrorDocument::new("value")
            .about("phone")
            .with_param("value", "<12>")
            .with_text("can't be & won't");
        assert_eq!(ErrorDocument::read(&error.to_document().root), Some(error));
    }

    #[test]
    fn a_long_text_is_cut() {
        let text = ErrorDocument::new("x").with_text("я".repeat(9000)).plain_text();
        assert!(text.len() <= TEXT_BYTES + 4 && text.ends_with("я…"));
    }
}
