//! What the edit form offers to choose from.

use gatepost_gate::Document;
use wire::form::FormDocument;

const CHOICES: &[(&str, &[&str])] = &[
    ("security", &["tls", "starttls", "none"]),
    ("auth", &["password", "xoauth2"]),
    ("after", &["delete", "seen"]),
];

/// The form with its choices, and the first of each chosen where nothing is.
pub(crate) fn tune(form: Document) -> Document {
    let mut form = FormDocument::from_document(form);
    form.offer(CHOICES);
    form.into_document()
}
