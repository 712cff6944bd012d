//! `__name__` in messages and errors.

/// Replaces every `__name__` whose name is known, in one pass: what was put in is not scanned again,
/// and an unknown one stays as it is.
pub(crate) fn fill<'a>(text: &str, value_of: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("__") {
        let after = &rest[start + 2..];
        let known = name_before_end(after).and_then(|name| Some((name, value_of(name)?)));
        if let Some((name, value)) = known {
            filled.push_str(&rest[..start]);
            filled.push_str(value);
            rest = &after[name.len() + 2..];
        } else {
            filled.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
        }
    }
    filled.push_str(rest);
    filled
}

/// The shortest name that `__` follows; a name may hold single underscores.
fn name_before_end(text: &str) -> Option<&str> {
    let end = text.find("__").filter(|end| *end > 0)?;
    let name = &text[..end];
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_filled_in_once() {
        let value = |name: &str| match name {
            "object" => Some("__value__"),
            "value" => Some("a&b"),
            "first_name" => Some("Bob"),
            _ => None,
        };
        let table = [
            ("__object__ is __value__", "__value__ is a&b"),
            ("__first_name____value__", "Boba&b"),
            ("___value__", "_a&b"),
            ("__nothing__ ____ __", "__nothing__ ____ __"),
            ("__nothing__value__", "__nothinga&b"),
            ("я__value__я", "яa&bя"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(fill(text, value), expected, "{text}");
        }
    }
}
