//! Serve mode: a gate that stays, and is handed one message after another (DESIGN 5).
//!
//! Frames both ways. The host tells [`append_configure`] once, first of all; then messages, each with a number
//! of its own, and now and then a ping. The gate answers each message under its number, in any order, and
//! a ping with a ping. At the end of its stdin it answers what it has and leaves.
//!
//! A message is the document of [`crate::outgoing`] without `<gateway>`, and an answer that of
//! [`crate::answer`], with one word more: a gate that stays can't say *unknown* by plain text, so
//! `<error type="unknown">` says it here.

use std::io::{Read, Write};
use std::sync::Arc;

use notice::{Answer, Fields, Outcome};

use crate::answer::{answer_to_element, read_answer};
use crate::error::ErrorDocument;
use crate::features::{CDATA, Features};
use crate::frames::{FrameError, append_frame_by, read_frame};
use crate::outgoing::{Outgoing, OutgoingMessage, write_gateway, write_project};
use crate::params::{GatewayParams, fields_of};
use crate::xml::{Document, Element, XmlError, write_element, write_section};

/// The longest frame a gate is told; that of a one-shot input.
pub const TO_GATE_LIMIT_BYTES: usize = 32 << 20;

/// The longest frame a gate may answer; that of a one-shot output.
pub const FROM_GATE_LIMIT_BYTES: usize = 8 << 20;

/// A frame that has no place in the conversation: whoever gets it ends it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The stream.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that is no XML.
    #[error("a frame is no document: {0}")]
    Xml(#[from] XmlError),
    /// A command nobody knows.
    #[error("a frame with the command `{0}`")]
    Command(String),
    /// A message or an answer without a number.
    #[error("a frame without a number: attribute `id` is `{0}`")]
    Number(String),
}

/// Whose project a message is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectOf {
    /// The one that was configured: it is not written again.
    Gateway,
    /// Another one: a gateway without a project serves them all. It is written with the message.
    Message,
}

/// How a message's texts stand in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// Escaped, as in every other document.
    Escaped,
    /// With markup: as sections of character data, for a gate that lists [`crate::features::CDATA`].
    Sections,
}

impl TextForm {
    /// What a gate of these features is told.
    pub fn of(features: &Features) -> Self {
        if features.has(CDATA) { Self::Sections } else { Self::Escaped }
    }
}

/// Appends the frame that comes first: the gateway as `outgoing` has it, and the project.
pub fn append_configure(
    out: &mut Vec<u8>,
    gateway: (&Fields, &str),
    project: &Fields,
) -> Result<(), FrameError> {
    append_frame_by(out, |out| {
        out.extend_from_slice(b"<doc command=\"configure\">");
        write_gateway(out, gateway.0, gateway.1);
        write_project(out, project);
        out.extend_from_slice(b"</doc>");
    })
}

/// Appends a message under its number. Every text is copied once, from where it lives into the frame.
pub fn append_outgoing(
    out: &mut Vec<u8>,
    id: u64,
    outgoing: (&Outgoing<'_>, ProjectOf, TextForm),
) -> Result<(), FrameError> {
    let (message, project, form) = outgoing;
    let write_texts = match form {
        TextForm::Escaped => write_element,
        TextForm::Sections => write_section,
    };
    append_frame_by(out, |out| {
        // Writing into memory can't fail.
        let _ = write!(out, "<doc command=\"outgoing\" id=\"{id}\">");
        message.write_task(out);
        message.write_content(out, write_texts);
        match project {
            ProjectOf::Gateway => {}
            ProjectOf::Message => write_project(out, message.project),
        }
        out.extend_from_slice(b"</doc>");
    })
}

/// Appends a ping; it is also its own answer.
pub fn append_ping(out: &mut Vec<u8>) -> Result<(), FrameError> {
    append_frame_by(out, |out| out.extend_from_slice(b"<doc command=\"ping\"/>"))
}

/// Appends the answer to a message. Words over the limit of a frame are left out: one message must not end
/// the conversation about the others.
pub fn append_answer(out: &mut Vec<u8>, id: u64, answer: &Answer) -> Result<(), FrameError> {
    let start = out.len();
    append_whole_answer(out, id, answer)?;
    if out.len() - start <= FROM_GATE_LIMIT_BYTES {
        return Ok(());
    }
    out.truncate(start);
    let reason = "the gate's words were too long".to_owned();
    append_whole_answer(out, id, &Answer { reason, reference: None, ..answer.clone() })
}

fn append_whole_answer(out: &mut Vec<u8>, id: u64, answer: &Answer) -> Result<(), FrameError> {
    let root = answer_to_element(answer).with_attribute("id", id.to_string());
    append_frame_by(out, |out| root.write_to(out))
}

/// What a gate is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToGate {
    /// The gateway; [`Configured::read`] reads it.
    Configure(Element),
    /// A message under its number; [`Configured::message`] reads it.
    Outgoing(u64, Element),
    /// Is anybody there?
    Ping,
}

impl ToGate {
    /// Reads the next frame; None at the end of the stream.
    pub fn read(from: &mut impl Read) -> Result<Option<Self>, ServeError> {
        read_frame(from, TO_GATE_LIMIT_BYTES)?.map(|frame| Self::parse(&frame)).transpose()
    }

    /// Reads a frame's document.
    pub fn parse(frame: &[u8]) -> Result<Self, ServeError> {
        let root = Document::parse(frame)?.root;
        match root.attribute("command").unwrap_or_default() {
            "configure" => Ok(Self::Configure(root)),
            "outgoing" => Ok(Self::Outgoing(number_of(&root)?, root)),
            "ping" => Ok(Self::Ping),
            other => Err(ServeError::Command(other.to_owned())),
        }
    }
}

/// What a gate keeps of the first frame: read once, shared by every message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// The gateway's row and form fields.
    pub gateway: Arc<GatewayParams>,
    /// The project's columns.
    pub project: Arc<Fields>,
}

impl Configured {
    /// Reads the document; an error is one of `xmlparams`.
    pub fn read(root: &Element) -> Result<Self, XmlError> {
        let project = root.child("project").map(fields_of).unwrap_or_default();
        Ok(Self { gateway: Arc::new(GatewayParams::read(root)?), project: Arc::new(project) })
    }

    /// A message of this gateway. A `<project>` of its own goes before the configured one.
    pub fn message(&self, root: &Element) -> OutgoingMessage {
        let own = root.child("project").map(|project| Arc::new(fields_of(project)));
        let project = own.unwrap_or_else(|| Arc::clone(&self.project));
        OutgoingMessage::of(root, Arc::clone(&self.gateway), project)
    }
}

/// What a gate answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromGate {
    /// What became of a message.
    Answer(u64, Answer),
    /// Here I am.
    Ping,
}

impl FromGate {
    /// Reads the next frame; None at the end of the stream.
    pub fn read(from: &mut impl Read) -> Result<Option<Self>, ServeError> {
        read_frame(from, FROM_GATE_LIMIT_BYTES)?.map(|frame| Self::parse(&frame)).transpose()
    }

    /// Reads a frame's document.
    pub fn parse(frame: &[u8]) -> Result<Self, ServeError> {
        let root = Document::parse(frame)?.root;
        match root.attribute("command") {
            None => Ok(Self::Answer(number_of(&root)?, answer_in(&root))),
            Some("ping") => Ok(Self::Ping),
            Some(other) => Err(ServeError::Command(other.to_owned())),
        }
    }
}

fn answer_in(root: &Element) -> Answer {
    let answer = read_answer(root);
    let unknown = Outcome::Unknown.word();
    let is_unknown =
        ErrorDocument::read(root).is_some_and(|error| error.kind.eq_ignore_ascii_case(unknown));
    if is_unknown { Answer { outcome: Outcome::Unknown, ..answer } } else { answer }
}

fn number_of(root: &Element) -> Result<u64, ServeError> {
    let text = root.attribute("id").unwrap_or_default();
    text.trim().parse().map_err(|_| ServeError::Number(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use notice::TaskId;

    use super::*;
    use crate::outgoing::TaskAttributes;

    fn fields(all: &[(&str, &str)]) -> Fields {
        all.iter().copied().collect()
    }

    fn message<'a>(gateway: &'a Fields, project: &'a Fields) -> Outgoing<'a> {
        Outgoing {
            gateway,
            xmlparams: "<doc><login>bob</login></doc>",
            message: "a & b ]]>",
            subject: "",
            text: None,
            headers: &[],
            attachments: &[],
            user_xml: "<user><phone>8 912</phone></user>",
            project,
            task: TaskAttributes {
                id: TaskId(7),
                key: "k",
                attempt: 1,
                maybe_sent: false,
                phone: None,
            },
        }
    }

    fn told(stream: &mut &[u8]) -> ToGate {
        ToGate::read(stream).unwrap().unwrap()
    }

    #[test]
    fn a_gate_is_told_its_gateway_once_and_each_message_without_it() {
        let (gateway, project) =
            (fields(&[("id", "3"), ("secret", "x")]), fields(&[("name", "P")]));
        let outgoing = message(&gateway, &project);
        let mut stream = Vec::new();
        append_configure(&mut stream, (&gateway, outgoing.xmlparams), &project).unwrap();
        let second = stream.len();
        append_outgoing(&mut stream, 41, (&outgoing, ProjectOf::Gateway, TextForm::Escaped))
            .unwrap();
        append_ping(&mut stream).unwrap();
        let text = String::from_utf8_lossy(&stream[4..second]).into_owned();
        assert_eq!(
            text,
            "<doc command=\"configure\"><gateway><id>3</id><xmlparams>&lt;doc&gt;&lt;login&gt;bob\
             &lt;/login&gt;&lt;/doc&gt;</xmlparams></gateway><project><name>P</name></project></doc>"
        );
        let text = String::from_utf8_lossy(&stream[second + 4..]).into_owned();
        assert!(
            text.starts_with(
                "<doc command=\"outgoing\" id=\"41\"><task id=\"7\" key=\"k\" attempt=\"1\" \
                 maybe_sent=\"0\"/><message>a &amp; b ]]&gt;</message><subject/>\
                 <user><phone>8 912</phone></user></doc>"
            ),
            "{text}"
        );

        let mut stream = &stream[..];
        let ToGate::Configure(root) = told(&mut stream) else { panic!("configure") };
        let configured = Configured::read(&root).unwrap();
        let ToGate::Outgoing(41, root) = told(&mut stream) else { panic!("outgoing") };
        let message = configured.message(&root);
        assert_eq!((message.param("login"), message.param("id")), ("bob", "3"));
        assert_eq!((message.message.as_str(), message.phone()), ("a & b ]]>", "8 912"));
        assert!(Arc::ptr_eq(&message.gateway, &configured.gateway));
        assert!(Arc::ptr_eq(&message.project, &configured.project));
        assert_eq!(told(&mut stream), ToGate::Ping);
        assert!(ToGate::read(&mut stream).unwrap().is_none());
    }

    #[test]
    fn a_message_of_another_project_brings_it_along() {
        let (gateway, other) = (fields(&[("id", "3")]), fields(&[("name", "Q")]));
        let mut stream = Vec::new();
        let told_all = (&message(&gateway, &other), ProjectOf::Message, TextForm::Escaped);
        append_outgoing(&mut stream, 1, told_all).unwrap();
        let ToGate::Outgoing(1, root) = told(&mut &stream[..]) else { panic!("outgoing") };
        let configured =
            Configured { project: Arc::new(fields(&[("name", "P")])), ..Configured::default() };
        assert_eq!(configured.message(&root).project.text("name"), "Q");
    }

    #[test]
    fn markup_is_a_section_only_for_who_asked_for_it() {
        let fields = fields(&[]);
        let message = Outgoing { message: "<b>a</b>", ..message(&fields, &fields) };
        let table = [
            (TextForm::Escaped, "<message>&lt;b&gt;a&lt;/b&gt;</message><subject/>"),
            (TextForm::Sections, "<message><![CDATA[<b>a</b>]]></message><subject/>"),
        ];
        for (form, expected) in table {
            let mut stream = Vec::new();
            append_outgoing(&mut stream, 1, (&message, ProjectOf::Gateway, form)).unwrap();
            let text = String::from_utf8_lossy(&stream).into_owned();
            assert!(text.contains(expected), "{text}");
            let ToGate::Outgoing(1, root) = told(&mut &stream[..]) else { panic!("outgoing") };
            assert_eq!(Configured::default().message(&root).message, "<b>a</b>");
        }
    }

    #[test]
    fn every_answer_is_read_as_it_was_given() {
        let table = [
            Answer::sent(None),
            Answer::sent(Some("a<b".into())),
            Answer::unreached("no route to 10.0.0.1"),
            Answer::not_sent(Outcome::Never, "bad & ugly"),
            Answer::not_sent(Outcome::Hold, "535 <bad> login"),
            Answer { retry_after_secs: Some(60), ..Answer::not_sent(Outcome::Later, "busy") },
            Answer::not_sent(Outcome::Unknown, "no answer to <doc/>"),
        ];
        let mut stream = Vec::new();
        for (id, answer) in (0..).zip(&table) {
            append_answer(&mut stream, id, answer).unwrap();
        }
        append_ping(&mut stream).unwrap();
        assert!(stream[4..].starts_with(b"<doc id=\"0\"/>"));
        let mut stream = &stream[..];
        for (id, answer) in (0..).zip(table) {
            let read = FromGate::read(&mut stream).unwrap().unwrap();
            assert_eq!(read, FromGate::Answer(id, answer));
        }
        assert_eq!(FromGate::read(&mut stream).unwrap(), Some(FromGate::Ping));
        assert_eq!(FromGate::read(&mut stream).unwrap(), None);
    }

    #[test]
    fn words_over_the_limit_cost_no_more_than_themselves() {
        let mut stream = Vec::new();
        let long = Answer::not_sent(Outcome::Never, "x".repeat(FROM_GATE_LIMIT_BYTES));
        append_answer(&mut stream, 1, &long).unwrap();
        let expected = Answer::not_sent(Outcome::Never, "the gate's words were too long");
        let read = FromGate::read(&mut &stream[..]).unwrap();
        assert_eq!(read, Some(FromGate::Answer(1, expected)));
    }

    #[test]
    fn what_has_no_place_in_the_conversation_is_an_error() {
        let from = |text: &str| FromGate::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(from("<doc/>"), "a frame without a number: attribute `id` is ``");
        assert_eq!(from("<doc id='-1'/>"), "a frame without a number: attribute `id` is `-1`");
        assert_eq!(from("<doc command='outgoing' id='1'/>"), "a frame with the command `outgoing`");
        assert!(from("sent").starts_with("a frame is no document"));
        let to = |text: &str| ToGate::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(to("<doc id='1'/>"), "a frame with the command ``");
        assert_eq!(
            to("<doc command='outgoing'/>"),
            "a frame without a number: attribute `id` is ``"
        );
    }
}
