//! What the edit form offers to choose from.

use gatepost_gate::Document;
use wire::form::{Choice, FormDocument};

const CHOICES: &[(&str, &[&str])] = &[
    ("security", &["tls", "starttls", "none"]),
    ("auth", &["password", "xoauth2"]),
    ("after", &["delete", "seen"]),
];

/// The form with its choices, and the first of each chosen where nothing is.
pub(crate) fn tune(form: Document) -> Document {
    let mut form = FormDocument::from_document(form);
    for (field, keys) in CHOICES {
        if form.choices(field).is_none() {
            let of = |key: &&str| Choice { key: (*key).to_owned(), label: form.label(key) };
            let choices: Vec<Choice> = keys.iter().map(of).collect();
            form.set_choices(field, &choices);
        }
        if form.value(field).is_empty() {
            form.set_value(field, keys[0]);
        }
    }
    form.into_document()
}
