//! The text alternative of an HTML body without a text template.

use html2text::config;

const COLUMNS: usize = 72;
/// Past it the text would cost more than it is worth to a reader.
const MOST_BYTES: usize = 1 << 20;

/// Plain text of 72 columns: no table borders, links as footnotes, styles, scripts and images left out.
pub(crate) fn text_of(html: &str) -> Result<String, String> {
    if html.len() > MOST_BYTES {
        return Err(format!(
            "an HTML body over {MOST_BYTES} bytes needs a text template of its own"
        ));
    }
    let plain = config::plain_no_decorate()
        .link_footnotes(true)
        .no_table_borders()
        .allow_width_overflow()
        .string_from_read(html.as_bytes(), COLUMNS);
    plain
        .map(|text| tidied(&text))
        .map_err(|error| format!("the HTML body can't be made text: {error}"))
}

/// No blanks at line ends, no empty lines around, never two of them running.
fn tidied(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty_lines = 0;
    for line in text.trim_matches(['\n', ' ']).lines().map(str::trim_end) {
        empty_lines = if line.is_empty() { empty_lines + 1 } else { 0 };
        if empty_lines < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_readable_text() {
        let html = "<html><head><title>t</title><style>p {}</style></head><body><h1>Счёт &amp; акт</h1><p>Сумма:&nbsp;<b>100</b></p>\
            <table><tr><td>Хостинг</td><td>100</td></tr></table><script>x()</script><p><a href=\"https://x.ru/pay\">Оплатить</a></p></body></html>";
        let text = text_of(html).expect("text");
        for part in
            ["Счёт & акт", "Сумма:\u{a0}", "Хостинг", "[Оплатить][1]", "[1]: https://x.ru/pay"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        for part in ["x()", "p {}", "<", "│", "─"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn hostile_html_is_survived() {
        let deep = "<div>".repeat(2_000);
        drop(text_of(&deep));
        assert!(text_of(&"x".repeat(MOST_BYTES + 1)).is_err());
        assert_eq!(text_of("").expect("text"), "");
    }
}
