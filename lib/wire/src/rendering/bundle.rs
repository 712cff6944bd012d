//! The bundle: everything of `templates/` that one notice needs for one module and language.

use notice::{OnUnknown, UnknownWord};

use super::{BodyKind, Engine, Part};
use crate::xml::{Document, Element, XmlError};

/// Templates and what belongs to them, as stored in `notifyblob` under the hash of [`Bundle::to_bytes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The notice's name; empty for a queue file.
    pub notice: String,
    /// The module it was chosen for.
    pub module: String,
    /// The language it is written in.
    pub lang: String,
    /// What the notice says about an unknown outcome.
    pub on_unknown: Option<OnUnknown>,
    /// The List-Unsubscribe address the notice gives, before macros.
    pub list_unsubscribe: Option<String>,
    /// The bodies: at most one of each kind.
    pub bodies: Vec<BodyTemplate>,
    /// The subject, for a notice whose XML gives none.
    pub subject: Option<(Engine, String)>,
    /// Names and texts: the bodies, and everything they include, named as the include writes it.
    pub files: Vec<(String, String)>,
}

/// One body of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyTemplate {
    /// What it is written for.
    pub kind: BodyKind,
    /// The engine that renders it.
    pub engine: Engine,
    /// Its name among the bundle's files.
    pub name: String,
}

/// Bytes that are no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// They are no XML.
    #[error("a bundle is not XML")]
    Xml(#[from] XmlError),
    /// A word is not known.
    #[error("a bundle holds a word that is not known")]
    Word(#[from] UnknownWord),
    /// A body names a file that is not in the bundle.
    #[error("a bundle holds no file `{0}`")]
    NoFile(String),
    /// The root is another element.
    #[error("a bundle's root is `bundle`, not `{0}`")]
    Root(String),
}

impl Bundle {
    /// A bundle of one body, for a template given by itself.
    pub fn of_one(body: BodyTemplate, text: impl Into<String>) -> Self {
        let files = vec![(body.name.clone(), text.into())];
        Self { bodies: vec![body], files, ..Self::default() }
    }

    /// The text of a file.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The body of a kind.
    pub fn body(&self, kind: BodyKind) -> Option<&BodyTemplate> {
        self.bodies.iter().find(|body| body.kind == kind)
    }

    /// Which engine makes a part; None when the bundle has nothing to make it of.
    /// The text is made from the HTML body when there is no text body.
    pub fn engine_of(&self, part: Part) -> Option<Engine> {
        let html = self.body(BodyKind::Html);
        match part {
            Part::Html => html.map(|body| body.engine),
            Part::Text => self.body(BodyKind::Text).or(html).map(|body| body.engine),
            Part::Subject => {
                let of_bodies = self.bodies.first().map(|body| body.engine);
                self.subject.as_ref().map(|(engine, _)| *engine).or(of_bodies)
            }
        }
    }

    /// The wanted parts by the engine that makes them: one request to each. A part nobody makes is left out.
    pub fn share_out(&self, wanted: &[Part]) -> Vec<(Engine, Vec<Part>)> {
        let mut shares: Vec<(Engine, Vec<Part>)> = Vec::new();
        for part in wanted {
            let Some(engine) = self.engine_of(*part) else { continue };
            match shares.iter_mut().find(|(known, _)| *known == engine) {
                Some((_, parts)) => parts.push(*part),
                None => shares.push((engine, vec![*part])),
            }
        }
        shares
    }

    /// The bytes that are stored and hashed: one element without a declaration. Equal bundles give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut root = Element::new("bundle");
        for (name, value) in
            [("notice", &self.notice), ("module", &self.module), ("lang", &self.lang)]
        {
            root.set_attribute(name, value);
        }
        if let Some(on_unknown) = self.on_unknown {
            root.set_attribute("on_unknown", on_unknown.word());
        }
        if let Some(address) = &self.list_unsubscribe {
            root.push(Element::new("list_unsubscribe").with_text(address));
        }
        for body in &self.bodies {
            root.push(
                Element::new("body")
                    .with_attribute("kind", body.kind.word())
                    .with_attribute("engine", body.engine.word())
                    .with_attribute("name", &body.name),
            );
        }
        if let Some((engine, text)) = &self.subject {
            root.push(
                Element::new("subject").with_attribute("engine", engine.word()).with_text(text),
            );
        }
        for (name, text) in &self.files {
            root.push(Element::new("file").with_attribute("name", name).with_text(text));
        }
        let mut bytes = Vec::new();
        root.write_to(&mut bytes);
        bytes
    }

    /// Reads what [`Bundle::to_bytes`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        Self::read(&Document::parse(bytes)?.root)
    }

    /// Reads the element.
    pub fn read(root: &Element) -> Result<Self, BundleError> {
        if root.name != "bundle" {
            return Err(BundleError::Root(root.name.clone()));
        }
        let attribute = |name| root.attribute(name).unwrap_or_default().to_owned();
        let bundle = Self {
            notice: attribute("notice"),
            module: attribute("module"),
            lang: attribute("lang"),
            on_unknown: root.attribute("on_unknown").map(str::parse).transpose()?,
            list_unsubscribe: root.child("list_unsubscribe").map(Element::text),
            bodies: root.children_named("body").map(read_body).collect::<Result<_, _>>()?,
            subject: root.child("subject").map(read_subject).transpose()?,
            files: root.children_named("file").map(|file| (name_of(file), file.text())).collect(),
        };
        match bundle.bodies.iter().find(|body| bundle.file(&body.name).is_none()) {
            Some(body) => Err(BundleError::NoFile(body.name.clone())),
            None => Ok(bundle),
        }
    }
}

fn read_body(element: &Element) -> Result<BodyTemplate, UnknownWord> {
    Ok(BodyTemplate {
        kind: element.attribute("kind").unwrap_or_default().parse()?,
        engine: engine_of(element)?,
        name: name_of(element),
    })
}

fn read_subject(element: &Element) -> Result<(Engine, String), UnknownWord> {
    Ok((engine_of(element)?, element.text()))
}

fn engine_of(element: &Element) -> Result<Engine, UnknownWord> {
    element.attribute("engine").unwrap_or_default().parse()
}

fn name_of(element: &Element) -> String {
    element.attribute("name").unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let body = |kind, engine, name: &str| BodyTemplate { kind, engine, name: name.to_owned() };
        Bundle {
            notice: "balance".into(),
            module: "ntemail".into(),
            lang: "ru".into(),
            on_unknown: Some(OnUnknown::Ask),
            list_unsubscribe: Some("https://x/?a=1&b=2".into()),
            bodies: vec![
                body(BodyKind::Html, Engine::Xslt, "a.xslt"),
                body(BodyKind::Text, Engine::Ejs, "a.ejs"),
            ],
            subject: Some((Engine::Xslt, "Баланс: __balance__\r\n".into())),
            files: vec![
                ("a.xslt".into(), "  <x>]]></x>\r\n\t".into()),
                ("a.ejs".into(), String::new()),
            ],
        }
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written() {
        assert_eq!(Bundle::parse(&bundle().to_bytes()).expect("a bundle"), bundle());
        let plain = Bundle { on_unknown: None, subject: None, list_unsubscribe: None, ..bundle() };
        assert_eq!(Bundle::parse(&plain.to_bytes()).expect("a bundle"), plain);
    }

    #[test]
    fn a_body_without_its_file_is_refused() {
        let torn = Bundle { files: Vec::new(), ..bundle() };
        assert_eq!(Bundle::parse(&torn.to_bytes()), Err(BundleError::NoFile("a.xslt".into())));
    }

    #[test]
    fn each_part_goes_to_the_engine_that_makes_it() {
        let wanted = [Part::Html, Part::Text, Part::Subject];
        let shares = bundle().share_out(&wanted);
        assert_eq!(
            shares,
            vec![(Engine::Xslt, vec![Part::Html, Part::Subject]), (Engine::Ejs, vec![Part::Text])]
        );
        let mut only_html = bundle();
        only_html.bodies.pop();
        assert_eq!(only_html.share_out(&wanted), vec![(Engine::Xslt, wanted.to_vec())]);
        assert_eq!(Bundle::default().share_out(&wanted), Vec::new());
    }
}
