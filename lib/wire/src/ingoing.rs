//! What a gate reads and answers for `ingoing` (S3-52, S3-53).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use notice::Fields;

use crate::error::ErrorDocument;
use crate::outgoing::write_gateway;
use crate::params::GatewayParams;
use crate::xml::{Document, Element, ReadAs, XmlError, write_element};

/// The input: the gateway, and the messages that were stored since the last run. Only these may the
/// gate delete or mark.
pub fn ingoing_input(gateway: &Fields, xmlparams: &str, stored_uids: &[String]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<doc>");
    write_gateway(&mut out, gateway, xmlparams);
    out.extend_from_slice(b"<stored>");
    for uid in stored_uids {
        write_element(&mut out, "uid", uid);
    }
    out.extend_from_slice(b"</stored></doc>\n");
    out
}

/// The input as a gate reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngoingRequest {
    /// The gateway's row and form fields.
    pub gateway: GatewayParams,
    /// What was stored: delete or mark these, and no others.
    pub stored_uids: Vec<String>,
}

impl IngoingRequest {
    /// Reads the document; an error is one of `xmlparams`.
    pub fn read(root: &Element) -> Result<Self, XmlError> {
        let uids = |stored: &Element| stored.children_named("uid").map(Element::text).collect();
        let stored_uids = root.child("stored").map(uids).unwrap_or_default();
        Ok(Self { gateway: GatewayParams::read(root)?, stored_uids })
    }
}

/// What a gate brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingoing {
    /// Messages, in their order.
    pub messages: Vec<IncomingMessage>,
    /// What became of messages sent before.
    pub receipts: Vec<Receipt>,
}

/// A received message as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncomingMessage {
    /// The service's own number for it; None: duplicates are known by the hash of the source.
    pub uid: Option<String>,
    /// Whose it is, where the source does not say: the number of an SMS. An extension of ours.
    pub sender: Option<String>,
    /// The raw source, of a mail with all its headers.
    pub source: Vec<u8>,
}

/// What a service says about a message it took before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The reference the service gave when it took the message.
    pub reference: String,
    /// What became of it.
    pub state: ReceiptState,
    /// When, as the service says it (RFC 3339).
    pub at: Option<String>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// It arrived.
    Delivered,
    /// It won't arrive.
    Failed,
    /// Nobody knows; every unlisted word.
    Unknown,
}

impl ReceiptState {
    /// The word of the document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "delivered" => Self::Delivered,
            "failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// What could be taken from the output, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngoingReply {
    /// Every complete message, even of half a document: to be stored whatever `failure` says.
    pub ingoing: Ingoing,
    /// Why the run counts as failed.
    pub failure: Option<IngoingFailure>,
}

/// Why a run of `ingoing` counts as failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngoingFailure {
    /// The gate answered with an error.
    #[error("{}", .0.plain_text())]
    Refused(ErrorDocument),
    /// No document, or half a one.
    #[error("the answer is no whole document")]
    Cut(#[source] XmlError),
    /// A message whose base64 can't be decoded; the others were taken.
    #[error("a message that says base64 and is not")]
    NotBase64,
}

impl IngoingReply {
    /// Reads what a gate printed. Text before the document is passed over; bytes that are not UTF-8
    /// are kept as they are, for mail often holds such.
    pub fn read(output: &[u8]) -> Self {
        let part = Document::find_complete_part(output);
        let mut reply = Self { failure: part.error.map(IngoingFailure::Cut), ..Self::default() };
        let Some(root) = part.root else {
            return reply;
        };
        if let Some(error) = ErrorDocument::read(&root) {
            reply.failure.get_or_insert(IngoingFailure::Refused(error));
        }
        for message in root.children_named("messages").flat_map(|all| all.children_named("message"))
        {
            match IncomingMessage::read(message, part.read_as) {
                Some(message) if message.is_empty() => {}
                Some(message) => reply.ingoing.messages.push(message),
                None => {
                    reply.failure.get_or_insert(IngoingFailure::NotBase64);
                }
            }
        }
        let receipts =
            root.children_named("receipts").flat_map(|all| all.children_named("receipt"));
        reply.ingoing.receipts.extend(receipts.filter_map(Receipt::read));
        reply
    }
}

impl IncomingMessage {
    /// None when it says base64 and is not.
    fn read(element: &Element, read_as: ReadAs) -> Option<Self> {
        let text = element.text();
        let source = match element.attribute("encoding") {
            Some("base64") => {
                let letters: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
                STANDARD.decode(letters).ok()?
            }
            // A source begins with a header, so line breaks before it are the printer's.
            _ => bytes_of(text.trim_start_matches(['\r', '\n']), read_as),
        };
        let attribute = |name: &str| element.attribute(name).map(str::to_owned);
        Some(Self { uid: attribute("uid"), sender: attribute("sender"), source })
    }

    fn is_empty(&self) -> bool {
        self.uid.is_none() && self.source.trim_ascii().is_empty()
    }

    fn to_element(&self) -> Element {
        let mut element = Element::new("message");
        if let Some(uid) = &self.uid {
            element.set_attribute("uid", uid);
        }
        if let Some(sender) = &self.sender {
            element.set_attribute("sender", sender);
        }
        match std::str::from_utf8(&self.source) {
            Ok(text) if goes_as_text(text) => element.with_text(text),
            _ => element
                .with_attribute("encoding", "base64")
                .with_text(STANDARD.encode(&self.source)),
        }
    }
}

fn bytes_of(text: &str, read_as: ReadAs) -> Vec<u8> {
    match read_as {
        ReadAs::Text => text.as_bytes().to_vec(),
        ReadAs::Bytes => {
            let mut bytes = Vec::with_capacity(text.len());
            for letter in text.chars() {
                match u8::try_from(letter) {
                    Ok(byte) => bytes.push(byte),
                    Err(_) => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
                }
            }
            bytes
        }
    }
}

/// True when XML changes nothing of it: no control characters but tabs and line feeds, no line feed first.
fn goes_as_text(text: &str) -> bool {
    let plain = |letter: char| {
        matches!(letter, '\t' | '\n')
            || (letter >= ' ' && !matches!(letter, '\u{fffe}' | '\u{ffff}'))
    };
    !text.starts_with('\n') && text.chars().all(plain)
}

impl Receipt {
    fn read(element: &Element) -> Option<Self> {
        let reference = element.attribute("reference")?.trim();
        let state = ReceiptState::from_word(element.attribute("state").unwrap_or_default().trim());
        let at = element.attribute("at").map(str::to_owned);
        (!reference.is_empty()).then(|| Self { reference: reference.to_owned(), state, at })
    }

    fn to_element(&self) -> Element {
        let mut element = Element::new("receipt")
            .with_attribute("reference", &self.reference)
            .with_attribute("state", self.state.word());
        if let Some(at) = &self.at {
            element.set_attribute("at", at);
        }
        element
    }
}

impl Ingoing {
    /// The document a gate prints: a source XML would change goes as base64.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut messages = Element::new("messages");
        for message in &self.messages {
            messages.push(message.to_element());
        }
        let mut root = Element::new("doc").with_child(messages);
        if !self.receipts.is_empty() {
            let mut receipts = Element::new("receipts");
            for receipt in &self.receipts {
                receipts.push(receipt.to_element());
            }
            root.push(receipts);
        }
        Document::new(root).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sources(output: &[u8]) -> (Vec<String>, bool) {
        let reply = IngoingReply::read(output);
        let text = |message: IncomingMessage| String::from_utf8_lossy(&message.source).into_owned();
        (reply.ingoing.messages.into_iter().map(text).collect(), reply.failure.is_some())
    }

    #[test]
    fn every_whole_message_is_taken_and_half_a_document_counts_as_failed() {
        // S3-52, S3-53
        let table: [(&str, &[&str], bool); 13] = [
            ("<doc><messages/></doc>", &[], false),
            ("<doc/>", &[], false),
            ("<doc><ok/></doc>", &[], false),
            ("", &[], true),
            ("no document", &[], true),
            ("<doc><messages><message>a: b\n\nc</message></messages></doc>", &["a: b\n\nc"], false),
            (
                "<doc><messages><message>\n\na: b</message><message/></messages></doc>",
                &["a: b"],
                false,
            ),
            (
                "log line\n<doc><messages><message><![CDATA[<a> & b]]></message></messages></doc>",
                &["<a> & b"],
                false,
            ),
            ("<doc><messages><message>one</message><message>tw", &["one"], true),
            (
                "<doc><messages><message>one</message><message>a < b</message></messages></doc>",
                &["one"],
                true,
            ),
            ("<doc><messages><message>one</message></messages><receipts><rec", &["one"], true),
            (
                "<doc><messages><message encoding='base64'>YTog\n Yg==</message></messages></doc>",
                &["a: b"],
                false,
            ),
            (
                "<doc><messages><message encoding='base64'>%</message><message>x</message></messages></doc>",
                &["x"],
                true,
            ),
        ];
        for (output, expected, failed) in table {
            let (read, has_failed) = sources(output.as_bytes());
            assert_eq!(read, expected, "{output}");
            assert_eq!(has_failed, failed, "{output}");
        }
    }

    #[test]
    fn an_error_document_is_a_failure_with_its_text() {
        let reply =
            IngoingReply::read(b"<doc><error type='error'><msg>login refused</msg></error></doc>");
        assert_eq!(reply.failure.unwrap().to_string(), "login refused");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let output = b"<doc><messages><message uid='7'>Subject: \xcf\xf0 &lt;a&gt;</message></messages></doc>";
        let reply = IngoingReply::read(output);
        assert_eq!(reply.failure, None);
        assert_eq!(reply.ingoing.messages[0].uid.as_deref(), Some("7"));
        assert_eq!(reply.ingoing.messages[0].source, b"Subject: \xcf\xf0 <a>");
    }

    #[test]
    fn receipts_are_read() {
        let reply = IngoingReply::read(
            b"<doc><receipts><receipt reference='r1' state='delivered' at='2026-01-02T03:04:05Z'/>\
              <receipt reference='r2' state='odd'/><receipt state='failed'/></receipts></doc>",
        );
        let states: Vec<_> = reply
            .ingoing
            .receipts
            .iter()
            .map(|receipt| (&*receipt.reference, receipt.state))
            .collect();
        assert_eq!(states, [("r1", ReceiptState::Delivered), ("r2", ReceiptState::Unknown)]);
    }

    #[test]
    fn a_gate_is_told_what_was_stored() {
        let gateway = [("id", "4")].into_iter().collect();
        let input =
            ingoing_input(&gateway, "<doc><login>me</login></doc>", &["u<1".into(), "2".into()]);
        let request = IngoingRequest::read(&Document::parse(&input).unwrap().root).unwrap();
        assert_eq!(request.stored_uids, ["u<1", "2"]);
        assert_eq!((request.gateway.text("id"), request.gateway.text("login")), ("4", "me"));
    }

    proptest! {
        #[test]
        fn any_source_comes_through(source in proptest::collection::vec(any::<u8>(), 1..80)) {
            let message = IncomingMessage { uid: Some("u".into()), sender: Some("+7".into()), source };
            let ingoing = Ingoing { messages: vec![message], receipts: Vec::new() };
            let reply = IngoingReply::read(&ingoing.to_bytes());
            prop_assert_eq!(reply, IngoingReply { ingoing, failure: None });
        }

        #[test]
        fn a_cut_never_invents_a_message(cut in 0_usize..400) {
            let message = |n: u8| IncomingMessage { uid: Some(n.to_string()), sender: None, source: vec![b'a' + n; 20] };
            let ingoing = Ingoing { messages: (0..5).map(message).collect(), receipts: Vec::new() };
            let bytes = ingoing.to_bytes();
            let reply = IngoingReply::read(&bytes[..cut.min(bytes.len())]);
            let taken = reply.ingoing.messages;
            prop_assert_eq!(&taken[..], &ingoing.messages[..taken.len()]);
            prop_assert!(reply.failure.is_some() || taken.len() == 5);
        }
    }
}
