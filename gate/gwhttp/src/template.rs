//! `{name}` in a URL, a header or a body, replaced so that a value can't leave its place.

use gatepost_gate::Failure;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// How a value is written into the text around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// In a URL or a form: percent-encoded.
    Percent,
    /// Inside a JSON string, or alone where it is a number.
    Json,
    /// In XML text or in a quoted attribute.
    Xml,
    /// In a header: line ends and control characters become spaces.
    Header,
    /// As it is.
    Plain,
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The longest name between braces, in bytes.
const NAME_LIMIT_BYTES: usize = 64;

/// What stands for a placeholder; None for a name nobody knows.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The template with every placeholder replaced, in one pass: a value is never looked at again.
/// Braces that hold no plain name stay as they are, as JSON needs. A name nobody knows is a fault of
/// the gateway, and so is a JSON value outside of quotes that is no number.
pub(crate) fn fill(
    template: &str,
    encoding: Encoding,
    lookup: &Lookup<'_>,
) -> Result<String, Failure> {
    let mut filled = String::with_capacity(template.len() + 256);
    let mut quotes = Quotes::default();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        quotes.read(before);
        let Some(name) = name_at(from) else {
            filled.push('{');
            rest = &from[1..];
            continue;
        };
        let value =
            lookup(name).ok_or_else(|| Failure::hold(format!("`{{{name}}}` is no placeholder")))?;
        filled.push_str(&encoded(&value, encoding, &quotes, name)?);
        rest = &from[name.len() + 2..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The name of a placeholder that begins here.
fn name_at(text: &str) -> Option<&str> {
    let end = text.bytes().take(NAME_LIMIT_BYTES + 2).position(|byte| byte == b'}')?;
    let name = &text[1..end];
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// Whether the text so far ends inside a JSON string.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.open => self.escaped = true,
                b'"' => self.open = !self.open,
                _ => {}
            }
        }
    }
}

fn encoded(
    value: &str,
    encoding: Encoding,
    quotes: &Quotes,
    name: &str,
) -> Result<String, Failure> {
    Ok(match encoding {
        Encoding::Percent => utf8_percent_encode(value, UNRESERVED).to_string(),
        Encoding::Json if quotes.open => json_inside_quotes(value),
        Encoding::Json => bare_number(value, name)?,
        Encoding::Xml => xml(value),
        Encoding::Header => value.replace(char::is_control, " "),
        Encoding::Plain => value.to_owned(),
    })
}

fn json_inside_quotes(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn bare_number(value: &str, name: &str) -> Result<String, Failure> {
    match serde_json::from_str::<serde_json::Number>(value) {
        Ok(_) => Ok(value.to_owned()),
        Err(_) => Err(Failure::hold(format!(
            "`{{{name}}}` stands in the JSON body without quotes and is no number"
        ))),
    }
}

fn xml(value: &str) -> String {
    let mut text = Vec::with_capacity(value.len());
    wire::xml::write_attribute_value(&mut text, value);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a&b <\"]]>\\ {phone}\r\nX: я";

    fn lookup(name: &str) -> Option<String> {
        match name {
            "phone" => Some("79123456789".to_owned()),
            "message" => Some(HOSTILE.to_owned()),
            _ => None,
        }
    }

    fn filled(template: &str, encoding: Encoding) -> String {
        fill(template, encoding, &lookup).unwrap()
    }

    #[test]
    fn a_value_can_not_leave_its_place_in_a_url() {
        let url = filled("http://x/?to={phone}&m={message}#", Encoding::Percent);
        assert_eq!(url.matches('&').count(), 1);
        assert!(url.ends_with("%7Bphone%7D%0D%0AX%3A%20%D1%8F#"), "{url}");
    }

    #[test]
    fn a_value_can_not_leave_its_json_string() {
        let body =
            filled(r#"{"a":{"to":{phone}},"m":"<{message}>","s":"\"{phone}\\"}"#, Encoding::Json);
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["m"], format!("<{HOSTILE}>"));
        assert_eq!(read["a"]["to"], 79_123_456_789_u64);
        assert_eq!(read["s"], "\"79123456789\\");
    }

    #[test]
    fn a_text_outside_of_json_quotes_is_refused() {
        let failure = fill(r#"{"m":{message}}"#, Encoding::Json, &lookup).unwrap_err();
        assert!(failure.text.contains("without quotes"), "{}", failure.text);
    }

    #[test]
    fn a_value_can_not_leave_its_element_or_header() {
        let body = filled("<m a=\"{message}\">{message}</m>", Encoding::Xml);
        let root = wire::xml::Document::parse(body.as_bytes()).unwrap().root;
        assert!(root.text().contains("a&b <\"]]>\\ {phone}"), "{body}");
        assert!(!filled("{message}", Encoding::Header).contains(['\r', '\n']));
    }

    #[test]
    fn a_name_nobody_knows_is_named() {
        let failure = fill("{phne}", Encoding::Plain, &lookup).unwrap_err();
        assert!(failure.text.contains("`{phne}`"));
        assert_eq!(filled("{ x } {} {", Encoding::Plain), "{ x } {} {");
    }
}
