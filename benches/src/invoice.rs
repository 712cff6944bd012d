//! The notice of the bench `mail`: an invoice in the language of each engine, and how long an engine alone takes for it.

use render::{Limits, Renderer};
use std::time::Instant;
use wire::rendering::{BodyKind, BodyTemplate, Bundle, NoticeForm, Part, RenderRequest};
use wire::xml::Element;

/// In the last line of every text.
pub(crate) const MARK: &str = "bench-end";

/// In which language the templates are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Tera,
    Ejs,
    Xslt,
}

impl Engine {
    /// As the table says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tera => "Tera",
            Self::Ejs => "EJS",
            Self::Xslt => "XSLT",
        }
    }

    fn known(self) -> wire::rendering::Engine {
        match self {
            Self::Tera => wire::rendering::Engine::Tera,
            Self::Ejs => wire::rendering::Engine::Ejs,
            Self::Xslt => wire::rendering::Engine::Xslt,
        }
    }

    /// A value in a template.
    fn value(self, name: &str) -> String {
        match self {
            Self::Tera => format!("{{{{ {name} }}}}"),
            Self::Ejs => format!("<%= {name} %>"),
            Self::Xslt => format!("<xsl:value-of select=\"{}\"/>", name.replace("user.", "$user/")),
        }
    }

    /// A template of this body.
    fn file(self, method: &str, body: &str) -> String {
        match self {
            Self::Tera | Self::Ejs => body.to_owned(),
            Self::Xslt => format!(
                "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">\
                 <xsl:output method=\"{method}\"/><xsl:param name=\"user\" select=\"/doc/user\"/>\
                 <xsl:template match=\"/doc\">{body}</xsl:template></xsl:stylesheet>\n"
            ),
        }
    }
}

/// A line of every text.
pub(crate) const LINE: &str =
    "Your invoice is ready; please find the details below and pay it in time.";

/// The templates.
pub(crate) struct Invoice {
    /// The HTML form.
    pub(crate) html: String,
    /// The plain form.
    pub(crate) text: String,
    /// The heading.
    pub(crate) subject: String,
}

impl Invoice {
    /// With so many lines in its middle.
    pub(crate) fn of(engine: Engine, lines: usize) -> Self {
        let (name, number) = (engine.value("user.realname"), engine.value("number"));
        let middle = |before: &str, after: &str| format!("{before}{LINE}{after}\n").repeat(lines);
        let (plain, marked) = (middle("", ""), middle("<p>", "</p>"));
        let text = format!("Dear {name},\nthis is your invoice {number}.\n{plain}{MARK}\n");
        let html = format!(
            "<p>Dear {name},</p>\n<p>this is your invoice <b>{number}</b>.</p>\n{marked}<p>{MARK}</p>\n"
        );
        let subject = format!("Invoice {number}");
        Self {
            html: engine.file("html", &html),
            text: engine.file("text", &text),
            subject: match engine {
                Engine::Tera | Engine::Ejs => subject,
                Engine::Xslt => engine.file("text", &subject),
            },
        }
    }

    /// Microseconds for all of it, each time for another user, in this thread.
    pub(crate) fn alone_us(self, engine: Engine, messages: usize) -> f64 {
        let known = engine.known();
        let mut renderer = Renderer::new(known, Limits::default()).unwrap();
        renderer.tell_bundle("b".to_owned(), self.bundle(engine));
        let notice = "<doc><noticeparams><notice>bench</notice></noticeparams><number>2026-0118</number></doc>";
        renderer.tell_notice("n".to_owned(), NoticeForm::Xml, notice.to_owned());
        let mut render = |number: usize| {
            let texts = renderer.render(&request(number)).result.unwrap();
            assert!(texts.html.is_some_and(|html| html.contains(&format!("User {number},"))));
        };
        // the first compiles
        render(0);
        let start = Instant::now();
        (0..messages).for_each(render);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = start.elapsed().as_secs_f64() * 1e6 / messages as f64;
        each
    }

    fn bundle(self, engine: Engine) -> Bundle {
        let body =
            |kind, name: &str| BodyTemplate { kind, engine: engine.known(), name: name.to_owned() };
        Bundle {
            notice: "bench".to_owned(),
            module: "ntemail".to_owned(),
            lang: "en".to_owned(),
            on_unknown: None,
            list_unsubscribe: None,
            bodies: vec![body(BodyKind::Html, "html"), body(BodyKind::Text, "text")],
            subject: Some((engine.known(), self.subject)),
            files: vec![("html".to_owned(), self.html), ("text".to_owned(), self.text)],
        }
    }
}

fn request(number: usize) -> RenderRequest {
    let column = |name: &str, text: String| Element::new(name).with_text(text);
    let user = Element::new("user")
        .with_child(column("id", number.to_string()))
        .with_child(column("name", format!("u{number}")))
        .with_child(column("realname", format!("User {number}")))
        .with_child(column("email", format!("u{number}@example.com")));
    RenderRequest {
        id: number.to_string(),
        bundle: "b".to_owned(),
        notice: "n".to_owned(),
        parts: vec![Part::Html, Part::Text, Part::Subject],
        lang: "en".to_owned(),
        timezone: String::new(),
        user: Some(user),
        project: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_renders_the_invoice() {
        for engine in [Engine::Tera, Engine::Ejs, Engine::Xslt] {
            assert!(Invoice::of(engine, 8).alone_us(engine, 2) > 0.0);
        }
    }
}
