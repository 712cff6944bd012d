//! XSLT over `lib/xslt`: stylesheets compiled once a bundle, notices parsed once a stylesheet.

use wire::rendering::{BodyKind, NoticeForm, TemplateError};
use wire::xml::Element;
use xslt::{Document, Parameters, Stylesheet};

use crate::Limits;
use crate::ask::{Ask, Made, Templates};

/// Stylesheets and documents kept.
const MOST_KEPT: usize = 64;

pub(crate) struct XsltTemplates {
    limits: xslt::Limits,
    compiles: u32,
    /// By bundle and template.
    stylesheets: Made<(String, String), Sheet>,
    /// By bundle, template and notice: a stylesheet may strip blanks from the tree it is applied to.
    documents: Made<(String, String, String), Document>,
}

enum Sheet {
    Compiled {
        stylesheet: Stylesheet,
        uses: Uses,
    },
    /// A subject that is no stylesheet is text.
    Text,
}

/// Which parameters are worth making: those that the bundle's files name.
#[derive(Clone, Copy)]
struct Uses {
    user: Option<()>,
    project: Option<()>,
}

impl XsltTemplates {
    pub(crate) fn new(limits: Limits) -> Self {
        let limits = xslt::Limits { memory_bytes: limits.memory_bytes, ..xslt::Limits::default() };
        Self {
            limits,
            compiles: 0,
            stylesheets: Made::at_most(MOST_KEPT),
            documents: Made::at_most(MOST_KEPT),
        }
    }
}

impl Templates for XsltTemplates {
    fn render(&mut self, ask: &Ask<'_>) -> Result<String, TemplateError> {
        if ask.notice.1.form == NoticeForm::Json {
            return Err(ask.error("XSLT needs the notice as XML, not as JSON"));
        }
        let key = (ask.bundle.0.to_owned(), ask.template.name.to_owned());
        let (compiles, limits) = (&mut self.compiles, &self.limits);
        let sheet = self.stylesheets.get_or_make(&key, || {
            *compiles += 1;
            compile(ask, limits)
        })?;
        let Sheet::Compiled { stylesheet, uses } = sheet else {
            return Ok(ask.template.text.to_owned());
        };
        let key = (key.0, key.1, ask.notice.0.to_owned());
        let document = self.documents.get_or_make(&key, || read(ask, limits))?;
        let user = uses.user.and(ask.user).map(Element::to_xml);
        let project = uses.project.and(ask.project).map(Element::to_xml);
        let parameters = Parameters {
            user: user.as_deref(),
            project: project.as_deref(),
            lang: Some(&ask.locale.lang),
        };
        let bytes =
            stylesheet.apply(document, &parameters, limits).map_err(|error| placed(error, ask))?;
        let text = String::from_utf8(bytes).map_err(|_| ask.error("the result is not UTF-8"))?;
        Ok(match ask.template.kind {
            BodyKind::Html => text,
            BodyKind::Text => without_declaration(text),
        })
    }

    fn compiles(&self) -> u32 {
        self.compiles
    }
}

fn compile(ask: &Ask<'_>, limits: &xslt::Limits) -> Result<Sheet, TemplateError> {
    let is_subject = ask.bundle.1.file(ask.template.name).is_none();
    if is_subject && !ask.template.text.trim_start().starts_with('<') {
        return Ok(Sheet::Text);
    }
    let entry = (ask.template.name, ask.template.text);
    let others = ask.bundle.1.files.iter().filter(|(name, _)| name != ask.template.name);
    let files: Vec<_> = std::iter::once(entry)
        .chain(others.map(|(name, text)| (name.as_str(), text.as_str())))
        .collect();
    let uses = |word: &str| files.iter().any(|(_, text)| text.contains(word)).then_some(());
    let uses = Uses { user: uses("$user"), project: uses("$project") };
    let stylesheet = Stylesheet::compile(&files, limits).map_err(|error| placed(error, ask))?;
    Ok(Sheet::Compiled { stylesheet, uses })
}

/// The notice is read by our own reader first: a DOCTYPE never reaches libxml2.
fn read(ask: &Ask<'_>, limits: &xslt::Limits) -> Result<Document, TemplateError> {
    ask.notice.1.json()?;
    Document::parse(&ask.notice.1.text, limits).map_err(|error| placed(error, ask))
}

fn placed(error: xslt::Error, ask: &Ask<'_>) -> TemplateError {
    let template = if error.file.is_empty() { ask.template.name.to_owned() } else { error.file };
    TemplateError { template, line: error.line, message: error.message }
}

/// A text body begins with its text, though `xsl:output` was left out.
fn without_declaration(text: String) -> String {
    match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start_matches('\n').to_owned(),
        None => text,
    }
}
