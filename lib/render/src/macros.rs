//! Macros: `__name__` in rendered text becomes the user's field of that name (S3-16, ancestor-facts 4.3).

use wire::rendering::BodyKind;
use wire::xml::Element;

use crate::escape;

/// Replaces macros in one pass: what was put in is never read again, so a value can't smuggle in a macro.
/// Names are found in either case; a name the user has not stays as it is; values are escaped in HTML.
pub(crate) fn replace(text: &str, user: Option<&Element>, kind: BodyKind) -> String {
    let Some(user) = user.filter(|_| text.contains("__")) else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("__") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((length, value)) = macro_at_start(rest, user) else {
            out.push('_');
            rest = &rest[1..];
            continue;
        };
        match kind {
            BodyKind::Html => out.push_str(&escape::html(&value)),
            BodyKind::Text => out.push_str(&value),
        }
        rest = &rest[length..];
    }
    out + rest
}

/// The longest name that is a field: names may themselves hold underscores.
fn macro_at_start(text: &str, user: &Element) -> Option<(usize, String)> {
    const LONGEST_NAME: usize = 64;
    let after = &text[2..];
    let name_like = after
        .bytes()
        .take(LONGEST_NAME + 2)
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    let run = &after[..name_like];
    let ends = run.match_indices("__").map(|(at, _)| at).filter(|at| *at > 0).collect::<Vec<_>>();
    ends.into_iter().rev().find_map(|end| Some((2 + end + 2, field(user, &run[..end])?)))
}

fn field(user: &Element, name: &str) -> Option<String> {
    user.elements()
        .find(|field| field.name == name)
        .or_else(|| user.elements().find(|field| field.name.eq_ignore_ascii_case(name)))
        .filter(|field| field.elements().next().is_none())
        .map(Element::text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::xml::Document;

    fn user() -> Element {
        let xml = "<user><realname>Ира __email__ &amp; &lt;Ко&gt;</realname><email>i@x.ru</email><real_name>R</real_name><a>1</a><deep><x/></deep></user>";
        Document::parse_text(xml).expect("XML").root
    }

    #[test]
    fn macros_take_the_users_fields_in_either_case() {
        let text = replace(
            "__realname__, __EMAIL__, __real_name__ ____a____",
            Some(&user()),
            BodyKind::Text,
        );
        assert_eq!(text, "Ира __email__ & <Ко>, i@x.ru, R __1__");
    }

    #[test]
    fn values_are_escaped_in_html_and_never_read_again() {
        assert_eq!(
            replace("<b>__realname__</b>", Some(&user()), BodyKind::Html),
            "<b>Ира __email__ &amp; &lt;Ко&gt;</b>"
        );
    }

    #[test]
    fn unknown_macros_stay() {
        for text in
            ["__nobody__", "____", "__deep__", "a__", "__имя__", "__a b__", "_a_", "__init__.py"]
        {
            assert_eq!(replace(text, Some(&user()), BodyKind::Html), text);
        }
        assert_eq!(replace("__a__", None, BodyKind::Text), "__a__");
        assert_eq!(replace("__x__email__", Some(&user()), BodyKind::Text), "__xi@x.ru");
    }
}
