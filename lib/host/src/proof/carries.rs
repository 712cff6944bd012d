//! Whether a request carries a text, however it was encoded on the way.

const WAYS: [fn(&str) -> String; 4] = [str::to_owned, from_percent, from_json, from_xml];

/// True when the text stands in the bytes as it is, or percent-, JSON- or XML-encoded. White space at
/// its end does not count, nor does the kind of line end.
pub(super) fn carries(bytes: &[u8], text: &str) -> bool {
    let wanted = plain(text);
    let got = String::from_utf8_lossy(bytes);
    WAYS.iter().any(|decode| plain(&decode(&got)).contains(&wanted))
}

/// A request that is asked for many texts: decoded once.
pub(super) struct Decoded(Vec<String>);

impl Decoded {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let got = String::from_utf8_lossy(bytes);
        let mut forms: Vec<_> = WAYS.iter().map(|decode| plain(&decode(&got))).collect();
        forms.sort_unstable();
        forms.dedup();
        Self(forms)
    }

    /// As [`carries`].
    pub(super) fn carries(&self, text: &str) -> bool {
        let wanted = plain(text);
        self.0.iter().any(|form| form.contains(&wanted))
    }
}

fn plain(text: &str) -> String {
    text.trim_end().replace("\r\n", "\n").replace('\r', "\n")
}

fn from_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, code.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn from_json(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        match escaped {
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
            }
            Some('n') => units.push(u16::from(b'\n')),
            Some('t') => units.push(u16::from(b'\t')),
            Some('r') => units.push(u16::from(b'\r')),
            Some(other) => units.extend(other.encode_utf16(&mut [0; 2]).iter()),
            None => units.extend(letter.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    String::from_utf16_lossy(&units)
}

fn from_xml(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        // no further than a name can go: a text of nothing but `&` is looked through once
        let end = after.bytes().take(9).position(|byte| byte == b';');
        let named = end.map(|end| (&after[..end], &after[end + 1..]));
        if let Some((letter, behind)) = named.and_then(|(name, rest)| Some((entity(name)?, rest))) {
            decoded.push(letter);
            rest = behind;
        } else {
            decoded.push('&');
            rest = after;
        }
    }
    decoded.push_str(rest);
    decoded
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_each_encoding() {
        let text = "a & <b> \"q\"\nя😀\\";
        for bytes in [
            "x a & <b> \"q\"\r\nя😀\\ y",
            "m=a+%26%20%3Cb%3e+%22q%22%0A%D1%8F%F0%9F%98%80%5C&x=1",
            r#"{"m":"a \u0026 <b> \"q\"\n\u044f\ud83d\ude00\\"}"#,
            "<m>a &amp; &lt;b&gt; &#34;q&quot;&#xA;я😀\\</m>",
        ] {
            assert!(carries(bytes.as_bytes(), text), "{bytes}");
            assert!(Decoded::of(bytes.as_bytes()).carries(text), "{bytes}");
        }
        assert!(!carries(b"a & <b> q", text));
        assert!(!carries(b"% \\", "a"));
    }
}
