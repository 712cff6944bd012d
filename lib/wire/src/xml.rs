//! An ordered XML tree: what it reads it writes again, comments, order and unknown elements included.
//!
//! Reading refuses a DOCTYPE, follows [`Limits`] and knows byte order marks and declared encodings.
//! Characters illegal in XML 1.0 become U+FFFD on either way (DESIGN 5), line ends become `\n` as
//! XML 1.0 section 2.11 says, and neighbouring CDATA sections become one.

mod decode;
mod error;
mod parse;
mod write;

pub use error::{XmlError, XmlProblem};
pub(crate) use write::write_section;
pub use write::{write_attribute_value, write_element, write_text};

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document as it came.
    pub bytes: usize,
    /// Elements inside one another; more than 256 is not advisable, trees are walked recursively.
    pub depth: usize,
    /// Elements, texts, comments and attributes together.
    pub nodes: usize,
}

impl Default for Limits {
    /// 32 MiB, 256 deep, a million nodes.
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 256, nodes: 1_000_000 }
    }
}

/// Something inside an element, or beside the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element with all it holds.
    Element(Element),
    /// Character text, unescaped.
    Text(String),
    /// The text of a CDATA section.
    CData(String),
    /// The text of a comment.
    Comment(String),
    /// A processing instruction without its `<?` and `?>`.
    Instruction(String),
}

/// An element: name, attributes and children in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The name with its prefix, as written; namespaces are not resolved.
    pub name: String,
    /// Name and unescaped value.
    pub attributes: Vec<(String, String)>,
    /// Everything inside.
    pub children: Vec<Node>,
}

/// A whole document. The XML declaration is read and not kept: we write UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Comments and instructions before the root.
    pub prolog: Vec<Node>,
    /// The root element.
    pub root: Element,
    /// Comments and instructions after the root.
    pub epilog: Vec<Node>,
}

/// What [`Document::find_in_output`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The document.
    pub document: Document,
    /// What stood before it; to be logged.
    pub skipped: String,
}

/// What [`Document::find_complete_part`] found.
pub(crate) struct CompletePart {
    /// The root, if it began at all.
    pub(crate) root: Option<Element>,
    /// How the text stands for the bytes.
    pub(crate) read_as: ReadAs,
    /// What was wrong with the rest.
    pub(crate) error: Option<XmlError>,
}

/// How the characters of a tree stand for the bytes of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// By its encoding.
    Text,
    /// A character below U+0100 is a byte.
    Bytes,
}

impl CompletePart {
    fn whole(root: Element) -> Self {
        Self { root: Some(root), read_as: ReadAs::Text, error: None }
    }
}

impl Document {
    /// A document of this root alone.
    pub fn new(root: Element) -> Self {
        Self { root, ..Self::default() }
    }

    /// Reads a document under the default [`Limits`].
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        Self::parse_with(bytes, &Limits::default())
    }

    /// Reads a document under limits of one's own.
    pub fn parse_with(bytes: &[u8], limits: &Limits) -> Result<Self, XmlError> {
        if bytes.len() > limits.bytes {
            return Err(XmlError::at_start(XmlProblem::TooLarge { limit_bytes: limits.bytes }));
        }
        parse::document(&decode::text(bytes)?, limits)
    }

    /// Reads a document that stood as text inside another one (`xmlparams`, `notice_xml`): it has
    /// been decoded already, so an encoding in its declaration means nothing.
    pub fn parse_text(text: &str) -> Result<Self, XmlError> {
        let limits = Limits::default();
        if text.len() > limits.bytes {
            return Err(XmlError::at_start(XmlProblem::TooLarge { limit_bytes: limits.bytes }));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        parse::document(&decode::legal(text.into()), &limits)
    }

    /// Reads the document a program printed: text before the first `<` is skipped, and if that is no
    /// document, what stands before the first `<?xml` or `<doc` (S0-61).
    pub fn find_in_output(output: &[u8]) -> Result<Found, XmlError> {
        let first = decode::first_tag(output);
        let error = match Self::found_at(output, first) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        match decode::first_document_tag(output) {
            Some(second) if second != first => Self::found_at(output, second).map_err(|_| error),
            _ => Err(error),
        }
    }

    /// What can be taken from half a document: its root with every child and grandchild that is
    /// whole. Bytes that are not UTF-8 are read one by one, each as the character of its number.
    pub(crate) fn find_complete_part(output: &[u8]) -> CompletePart {
        let error = match Self::find_in_output(output) {
            Ok(found) => return CompletePart::whole(found.document.root),
            Err(error) => error,
        };
        let limits = Limits::default();
        if output.len() > limits.bytes {
            return CompletePart { root: None, read_as: ReadAs::Text, error: Some(error) };
        }
        let start = decode::first_document_tag(output).unwrap_or(decode::first_tag(output));
        let (text, read_as) = match decode::text(&output[start..]) {
            Ok(text) => (text, ReadAs::Text),
            Err(_) => (decode::byte_by_byte(&output[start..]), ReadAs::Bytes),
        };
        let (root, error) = parse::complete_part(&text, &limits);
        CompletePart { root, read_as, error }
    }

    fn found_at(output: &[u8], start: usize) -> Result<Found, XmlError> {
        let (skipped, bytes) = output.split_at(start);
        let document = Self::parse(bytes).map_err(|error| error.after(skipped))?;
        let skipped = String::from_utf8_lossy(skipped).trim().to_owned();
        Ok(Found { document, skipped })
    }

    /// UTF-8 with a declaration and a final newline. The root is written with an end tag even when it
    /// is empty: scripts put their lines before `</doc>` (ancestor-facts 3.3).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        write::document(&mut out, self);
        out
    }
}

impl Element {
    /// An empty element.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With a text appended.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.push_text(text);
        self
    }

    /// With a child appended.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Self {
        self.push(child);
        self
    }

    /// With an attribute set.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_attribute(name, value);
        self
    }

    /// Appends a child element.
    pub fn push(&mut self, child: Element) {
        self.children.push(Node::Element(child));
    }

    /// Appends text; nothing when it is empty.
    pub fn push_text(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.children.push(Node::Text(text));
        }
    }

    /// Replaces everything inside by a text.
    pub fn set_text(&mut self, text: impl Into<String>) {
        self.children.clear();
        self.push_text(text);
    }

    /// The child elements, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::CData(_) | Node::Comment(_) | Node::Instruction(_) => None,
        })
    }

    /// The child elements, to be changed.
    pub fn elements_mut(&mut self) -> impl Iterator<Item = &mut Element> {
        self.children.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::CData(_) | Node::Comment(_) | Node::Instruction(_) => None,
        })
    }

    /// The first child element of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.elements().find(|child| child.name == name)
    }

    /// The first child element of that name, to be changed.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.elements_mut().find(|child| child.name == name)
    }

    /// Every child element of that name.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |child| child.name == name)
    }

    /// The text of the first child of that name; empty when there is none.
    pub fn child_text(&self, name: &str) -> String {
        self.child(name).map(Self::text).unwrap_or_default()
    }

    /// The character text directly inside, CDATA included, as it stands.
    pub fn text(&self) -> String {
        let mut all = String::new();
        for node in &self.children {
            if let Node::Text(text) | Node::CData(text) = node {
                all.push_str(text);
            }
        }
        all
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets an attribute, in its place if it is known, else last.
    pub fn set_attribute(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.attributes.push((name, value.into())),
        }
    }

    /// True when an attribute has that value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.attribute(name) == Some(value)
    }

    /// Appends the element as XML, without a declaration.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        write::element(out, self);
    }

    /// The element as XML, without a declaration.
    pub fn to_xml(&self) -> String {
        let mut out = Vec::with_capacity(128);
        self.write_to(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
