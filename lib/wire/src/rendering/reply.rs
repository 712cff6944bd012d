//! What the child answers.

use std::fmt;

use crate::xml::{Document, Element, XmlError, write_attribute_value, write_section};

/// The reply to one render request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What became of the messages, in the order they were asked; those that are missing are asked again.
    pub messages: Vec<Rendered>,
    /// The child leaves after this reply; start another one, and tell it everything again.
    pub last: bool,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The parent's mark.
    pub id: String,
    /// The texts, or why there are none.
    pub result: Result<Texts, TemplateError>,
}

/// The parts that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The HTML body.
    pub html: Option<String>,
    /// The text body.
    pub text: Option<String>,
    /// The subject: one line, trimmed.
    pub subject: Option<String>,
}

/// A template failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateError {
    /// Its name in the bundle; empty when unknown.
    pub template: String,
    /// The line in it, from 1; 0 when unknown.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.template.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (template, 0) => write!(f, "{template}: {}", self.message),
            (template, line) => write!(f, "{template}, line {line}: {}", self.message),
        }
    }
}

impl Reply {
    /// The frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = if self.last { b"<doc last=\"yes\">".to_vec() } else { b"<doc>".to_vec() };
        for rendered in &self.messages {
            rendered.write_to(&mut out);
        }
        out.extend_from_slice(b"</doc>");
        out
    }

    /// Reads a frame.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let root = Document::parse(bytes)?.root;
        Ok(Self {
            messages: root.children_named("message").map(read_message).collect(),
            last: root.has("last", "yes"),
        })
    }
}

impl Rendered {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<message id=\"");
        write_attribute_value(out, &self.id);
        out.extend_from_slice(b"\">");
        match &self.result {
            Ok(texts) => {
                for (name, text) in
                    [("html", &texts.html), ("text", &texts.text), ("subject", &texts.subject)]
                {
                    if let Some(text) = text {
                        write_section(out, name, text);
                    }
                }
            }
            Err(error) => Element::new("error")
                .with_attribute("template", &error.template)
                .with_attribute("line", error.line.to_string())
                .with_text(&error.message)
                .write_to(out),
        }
        out.extend_from_slice(b"</message>");
    }
}

fn read_message(message: &Element) -> Rendered {
    let part = |name| message.child(name).map(Element::text);
    let result = match message.child("error") {
        Some(error) => Err(TemplateError {
            template: error.attribute("template").unwrap_or_default().to_owned(),
            line: error.attribute("line").and_then(|line| line.parse().ok()).unwrap_or(0),
            message: error.text(),
        }),
        None => Ok(Texts { html: part("html"), text: part("text"), subject: part("subject") }),
    };
    Rendered { id: message.attribute("id").unwrap_or_default().to_owned(), result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        let texts = Texts {
            html: Some("<p>a ]]> &amp; б</p>\r\n".into()),
            text: Some(String::new()),
            subject: Some("<b>&amp; б\n".into()),
        };
        let error =
            TemplateError { template: "a.ejs".into(), line: 3, message: "x is not defined".into() };
        let good = Rendered { id: "1".into(), result: Ok(texts) };
        let bad = Rendered { id: "2".into(), result: Err(error) };
        for last in [true, false] {
            let reply = Reply { messages: vec![good.clone(), bad.clone()], last };
            assert_eq!(Reply::parse(&reply.to_bytes()), Ok(reply));
        }
    }
}
