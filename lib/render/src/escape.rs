//! HTML escaping, as the npm package `ejs` writes it.

use std::borrow::Cow;

/// `& < > " '` become `&amp; &lt; &gt; &#34; &#39;`; anything else stays, and so does a text without them.
pub(crate) fn html(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(['&', '<', '>', '"', '\'']) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for sign in text[first..].chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(sign),
        }
    }
    Cow::Owned(out)
}

/// A subject: one line without control characters, trimmed. So no value can add a header (RFC 5322, 2.2).
pub(crate) fn one_line(text: &str) -> String {
    let breaks = |sign: char| sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}');
    let words: Vec<&str> =
        text.split(breaks).map(str::trim).filter(|piece| !piece.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_signs_are_escaped_and_nothing_else() {
        assert_eq!(html("a & <b> \"c\" 'д' `/`"), "a &amp; &lt;b&gt; &#34;c&#34; &#39;д&#39; `/`");
        assert!(matches!(html("ничего"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(one_line(" Счёт\r\nBcc: x@y\u{2028}z \0"), "Счёт Bcc: x@y z");
        assert_eq!(one_line("\r\n"), "");
    }
}
