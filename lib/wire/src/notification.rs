//! Notification files: `/doc/notify`, one or several (S3-12, S3-13, ancestor-facts 1.1).

use notice::{Fields, ProjectId};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::outgoing::Attachment;
use crate::params::fields_of;
pub use crate::rendering::Engine;
use crate::xml::{Document, Element, XmlError};

const XSLT_NAMESPACE: &str = "http://www.w3.org/1999/XSL/Transform";

/// A notice for one user with one template: an entry of a notification file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What the template is written in.
    pub engine: Engine,
    /// The template's text.
    pub template: String,
    /// The notice as XML text, not yet looked into: a bad one must not hold the others of its file.
    pub notice_xml: String,
    /// The element `user`.
    pub user: Element,
    /// The template's subject; the last of three ([`Notice::subject`]).
    pub template_subject: String,
}

/// A file that holds no notifications.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// No XML document.
    #[error("the notification file is no document")]
    NoDocument(#[from] XmlError),
    /// A document without `/doc/notify`.
    #[error("the notification file has no `notify` element in its root")]
    NoNotify,
}

/// Reads every entry of a notification file, in order.
pub fn read_notifications(bytes: &[u8]) -> Result<Vec<Notification>, NotificationError> {
    let root = Document::parse(bytes)?.root;
    let notifications: Vec<_> = root.children_named("notify").map(Notification::read).collect();
    if notifications.is_empty() { Err(NotificationError::NoNotify) } else { Ok(notifications) }
}

/// A notification file of these entries.
pub fn notifications_to_bytes<'a>(all: impl IntoIterator<Item = &'a Notification>) -> Vec<u8> {
    let mut root = Element::new("doc");
    for notification in all {
        root.push(notification.to_element());
    }
    Document::new(root).to_bytes()
}

impl Notification {
    fn read(notify: &Element) -> Self {
        let template = notify.child("tmpl").map(text_or_xml).unwrap_or_default();
        let named = notify.child("tmpl").and_then(|tmpl| tmpl.attribute("engine"));
        let engine = named.and_then(|name| name.trim().parse().ok());
        Self {
            engine: engine.unwrap_or_else(|| engine_of(&template)),
            notice_xml: notify.child("notice_xml").map(text_or_xml).unwrap_or_default(),
            user: notify.child("user").cloned().unwrap_or_else(|| Element::new("user")),
            template_subject: notify.child_text("templatesubject").trim().to_owned(),
            template,
        }
    }

    /// The notice, looked into.
    pub fn notice(&self) -> Result<Notice, XmlError> {
        Notice::parse(&self.notice_xml)
    }

    /// The user's columns.
    pub fn user_fields(&self) -> Fields {
        fields_of(&self.user)
    }

    fn to_element(&self) -> Element {
        let mut template = Element::new("tmpl").with_text(&self.template);
        if self.engine != engine_of(&self.template) {
            template.set_attribute("engine", self.engine.word());
        }
        let mut notify = Element::new("notify")
            .with_child(template)
            .with_child(Element::new("notice_xml").with_text(&self.notice_xml))
            .with_child(self.user.clone());
        if !self.template_subject.is_empty() {
            notify.push(Element::new("templatesubject").with_text(&self.template_subject));
        }
        notify
    }
}

/// Text as it should be; XML that somebody forgot to escape is taken as its source.
fn text_or_xml(element: &Element) -> String {
    match element.elements().next() {
        Some(nested) => nested.to_xml(),
        None => element.text(),
    }
}

/// The engine by the template's structure (S3-13): XSLT if its first tag is `stylesheet` or
/// `transform` of XSLT, or any with `xsl:version`; else EJS. A broken stylesheet is one still: better
/// an error than its source in a customer's mail.
pub fn engine_of(template: &str) -> Engine {
    let mut reader = Reader::from_str(template.trim_start_matches('\u{feff}'));
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                return if is_stylesheet(&tag) { Engine::Xslt } else { Engine::Ejs };
            }
            Ok(Event::Text(text)) if text.trim().is_empty() => {}
            Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_)) => {}
            Ok(_) | Err(_) => return Engine::Ejs,
        }
    }
}

fn is_stylesheet(tag: &BytesStart<'_>) -> bool {
    let mut attributes = tag.attributes();
    let mut prefixes = vec!["xsl".to_owned()];
    let mut names = Vec::new();
    for attribute in attributes.with_checks(false).flatten().take(64) {
        let name = attribute.key.into_inner();
        match name.strip_prefix("xmlns:") {
            Some(prefix) if attribute.value == XSLT_NAMESPACE => prefixes.push(prefix.to_owned()),
            None if name == "xmlns" && attribute.value == XSLT_NAMESPACE => {
                prefixes.push(String::new());
            }
            _ => names.push(name.to_owned()),
        }
    }
    let name = tag.name();
    let (prefix, local) = name.into_inner().split_once(':').unwrap_or(("", name.into_inner()));
    let is_xslt = |prefix: &str| prefixes.iter().any(|known| known == prefix);
    let root_is = is_xslt(prefix) && matches!(local, "stylesheet" | "transform");
    root_is
        || names
            .iter()
            .any(|name| matches!(name.split_once(':'), Some((p, "version")) if is_xslt(p)))
}

/// What happened, as XML (`notice_xml`): root `doc`, with `project`, `noticeparams`, `subject`,
/// `attachments` where they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The root of the notice.
    pub root: Element,
}

impl Notice {
    /// Reads the text of `notice_xml`.
    pub fn parse(text: &str) -> Result<Self, XmlError> {
        Ok(Self { root: Document::parse_text(text)?.root })
    }

    /// The project in whose name it goes out: `project/id`.
    pub fn project_id(&self) -> Option<ProjectId> {
        let mut projects = self.root.children_named("project");
        projects.find_map(|project| project.child_text("id").parse().ok())
    }

    /// `subject`, else `noticeparams/subject`, else that of the template; None when all are empty.
    /// Line breaks become spaces: a subject is one line.
    pub fn subject(&self, template_subject: &str) -> Option<String> {
        let own = self.root.child_text("subject");
        let of_params = self
            .root
            .child("noticeparams")
            .map(|params| params.child_text("subject"))
            .unwrap_or_default();
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let subjects = [own.as_str(), of_params.as_str(), template_subject];
        subjects.into_iter().map(one_line).find(|subject| !subject.is_empty())
    }

    /// `attachments/attachment`: the text is the file, attributes `name`, `type`, `cid` are ours.
    pub fn attachments(&self) -> Vec<Attachment> {
        let lists = self.root.children_named("attachments");
        lists
            .flat_map(|list| list.children_named("attachment"))
            .map(attachment)
            .filter(|attachment| !attachment.path.is_empty())
            .collect()
    }
}

fn attachment(element: &Element) -> Attachment {
    let text = element.text();
    let path = element.attribute("path").unwrap_or(text.trim());
    let file_name = path.rsplit('/').next().unwrap_or(path);
    Attachment {
        name: element.attribute("name").unwrap_or(file_name).to_owned(),
        content_type: element.attribute("type").unwrap_or_default().to_owned(),
        cid: element.attribute("cid").map(str::to_owned),
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "<?xml version=\"1.0\" encoding=\"UTF8\"?>\n<doc>\n\
        <notify><tmpl>Hi &lt;%= project.name %&gt;</tmpl>\
        <notice_xml>&lt;?xml version=\"1.0\"?&gt;&lt;doc&gt;&lt;project&gt;&lt;id&gt;5&lt;/id&gt;&lt;/project&gt;\
        &lt;noticeparams&gt;&lt;subject&gt;from\nparams&lt;/subject&gt;&lt;/noticeparams&gt;\
        &lt;attachments&gt;&lt;attachment&gt;var/attach/a.pdf&lt;/attachment&gt;\
        &lt;attachment name=\"L\" type=\"image/png\" cid=\"c\" path=\"var/attach/ff\"/&gt;&lt;/attachments&gt;&lt;/doc&gt;</notice_xml>\
        <user><id>9</id><email>a@b.c</email></user><templatesubject>T</templatesubject></notify>\n\
        <other/><notify><tmpl engine=\"tera\">{{ x }}</tmpl><notice_xml>not xml</notice_xml></notify></doc>";

    #[test]
    fn every_entry_of_a_file_is_read() {
        let all = read_notifications(FILE.as_bytes()).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[0].engine, all[0].template.as_str()),
            (Engine::Ejs, "Hi <%= project.name %>")
        );
        assert_eq!(all[0].user_fields().text("email"), "a@b.c");
        let notice = all[0].notice().unwrap();
        assert_eq!(notice.project_id(), Some(ProjectId(5)));
        assert_eq!(notice.subject(&all[0].template_subject).as_deref(), Some("from params"));
        let attachments = notice.attachments();
        assert_eq!((&*attachments[0].name, &*attachments[0].path), ("a.pdf", "var/attach/a.pdf"));
        assert_eq!((&*attachments[1].name, &*attachments[1].path), ("L", "var/attach/ff"));
        assert_eq!(all[1].engine, Engine::Tera);
        assert!(all[1].notice().is_err(), "a bad notice is an error of its own entry");
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        let all = read_notifications(FILE.as_bytes()).unwrap();
        assert_eq!(read_notifications(&notifications_to_bytes(&all)).unwrap(), all);
    }

    #[test]
    fn the_subject_is_the_first_of_three() {
        let subject = |xml: &str| Notice::parse(xml).unwrap().subject(" T\r\nBcc: x ");
        let params = "<noticeparams><subject>p</subject></noticeparams>";
        assert_eq!(subject(&format!("<doc><subject>n</subject>{params}</doc>")).unwrap(), "n");
        assert_eq!(subject(&format!("<doc><subject> </subject>{params}</doc>")).unwrap(), "p");
        assert_eq!(subject("<doc/>").unwrap(), "T Bcc: x");
        assert_eq!(Notice::parse("<doc/>").unwrap().subject(""), None);
    }

    #[test]
    fn the_first_tag_decides_the_engine() {
        // S3-13
        let table = [
            ("<xsl:stylesheet version='1.0'/>", Engine::Xslt),
            (
                "\u{feff} <?xml version='1.0'?>\n<!-- c --><?p q?><xsl:transform>broken",
                Engine::Xslt,
            ),
            ("<t:stylesheet xmlns:t='http://www.w3.org/1999/XSL/Transform'/>", Engine::Xslt),
            ("<stylesheet xmlns='http://www.w3.org/1999/XSL/Transform'/>", Engine::Xslt),
            ("<html xsl:version='1.0'><body/></html>", Engine::Xslt),
            ("<!DOCTYPE x><xsl:stylesheet/>", Engine::Xslt),
            ("<stylesheet/>", Engine::Ejs),
            ("<html version='1.0'><p><%= a %></p></html>", Engine::Ejs),
            ("<% if (a < b) { %>x<% } %>", Engine::Ejs),
            ("Dear <xsl:stylesheet/>", Engine::Ejs),
            ("plain text", Engine::Ejs),
            ("{{ tera }}", Engine::Ejs),
            ("", Engine::Ejs),
        ];
        for (template, engine) in table {
            assert_eq!(engine_of(template), engine, "{template}");
        }
    }

    #[test]
    fn a_file_without_notifications_is_refused() {
        let refused = |text: &str| read_notifications(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("<doc/>"), "the notification file has no `notify` element in its root");
        assert_eq!(refused(""), "the notification file is no document");
        assert_eq!(
            refused("<!DOCTYPE doc><doc><notify/></doc>"),
            "the notification file is no document"
        );
    }

    #[test]
    fn a_template_that_was_not_escaped_is_taken_as_its_source() {
        let file = "<doc><notify><tmpl><xsl:stylesheet a='1'><x/></xsl:stylesheet></tmpl>\
            <notice_xml><doc><project><id>2</id></project></doc></notice_xml></notify></doc>";
        let all = read_notifications(file.as_bytes()).unwrap();
        assert_eq!(all[0].engine, Engine::Xslt);
        assert_eq!(all[0].template, "<xsl:stylesheet a=\"1\"><x/></xsl:stylesheet>");
        assert_eq!(all[0].notice().unwrap().project_id(), Some(ProjectId(2)));
    }
}
