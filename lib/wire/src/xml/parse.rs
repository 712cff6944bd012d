//! Text to tree, over the events of quick-xml.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{Document, Element, Limits, Node, XmlError, XmlProblem};

/// Attributes of one element; the check for doubles is quadratic.
const ATTRIBUTES: usize = 512;

pub(super) fn document(text: &str, limits: &Limits) -> Result<Document, XmlError> {
    let mut builder = Builder::new(limits);
    builder.read(text)?;
    builder.finish().map_err(|problem| XmlError::at(text, text.len(), problem))
}

/// The root with every child and grandchild that was closed before the first error.
pub(super) fn complete_part(text: &str, limits: &Limits) -> (Option<Element>, Option<XmlError>) {
    let mut builder = Builder::new(limits);
    let mut error = builder.read(text).err();
    if error.is_none() && (builder.root.is_none() || !builder.open.is_empty()) {
        error = Some(XmlError::at(text, text.len(), XmlProblem::NotClosed("doc".into())));
    }
    let mut open = builder.open.into_iter();
    let root = builder.root.or_else(|| {
        let mut root = open.next()?;
        root.children.extend(open.next().map(Node::Element));
        Some(root)
    });
    (root, error)
}

struct Builder<'a> {
    limits: &'a Limits,
    nodes: usize,
    prolog: Vec<Node>,
    /// Elements that are still open, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
    epilog: Vec<Node>,
    /// Text of the innermost element since the last tag.
    text: String,
}

impl<'a> Builder<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            nodes: 0,
            prolog: Vec::new(),
            open: Vec::with_capacity(8),
            root: None,
            epilog: Vec::new(),
            text: String::new(),
        }
    }

    fn read(&mut self, text: &str) -> Result<(), XmlError> {
        let mut reader = Reader::from_str(text);
        loop {
            let start = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let event = match reader.read_event() {
                Ok(Event::Eof) => return Ok(()),
                Ok(event) => event,
                Err(error) => {
                    let offset = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
                    let problem = XmlProblem::Malformed(error.to_string());
                    return Err(XmlError::at(text, offset, problem));
                }
            };
            self.take(event).map_err(|problem| XmlError::at(text, start, problem))?;
        }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), XmlProblem> {
        match event {
            Event::Start(tag) => {
                let element = self.element(&tag)?;
                self.open.push(element);
                Ok(())
            }
            Event::Empty(tag) => {
                let element = self.element(&tag)?;
                self.close(element);
                Ok(())
            }
            Event::End(_) => {
                self.end_text()?;
                let element = self.open.pop().ok_or(XmlProblem::BesideRoot)?;
                self.close(element);
                Ok(())
            }
            Event::Text(text) => self.add_text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.add_reference(&reference),
            Event::CData(text) => self.add_cdata(&text.xml10_content()),
            Event::Comment(text) => self.add(Node::Comment(text.xml10_content().into_owned())),
            Event::PI(text) => self.add(Node::Instruction((*text).to_owned())),
            Event::Decl(_) => self.declaration(),
            Event::DocType(_) => Err(XmlProblem::Doctype),
            Event::Eof => Ok(()),
        }
    }

    fn element(&mut self, tag: &BytesStart<'_>) -> Result<Element, XmlProblem> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(XmlProblem::BesideRoot);
        }
        if self.open.len() >= self.limits.depth {
            return Err(XmlProblem::TooDeep { limit: self.limits.depth });
        }
        self.end_text()?;
        self.count(1)?;
        let name = tag.name();
        let mut element = Element::new(valid_name(name.into_inner())?);
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| XmlProblem::Malformed(error.to_string()))?;
            let name = valid_name(attribute.key.into_inner())?;
            if element.attribute(name).is_some() {
                return Err(XmlProblem::DuplicateAttribute(name.to_owned()));
            }
            if element.attributes.len() >= ATTRIBUTES {
                return Err(XmlProblem::TooManyAttributes { limit: ATTRIBUTES });
            }
            self.count(1)?;
            element.attributes.push((name.to_owned(), attribute_value(&attribute.value)?));
        }
        Ok(element)
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn add_text(&mut self, text: &str) -> Result<(), XmlProblem> {
        if self.open.is_empty() {
            let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
            return if blank { Ok(()) } else { Err(self.text_outside()) };
        }
        self.text.push_str(text);
        Ok(())
    }

    fn text_outside(&self) -> XmlProblem {
        match self.root {
            Some(_) => XmlProblem::BesideRoot,
            None => XmlProblem::Empty,
        }
    }

    fn add_reference(&mut self, reference: &BytesRef<'_>) -> Result<(), XmlProblem> {
        if self.open.is_empty() {
            return Err(self.text_outside());
        }
        self.text.push(character(reference)?);
        Ok(())
    }

    fn add_cdata(&mut self, text: &str) -> Result<(), XmlProblem> {
        self.end_text()?;
        self.count(1)?;
        let Some(parent) = self.open.last_mut() else {
            return Err(self.text_outside());
        };
        match parent.children.last_mut() {
            Some(Node::CData(before)) => before.push_str(text),
            _ => parent.children.push(Node::CData(text.to_owned())),
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> Result<(), XmlProblem> {
        self.end_text()?;
        self.count(1)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None if self.root.is_some() => self.epilog.push(node),
            None => self.prolog.push(node),
        }
        Ok(())
    }

    fn declaration(&mut self) -> Result<(), XmlProblem> {
        let first = self.nodes == 0;
        if first { Ok(()) } else { Err(XmlProblem::MisplacedDeclaration) }
    }

    fn end_text(&mut self) -> Result<(), XmlProblem> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.count(1)?;
        let text = std::mem::take(&mut self.text);
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(Node::Text(text));
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize) -> Result<(), XmlProblem> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            return Err(XmlProblem::TooManyNodes { limit: self.limits.nodes });
        }
        Ok(())
    }

    fn finish(self) -> Result<Document, XmlProblem> {
        if let Some(element) = self.open.last() {
            return Err(XmlProblem::NotClosed(element.name.clone()));
        }
        let root = self.root.ok_or(XmlProblem::Empty)?;
        Ok(Document { prolog: self.prolog, root, epilog: self.epilog })
    }
}

/// An attribute's value with references resolved and white space as XML 1.0 section 3.3.3 has it.
fn attribute_value(raw: &str) -> Result<String, XmlProblem> {
    let raw: Cow<'_, str> = if raw.contains(['\t', '\n', '\r']) {
        raw.replace("\r\n", " ").replace(['\t', '\n', '\r'], " ").into()
    } else {
        raw.into()
    };
    let mut rest = raw.as_ref();
    let mut value = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('&') {
        value.push_str(before);
        let Some((name, behind)) = after.split_once(';') else {
            return Err(XmlProblem::Malformed("`&` without `;`: write `&amp;`".into()));
        };
        value.push(character(name)?);
        rest = behind;
    }
    value.push_str(rest);
    Ok(value)
}

/// The character of `&name;`: the five of XML and numbers; an illegal one is U+FFFD.
fn character(name: &str) -> Result<char, XmlProblem> {
    let number = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => name.strip_prefix('#'),
    };
    let unknown = || XmlProblem::UnknownEntity(name.chars().take(32).collect());
    let number = number.ok_or_else(unknown)?;
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(unknown());
    }
    let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    Ok(char::from_u32(code).filter(|letter| super::decode::is_legal(*letter)).unwrap_or('\u{fffd}'))
}

fn valid_name(name: &str) -> Result<&str, XmlProblem> {
    if is_name(name) {
        return Ok(name);
    }
    Err(XmlProblem::InvalidName(name.chars().take(64).collect()))
}

/// Productions 4 and 5 of XML 1.0.
pub(super) fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(starts_name) && letters.all(continues_name)
}

pub(super) fn starts_name(letter: char) -> bool {
    match letter {
        'A'..='Z' | 'a'..='z' | '_' | ':' => true,
        '\0'..='\u{bf}'
        | '\u{d7}'
        | '\u{f7}'
        | '\u{300}'..='\u{36f}'
        | '\u{37e}'
        | '\u{2000}'..='\u{200b}'
        | '\u{200e}'..='\u{206f}'
        | '\u{2190}'..='\u{2bff}'
        | '\u{2ff0}'..='\u{3000}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fffd}'..='\u{ffff}' => false,
        _ => letter < '\u{f0000}',
    }
}

pub(super) fn continues_name(letter: char) -> bool {
    match letter {
        '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}' => true,
        _ => starts_name(letter),
    }
}
