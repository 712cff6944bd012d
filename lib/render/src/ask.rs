//! One question to an engine.

use wire::rendering::{BodyKind, Bundle, TemplateError};
use wire::xml::Element;

use crate::moments::Locale;
use crate::told::Notice;

/// What of the bundle is rendered: a file, or the subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    pub(crate) kind: BodyKind,
}

/// Everything one rendering is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Which message it is for: its parts share user, project, notice and language.
    pub(crate) message: u64,
    /// The bundle and its hash.
    pub(crate) bundle: (&'a str, &'a Bundle),
    /// The notice and its hash.
    pub(crate) notice: (&'a str, &'a Notice),
    pub(crate) template: Template<'a>,
    pub(crate) user: Option<&'a Element>,
    /// None: the notice's own.
    pub(crate) project: Option<&'a Element>,
    pub(crate) locale: &'a Locale,
}

/// An engine with what it has compiled.
pub(crate) trait Templates {
    /// The text, before macros.
    fn render(&mut self, ask: &Ask<'_>) -> Result<String, TemplateError>;
    /// Templates compiled so far.
    fn compiles(&self) -> u32;
}

impl Ask<'_> {
    /// An error in the template that was asked for.
    pub(crate) fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError { template: self.template.name.to_owned(), line: 0, message: message.into() }
    }

    /// The file by a name, in the template's own words first.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        if name == self.template.name { Some(self.template.text) } else { self.bundle.1.file(name) }
    }
}

/// A small store of what was made, by key; it starts anew when it is full.
#[derive(Debug)]
pub(crate) struct Made<K, V> {
    entries: Vec<(K, V)>,
    most: usize,
}

impl<K: PartialEq, V> Made<K, V> {
    pub(crate) fn at_most(most: usize) -> Self {
        Self { entries: Vec::new(), most }
    }

    /// What was made for a key, or what `make` makes.
    pub(crate) fn get_or_make<E>(
        &mut self,
        key: &K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<&mut V, E>
    where
        K: Clone,
    {
        let known = self.entries.iter().position(|(known, _)| known == key);
        let at = if let Some(at) = known {
            at
        } else {
            let made = make()?;
            if self.entries.len() >= self.most {
                self.entries.remove(0);
            }
            self.entries.push((key.clone(), made));
            self.entries.len() - 1
        };
        Ok(&mut self.entries[at].1)
    }

    pub(crate) fn forget(&mut self, key: &K) {
        self.entries.retain(|(known, _)| known != key);
    }
}
