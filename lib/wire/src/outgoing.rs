//! What a gate reads for `outgoing` (S3-49): the writer for modules, the reader for gates.

use std::sync::Arc;

use notice::{Fields, TaskId};

use crate::params::{GatewayParams, fields_of, write_fields};
use crate::xml::{Element, XmlError, write_attribute_value, write_element, write_text};

/// One message for one contact, borrowed from where its parts live. Written without building a tree.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Every column of the gateway's row but `xmlparams` and `secret`, which are not written from here.
    pub gateway: &'a Fields,
    /// The fields of the gateway's form as a document in text, secrets merged in
    /// ([`crate::params::xmlparams_text`]).
    pub xmlparams: &'a str,
    /// The rendered text: HTML for mail, plain for the rest.
    pub message: &'a str,
    /// The heading; may be empty.
    pub subject: &'a str,
    /// The text alternative of a mail.
    pub text: Option<&'a str>,
    /// Further headers of a mail, name and value.
    pub headers: &'a [(String, String)],
    /// Files that go with a mail.
    pub attachments: &'a [Attachment],
    /// The well-formed XML of the element `user`, as it was taken at enqueue; empty for none.
    pub user_xml: &'a str,
    /// Every column of the project's row.
    pub project: &'a Fields,
    /// What we add about the task.
    pub task: TaskAttributes<'a>,
}

/// A file of a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The name the reader of the mail sees.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// The content id of an inline image.
    pub cid: Option<String>,
    /// Where it is, relative to ROOT: `var/attach/SHA256`.
    pub path: String,
}

/// The attributes of `<task/>` (DESIGN 5).
#[derive(Clone, Copy, Debug)]
pub struct TaskAttributes<'a> {
    /// The task's number.
    pub id: TaskId,
    /// The task's key: the same at every attempt.
    pub key: &'a str,
    /// This attempt, counted from 1.
    pub attempt: u32,
    /// An earlier attempt ended unknown: the service may have the message already.
    pub maybe_sent: bool,
    /// What is known of the phone; none for mail.
    pub phone: Option<&'a Phone>,
}

/// A parsed number and the size of the text in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phone {
    /// In the gateway's `phone_format`.
    pub number: String,
    /// Two letters, ISO 3166.
    pub country: String,
    /// `gsm7` or `ucs2`.
    pub encoding: String,
    /// Parts the message is sent in.
    pub segments: u32,
}

/// Appends an element with a text.
pub(crate) type WriteText = fn(&mut Vec<u8>, &str, &str);

impl Outgoing<'_> {
    /// Appends the document.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<doc>");
        self.write_task(out);
        write_gateway(out, self.gateway, self.xmlparams);
        self.write_content(out, write_element);
        write_project(out, self.project);
        out.extend_from_slice(b"</doc>\n");
    }

    /// The document alone.
    pub fn to_bytes(&self) -> Vec<u8> {
        let texts = self.message.len() + self.text.map_or(0, str::len);
        let mut out = Vec::with_capacity(texts + self.user_xml.len() + self.xmlparams.len() + 2048);
        self.write_to(&mut out);
        out
    }

    /// What is neither of the gateway nor of the project.
    ///
    /// `write` has the form of the texts: escaped, as every program reads it, or as sections.
    pub(crate) fn write_content(&self, out: &mut Vec<u8>, write: WriteText) {
        write(out, "message", self.message);
        write(out, "subject", self.subject);
        if let Some(text) = self.text {
            write(out, "text", text);
        }
        self.write_headers(out);
        for attachment in self.attachments {
            attachment.write_to(out);
        }
        let user_xml = if self.user_xml.is_empty() { "<user/>" } else { self.user_xml };
        out.extend_from_slice(user_xml.as_bytes());
    }

    pub(crate) fn write_task(&self, out: &mut Vec<u8>) {
        let task = &self.task;
        out.extend_from_slice(b"<task");
        write_attribute(out, "id", &task.id.to_string());
        write_attribute(out, "key", task.key);
        write_attribute(out, "attempt", &task.attempt.to_string());
        write_attribute(out, "maybe_sent", if task.maybe_sent { "1" } else { "0" });
        if let Some(phone) = task.phone {
            write_attribute(out, "phone", &phone.number);
            write_attribute(out, "country", &phone.country);
            write_attribute(out, "encoding", &phone.encoding);
            write_attribute(out, "segments", &phone.segments.to_string());
        }
        out.extend_from_slice(b"/>");
    }

    fn write_headers(&self, out: &mut Vec<u8>) {
        if self.headers.is_empty() {
            return;
        }
        out.extend_from_slice(b"<headers>");
        for (name, value) in self.headers {
            out.extend_from_slice(b"<header");
            write_attribute(out, "name", name);
            out.push(b'>');
            write_text(out, value);
            out.extend_from_slice(b"</header>");
        }
        out.extend_from_slice(b"</headers>");
    }
}

impl Attachment {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<attachment");
        write_attribute(out, "name", &self.name);
        write_attribute(out, "type", &self.content_type);
        if let Some(cid) = &self.cid {
            write_attribute(out, "cid", cid);
        }
        write_attribute(out, "path", &self.path);
        out.extend_from_slice(b"/>");
    }

    fn read(element: &Element) -> Self {
        let of = |name| element.attribute(name).unwrap_or_default().to_owned();
        Self {
            name: of("name"),
            content_type: of("type"),
            cid: element.attribute("cid").map(str::to_owned),
            path: of("path"),
        }
    }
}

/// Appends `<gateway>` with the row's columns and `xmlparams` as escaped text.
pub(crate) fn write_gateway(out: &mut Vec<u8>, columns: &Fields, xmlparams: &str) {
    out.extend_from_slice(b"<gateway>");
    for (name, text) in columns.iter().filter(|(name, _)| !matches!(*name, "xmlparams" | "secret"))
    {
        write_element(out, name, text);
    }
    write_element(out, "xmlparams", xmlparams);
    out.extend_from_slice(b"</gateway>");
}

/// Appends `<project>` with the row's columns.
pub(crate) fn write_project(out: &mut Vec<u8>, columns: &Fields) {
    out.extend_from_slice(b"<project>");
    write_fields(out, columns);
    out.extend_from_slice(b"</project>");
}

fn write_attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    write_attribute_value(out, value);
    out.push(b'"');
}

/// The same document as a gate reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The gateway's row and form fields.
    pub gateway: Arc<GatewayParams>,
    /// The rendered text.
    pub message: String,
    /// The heading; may be empty.
    pub subject: String,
    /// The text alternative of a mail.
    pub text: Option<String>,
    /// Further headers of a mail, name and value.
    pub headers: Vec<(String, String)>,
    /// Files that go with a mail.
    pub attachments: Vec<Attachment>,
    /// The user's columns.
    pub user: Fields,
    /// The project's columns.
    pub project: Arc<Fields>,
    /// What the worker adds about the task.
    pub task: Task,
}

/// `<task/>` as a gate reads it; empty when a foreign module called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The task's number; None when a foreign module called.
    pub id: Option<TaskId>,
    /// The task's key: the same at every attempt.
    pub key: String,
    /// This attempt, counted from 1.
    pub attempt: u32,
    /// An earlier attempt ended unknown.
    pub maybe_sent: bool,
    /// What is known of the phone.
    pub phone: Option<Phone>,
}

impl OutgoingMessage {
    /// Reads the document; an error is one of `xmlparams`.
    pub fn read(root: &Element) -> Result<Self, XmlError> {
        let project = root.child("project").map(fields_of).unwrap_or_default();
        Ok(Self::of(root, Arc::new(GatewayParams::read(root)?), Arc::new(project)))
    }

    /// A message of this gateway and project, which need not stand in the document.
    pub(crate) fn of(root: &Element, gateway: Arc<GatewayParams>, project: Arc<Fields>) -> Self {
        let header = |header: &Element| Some((header.attribute("name")?.to_owned(), header.text()));
        Self {
            gateway,
            message: root.child_text("message"),
            subject: root.child_text("subject"),
            text: root.child("text").map(Element::text),
            headers: root
                .child("headers")
                .map(|list| list.children_named("header").filter_map(header).collect())
                .unwrap_or_default(),
            attachments: root.children_named("attachment").map(Attachment::read).collect(),
            user: root.child("user").map(fields_of).unwrap_or_default(),
            project,
            task: root.child("task").map(Task::read).unwrap_or_default(),
        }
    }

    /// A gateway parameter, whether it is a column or a field of the form; empty when there is none
    /// (`GateParam`, S3-54).
    pub fn param(&self, name: &str) -> &str {
        self.gateway.text(name)
    }

    /// The number to send to: the normalised one, else the user's as stored.
    pub fn phone(&self) -> &str {
        match &self.task.phone {
            Some(phone) if !phone.number.is_empty() => &phone.number,
            _ => self.user.text("phone"),
        }
    }
}

impl Task {
    fn read(element: &Element) -> Self {
        let of = |name| element.attribute(name).unwrap_or_default();
        let phone = element.attribute("phone").map(|number| Phone {
            number: number.to_owned(),
            country: of("country").to_owned(),
            encoding: of("encoding").to_owned(),
            segments: of("segments").parse().unwrap_or_default(),
        });
        Self {
            id: of("id").parse().ok(),
            key: of("key").to_owned(),
            attempt: of("attempt").parse().unwrap_or_default(),
            maybe_sent: matches!(of("maybe_sent"), "1" | "on" | "yes"),
            phone,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::params::xmlparams_text;
    use crate::xml::Document;

    fn fields(all: &[(&str, &str)]) -> Fields {
        all.iter().copied().collect()
    }

    fn read(bytes: &[u8]) -> OutgoingMessage {
        OutgoingMessage::read(&Document::parse(bytes).unwrap().root).unwrap()
    }

    #[test]
    fn the_document_has_the_documented_shape() {
        // S3-49, S3-50: every column an element, xmlparams as escaped text.
        let (gateway, project) =
            (fields(&[("id", "3"), ("secret", "x"), ("xmlparams", "y")]), fields(&[("name", "P")]));
        let phone = Phone {
            number: "+79123456789".into(),
            country: "RU".into(),
            encoding: "ucs2".into(),
            segments: 2,
        };
        let outgoing = Outgoing {
            gateway: &gateway,
            xmlparams: "<doc><login>a&amp;b</login></doc>",
            message: "Привет <b> ]]> &",
            subject: "",
            text: None,
            headers: &[],
            attachments: &[],
            user_xml: "<user><phone>8 912</phone></user>",
            project: &project,
            task: TaskAttributes {
                id: TaskId(7),
                key: "k\"1",
                attempt: 2,
                maybe_sent: true,
                phone: Some(&phone),
            },
        };
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<doc>\
            <task id=\"7\" key=\"k&quot;1\" attempt=\"2\" maybe_sent=\"1\" phone=\"+79123456789\" \
            country=\"RU\" encoding=\"ucs2\" segments=\"2\"/><gateway><id>3</id>\
            <xmlparams>&lt;doc&gt;&lt;login&gt;a&amp;amp;b&lt;/login&gt;&lt;/doc&gt;</xmlparams></gateway>\
            <message>Привет &lt;b&gt; ]]&gt; &amp;</message><subject/>\
            <user><phone>8 912</phone></user><project><name>P</name></project></doc>\n";
        assert_eq!(String::from_utf8(outgoing.to_bytes()).unwrap(), expected);
        let message = read(&outgoing.to_bytes());
        assert_eq!((message.param("id"), message.param("login")), ("3", "a&b"));
        assert_eq!((message.phone(), message.user.text("phone")), ("+79123456789", "8 912"));
        assert_eq!(message.task.id, Some(TaskId(7)));
    }

    #[test]
    fn the_layout_of_a_foreign_module_is_read() {
        // ancestor-facts 1.3: only `gateway` is common to all.
        let message = read(
            b"<doc><gateway><id>1</id></gateway><message>m</message><jabber>a@b</jabber></doc>",
        );
        assert_eq!((message.message.as_str(), message.task.id), ("m", None));
        assert!(message.user.is_empty() && message.phone().is_empty());
    }

    proptest! {
        #[test]
        fn every_text_of_a_mail_arrives_as_it_was(
            message in "[^\0-\\x08\\x0b\\x0c\\x0e-\\x1f\u{fffe}\u{ffff}]{0,60}",
            value in "[ -~а-я\\r\\n\\t]{0,20}",
            path in "[ -~\\r\\n\\t]{0,20}",
        ) {
            let gateway = fields(&[("id", "1"), ("name", &value)]);
            let project = fields(&[("site", &value)]);
            let xmlparams = xmlparams_text(&fields(&[("password", &value)]));
            let user_xml = Element::new("user").with_child(Element::new("email").with_text(&*value)).to_xml();
            let headers = [("X-A".to_owned(), value.clone())];
            let attachments = [Attachment {
                name: value.clone(),
                content_type: "image/png".into(),
                cid: Some(path.clone()),
                path: path.clone(),
            }];
            let outgoing = Outgoing {
                gateway: &gateway,
                xmlparams: &xmlparams,
                message: &message,
                subject: &value,
                text: Some(&message),
                headers: &headers,
                attachments: &attachments,
                user_xml: &user_xml,
                project: &project,
                task: TaskAttributes { id: TaskId(1), key: &value, attempt: 1, maybe_sent: false, phone: None },
            };
            let read = read(&outgoing.to_bytes());
            prop_assert_eq!(&read.message, &message);
            prop_assert_eq!(read.text.as_ref(), Some(&message));
            prop_assert_eq!(read.param("password"), &value);
            prop_assert_eq!(read.param("name"), &value);
            prop_assert_eq!(read.user.text("email"), &value);
            prop_assert_eq!(read.project.text("site"), &value);
            prop_assert_eq!(&read.subject, &value);
            prop_assert_eq!(&read.headers[..], &headers[..]);
            prop_assert_eq!(&read.attachments[..], &attachments[..]);
            prop_assert_eq!(&read.task.key, &value);
        }
    }
}
