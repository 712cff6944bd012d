//! The person a notice is for, and the address it goes to.

use crate::phone::{InvalidPhone, Phone};
use notice::{Fields, UserId, unasked};
use std::fmt;
use wire::params::fields_of;
use wire::xml::Document;

/// Why no gate is asked (DESIGN 4): logged as *never*, the row goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The user has no such contact.
    NoContact(String),
    /// It is no address, or no number.
    BadContact(String),
    /// There is no text.
    EmptyMessage,
    /// More segments than the gateway's `max_segments`.
    TooLong(String),
    /// The contact is blocked, and why.
    Blocked(String),
    /// The user was deleted while the task was in the queue.
    UserGone,
}

impl Refusal {
    /// The reason's name, as the log and `why` know it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoContact(_) => unasked::NO_CONTACT,
            Self::BadContact(_) => unasked::BAD_CONTACT,
            Self::EmptyMessage => unasked::EMPTY_MESSAGE,
            Self::TooLong(_) => unasked::TOO_LONG,
            Self::Blocked(_) => unasked::CONTACT_BLOCKED,
            Self::UserGone => unasked::USER_GONE,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Self::NoContact(why) | Self::BadContact(why) | Self::TooLong(why) => why,
            Self::Blocked(why) => {
                let why = if why.is_empty() { "no reason given" } else { why };
                return write!(
                    f,
                    "{}: {why}; `gatepost contact unblock` allows it again",
                    self.word()
                );
            }
            Self::EmptyMessage => "the template made no text",
            Self::UserGone => "the user was deleted while it was in the queue",
        };
        write!(f, "{}: {why}", self.word())
    }
}

/// The user of a task, as of enqueue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The element as it was stored; goes to the gate unchanged.
    pub xml: String,
    /// Its columns.
    pub fields: Fields,
    /// The row.
    pub id: Option<UserId>,
}

impl Person {
    /// Reads `<user>…</user>`; empty text is nobody.
    pub fn read(xml: &str) -> Self {
        if xml.trim().is_empty() {
            return Self::default();
        }
        let fields =
            Document::parse_text(xml).map(|document| fields_of(&document.root)).unwrap_or_default();
        let id = fields.get("id").and_then(|id| id.parse().ok());
        Self { xml: xml.to_owned(), fields, id }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The user's column it stands in: `email`, `phone` …
    pub kind: String,
    /// Normalised, as the log and `contact_state` know it.
    pub address: String,
    /// For a phone.
    pub phone: Option<Phone>,
}

/// How a module's contacts are written.
#[derive(Clone, Copy, Debug)]
pub enum ContactForm {
    /// One mail address, or several with commas between.
    Email,
    /// A phone number, and what reads it: [`Phone::parse`], which only who names it links, with the plans of all countries.
    Phone(fn(&str, &str) -> Result<Phone, InvalidPhone>),
    /// Any text (jabber …).
    Text,
    /// None is needed: the user is the address.
    User,
    /// None is needed, and no user.
    Nobody,
}

/// Finds the address. `country` is used for a phone without `+` where the user's row has none.
pub fn contact_of(
    kind: &str,
    form: ContactForm,
    person: &Person,
    country: &str,
) -> Result<Contact, Refusal> {
    if matches!(form, ContactForm::User) {
        let Some(id) = person.id else {
            return Err(Refusal::NoContact("the task names no user by id".into()));
        };
        return Ok(Contact { kind: "user".into(), address: id.to_string(), phone: None });
    }
    if matches!(form, ContactForm::Nobody) {
        return Ok(Contact::default());
    }
    let stored = person.fields.text(kind).trim();
    if stored.is_empty() {
        return Err(Refusal::NoContact(format!(
            "the user has no {kind}; set it with `gatepost user edit`"
        )));
    }
    let plain =
        |address: &str| Contact { kind: kind.to_owned(), address: address.to_owned(), phone: None };
    match form {
        ContactForm::Email => are_addresses(stored)
            .then(|| plain(stored))
            .ok_or_else(|| Refusal::BadContact(format!("`{}` is no mail address", shown(stored)))),
        ContactForm::Phone(parse) => {
            let own = person.fields.text("country");
            let country = if own.is_empty() { country } else { own };
            let phone =
                parse(stored, country).map_err(|error| Refusal::BadContact(error.to_string()))?;
            Ok(Contact { phone: Some(phone.clone()), ..plain(&phone.e164) })
        }
        ContactForm::Text => {
            (!stored.contains(char::is_control)).then(|| plain(stored)).ok_or_else(|| {
                Refusal::BadContact(format!("`{}` has control characters", shown(stored)))
            })
        }
        ContactForm::User | ContactForm::Nobody => Err(Refusal::NoContact(String::new())),
    }
}

/// At most so many addresses in one contact.
const ADDRESSES: usize = 20;

/// One address, or several with commas between: one mail goes to all of them.
fn are_addresses(text: &str) -> bool {
    text.split(',').count() <= ADDRESSES && text.split(',').all(|one| is_address(one.trim()))
}

/// One address: something before the last `@`, a domain behind it, no white space, no control character,
/// nothing that would make it two, at most 320 bytes. What is finer the mail server knows better.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let clean = |c: char| {
        !c.is_control()
            && !c.is_whitespace()
            && !matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')')
    };
    let domain_ok = !domain.is_empty()
        && !domain.starts_with(['.', '-'])
        && !domain.ends_with(['.', '-'])
        && !domain.contains("..")
        && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':'));
    text.len() <= 320
        && !local.is_empty()
        && !local.contains('@')
        && local.chars().all(clean)
        && domain_ok
}

/// A contact as the log and a reason show it: 80 letters, no control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(xml: &str) -> Person {
        Person::read(xml)
    }

    // S3-77
    #[test]
    fn without_a_contact_no_gate_is_asked() {
        for (xml, form, word) in [
            ("<user><id>1</id></user>", ContactForm::Email, "no_contact"),
            ("<user><email>  </email></user>", ContactForm::Email, "no_contact"),
            ("", ContactForm::Email, "no_contact"),
            ("", ContactForm::User, "no_contact"),
            ("<user><email>nobody</email></user>", ContactForm::Email, "bad_contact"),
            ("<user><email>a@b.c, d</email></user>", ContactForm::Email, "bad_contact"),
            ("<user><email>a@b.c,</email></user>", ContactForm::Email, "bad_contact"),
            ("<user><email>a@b.c&#10;Bcc: d@e.f</email></user>", ContactForm::Email, "bad_contact"),
            ("<user><email>none</email></user>", ContactForm::Phone(Phone::parse), "bad_contact"),
        ] {
            assert_eq!(
                contact_of("email", form, &person(xml), "").unwrap_err().word(),
                word,
                "{xml}"
            );
        }
    }

    #[test]
    fn an_address_is_taken_as_it_stands_and_a_phone_in_its_full_form() {
        let user = person(
            "<user><id>7</id><email>Иван+x@пример.рф</email><phone>8 912 345-67-89</phone></user>",
        );
        assert_eq!(user.id, Some(UserId(7)));
        assert_eq!(
            contact_of("email", ContactForm::Email, &user, "").unwrap().address,
            "Иван+x@пример.рф"
        );
        let several = person("<user><email>a@b.c, d@e.f</email></user>");
        assert_eq!(
            contact_of("email", ContactForm::Email, &several, "").unwrap().address,
            "a@b.c, d@e.f"
        );
        assert_eq!(
            contact_of("phone", ContactForm::Phone(Phone::parse), &user, "RU").unwrap().address,
            "+79123456789"
        );
        assert_eq!(contact_of("", ContactForm::User, &user, "").unwrap().address, "7");
        let german = person("<user><phone>0170 1234567</phone><country>de</country></user>");
        assert_eq!(
            contact_of("phone", ContactForm::Phone(Phone::parse), &german, "RU").unwrap().address,
            "+491701234567"
        );
    }
}
