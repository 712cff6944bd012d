//! What a program says it can do: the answer to `--command features` (S3-36, S3-43).

use crate::error::ErrorDocument;
use crate::xml::{Document, Element, XmlError};

/// The feature of a gate that reads its XML with a parser: in serve mode it is told texts with markup as sections of
/// character data, which are read much faster. Without it every text is escaped, and a plain search finds what it means.
pub const CDATA: &str = "cdata";

/// The answer of a gate, a module or a processing program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Names in their order; unknown ones are kept (S3-37), and the list may be empty.
    pub names: Vec<String>,
    /// Of a gate: the module it belongs to, `ntsms`.
    pub notify_module: Option<String>,
    /// Of a module: the user's field that holds the address, `phone`.
    pub contact_type: Option<String>,
    /// In serve mode: how many messages it takes before it has answered the first.
    pub window: Option<u32>,
}

/// Output that names no features: the program is not used, and this is the reason (S3-21).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeaturesError {
    /// No XML document.
    #[error("features: the output is no document")]
    NoDocument(#[from] XmlError),
    /// A document without `<features>`.
    #[error("features: the document has no `features` element")]
    NoFeatures,
    /// An error document.
    #[error("features: the program answered with an error: {0}")]
    Refused(String),
}

impl Features {
    /// Features of these names alone.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { names: names.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// True when the program lists that feature.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Reads what the program printed; text before the document is passed over.
    pub fn parse(output: &[u8]) -> Result<Self, FeaturesError> {
        let root = Document::find_in_output(output)?.document.root;
        if let Some(error) = ErrorDocument::read(&root) {
            return Err(FeaturesError::Refused(error.plain_text()));
        }
        let list = root.child("features").ok_or(FeaturesError::NoFeatures)?;
        let named = list.children_named("feature").filter_map(|feature| feature.attribute("name"));
        let names = named.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Self {
            names: names.collect(),
            notify_module: filled(&root, "notify_module"),
            contact_type: filled(&root, "contact_type"),
            window: filled(&root, "window").and_then(|number| number.parse().ok()),
        })
    }

    /// The document a program prints.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut list = Element::new("features");
        for name in &self.names {
            list.push(Element::new("feature").with_attribute("name", name));
        }
        let mut root = Element::new("doc").with_child(list);
        let window = self.window.map(|number| number.to_string());
        let beside = [
            ("notify_module", &self.notify_module),
            ("contact_type", &self.contact_type),
            ("window", &window),
        ];
        for (name, text) in beside {
            if let Some(text) = text {
                root.push(Element::new(name).with_text(text));
            }
        }
        Document::new(root).to_bytes()
    }
}

fn filled(root: &Element, name: &str) -> Option<String> {
    let text = root.child_text(name);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_names_its_module_and_commands() {
        // S3-43, S3-70: two leading spaces, no declaration, no final newline.
        let output = b"  <doc>\n      <features>\n          <feature name=\"formtune\"></feature>\n          \
            <feature name=\"check_connection\"></feature>\n          <feature name=\"outgoing\"></feature>\n      \
            </features>\n      <notify_module>ntsms</notify_module>\n  </doc>";
        let features = Features::parse(output).unwrap();
        assert_eq!(features.names, ["formtune", "check_connection", "outgoing"]);
        assert_eq!(features.notify_module.as_deref(), Some("ntsms"));
        assert!(features.has("outgoing") && !features.has("ingoing") && !features.has("serve"));
    }

    #[test]
    fn a_module_names_its_contact_and_may_list_nothing() {
        // S3-36, S3-37, S3-38
        let features = Features::parse(
            b"<doc><features/><contact_type>jabber</contact_type><more><x/></more></doc>",
        );
        let features = features.unwrap();
        assert!(features.names.is_empty());
        assert_eq!(features.contact_type.as_deref(), Some("jabber"));
    }

    #[test]
    fn what_names_no_features_is_an_error() {
        // S3-21
        let table: [(&[u8], &str); 5] = [
            (b"", "features: the output is no document"),
            (b"usage: gw [--help]", "features: the output is no document"),
            (b"<doc><feature", "features: the output is no document"),
            (b"<doc><ok/></doc>", "features: the document has no `features` element"),
            (
                b"<doc><error type=\"later\"><msg>no disk</msg></error></doc>",
                "features: the program answered with an error: no disk",
            ),
        ];
        for (output, expected) in table {
            assert_eq!(Features::parse(output).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        let features = Features {
            notify_module: Some("ntsms".into()),
            contact_type: Some("phone".into()),
            window: Some(64),
            ..Features::of(["outgoing", "serve", "parallel"])
        };
        assert_eq!(Features::parse(&features.to_bytes()).unwrap(), features);
        assert_eq!(Features::parse(&Features::default().to_bytes()).unwrap(), Features::default());
    }
}
