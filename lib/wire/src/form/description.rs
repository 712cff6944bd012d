//! Description files, `etc/xml/NAME_mod_*.xml` (S3-61 to S3-67).

use std::collections::BTreeMap;

use crate::form::catalogue::{Catalogue, inner_text};
use crate::form::merge::merge;
use crate::xml::{Document, Element, XmlError};

/// What one description file says. What it does not know it passes over: handlers, menus, libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The plugins it declares; most files have one.
    pub plugins: Vec<Plugin>,
    /// The elements `metadata`, in order.
    pub metadata: Vec<Element>,
    /// Its messages.
    pub catalogue: Catalogue,
}

/// `<plugin name=>` (S3-62).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Its name, that of the program.
    pub name: String,
    /// `gateway`, `processing_module` …
    pub groups: Vec<String>,
    /// Who made it.
    pub author: String,
}

/// A file that is no description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// No XML document.
    #[error("the description is no document")]
    NoDocument(#[from] XmlError),
    /// Another root.
    #[error("the root of a description is `mgrdata`, not `{0}`")]
    WrongRoot(String),
}

impl Description {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptionError> {
        let root = Document::parse(bytes)?.root;
        if root.name != "mgrdata" {
            return Err(DescriptionError::WrongRoot(root.name));
        }
        let mut catalogue = Catalogue::read(&root);
        for plugin in root.children_named("plugin") {
            for message in plugin.children_named("msg") {
                let of = |name| message.attribute(name).unwrap_or_default();
                catalogue.set(of("lang"), ["plugin", of("name")], inner_text(message));
            }
        }
        Ok(Self {
            plugins: root.children_named("plugin").map(Plugin::read).collect(),
            metadata: root.children_named("metadata").cloned().collect(),
            catalogue,
        })
    }
}

impl Plugin {
    fn read(element: &Element) -> Self {
        let groups = element.children_named("group").map(|group| group.text().trim().to_owned());
        Self {
            name: element.attribute("name").unwrap_or_default().to_owned(),
            groups: groups.collect(),
            author: element.child_text("author").trim().to_owned(),
        }
    }
}

/// Everything the description files say together. Files are added in the order of their names: a
/// later one is merged into the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptions {
    plugins: Vec<Plugin>,
    metadata: BTreeMap<String, Element>,
    catalogue: Catalogue,
}

impl Descriptions {
    /// Takes one more file.
    pub fn add(&mut self, description: Description) {
        for plugin in description.plugins {
            self.plugins.retain(|known| known.name != plugin.name);
            self.plugins.push(plugin);
        }
        for metadata in description.metadata {
            let name = metadata.attribute("name").unwrap_or_default().to_owned();
            let known =
                self.metadata.entry(name).or_insert_with(|| Element::new(metadata.name.clone()));
            merge(known, &metadata);
        }
        self.catalogue.add(description.catalogue);
    }

    /// The plugins, in the order of their files.
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// The merged metadata of that name.
    pub fn metadata(&self, name: &str) -> Option<&Element> {
        self.metadata.get(name)
    }

    /// Several metadata merged in that order, under the name of the first that is known: the base form
    /// `gateway.edit`, then the settings `gateway.MODULE`.
    pub fn composed(&self, names: &[&str]) -> Option<Element> {
        let mut known = names.iter().filter_map(|name| self.metadata(name));
        let mut all = known.next()?.clone();
        let name = all.attribute("name").unwrap_or_default().to_owned();
        for metadata in known {
            merge(&mut all, metadata);
        }
        all.set_attribute("name", name);
        Some(all)
    }

    /// The messages.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What a list shows for a gate: `module_GATE` of messages `gateway_include`, else `GATE` there,
    /// else the short description of the plugin, else the name.
    pub fn gate_caption(&self, gate: &str, lang: &str) -> String {
        let (module, short) = (format!("module_{gate}"), format!("desc_short_{gate}"));
        let places = [
            ("gateway_include", module.as_str()),
            ("gateway_include", gate),
            ("plugin", short.as_str()),
        ];
        let mut texts =
            places.iter().filter_map(|(block, key)| self.catalogue.text(lang, block, key));
        texts.find(|text| !text.is_empty()).unwrap_or(gate).to_owned()
    }
}
