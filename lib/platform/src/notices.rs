//! What there is to say: `templates/NOTICE/notice.toml`, the user's own over the shipped one.

use crate::answer::Answer;
use crate::context::Context;
use crate::function::Request;
use crate::plan::Planned;
use crate::refusal::{Refusal, nearest};
use config::Root;
use notice::{ModuleName, OnUnknown, Priority};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;
use wire::xml::Element;

/// The folder of templates that several notices share; no notice can have its name.
pub(crate) const SHARED: &str = "shared";

/// A notice as its `notice.toml` declares it. Without the file everything is as by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notice {
    /// Its name: the folder's.
    pub name: String,
    /// What it is for, by language.
    pub title: BTreeMap<String, String>,
    /// Modules it goes out by when the sender names none; empty: all that have a template.
    pub modules: Vec<ModuleName>,
    /// Never goes out by another module than ntemail (S3-5, S3-7).
    pub email_only: bool,
    /// False for what nobody can leave, like password recovery (ancestor-facts 4.1).
    pub unsubscribable: bool,
    /// What to do when nobody knows whether it was sent; None: as the gateway says.
    pub on_unknown: Option<OnUnknown>,
    /// Urgency when the sender gives none.
    pub priority: Priority,
    /// Address for the header List-Unsubscribe; may hold macros.
    pub list_unsubscribe: Option<String>,
    /// Subject by language, rendered by the engine of the template.
    pub subject: BTreeMap<String, String>,
    /// The event that sends it, and what must hold for it (extensions 3.3).
    pub event: Option<String>,
    /// Conditions on the event's data; all must hold.
    pub conditions: Vec<Condition>,
    /// Who gets it when an event sends it.
    pub audience: Audience,
    /// Its user gets a token: `__reply_token__` in subject or address makes a reply his command, once.
    pub reply_token: bool,
    /// File with a sample notice beside `notice.toml`.
    pub sample: String,
}

/// Who gets what an event sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// The client the event is about.
    #[default]
    User,
    /// The member of staff who is READY, else the project's own address.
    Staff,
}

/// `field op value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Field of the event's data.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    title: BTreeMap<String, String>,
    modules: Vec<String>,
    email_only: bool,
    unsubscribable: bool,
    on_unknown: Option<String>,
    priority: i64,
    list_unsubscribe: Option<String>,
    subject: BTreeMap<String, String>,
    event: Option<String>,
    conditions: Vec<String>,
    audience: Option<String>,
    reply_token: bool,
    sample: String,
}

impl Default for File {
    fn default() -> Self {
        Self {
            title: BTreeMap::new(),
            modules: Vec::new(),
            email_only: false,
            unsubscribable: true,
            on_unknown: None,
            priority: 0,
            list_unsubscribe: None,
            subject: BTreeMap::new(),
            event: None,
            conditions: Vec::new(),
            audience: None,
            reply_token: false,
            sample: "sample.xml".to_owned(),
        }
    }
}

/// The names of all notices, in order: folders of `templates/` and of `share/templates/`.
pub fn names(root: &Root) -> Vec<String> {
    let mut names = BTreeSet::new();
    for folder in folders(root) {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_name(&name) {
                names.insert(name);
            }
        }
    }
    names.into_iter().collect()
}

/// A `notice.toml` as it stands: its path, when it was changed, how long it is; None: there is no such file.
pub(crate) type Seen = (PathBuf, Option<(SystemTime, u64)>);

/// The `notice.toml` of every notice, without opening one: so cheap that events may look each second.
pub(crate) fn seen(root: &Root) -> Vec<Seen> {
    let paths = names(root).into_iter().map(|name| {
        let path = root.overlay(format!("templates/{name}/notice.toml"));
        let known = path.metadata().ok();
        (path, known.and_then(|known| Some((known.modified().ok()?, known.len()))))
    });
    paths.collect()
}

/// The user's own templates, then the shipped ones.
pub(crate) fn folders(root: &Root) -> [PathBuf; 2] {
    [root.path("templates"), root.path("share/templates")]
}

/// Can this be the name of a notice? It becomes a path.
fn is_name(name: &str) -> bool {
    name != SHARED && ModuleName::new(name).is_ok()
}

/// Reads one notice.
pub fn load(root: &Root, name: &str) -> Result<Notice, Refusal> {
    if !is_name(name) || !folders(root).iter().any(|folder| folder.join(name).is_dir()) {
        let known = names(root);
        return Err(Refusal::NotFound {
            noun: "notice",
            value: name.to_owned(),
            remedy: format!(
                "`gatepost notice list` shows them{}",
                nearest(name, known.iter().map(String::as_str))
            ),
        });
    }
    let path = root.overlay(format!("templates/{name}/notice.toml"));
    let text = match config::read_regular_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unreadable(path, error.to_string())),
    };
    parse(name, &text).map_err(|reason| unreadable(path, reason))
}

fn unreadable(path: PathBuf, reason: String) -> Refusal {
    Refusal::File { operation: "read", path, reason }
}

fn parse(name: &str, text: &str) -> Result<Notice, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
    let modules = file.modules.iter().map(|module| ModuleName::new(module));
    let conditions = file.conditions.iter().map(|line| condition(line));
    let on_unknown = file.on_unknown.map(|word| word.parse::<OnUnknown>()).transpose();
    Ok(Notice {
        name: name.to_owned(),
        title: file.title,
        modules: modules.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
        email_only: file.email_only,
        unsubscribable: file.unsubscribable,
        on_unknown: on_unknown.map_err(|error| format!("on_unknown: {error}"))?,
        priority: Priority::new(file.priority).map_err(|error| error.to_string())?,
        list_unsubscribe: file.list_unsubscribe,
        subject: file.subject,
        event: file.event,
        conditions: conditions.collect::<Result<_, _>>()?,
        audience: match file.audience.as_deref() {
            None | Some("user") => Audience::User,
            Some("staff") => Audience::Staff,
            Some(word) => return Err(format!("audience: `{word}` is none of user, staff")),
        },
        reply_token: file.reply_token,
        sample: file.sample,
    })
}

fn condition(line: &str) -> Result<Condition, String> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let at = line.find(['!', '<', '>', '=']).unwrap_or(line.len());
    let (field, rest) = line.split_at(at);
    let found = OPERATORS.iter().find_map(|(sign, operator)| {
        rest.strip_prefix(sign).map(|value| (*operator, value.trim()))
    });
    match found {
        Some((operator, value)) if !field.trim().is_empty() => {
            Ok(Condition { field: field.trim().to_owned(), operator, value: value.to_owned() })
        }
        _ => Err(format!("condition `{line}`: write `field op value`, op one of = != < <= > >=")),
    }
}

impl Notice {
    /// The text of that language, else of its base language, `en`, or any.
    pub fn text_in<'a>(texts: &'a BTreeMap<String, String>, lang: &str) -> Option<&'a str> {
        let base = lang.split(['-', '_']).next().unwrap_or_default();
        [lang, base, "en"]
            .iter()
            .find_map(|lang| texts.get(*lang))
            .or_else(|| texts.values().next())
            .map(String::as_str)
    }
}

/// `notice`: lists the notices; a broken `notice.toml` is shown with its error, not hidden.
pub(crate) fn list(context: &mut Context<'_>, request: &Request) -> Result<Planned, Refusal> {
    let lang = request.given("lang").unwrap_or("en").to_owned();
    let names = match request.given("name") {
        Some(name) => vec![load(context.root, name)?.name],
        None => names(context.root),
    };
    let rows: Vec<_> = names.iter().map(|name| row(context.root, name, &lang)).collect();
    Ok(Planned::Answer(Answer::list(rows)))
}

fn row(root: &Root, name: &str, lang: &str) -> Element {
    let mut row = Element::new("elem").with_child(Element::new("name").with_text(name));
    let notice = match load(root, name) {
        Ok(notice) => notice,
        Err(refusal) => {
            row.push(Element::new("error").with_text(refusal.to_string()));
            return row;
        }
    };
    let modules: Vec<_> = notice.modules.iter().map(ModuleName::as_str).collect();
    let on_off = |yes: bool| if yes { "on" } else { "off" };
    let mut put = |name: &str, text: &str| row.push(Element::new(name).with_text(text));
    put("title", Notice::text_in(&notice.title, lang).unwrap_or_default());
    put("modules", &modules.join(","));
    put("email_only", on_off(notice.email_only));
    put("unsubscribable", on_off(notice.unsubscribable));
    put("on_unknown", notice.on_unknown.map(OnUnknown::word).unwrap_or_default());
    put("priority", &notice.priority.to_string());
    put("event", notice.event.as_deref().unwrap_or_default());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_toml_is_read_whole() {
        let notice = parse(
            "low_balance",
            r#"
            modules = ["ntemail", "ntsms"]
            on_unknown = "ask"
            priority = 5
            unsubscribable = false
            event = "clients.balance_zero"
            conditions = ["balance <= 0", "status != closed"]
            [subject]
            en = "Your balance is low"
            ru = "Низкий баланс"
            "#,
        )
        .unwrap();
        assert_eq!(notice.priority.number(), 5);
        assert_eq!(notice.on_unknown, Some(OnUnknown::Ask));
        assert!(!notice.unsubscribable && !notice.email_only);
        assert_eq!(notice.conditions[0].operator, Operator::AtMost);
        assert_eq!(notice.conditions[1].value, "closed");
        assert_eq!(Notice::text_in(&notice.subject, "ru-RU"), Some("Низкий баланс"));
        assert_eq!(Notice::text_in(&notice.subject, "de"), Some("Your balance is low"));
    }

    #[test]
    fn what_is_wrong_in_a_notice_toml_is_named() {
        for (text, word) in [
            ("subjekt = 1", "subjekt"),
            ("on_unknown = \"perhaps\"", "retry, ask"),
            ("conditions = [\"balance\"]", "field op value"),
            ("modules = [\"../x\"]", "../x"),
            ("priority = 9999999", "9999999"),
            ("audience = \"all\"", "user, staff"),
        ] {
            let error = parse("x", text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
