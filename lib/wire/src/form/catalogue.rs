//! Messages by block and key, with fallback between languages.

use std::collections::BTreeMap;

use crate::xml::Element;

/// Texts by block (`gateway.gwsmtp`), key (`hint_login`) and language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    blocks: BTreeMap<String, BTreeMap<String, Vec<InLanguage>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct InLanguage {
    lang: String,
    text: String,
}

/// A text, and whether it is in the language that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match<'a> {
    Asked(&'a str),
    Other(&'a str),
}

impl<'a> Match<'a> {
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Asked(text) | Self::Other(text) => text,
        }
    }
}

impl Catalogue {
    /// Reads `<lang name=><messages name=><msg name=>` below an element.
    pub(super) fn read(root: &Element) -> Self {
        let mut catalogue = Self::default();
        for lang in root.children_named("lang") {
            let language = lang.attribute("name").unwrap_or_default();
            for block in lang.children_named("messages") {
                let name = block.attribute("name").unwrap_or_default();
                for message in block.children_named("msg") {
                    let key = message.attribute("name").unwrap_or_default();
                    catalogue.set(language, [name, key], inner_text(message));
                }
            }
        }
        catalogue
    }

    pub(super) fn set(&mut self, lang: &str, [block, key]: [&str; 2], text: String) {
        let keys = self.blocks.entry(block.to_owned()).or_default();
        let texts = keys.entry(key.to_owned()).or_default();
        match texts.iter_mut().find(|known| known.lang == lang) {
            Some(known) => known.text = text,
            None => texts.push(InLanguage { lang: lang.to_owned(), text }),
        }
    }

    /// Takes all of another catalogue, which wins.
    pub(super) fn add(&mut self, other: Self) {
        for (block, keys) in other.blocks {
            for (key, texts) in keys {
                for InLanguage { lang, text } in texts {
                    self.set(&lang, [&block, &key], text);
                }
            }
        }
    }

    /// A text in that language, else in English, else in any; None when there is none at all.
    pub fn text(&self, lang: &str, block: &str, key: &str) -> Option<&str> {
        self.find(lang, [block, key]).map(Match::text)
    }

    /// The same, and the key itself when there is none: a missing message never fails (S3-66).
    pub fn label(&self, lang: &str, block: &str, key: &str) -> String {
        self.text(lang, block, key).unwrap_or(key).to_owned()
    }

    pub(super) fn find(&self, lang: &str, [block, key]: [&str; 2]) -> Option<Match<'_>> {
        let texts = self.blocks.get(block)?.get(key)?;
        let of = |lang: &str| texts.iter().find(|known| known.lang == lang);
        if let Some(known) = of(lang) {
            return Some(Match::Asked(&known.text));
        }
        let other = of("en").or(texts.first())?;
        Some(Match::Other(&other.text))
    }

    /// Every key of a block.
    pub fn keys<'a>(&'a self, block: &str) -> impl Iterator<Item = &'a str> {
        self.blocks.get(block).into_iter().flat_map(|keys| keys.keys().map(String::as_str))
    }
}

/// The text of a message; of markup inside it the text alone.
pub(super) fn inner_text(message: &Element) -> String {
    let nested = message.elements().next().is_some();
    if !nested {
        return message.text().trim().to_owned();
    }
    let mut all = String::new();
    collect_text(message, &mut all);
    all.trim().to_owned()
}

fn collect_text(element: &Element, all: &mut String) {
    use crate::xml::Node;
    for node in &element.children {
        match node {
            Node::Text(text) | Node::CData(text) => all.push_str(text),
            Node::Element(child) => collect_text(child, all),
            Node::Comment(_) | Node::Instruction(_) => {}
        }
    }
}
