//! Bytes to text: byte order mark, declared encoding, illegal characters.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{XmlError, XmlProblem};

/// The document as text, in any encoding we know, with illegal characters replaced.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    let (encoding, bytes) = encoding_of(bytes)?;
    if encoding == UTF_8 {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Ok(legal(text.into())),
            Err(error) => Err(not_in(encoding).after(&bytes[..error.valid_up_to()])),
        };
    }
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => Ok(legal(text)),
        None => Err(not_in(encoding)),
    }
}

/// Every byte as the character of its number: nothing is lost, and markup is still markup.
pub(super) fn byte_by_byte(bytes: &[u8]) -> Cow<'_, str> {
    legal(encoding_rs::mem::decode_latin1(bytes))
}

fn not_in(encoding: &'static Encoding) -> XmlError {
    XmlError::at_start(XmlProblem::NotInEncoding(encoding.name()))
}

fn encoding_of(bytes: &[u8]) -> Result<(&'static Encoding, &[u8]), XmlError> {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(bytes) {
        return Ok((encoding, &bytes[mark_bytes..]));
    }
    match bytes {
        [b'<', 0, ..] => return Ok((UTF_16LE, bytes)),
        [0, b'<', ..] => return Ok((UTF_16BE, bytes)),
        _ => {}
    }
    let Some(name) = declared(bytes) else {
        return Ok((UTF_8, bytes));
    };
    match known(name) {
        // It could be read so far, so it is not in 16-bit units, whatever it says.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => Ok((UTF_8, bytes)),
        Some(encoding) => Ok((encoding, bytes)),
        None => {
            let name = String::from_utf8_lossy(name).into_owned();
            Err(XmlError::at_start(XmlProblem::UnknownEncoding(name)))
        }
    }
}

/// The name in `<?xml … encoding="NAME"?>`.
fn declared(bytes: &[u8]) -> Option<&[u8]> {
    let declaration = bytes.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = declaration.iter().take(512).position(|byte| *byte == b'>')?;
    let declaration = &declaration[..end];
    let at = declaration.windows(8).position(|word| word == b"encoding")?;
    let value = declaration[at + 8..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    let end = value.iter().position(|byte| byte == quote)?;
    Some(value[..end].trim_ascii())
}

/// Also names that stand in no register: `UTF8`, `utf_8`, `win-1251`, `CP-1251`, `KOI8R`.
fn known(name: &[u8]) -> Option<&'static Encoding> {
    if let Some(encoding) = Encoding::for_label(name) {
        return Some(encoding);
    }
    let letters = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let plain: String = letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    let digits = plain.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    match (plain.as_str(), &plain[..plain.len() - digits.len()]) {
        ("utf16", _) => Some(UTF_16LE),
        ("koi8r" | "koi8u", _) => Encoding::for_label(format!("koi8-{}", &plain[4..]).as_bytes()),
        (_, "windows" | "win" | "cp") => {
            Encoding::for_label(format!("windows-{digits}").as_bytes())
        }
        (_, "utf") if digits == "8" => Some(UTF_8),
        _ => Encoding::for_label(plain.as_bytes()),
    }
}

/// Replaces what XML 1.0 has no place for by U+FFFD.
pub(super) fn legal(text: Cow<'_, str>) -> Cow<'_, str> {
    if !may_hold_illegal(text.as_bytes()) || text.chars().all(is_legal) {
        return text;
    }
    text.chars().map(|letter| if is_legal(letter) { letter } else { '\u{fffd}' }).collect()
}

/// Quick and never wrong about a no: a control character, or the first byte of U+F000 to U+FFFF.
pub(super) fn may_hold_illegal(bytes: &[u8]) -> bool {
    bytes.chunks(STRETCH_BYTES).any(|stretch| any_of(stretch, may_begin_illegal))
}

#[expect(clippy::needless_bitwise_bool, reason = "many bytes at once: no branch for each")]
fn may_begin_illegal(byte: u8) -> bool {
    (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r') | (byte == 0xef)
}

/// Looked at in one go.
const STRETCH_BYTES: usize = 256;

/// Looks at every byte, many at once: a loop that stops at the first, or adds up truths and not numbers,
/// is up to twenty times slower on a text that holds none.
pub(super) fn any_of(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |any, byte| any | u8::from(is_one(*byte))) != 0
}

/// The characters of XML 1.0, production 2.
pub(super) fn is_legal(letter: char) -> bool {
    match letter {
        '\t' | '\n' | '\r' => true,
        _ => letter >= ' ' && letter != '\u{fffe}' && letter != '\u{ffff}',
    }
}

/// Where a program's document may begin: the mark, or the first `<`; the end when there is neither.
pub(super) fn first_tag(output: &[u8]) -> usize {
    if Encoding::for_bom(output).is_some() || output.starts_with(&[0, b'<']) {
        return 0;
    }
    output.iter().position(|byte| *byte == b'<').unwrap_or(output.len())
}

/// The first `<?xml` or `<doc`.
pub(super) fn first_document_tag(output: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = output[from..].iter().position(|byte| *byte == b'<') {
        let rest = &output[from + at..];
        if rest.starts_with(b"<?xml") || rest.starts_with(b"<doc") {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
