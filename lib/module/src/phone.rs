//! Phone numbers: read with the country of the user or project, written as the gateway wants them.

use phonenumber::{Mode, country};
use std::fmt;
use std::str::FromStr;

/// A number that can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// As it stands in the user's row.
    pub stored: String,
    /// `+79123456789`.
    pub e164: String,
    /// ISO 3166 letters of its country; empty where the number belongs to none.
    pub country: String,
}

/// A text that is no phone number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no phone number{place}: write it as +<country><number>, or set country_default of the project"
)]
pub struct InvalidPhone {
    text: String,
    place: String,
}

/// How a gateway wants numbers, its field `phone_format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneFormat {
    /// As stored.
    AsIs,
    /// With `+` and country code.
    #[default]
    E164,
    /// The same without `+`.
    Digits,
}

impl FromStr for PhoneFormat {
    type Err = notice::UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "asis" => Ok(Self::AsIs),
            "" | "e164" => Ok(Self::E164),
            "digits" => Ok(Self::Digits),
            _ => Err(notice::UnknownWord { found: word.to_owned(), allowed: "asis, e164, digits" }),
        }
    }
}

impl Phone {
    /// Reads a number. `country` is an ISO code in any case, used where the number has no `+`.
    pub fn parse(text: &str, country: &str) -> Result<Self, InvalidPhone> {
        let refusal = || InvalidPhone {
            text: text.to_owned(),
            place: if country.is_empty() { String::new() } else { format!(" of {country}") },
        };
        let place = country::Id::from_str(&country.trim().to_ascii_uppercase()).ok();
        let number = phonenumber::parse(place, text.trim()).map_err(|_| refusal())?;
        if !number.is_valid() {
            return Err(refusal());
        }
        Ok(Self {
            stored: text.to_owned(),
            e164: number.format().mode(Mode::E164).to_string(),
            country: number.country().id().map(|id| id.as_ref().to_owned()).unwrap_or_default(),
        })
    }

    /// The number as a gateway wants it.
    pub fn written(&self, format: PhoneFormat) -> &str {
        match format {
            PhoneFormat::AsIs => &self.stored,
            PhoneFormat::E164 => &self.e164,
            PhoneFormat::Digits => self.e164.trim_start_matches('+'),
        }
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.e164)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_with_the_country_it_lacks() {
        let table = [
            ("8 (912) 345-67-89", "ru", "+79123456789", "RU"),
            ("+7 912 345 67 89", "", "+79123456789", "RU"),
            ("0170 1234567", "DE", "+491701234567", "DE"),
            ("+49 170 1234567", "RU", "+491701234567", "DE"),
        ];
        for (text, country, e164, home) in table {
            let phone = Phone::parse(text, country).unwrap();
            assert_eq!((phone.e164.as_str(), phone.country.as_str()), (e164, home), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_the_remedy() {
        for bad in
            ["", "none", "12", "abc+7", "+7912", "0170 1234567", "💥", "+99999999999999999999"]
        {
            let error = Phone::parse(bad, "").unwrap_err().to_string();
            assert!(error.contains("country_default"), "{error}");
        }
    }

    #[test]
    fn a_gateway_gets_the_form_it_asks_for() {
        let phone = Phone::parse("8 912 345-67-89", "RU").unwrap();
        for (word, written) in [
            ("asis", "8 912 345-67-89"),
            ("e164", "+79123456789"),
            ("digits", "79123456789"),
            ("", "+79123456789"),
        ] {
            assert_eq!(phone.written(word.parse().unwrap()), written);
        }
        assert!("E.164".parse::<PhoneFormat>().is_err());
    }
}
