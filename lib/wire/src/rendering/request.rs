//! What the parent says.

use notice::UnknownWord;
use std::sync::Arc;

use super::{Bundle, BundleError, Part};
use crate::xml::{Document, Element, Node, XmlError, write_attribute_value, write_text};

/// How a notice is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeForm {
    /// XML, root `doc`.
    Xml,
    /// JSON, for `gatepost template render --json`; XSLT refuses it.
    Json,
}

/// One message to render, as the parent holds it.
#[derive(Clone, Copy, Debug)]
pub struct RenderMessage<'a> {
    /// The parent's own mark, unique in the frame.
    pub id: &'a str,
    /// Hash of a bundle that was told.
    pub bundle: &'a str,
    /// Hash of a notice that was told.
    pub notice: &'a str,
    /// What is wanted; parts that the child's engine makes.
    pub parts: &'a [Part],
    /// The language `lang` shows to templates.
    pub lang: &'a str,
    /// IANA name of the user's zone; empty is UTC.
    pub timezone: &'a str,
    /// XML of the element `<user>`, well-formed; put into the frame as it stands. Empty: no fields.
    pub user: &'a str,
    /// XML of the element `<project>`, likewise. Empty: the notice's own.
    pub project: &'a str,
}

/// Appends the frame that tells a bundle: what [`Bundle::to_bytes`] gave, and its hash.
pub fn write_bundle(out: &mut Vec<u8>, hash: &str, bundle: &[u8]) {
    open(out, "doc", &[("command", "bundle"), ("hash", hash)]);
    out.extend_from_slice(bundle);
    out.extend_from_slice(b"</doc>");
}

/// Appends the frame that tells a notice.
pub fn write_notice(out: &mut Vec<u8>, hash: &str, notice: (NoticeForm, &str)) {
    let form = match notice.0 {
        NoticeForm::Xml => "xml",
        NoticeForm::Json => "json",
    };
    open(out, "doc", &[("command", "notice"), ("hash", hash), ("form", form)]);
    write_text(out, notice.1);
    out.extend_from_slice(b"</doc>");
}

/// Appends the frame that asks for messages. A project that several in a row have stands at the first of them.
pub fn write_render(out: &mut Vec<u8>, messages: &[RenderMessage<'_>]) {
    open(out, "doc", &[("command", "render")]);
    let mut before = "";
    for message in messages {
        let is_known = !message.project.is_empty() && message.project == before;
        before = message.project;
        let parts: Vec<&str> = message.parts.iter().map(|part| part.word()).collect();
        let attributes = [
            ("id", message.id),
            ("bundle", message.bundle),
            ("notice", message.notice),
            ("parts", &parts.join(" ")),
            ("lang", message.lang),
            ("timezone", message.timezone),
            ("project", BEFORE),
        ];
        let attributes =
            if is_known { &attributes[..] } else { &attributes[..attributes.len() - 1] };
        open(out, "message", attributes);
        out.extend_from_slice(message.user.as_bytes());
        if !is_known {
            out.extend_from_slice(message.project.as_bytes());
        }
        out.extend_from_slice(b"</message>");
    }
    out.extend_from_slice(b"</doc>");
}

fn open(out: &mut Vec<u8>, name: &str, attributes: &[(&str, &str)]) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    for (attribute, value) in attributes {
        out.push(b' ');
        out.extend_from_slice(attribute.as_bytes());
        out.extend_from_slice(b"=\"");
        write_attribute_value(out, value);
        out.push(b'"');
    }
    out.push(b'>');
}

/// Attribute `project`: that of the message before.
const BEFORE: &str = "before";

/// A frame as the child reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A bundle, by hash.
    Bundle(String, Bundle),
    /// A notice, by hash.
    Notice(String, NoticeForm, String),
    /// Messages to render.
    Render(Vec<RenderRequest>),
}

/// One message to render, as the child reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderRequest {
    /// The parent's mark.
    pub id: String,
    /// Hash of the bundle.
    pub bundle: String,
    /// Hash of the notice.
    pub notice: String,
    /// What is wanted.
    pub parts: Vec<Part>,
    /// What templates see as `lang`.
    pub lang: String,
    /// IANA name of a zone, or empty.
    pub timezone: String,
    /// The element `<user>`.
    pub user: Option<Element>,
    /// The element `<project>`.
    pub project: Option<Arc<Element>>,
}

/// A frame that is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is no XML.
    #[error("a request is not XML")]
    Xml(#[from] XmlError),
    /// The bundle in it can't be read.
    #[error("a request tells a bundle that can't be read")]
    Bundle(#[from] BundleError),
    /// A word is not known.
    #[error("a request holds a word that is not known")]
    Word(#[from] UnknownWord),
}

impl Request {
    /// Reads a frame.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let root = Document::parse(bytes)?.root;
        let hash = root.attribute("hash").unwrap_or_default().to_owned();
        match root.attribute("command").unwrap_or_default() {
            "bundle" => {
                let bundle = root.child("bundle").map(Bundle::read).transpose()?;
                Ok(Self::Bundle(hash, bundle.unwrap_or_default()))
            }
            "notice" => Ok(Self::Notice(hash, form_of(&root)?, root.text())),
            "render" => Ok(Self::Render(read_messages(root)?)),
            other => Err(unknown(other, "bundle, notice, render").into()),
        }
    }
}

fn form_of(root: &Element) -> Result<NoticeForm, UnknownWord> {
    match root.attribute("form") {
        None | Some("xml") => Ok(NoticeForm::Xml),
        Some("json") => Ok(NoticeForm::Json),
        Some(other) => Err(unknown(other, "xml, json")),
    }
}

fn read_messages(root: Element) -> Result<Vec<RenderRequest>, UnknownWord> {
    let mut messages: Vec<RenderRequest> = Vec::with_capacity(root.children.len());
    for node in root.children {
        let Node::Element(element) = node else { continue };
        let is_known = element.has("project", BEFORE);
        let mut message = read_message(element)?;
        if let Some(before) = messages.last().filter(|_| is_known) {
            message.project.clone_from(&before.project);
        }
        messages.push(message);
    }
    Ok(messages)
}

fn read_message(mut element: Element) -> Result<RenderRequest, UnknownWord> {
    let parts = element
        .attribute("parts")
        .unwrap_or_default()
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let attribute = |name| element.attribute(name).unwrap_or_default().to_owned();
    let mut request = RenderRequest {
        id: attribute("id"),
        bundle: attribute("bundle"),
        notice: attribute("notice"),
        parts,
        lang: attribute("lang"),
        timezone: attribute("timezone"),
        user: None,
        project: None,
    };
    request.user = element.child_mut("user").map(std::mem::take);
    request.project = element.child_mut("project").map(|project| Arc::new(std::mem::take(project)));
    Ok(request)
}

fn unknown(word: &str, allowed: &'static str) -> UnknownWord {
    UnknownWord { found: word.to_owned(), allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_asked() {
        let mut frame = Vec::new();
        let parts = [Part::Html, Part::Subject];
        let user = "<user><name>Ира &amp; Ко</name></user>";
        let asked = RenderMessage {
            id: "7",
            bundle: "b",
            notice: "n",
            parts: &parts,
            lang: "ru",
            timezone: "Asia/Omsk",
            user,
            project: "",
        };
        write_render(
            &mut frame,
            &[
                asked,
                RenderMessage {
                    id: "8",
                    user: "",
                    project: "<project><id>1</id></project>",
                    ..asked
                },
                RenderMessage { id: "9", project: "<project><id>1</id></project>", ..asked },
                RenderMessage { id: "10", project: "<project><id>2</id></project>", ..asked },
                asked,
            ],
        );
        let Ok(Request::Render(read)) = Request::parse(&frame) else { panic!("no render request") };
        let projects: Vec<_> = read
            .iter()
            .map(|one| one.project.as_ref().map(|project| project.child_text("id")))
            .collect();
        let known = |id: &str| Some(id.to_owned());
        assert_eq!(projects, [None, known("1"), known("1"), known("2"), None]);
        assert_eq!(
            (read[0].id.as_str(), read[0].timezone.as_str(), &read[0].parts[..]),
            ("7", "Asia/Omsk", &parts[..])
        );
        assert_eq!(
            read[0].user.as_ref().map(|user| user.child_text("name")).as_deref(),
            Some("Ира & Ко")
        );
        assert!(read[0].project.is_none() && read[1].user.is_none() && read[1].project.is_some());
    }

    #[test]
    fn a_notice_and_a_bundle_arrive_whole() {
        let mut frame = Vec::new();
        write_notice(&mut frame, "h\"", (NoticeForm::Xml, "<doc>a &amp; b\r\n</doc>"));
        let notice =
            Request::Notice("h\"".into(), NoticeForm::Xml, "<doc>a &amp; b\r\n</doc>".into());
        assert_eq!(Request::parse(&frame), Ok(notice));
        let bundle = Bundle {
            notice: "n".into(),
            files: vec![("f".into(), "<%= x %>".into())],
            ..Bundle::default()
        };
        frame.clear();
        write_bundle(&mut frame, "abc", &bundle.to_bytes());
        assert_eq!(Request::parse(&frame), Ok(Request::Bundle("abc".into(), bundle)));
    }
}
