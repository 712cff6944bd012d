//! The fifteen events a handler may be made for (S2-9 … S2-11).

use crate::refusal::{Refusal, nearest};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As it is sent.
    pub(crate) id: &'static str,
    /// As the form has it.
    pub(crate) title: &'static str,
    /// Spellings of older versions, taken when a handler is made or looked for.
    older: &'static [&'static str],
    /// Whether its data are the object, or `{}`.
    pub(crate) carries: Carries,
}

/// What an event's data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    Object,
    Nothing,
}

const fn kind(id: &'static str, title: &'static str, carries: Carries) -> Kind {
    Kind { id, title, older: &[], carries }
}

const fn renamed(kind: Kind, older: &'static [&'static str]) -> Kind {
    Kind { older, ..kind }
}

/// All of them, in the order of the form.
#[rustfmt::skip]
pub(crate) const KINDS: [Kind; 15] = [
    kind("clients.create",  "Clients create",  Carries::Object),
    kind("clients.update",  "Clients update",  Carries::Object),
    kind("clients.delete",  "Clients delete",  Carries::Nothing),
    kind("clients.archive", "Clients archive", Carries::Nothing),
    renamed(kind("clients.custom_fields.update", "Clients custom fields update", Carries::Object),
        &["clients.custom_fields_update"]),
    renamed(kind("clients.balance_notzero", "Clients balance became >=0", Carries::Nothing),
        &["clients.balance_not_zero"]),
    kind("clients.balance_zero", "Clients balance became <=0", Carries::Nothing),
    renamed(kind("clients.accounts.create", "Accounts create", Carries::Object), &["accounts.create"]),
    renamed(kind("clients.accounts.update", "Accounts update", Carries::Object), &["accounts.update"]),
    renamed(kind("clients.accounts.delete", "Accounts delete", Carries::Nothing), &["accounts.delete"]),
    renamed(kind("clients.subscriptions.assign",     "Clients Packages assign",     Carries::Object),
        &["packages.assign", "clients.packages.assign"]),
    renamed(kind("clients.subscriptions.activate",   "Clients Packages activate",   Carries::Object),
        &["packages.activate", "clients.packages.activate"]),
    renamed(kind("clients.subscriptions.deactivate", "Clients Packages deactivate", Carries::Object),
        &["packages.deactivate", "clients.packages.deactivate"]),
    renamed(kind("clients.subscriptions.renew",      "Clients Packages renew",      Carries::Object),
        &["packages.renew", "clients.packages.renew"]),
    renamed(kind("clients.subscriptions.close",      "Clients Packages close",      Carries::Object),
        &["packages.close", "clients.packages.close"]),
];

/// The event of that id, title or older spelling (S2-12).
pub(crate) fn find(text: &str) -> Result<&'static Kind, Refusal> {
    let text = text.trim();
    let is_it = |kind: &&Kind| {
        let mut names = kind.older.iter().chain([&kind.id, &kind.title]);
        names.any(|name| name.eq_ignore_ascii_case(text))
    };
    KINDS.iter().find(is_it).ok_or_else(|| before_or_unknown(text))
}

/// The event of that id, as it is sent.
pub(crate) fn of_id(id: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.id == id)
}

fn before_or_unknown(text: &str) -> Refusal {
    let lower = text.to_ascii_lowercase();
    let reason = if lower.split(['.', ' ', '_', '-']).any(|word| word == "before") {
        "provisioning runs after the fact only; to change or refuse a call use an event handler \
         in etc/xml (docs/handler.md)"
            .to_owned()
    } else {
        let all: Vec<_> = KINDS.iter().map(|kind| kind.id).collect();
        let near = nearest(text, all.iter().copied());
        format!("there is no such event{near}; use one of {}", all.join(", "))
    };
    Refusal::Value { field: "event".to_owned(), value: text.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S2-9, S2-10, S2-11
    #[test]
    fn an_event_is_known_by_id_title_and_older_spelling() {
        for kind in &KINDS {
            assert_eq!(find(kind.id).unwrap(), kind);
            assert_eq!(find(&kind.title.to_uppercase()).unwrap(), kind);
        }
        assert_eq!(find("packages.assign").unwrap().id, "clients.subscriptions.assign");
        assert_eq!(
            find("clients.custom_fields_update").unwrap().id,
            "clients.custom_fields.update"
        );
        assert_eq!(find("Clients balance became >=0").unwrap().id, "clients.balance_notzero");
    }

    // S2-12, S2-21
    #[test]
    fn another_event_or_a_before_stage_is_refused_in_words() {
        let refused = |text: &str| find(text).unwrap_err().to_string();
        assert!(refused("clients.creat").contains("`clients.create`"));
        assert!(refused("tasks.failed").contains("no such event"));
        assert!(refused("clients.create.before").contains("etc/xml"));
        assert!(refused("").contains("no such event"));
    }
}
