//! One engine with everything it was told: the inside of the render child.

use std::collections::HashMap;

use wire::rendering::{
    BodyKind, Bundle, Engine, NoticeForm, Part, RenderRequest, Rendered, TemplateError, Texts,
};
use wire::xml::Element;

use crate::ask::{Ask, Template, Templates};
use crate::moments::Locale;
use crate::told::Notice;
use crate::{Limits, ejs, escape, macros, plain, tera_engine};

/// An engine that this build has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this build of gatepost-render was made without libxslt: XSLT templates can't be rendered; write them for EJS or Tera, or build with the feature `xslt`"
)]
pub struct Unavailable;

/// Renders with one engine.
pub struct Renderer {
    engine: Engine,
    templates: Box<dyn Templates>,
    bundles: HashMap<String, Bundle>,
    notices: HashMap<String, Notice>,
    kept_bytes: usize,
    /// So many were asked for.
    messages: u64,
    limits: Limits,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Renderer {
    /// A renderer that was told nothing yet.
    pub fn new(engine: Engine, limits: Limits) -> Result<Self, Unavailable> {
        let templates: Box<dyn Templates> = match engine {
            Engine::Xslt => xslt_templates(&limits)?,
            Engine::Ejs => Box::new(ejs::EjsTemplates::new(limits)),
            Engine::Tera => Box::new(tera_engine::TeraTemplates::new(limits)),
        };
        let (bundles, notices) = (HashMap::new(), HashMap::new());
        Ok(Self { engine, templates, bundles, notices, kept_bytes: 0, messages: 0, limits })
    }

    /// Keeps a bundle under its hash.
    pub fn tell_bundle(&mut self, hash: String, bundle: Bundle) {
        self.kept_bytes +=
            bundle.files.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>();
        self.bundles.insert(hash, bundle);
    }

    /// Keeps a notice under its hash.
    pub fn tell_notice(&mut self, hash: String, form: NoticeForm, text: String) {
        self.kept_bytes += text.len();
        self.notices.insert(hash, Notice::new(form, text));
    }

    /// True when the process should leave after its reply and be started afresh: it keeps too much, or libxslt's
    /// failed compiles have leaked for long enough.
    pub fn is_spent(&self) -> bool {
        self.kept_bytes > self.limits.kept_bytes || self.templates.compiles() > self.limits.compiles
    }

    /// Renders one message.
    pub fn render(&mut self, request: &RenderRequest) -> Rendered {
        Rendered { id: request.id.clone(), result: self.texts(request) }
    }

    fn texts(&mut self, request: &RenderRequest) -> Result<Texts, TemplateError> {
        let unknown = |what: &str, hash: &str| TemplateError {
            message: format!("the {what} `{hash}` was not told to the render process"),
            ..TemplateError::default()
        };
        let bundle =
            self.bundles.get(&request.bundle).ok_or_else(|| unknown("bundle", &request.bundle))?;
        let notice =
            self.notices.get(&request.notice).ok_or_else(|| unknown("notice", &request.notice))?;
        self.messages += 1;
        let locale = Locale { lang: request.lang.clone(), timezone: request.timezone.clone() };
        let mut message = Message {
            number: self.messages,
            engine: self.engine,
            templates: self.templates.as_mut(),
            output_bytes: self.limits.output_bytes,
            bundle,
            notice,
            locale: &locale,
            request,
            html: None,
        };
        let mut texts = Texts::default();
        for part in &request.parts {
            match part {
                Part::Html => texts.html = Some(message.html()?),
                Part::Text => texts.text = Some(message.text()?),
                Part::Subject => texts.subject = Some(message.subject()?),
            }
        }
        Ok(texts)
    }
}

#[cfg(feature = "xslt")]
#[expect(clippy::unnecessary_wraps, reason = "a build without libxslt refuses here")]
fn xslt_templates(limits: &Limits) -> Result<Box<dyn Templates>, Unavailable> {
    Ok(Box::new(crate::xslt_engine::XsltTemplates::new(*limits)))
}

#[cfg(not(feature = "xslt"))]
fn xslt_templates(_limits: &Limits) -> Result<Box<dyn Templates>, Unavailable> {
    Err(Unavailable)
}

/// One message while its parts are made.
struct Message<'a> {
    number: u64,
    engine: Engine,
    templates: &'a mut dyn Templates,
    output_bytes: usize,
    bundle: &'a Bundle,
    notice: &'a Notice,
    locale: &'a Locale,
    request: &'a RenderRequest,
    /// Made once, for the HTML part and for a text made from it.
    html: Option<String>,
}

impl<'a> Message<'a> {
    fn html(&mut self) -> Result<String, TemplateError> {
        if let Some(made) = &self.html {
            return Ok(made.clone());
        }
        let made = self.body(BodyKind::Html)?;
        self.html = Some(made.clone());
        Ok(made)
    }

    /// The text template, else the HTML body as text.
    fn text(&mut self) -> Result<String, TemplateError> {
        if self.bundle.body(BodyKind::Text).is_some() {
            return self.body(BodyKind::Text);
        }
        let html = self.html()?;
        let name =
            self.bundle.body(BodyKind::Html).map(|body| body.name.clone()).unwrap_or_default();
        plain::text_of(&html).map_err(|message| TemplateError { template: name, line: 0, message })
    }

    fn body(&mut self, kind: BodyKind) -> Result<String, TemplateError> {
        let bundle = self.bundle;
        let Some(body) = bundle.body(kind) else {
            return Err(nothing(&format!("the bundle has no {} template", kind.word())));
        };
        self.check_engine(body.engine, &body.name)?;
        let text = bundle.file(&body.name).unwrap_or_default();
        let rendered = self.rendered(Template { name: &body.name, text, kind })?;
        Ok(macros::replace(&rendered, self.user(), kind))
    }

    /// The notice's subject, else the bundle's, rendered; macros replaced; one line.
    fn subject(&mut self) -> Result<String, TemplateError> {
        let raw = match (self.notice.subject()?, &self.bundle.subject) {
            (Some(own), _) => own,
            (None, Some((engine, text))) => {
                self.check_engine(*engine, SUBJECT)?;
                self.rendered(Template { name: SUBJECT, text, kind: BodyKind::Text })?
            }
            (None, None) => String::new(),
        };
        Ok(escape::one_line(&macros::replace(&raw, self.user(), BodyKind::Text)))
    }

    fn rendered(&mut self, template: Template<'_>) -> Result<String, TemplateError> {
        let ask = Ask {
            message: self.number,
            bundle: (&self.request.bundle, self.bundle),
            notice: (&self.request.notice, self.notice),
            template,
            user: self.user(),
            project: self.request.project.as_deref().filter(|project| !is_bare(project)),
            locale: self.locale,
        };
        let text = self.templates.render(&ask)?;
        if text.len() > self.output_bytes {
            return Err(ask.error(crate::limits::too_large(self.output_bytes)));
        }
        Ok(text)
    }

    fn user(&self) -> Option<&'a Element> {
        self.request.user.as_ref()
    }

    fn check_engine(&self, wanted: Engine, name: &str) -> Result<(), TemplateError> {
        if wanted == self.engine {
            return Ok(());
        }
        let message = format!(
            "`{name}` is a template for {wanted}, asked of the render process for {}",
            self.engine
        );
        Err(TemplateError { template: name.to_owned(), line: 0, message })
    }
}

/// The name under which a subject's errors are told.
const SUBJECT: &str = "subject";

fn is_bare(element: &Element) -> bool {
    element.attributes.is_empty() && element.children.is_empty()
}

fn nothing(message: &str) -> TemplateError {
    TemplateError { message: message.to_owned(), ..TemplateError::default() }
}
