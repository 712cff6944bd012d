//! Amounts: minor units inside, `12.50` outside.

use crate::refusal::Refusal;

/// Largest amount, in minor units: any sum of ten thousand of them fits.
const MOST: i64 = 100_000_000_000_000;

/// Reads `12`, `12.5`, `-12.50`.
pub(crate) fn read(field: &str, text: &str) -> Result<i64, Refusal> {
    let refused = || Refusal::Value {
        field: field.to_owned(),
        value: text.to_owned(),
        reason: "write an amount like 12.50 or -3, two decimals at most".to_owned(),
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(part) || part.len() > 2 || whole.len() > 15 {
        return Err(refused());
    }
    let whole: i64 = whole.parse().map_err(|_| refused())?;
    let part: i64 = format!("{part:0<2}").parse().map_err(|_| refused())?;
    let units = whole * 100 + part;
    if units > MOST {
        return Err(refused());
    }
    Ok(if negative { -units } else { units })
}

/// `12.50`.
pub(crate) fn shown(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:02}", units / 100, units % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_as_it_is_shown() {
        for (text, units) in [("12", 1_200), ("12.5", 1_250), ("-0.05", -5), ("0", 0)] {
            assert_eq!(read("amount", text).unwrap(), units, "{text}");
            assert_eq!(read("amount", &shown(units)).unwrap(), units);
        }
        for text in ["", "-", "1.234", "1,5", "1e3", "+1", ".5", "9999999999999999"] {
            assert!(read("amount", text).is_err(), "{text}");
        }
    }
}
