//! For whom a notice is: a user, or a bare contact.

use crate::modules::Module;
use crate::refusal::Refusal;
use crate::users;
use notice::{ModuleName, Ms};
use store::{Project, Subscription, User};
use wire::xml::Element;

/// Who gets it.
pub(crate) enum Addressee {
    /// A row of `user`, with what he has subscribed to or left.
    User { user: User, subscriptions: Vec<Subscription> },
    /// An address without a user.
    Contact { contact: String, lang: String },
}

impl Addressee {
    /// His language, or empty.
    pub(crate) fn language(&self) -> &str {
        match self {
            Self::User { user, .. } => user.fields.text("language"),
            Self::Contact { lang, .. } => lang,
        }
    }

    /// His address for a module; None where the module needs none or he has none.
    pub(crate) fn contact(&self, module: &Module) -> Option<&str> {
        let column = module.contact.as_deref()?;
        let contact = match self {
            Self::User { user, .. } => user.fields.text(column),
            Self::Contact { contact, .. } => contact,
        };
        Some(contact).filter(|contact| !contact.trim().is_empty())
    }

    /// Whether a notice that goes out by every module goes to him by this one: a bare contact is of one kind.
    pub(crate) fn is_reached_by(&self, module: &Module) -> bool {
        match (self, module.contact.as_deref()) {
            (_, None) => true,
            (Self::User { .. }, Some(_)) => self.contact(module).is_some(),
            (Self::Contact { contact, .. }, Some(column)) => {
                column == if contact.contains('@') { "email" } else { "phone" }
            }
        }
    }

    /// How the key of a task names him.
    pub(crate) fn key_part(&self) -> String {
        match self {
            Self::User { user, .. } => user.id.to_string(),
            Self::Contact { contact, .. } => contact.clone(),
        }
    }

    /// `<user>` as of now: the snapshot a task carries.
    pub(crate) fn element(&self, module: &Module, project: &Project) -> Element {
        match self {
            Self::User { user, .. } => users::element(user),
            Self::Contact { contact, lang } => {
                let column = module.contact.as_deref().unwrap_or("email");
                let mut element = Element::new("user")
                    .with_child(Element::new("project").with_text(project.id.to_string()))
                    .with_child(Element::new(column).with_text(contact));
                if !lang.is_empty() {
                    element.push(Element::new("language").with_text(lang));
                }
                element
            }
        }
    }

    /// Why this notice does not go to him by this module; None: it does (S3-10). The most specific
    /// line counts: notice and module, notice, module, all.
    pub(crate) fn left(&self, notice: &str, module: &ModuleName) -> bool {
        let Self::User { subscriptions, .. } = self else { return false };
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let weight = |line: &Subscription| (line.notice != "*", line.module != "*");
        subscriptions
            .iter()
            .filter(|line| fits(&line.notice, notice) && fits(&line.module, module.as_str()))
            .max_by_key(|line| weight(line))
            .is_some_and(|line| !line.active)
    }
}

/// A bare contact, checked as far as its module allows; and the module it is for when none is named.
pub(crate) fn bare(contact: &str, lang: &str) -> Result<(Addressee, &'static str), Refusal> {
    let module = if contact.contains('@') { ModuleName::EMAIL } else { ModuleName::SMS };
    if module == ModuleName::EMAIL && !users::is_email(contact) {
        return Err(Refusal::Value {
            field: "to".to_owned(),
            value: contact.to_owned(),
            reason: "write an address like `name@example.com`, or a phone number".to_owned(),
        });
    }
    let addressee = Addressee::Contact { contact: contact.to_owned(), lang: lang.to_owned() };
    Ok((addressee, module))
}

/// The stored key: KEY/user/module (DESIGN 3).
pub(crate) fn key(key: Option<&str>, addressee: &Addressee, module: &ModuleName) -> Option<String> {
    key.map(|key| format!("{key}/{}/{module}", addressee.key_part()))
}

/// Not before and not after, and in which words they were understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) not_before: Option<Ms>,
    pub(crate) expires: Option<Ms>,
    pub(crate) said: Vec<(&'static str, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::{Fields, ProjectId, UserId};

    fn user(lines: &[(&str, &str, bool)]) -> Addressee {
        let user =
            User { id: UserId(1), project: ProjectId(1), external_id: None, fields: Fields::new() };
        let subscriptions = lines
            .iter()
            .map(|(notice, module, active)| Subscription {
                user: UserId(1),
                notice: (*notice).to_owned(),
                module: (*module).to_owned(),
                active: *active,
            })
            .collect();
        Addressee::User { user, subscriptions }
    }

    #[test]
    fn the_most_specific_subscription_counts() {
        // S3-10
        let sms = ModuleName::new("ntsms").unwrap();
        let mail = ModuleName::new("ntemail").unwrap();
        assert!(!user(&[]).left("news", &sms));
        assert!(user(&[("*", "*", false)]).left("news", &sms));
        assert!(!user(&[("*", "*", false), ("news", "*", true)]).left("news", &sms));
        assert!(user(&[("news", "*", true), ("news", "ntsms", false)]).left("news", &sms));
        assert!(!user(&[("news", "*", true), ("news", "ntsms", false)]).left("news", &mail));
        assert!(!user(&[("*", "ntsms", false), ("news", "*", true)]).left("news", &sms));
        assert!(user(&[("*", "ntsms", false)]).left("other", &sms));
    }

    #[test]
    fn a_bare_contact_names_its_module() {
        assert_eq!(bare("a@b.c", "ru").unwrap().1, "ntemail");
        assert_eq!(bare("+7 912 345-67-89", "ru").unwrap().1, "ntsms");
        assert!(bare("@b", "").is_err());
    }
}
