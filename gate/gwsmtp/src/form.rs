//! What the edit form offers to choose from.

use gatepost_gate::Document;
use wire::form::FormDocument;

const CHOICES: &[(&str, &[&str])] = &[
    ("security", &["starttls", "tls", "none"]),
    ("auth", &["none", "password", "xoauth2"]),
    ("partial", &["all", "rest"]),
];

/// The form with its choices, and the first of each chosen where nothing is.
pub(crate) fn tune(form: Document) -> Document {
    let mut form = FormDocument::from_document(form);
    form.offer(CHOICES);
    form.into_document()
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_value_stays_and_the_rest_of_the_form_too() {
        // S3-45
        let form =
            Document::parse(b"<doc><!-- x --><auth>password</auth><host>a</host></doc>").unwrap();
        let root = tune(form).root;
        assert_eq!(
            (root.child_text("auth").as_str(), root.child_text("host").as_str()),
            ("password", "a")
        );
        assert_eq!(root.child_text("security"), "starttls");
        assert_eq!(root.children_named("slist").count(), 3);
    }
}
