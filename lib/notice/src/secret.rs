//! Values that must not be seen, and the mask that hides them wherever they occur.

/// A value that must not be printed. It has no `Debug`; only [`Secret::expose`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for a child's stdin and for sealing, nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Replaces every known secret by `***` in any text: raw, percent-, XML-, JSON- and base64-encoded.
/// By value, not by field name (DESIGN 5). Values of one or two bytes are not masked: they would hide letters of
/// every text; nor are the words of a switch, which a form may put where a secret may stand. Of a secret of many lines
/// each is masked by itself too: what is read line by line may hold a part of a key.
#[derive(Clone, Default)]
pub struct Mask {
    forms: Vec<String>,
}

const SHORTEST_BYTES: usize = 3;
/// A line so long is a part of a key, not a word.
const SHORTEST_LINE_BYTES: usize = 16;
/// How the lines begin that say what a key is.
const ARMOUR: &str = "-----";
const SWITCHES: [&str; 2] = ["off", "yes"];

impl Mask {
    /// A mask over these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut mask = Self::default();
        for secret in secrets {
            mask.add(secret);
        }
        mask
    }

    /// One more secret.
    pub fn add(&mut self, secret: &Secret) {
        let raw = secret.expose();
        if raw.len() < SHORTEST_BYTES || SWITCHES.contains(&raw) {
            return;
        }
        self.forms.push(raw.to_owned());
        self.forms.extend(json_of(raw));
        self.forms.extend(xml_of(raw));
        self.forms.extend(base64_of(raw.as_bytes()));
        self.forms.extend(percent_of(raw));
        self.forms.extend(lines_of(raw));
        self.forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.forms.dedup();
    }

    /// The text with every secret replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for form in &self.forms {
            if masked.contains(form.as_str()) {
                masked = masked.replace(form.as_str(), "***");
            }
        }
        masked
    }
}

fn lines_of(raw: &str) -> impl Iterator<Item = String> {
    let lines = raw.lines().map(str::trim).filter(move |line| line.len() < raw.trim().len());
    let is_part = |line: &&str| line.len() >= SHORTEST_LINE_BYTES && !line.starts_with(ARMOUR);
    lines.filter(is_part).map(str::to_owned)
}

/// As text, where quotes may stay, and as an attribute, where they may not; once, and twice as a gateway's
/// `xmlparams` stand in the input of a gate, which may well print what it got.
fn xml_of(raw: &str) -> Vec<String> {
    let text = |raw: &str| raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let full = |raw: &str| text(raw).replace('"', "&quot;").replace('\'', "&apos;");
    let once = [text(raw), full(raw)];
    let twice = once.iter().flat_map(|once| [text(once), full(once)]);
    twice.chain(once.iter().cloned()).collect()
}

/// As encoders write JSON: what must be escaped alone; also what is not ASCII (Python, PHP); also what HTML knows (Go,
/// PHP with `JSON_HEX_…`); each with hex in lower and in upper case, and with `/` as it is and escaped.
fn json_of(raw: &str) -> Vec<String> {
    let foreign = |c: char| !c.is_ascii() || c == '\u{7f}';
    let html = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    let quotes = |c: char| matches!(c, '\'' | '"');
    let sets: [&dyn Fn(char) -> bool; 6] = [
        &|_| false,
        &foreign,
        &html,
        &|c| html(c) || foreign(c),
        &|c| html(c) || quotes(c),
        &|c| html(c) || quotes(c) || foreign(c),
    ];
    let lower = sets.iter().map(|set| json_text(raw, set, |unit| format!("\\u{unit:04x}")));
    let upper = sets.iter().map(|set| json_text(raw, set, |unit| format!("\\u{unit:04X}")));
    lower.chain(upper).flat_map(|text| [text.replace('/', "\\/"), text]).collect()
}

fn json_text(raw: &str, is_hex: impl Fn(char) -> bool, hex: impl Fn(u16) -> String) -> String {
    let mut text = String::new();
    for c in raw.chars() {
        match c {
            c if is_hex(c) => {
                text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| hex(*unit)));
            }
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            c if c < ' ' => text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| hex(*unit))),
            c => text.push(c),
        }
    }
    text
}

/// Percent-encoding in upper and lower hex, with a space as `%20` and as `+`.
fn percent_of(raw: &str) -> Vec<String> {
    let encode = |upper: bool, space: &str| -> String {
        raw.bytes()
            .map(|byte| match byte {
                b' ' => space.to_owned(),
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                _ if upper => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            })
            .collect()
    };
    vec![encode(true, "%20"), encode(false, "%20"), encode(true, "+"), encode(false, "+")]
}

/// What stands in the middle of the base64 of a text that contains the secret, for each place it may begin at
/// (`user:password`): the groups that hold nothing but the secret.
fn base64_of(raw: &[u8]) -> Vec<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const SHORTEST_GROUPS: usize = 2;
    let letters = |raw: &[u8]| -> String {
        raw.chunks_exact(3)
            .flat_map(|three| {
                let [a, b, c] = [three[0], three[1], three[2]].map(u32::from);
                let bits = a << 16 | b << 8 | c;
                [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift & 63) as usize]))
            })
            .collect()
    };
    let from = |start: usize| raw.get(start..).filter(|rest| rest.len() >= 3 * SHORTEST_GROUPS);
    let whole = [letters(raw)].into_iter().filter(|text| !text.is_empty());
    whole.chain([1, 2].into_iter().filter_map(from).map(letters)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_encoding() {
        let mask = Mask::new([&Secret::new("p&q w\"x")]);
        for text in ["p&q w\"x", "p&amp;q w&quot;x", "p%26q%20w%22x", "p%26q+w%22x", "p&q w\\\"x"] {
            assert_eq!(mask.apply(&format!("a {text} b")), "a *** b", "{text}");
        }
        assert!(!mask.apply("cCZxIHci").contains("cCZxIHci"));
    }

    #[test]
    fn a_secret_is_hidden_as_any_encoder_writes_json() {
        let mask = Mask::new([&Secret::new("п/<😀'\"\u{1}&")]);
        for text in [
            r#"п/<😀'\"\u0001&"#,
            r#"\u043f/<\ud83d\ude00'\"\u0001&"#,
            r#"\u043f\/<\ud83d\ude00'\"\u0001&"#,
            r#"\u043F\/<\uD83D\uDE00'\"\u0001&"#,
            r#"п/\u003c😀'\"\u0001\u0026"#,
            r"\u043f\/\u003C\uD83D\uDE00\u0027\u0022\u0001\u0026".replace("43f", "43F").as_str(),
        ] {
            assert_eq!(mask.apply(&format!("a {text} b")), "a *** b", "{text}");
        }
    }

    #[test]
    fn a_line_of_a_key_is_hidden_without_the_others() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\r\nshort\n-----END PRIVATE KEY-----";
        let mask = Mask::new([&Secret::new(key)]);
        assert_eq!(mask.apply("load MIIEvQIBADANBgkqhkiG9w0B\nshort"), "load ***\nshort");
        assert_eq!(mask.apply("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
        assert_eq!(mask.apply(&format!("a {key} b")), "a *** b");
    }

    #[test]
    fn a_short_secret_does_not_blacken_the_page() {
        for word in ["a", "on", "off", "yes"] {
            assert_eq!(Mask::new([&Secret::new(word)]).apply(word), word);
        }
        assert_eq!(Mask::new([&Secret::new("123")]).apply("pin 123"), "pin ***");
    }
}
