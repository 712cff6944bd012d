//! `money`: amounts as people write them.

/// Two decimals, thousands in groups; Russian: `1 234,50`, else `1,234.50`. What is no number stays as it is.
/// A currency is put behind it, unbreakably.
pub(crate) fn money(value: &str, currency: &str, lang: &str) -> String {
    let value = value.trim();
    let Some(amount) = grouped(value, lang) else { return value.to_owned() };
    if currency.is_empty() { amount } else { format!("{amount}\u{a0}{currency}") }
}

fn grouped(value: &str, lang: &str) -> Option<String> {
    let number: f64 =
        value.replace(',', ".").parse().ok().filter(|n: &f64| n.is_finite() && n.abs() < 1e15)?;
    let fixed = format!("{:.2}", number.abs());
    let (whole, cents) = fixed.split_once('.')?;
    let (group, point) = if lang.starts_with("ru") { ('\u{a0}', ',') } else { (',', '.') };
    let mut out = String::new();
    if number < 0.0 && fixed != "0.00" {
        out.push('-');
    }
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(group);
        }
        out.push(digit);
    }
    out.push(point);
    Some(out + cents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_of_the_language_do() {
        for (value, currency, lang, text) in [
            ("1234.5", "", "ru", "1\u{a0}234,50"),
            ("-1234567.891", "RUB", "en", "-1,234,567.89\u{a0}RUB"),
            ("0", "€", "ru", "0,00\u{a0}€"),
            ("-0.001", "", "en", "0.00"),
            ("100,5", "", "en", "100.50"),
            ("free", "RUB", "en", "free"),
            ("", "RUB", "en", ""),
            ("1e99", "", "en", "1e99"),
            ("999999.995", "", "en", "999,999.99"),
        ] {
            assert_eq!(money(value, currency, lang), text, "{value}");
        }
    }
}
