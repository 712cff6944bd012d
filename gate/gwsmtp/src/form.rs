//! What the edit form offers to choose from.

use gatepost_gate::{Document, Element};

/// Choices by field; their labels are messages of the description.
const CHOICES: &[(&str, &[&str])] = &[
    ("security", &["starttls", "tls", "none"]),
    ("auth", &["none", "password", "xoauth2"]),
    ("partial", &["all", "rest"]),
];

/// The form with its choices, and the first of each chosen where nothing is.
pub(crate) fn tune(mut form: Document) -> Document {
    for (field, keys) in CHOICES {
        let root = &mut form.root;
        if !root.children_named("slist").any(|list| list.attribute("name") == Some(field)) {
            let mut list = Element::new("slist").with_attribute("name", *field);
            for key in *keys {
                list.push(Element::new("msg").with_text(*key));
            }
            root.push(list);
        }
        if root.child(field).is_none() {
            root.push(Element::new(*field).with_text(keys[0]));
        }
    }
    form
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
