//! Tree to bytes. Whatever a tree holds, what is written is well-formed.

use super::decode::{any_of, is_legal, may_hold_illegal};
use super::parse::{continues_name, is_name, starts_name};
use super::{Document, Element, Node};

pub(super) fn document(out: &mut Vec<u8>, document: &Document) {
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    for beside in &document.prolog {
        node(out, beside);
        out.push(b'\n');
    }
    start_tag(out, &document.root);
    out.push(b'>');
    end(out, &document.root);
    out.push(b'\n');
    for beside in &document.epilog {
        node(out, beside);
        out.push(b'\n');
    }
}

pub(super) fn element(out: &mut Vec<u8>, element: &Element) {
    start_tag(out, element);
    if element.children.is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    end(out, element);
}

fn start_tag(out: &mut Vec<u8>, element: &Element) {
    out.push(b'<');
    write_name(out, &element.name);
    for (name, value) in &element.attributes {
        out.push(b' ');
        write_name(out, name);
        out.extend_from_slice(b"=\"");
        write_attribute_value(out, value);
        out.push(b'"');
    }
}

fn end(out: &mut Vec<u8>, element: &Element) {
    for child in &element.children {
        node(out, child);
    }
    out.extend_from_slice(b"</");
    write_name(out, &element.name);
    out.push(b'>');
}

fn node(out: &mut Vec<u8>, node: &Node) {
    match node {
        Node::Element(child) => element(out, child),
        Node::Text(text) => write_text(out, text),
        Node::CData(text) => cdata(out, text),
        Node::Comment(text) => comment(out, text),
        Node::Instruction(text) => {
            out.extend_from_slice(b"<?");
            write_legal(out, &text.replace("?>", "? >"));
            out.extend_from_slice(b"?>");
        }
    }
}

/// Appends character text: `<`, `>`, `&` and carriage returns escaped, illegal characters replaced
/// by U+FFFD.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    escaped(out, text, is_special, |byte| match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

/// Appends the value of an attribute for double quotes, which it does not write.
pub fn write_attribute_value(out: &mut Vec<u8>, value: &str) {
    escaped(out, value, is_special_there, |byte| match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'"' => Some(b"&quot;"),
        b'\t' => Some(b"&#9;"),
        b'\n' => Some(b"&#10;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

/// Appends `<name>text</name>`, or nothing but `<name/>` when the text is empty.
pub fn write_element(out: &mut Vec<u8>, name: &str, text: &str) {
    out.push(b'<');
    write_name(out, name);
    if text.is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    write_text(out, text);
    out.extend_from_slice(b"</");
    write_name(out, name);
    out.push(b'>');
}

/// What is never written as it is in a text.
#[expect(clippy::needless_bitwise_bool, reason = "many bytes at once: no branch for each")]
fn is_special(byte: u8) -> bool {
    (byte == b'<') | (byte == b'>') | (byte == b'&') | (byte == b'\r')
}

/// What a program that reads XML takes for more than text.
#[expect(clippy::needless_bitwise_bool, reason = "many bytes at once: no branch for each")]
fn is_markup(byte: u8) -> bool {
    (byte == b'<') | (byte == b'&')
}

/// What is never written as it is in an attribute.
#[expect(clippy::needless_bitwise_bool, reason = "many bytes at once: no branch for each")]
fn is_special_there(byte: u8) -> bool {
    is_special(byte) | (byte == b'"') | (byte == b'\t') | (byte == b'\n')
}

/// Copied in one go where nothing of it is special.
const STRETCH_BYTES: usize = 64;

/// The same, as a section of character data where that takes fewer escapes: a text with markup is read much
/// faster so.
pub(crate) fn write_section(out: &mut Vec<u8>, name: &str, text: &str) {
    let bytes = text.as_bytes();
    if !any_of(bytes, is_markup) || bytes.contains(&b'\r') || text.contains("]]>") {
        return write_element(out, name, text);
    }
    out.push(b'<');
    write_name(out, name);
    out.extend_from_slice(b"><![CDATA[");
    write_legal(out, text);
    out.extend_from_slice(b"]]></");
    write_name(out, name);
    out.push(b'>');
}

fn escaped(
    out: &mut Vec<u8>,
    text: &str,
    is_special: impl Fn(u8) -> bool,
    escape: impl Fn(u8) -> Option<&'static [u8]>,
) {
    if may_hold_illegal(text.as_bytes()) && !text.chars().all(is_legal) {
        let legal: String = text.chars().map(replace_illegal).collect();
        return escaped(out, &legal, is_special, escape);
    }
    for stretch in text.as_bytes().chunks(STRETCH_BYTES) {
        if !any_of(stretch, &is_special) {
            out.extend_from_slice(stretch);
            continue;
        }
        let mut from = 0;
        for (at, byte) in stretch.iter().enumerate() {
            if let Some(instead) = escape(*byte) {
                out.extend_from_slice(&stretch[from..at]);
                out.extend_from_slice(instead);
                from = at + 1;
            }
        }
        out.extend_from_slice(&stretch[from..]);
    }
}

fn write_legal(out: &mut Vec<u8>, text: &str) {
    escaped(out, text, |_| false, |_| None);
}

fn replace_illegal(letter: char) -> char {
    if is_legal(letter) { letter } else { '\u{fffd}' }
}

/// A section can hold neither its own end nor a carriage return that is to stay one.
fn cdata(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"<![CDATA[");
    let text = text.replace("]]>", "]]]]><![CDATA[>").replace('\r', "]]>&#13;<![CDATA[");
    write_legal(out, &text);
    out.extend_from_slice(b"]]>");
}

fn comment(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"<!--");
    let apart = text.replace("--", "- -").replace("--", "- -");
    write_legal(out, &apart);
    if apart.ends_with('-') {
        out.push(b' ');
    }
    out.extend_from_slice(b"-->");
}

/// A name that is none gets `_` for what does not belong there: a column's name can't make markup.
pub(crate) fn write_name(out: &mut Vec<u8>, name: &str) {
    if is_name(name) {
        out.extend_from_slice(name.as_bytes());
        return;
    }
    if !name.starts_with(starts_name) {
        out.push(b'_');
    }
    let mended: String =
        name.chars().map(|letter| if continues_name(letter) { letter } else { '_' }).collect();
    out.extend_from_slice(mended.as_bytes());
}
