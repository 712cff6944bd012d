//! Mail addresses: parsed at the door, so that nothing else can get into a command or a header.

use std::fmt;

const LONGEST_LOCAL_BYTES: usize = 64;
const LONGEST_ADDRESS_BYTES: usize = 254;
const LONGEST_NAME_CHARS: usize = 200;
/// The most addresses of one contact.
const MOST_ADDRESSES: usize = 100;

/// An address as RFC 5321 has it: no angle bracket, space or control character can stand in it.
/// A domain in letters of other scripts is kept in its ASCII form (RFC 5891 A-labels).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    local: String,
    domain: String,
}

/// A name and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// The display name, empty for none.
    pub(crate) name: String,
    /// The address.
    pub(crate) address: Address,
}

/// A text that is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no mail address: {why}")]
pub(crate) struct NoAddress {
    text: String,
    why: &'static str,
}

impl Address {
    /// Parses `local@domain`.
    pub(crate) fn parse(text: &str) -> Result<Self, NoAddress> {
        let text = text.trim();
        let refuse = |why| NoAddress { text: text.chars().take(80).collect(), why };
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| refuse("it has no @"))?;
        check_local(local).map_err(refuse)?;
        let domain = ascii_domain(domain).map_err(refuse)?;
        if local.len() + 1 + domain.len() > LONGEST_ADDRESS_BYTES {
            return Err(refuse("it is too long"));
        }
        Ok(Self { local: local.to_owned(), domain })
    }

    /// The part after the @, in ASCII.
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// True when it can only be said to a server that knows SMTPUTF8 (RFC 6531).
    pub(crate) fn needs_utf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl Mailbox {
    /// A mailbox of a name from anywhere: line breaks and control characters become spaces.
    pub(crate) fn new(name: &str, address: Address) -> Self {
        Self { name: one_line(name, LONGEST_NAME_CHARS), address }
    }

    /// Parses `address`, `<address>` or `Name <address>`.
    pub(crate) fn parse(text: &str) -> Result<Self, NoAddress> {
        let text = text.trim();
        let Some((name, rest)) = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<'))
        else {
            return Ok(Self::new("", Address::parse(text)?));
        };
        let name = name.trim();
        let bare = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Ok(Self::new(
            &bare.map_or(name.to_owned(), |quoted| quoted.replace('\\', "")),
            Address::parse(rest)?,
        ))
    }

    /// Parses a list separated by commas (or semicolons); commas inside quotes count as text. Empty
    /// entries are skipped, a repeated address stands once.
    pub(crate) fn parse_list(text: &str) -> Result<Vec<Self>, NoAddress> {
        let mut boxes: Vec<Self> = Vec::new();
        for part in split_list(text) {
            let found = Self::parse(part)?;
            if !boxes.iter().any(|known| known.address == found.address) {
                boxes.push(found);
            }
            if boxes.len() > MOST_ADDRESSES {
                return Err(NoAddress { text: "…".into(), why: "more than 100 addresses" });
            }
        }
        Ok(boxes)
    }
}

/// One line of printable text, of at most so many characters.
pub(crate) fn one_line(text: &str, longest_chars: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .take(longest_chars)
        .collect();
    plain.trim().to_owned()
}

fn split_list(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn check_local(local: &str) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("nothing stands before the @");
    }
    if local.len() > LONGEST_LOCAL_BYTES {
        return Err("the part before the @ is too long");
    }
    let quoted = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(inner) = quoted {
        let plain = |c: char| (' '..='~').contains(&c) && !matches!(c, '"' | '\\' | '<' | '>');
        return if inner.chars().all(plain) { Ok(()) } else { Err("its quoted part is odd") };
    }
    let dotted = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if dotted || !local.chars().all(is_atom) {
        return Err("the part before the @ holds what may not stand there");
    }
    Ok(())
}

/// RFC 5322 atext, and everything printable beyond ASCII (RFC 6532).
fn is_atom(c: char) -> bool {
    let beyond = !c.is_ascii() && !c.is_control() && !c.is_whitespace();
    beyond || c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn ascii_domain(domain: &str) -> Result<String, &'static str> {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = literal.strip_prefix("IPv6:").unwrap_or(literal);
        let known = address.parse::<std::net::IpAddr>().is_ok();
        return if known { Ok(domain.to_owned()) } else { Err("its domain is no address") };
    }
    let labels: Result<Vec<String>, _> = domain.split('.').map(ascii_label).collect();
    Ok(labels?.join("."))
}

fn ascii_label(label: &str) -> Result<String, &'static str> {
    const ODD: &str = "its domain is no domain name";
    let ascii = if label.is_ascii() {
        label.to_owned()
    } else {
        let lower = label.to_lowercase();
        let letters = lower.chars().all(|c| c.is_alphanumeric() || c == '-' || is_mark(c));
        let coded = punycode(&lower).filter(|_| letters).ok_or(ODD)?;
        format!("xn--{coded}")
    };
    let plain =
        ascii.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let fits = (1..=63).contains(&ascii.len()) && !ascii.starts_with('-') && !ascii.ends_with('-');
    if plain && fits { Ok(ascii) } else { Err(ODD) }
}

/// Combining marks of scripts that need them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}' | '\u{e30}'..='\u{e4e}')
}

/// RFC 3492 section 6.3.
fn punycode(label: &str) -> Option<String> {
    let mut coded: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(coded.len()).ok()?;
    if basic > 0 {
        coded.push('-');
    }
    let points: Vec<u32> = label.chars().map(u32::from).collect();
    let (mut n, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    while (handled as usize) < points.len() {
        let next = points.iter().copied().filter(|&point| point >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for &point in &points {
            if point < n {
                delta = delta.checked_add(1)?;
            }
            if point == n {
                push_variable(&mut coded, delta, bias);
                bias = adapted(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(coded)
}

fn push_variable(coded: &mut String, delta: u32, bias: u32) {
    let mut rest = delta;
    let mut k = 36;
    loop {
        let threshold = if k <= bias { 1 } else { (k - bias).min(26) };
        if rest < threshold {
            coded.push(digit(rest));
            return;
        }
        coded.push(digit(threshold + (rest - threshold) % (36 - threshold)));
        rest = (rest - threshold) / (36 - threshold);
        k += 36;
    }
}

fn digit(value: u32) -> char {
    char::from_digit((value + 10) % 36, 36).unwrap_or('a')
}

fn adapted(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, shown) in [
            ("a@example.org", "a@example.org"),
            (" a.b+c@example.org ", "a.b+c@example.org"),
            ("o'brien@example.org", "o'brien@example.org"),
            ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("a@[127.0.0.1]", "a@[127.0.0.1]"),
            ("info@пример.рф", "info@xn--e1afmkfd.xn--p1ai"),
            ("info@BÜCHER.example", "info@xn--bcher-kva.example"),
            ("почта@пример.рф", "почта@xn--e1afmkfd.xn--p1ai"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn nothing_else_gets_through_as_an_address() {
        for text in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b c",
            "a@b>\r\nRCPT TO:<x@y",
            "a\r\n@b",
            "a@b\nX: y",
            "<a@b>",
            ".a@b",
            "a..b@c",
            "a@b..c",
            "a@-b",
            "\"a\"b\"@c",
            "a@b,c@d",
            "a@[not an ip]",
            "a\u{0}@b",
            "a@b\u{2028}c",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn one_contact_may_hold_several_addresses() {
        let boxes =
            Mailbox::parse_list("a@x.org, \"Doe, J\" <b@x.org>;,Имя <c@x.org>, a@x.org").unwrap();
        let shown: Vec<_> =
            boxes.iter().map(|one| (one.name.as_str(), one.address.to_string())).collect();
        assert_eq!(
            shown,
            [
                ("", "a@x.org".to_owned()),
                ("Doe, J", "b@x.org".to_owned()),
                ("Имя", "c@x.org".to_owned())
            ]
        );
    }

    #[test]
    fn a_name_can_not_break_the_line() {
        let name = Mailbox::new("A\r\nBcc: x@y", Address::parse("a@b").unwrap()).name;
        assert_eq!(name, "A  Bcc: x@y");
    }
}
