//! What a function is: one declaration that feeds the control tool, the socket, the form and the docs.

use crate::caller::{Caller, Level};
use crate::context::Context;
use crate::plan::Planned;
use crate::refusal::{Refusal, nearest_or_all};
use notice::{Fields, Priority};
use std::str::FromStr;

/// A platform function.
pub struct Function {
    /// `user.edit`; a bare noun lists and filters.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [Alias],
    /// The lowest level that may call it.
    pub level: Level,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// Whether it takes names that are not declared.
    pub extra: Extra,
    /// The events it may raise.
    pub events: &'static [&'static str],
    pub(crate) plan: Planner,
}

pub(crate) type Planner = fn(&mut Context<'_>, &Request) -> Result<Planned, Refusal>;

impl Function {
    /// True if a parameter is declared as a secret.
    pub fn is_secret(&self, parameter: &str) -> bool {
        self.parameters
            .iter()
            .any(|known| known.name == parameter && matches!(known.kind, Kind::Secret))
    }
}

/// Another name of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// The same function.
    Same(&'static str),
    /// The same function for one purpose: what is registered for this name acts on calls by it alone.
    Purpose(&'static str),
    /// The same with `sok=ok` and no `elid`: `user.add` creates (S0-28).
    Creates(&'static str),
}

impl Alias {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same(name) | Self::Purpose(name) | Self::Creates(name) => name,
        }
    }
}

/// A declared parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
    /// What it means, for people.
    pub help: &'static str,
}

/// Whether a parameter must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The call is refused without it.
    Required,
    /// May be left out.
    Optional,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One line, at most 1,000 bytes, no control characters.
    Line,
    /// Any text, at most 8 MiB.
    Text,
    /// A whole number within these limits.
    Number(i64, i64),
    /// `on` or `off`; `yes`, `no`, `1`, `0`, `true`, `false` are taken too.
    OnOff,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A language tag like `ru` or `pt-BR`.
    Language,
    /// A name of the time zone database.
    TimeZone,
    /// A point in time, as [`crate::when::read`] takes it.
    Moment,
    /// A value that is never shown, logged or echoed.
    Secret,
}

/// Longest `Line`, bytes.
pub(crate) const LINE_BYTES: usize = 1_000;
/// Longest `Text`, bytes.
const TEXT_BYTES: usize = 8 * 1024 * 1024;

/// Whether a function takes parameters that are not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// None.
    Refused,
    /// Those with this prefix: `data.`.
    Prefixed(&'static str),
    /// Any: the form of a gate or an added column decides while planning.
    Planned,
}

/// Declares a parameter that may be left out.
pub(crate) const fn optional(name: &'static str, kind: Kind, help: &'static str) -> Parameter {
    Parameter { name, kind, need: Need::Optional, help }
}

/// Declares a parameter that must be there.
pub(crate) const fn required(name: &'static str, kind: Kind, help: &'static str) -> Parameter {
    Parameter { name, kind, need: Need::Required, help }
}

/// Parameters that forms of the ancestor send along and that mean nothing to us.
const IGNORED: [&str; 6] = ["func", "out", "lang", "clicked_button", "progressid", "snapback"];

/// A call whose parameters were checked.
pub(crate) struct Request {
    pub(crate) function: &'static Function,
    /// Who calls.
    pub(crate) caller: Caller,
    /// Declared parameters, normalised.
    pub(crate) given: Fields,
    /// The others that the function takes.
    pub(crate) extra: Fields,
}

/// Which of the three an edit function is asked for (S0-35 … S0-38).
pub(crate) enum Asked<'a> {
    /// `sok` empty: show it (an empty `elid` shows an empty form).
    Show(&'a str),
    /// `sok` and `elid`: change that one.
    Change(&'a str),
    /// `sok` alone: a new one.
    Create,
}

impl Request {
    /// Checks names, presence and types.
    pub(crate) fn check(
        function: &'static Function,
        called_as: &str,
        params: &Fields,
        caller: &Caller,
    ) -> Result<Self, Refusal> {
        if caller.level < function.level {
            return Err(Refusal::Denied {
                function: function.name.to_owned(),
                needed: function.level.word(),
                level: caller.level.word(),
            });
        }
        let mut request =
            Self { function, caller: caller.clone(), given: Fields::new(), extra: Fields::new() };
        for (name, value) in params.iter() {
            request.take(name, value)?;
        }
        if function.aliases.contains(&Alias::Creates(alias_name(function, called_as))) {
            request.given.set("sok", "ok");
            request.given.remove("elid");
        }
        for parameter in function.parameters.iter().filter(|p| p.need == Need::Required) {
            if request.text(parameter.name).is_empty() {
                return Err(Refusal::Missing {
                    field: parameter.name.to_owned(),
                    remedy: parameter.help.to_owned(),
                });
            }
        }
        Ok(request)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        if let Some(parameter) = self.function.parameters.iter().find(|p| p.name == name) {
            self.given.set(name, normalised(name, parameter.kind, value)?);
            return Ok(());
        }
        let taken = match self.function.extra {
            Extra::Refused => false,
            Extra::Prefixed(prefix) => name.starts_with(prefix),
            Extra::Planned => !IGNORED.contains(&name),
        };
        if taken {
            self.extra.set(name, value);
            return Ok(());
        }
        if IGNORED.contains(&name) {
            return Ok(());
        }
        let known: Vec<_> = self.function.parameters.iter().map(|p| p.name).collect();
        Err(Refusal::NoParameter {
            function: self.function.name.to_owned(),
            name: name.to_owned(),
            nearest: nearest_or_all(name, &known),
        })
    }

    /// Refuses a caller below a level: for a parameter that can do more than its function.
    pub(crate) fn require(&self, level: Level, what: &str) -> Result<(), Refusal> {
        if self.caller.level >= level {
            return Ok(());
        }
        Err(Refusal::Denied {
            function: format!("{} {what}", self.function.name),
            needed: level.word(),
            level: self.caller.level.word(),
        })
    }

    /// The value of a parameter that is there and not empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.given.get(name).filter(|value| !value.is_empty())
    }

    /// The value of a parameter, empty when it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.given.text(name)
    }

    /// The number of a parameter that was declared as one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.given(name)?.parse().ok()
    }

    /// True when an on/off parameter is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name) == "on"
    }

    /// The three-way rule.
    pub(crate) fn asked(&self) -> Asked<'_> {
        let elid = self.text("elid");
        match (self.text("sok").is_empty(), elid.is_empty()) {
            (true, _) => Asked::Show(elid),
            (false, false) => Asked::Change(elid),
            (false, true) => Asked::Create,
        }
    }

    /// The names of a group operation: separated by `", "` (S0-39), a plain comma will do.
    pub(crate) fn group(&self, name: &str) -> Vec<&str> {
        self.text(name).split(',').map(str::trim).filter(|one| !one.is_empty()).collect()
    }
}

fn alias_name(function: &Function, called_as: &str) -> &'static str {
    let known = function.aliases.iter().map(|alias| alias.name()).find(|name| *name == called_as);
    known.unwrap_or("")
}

fn normalised(name: &str, kind: Kind, value: &str) -> Result<String, Refusal> {
    let refuse = |reason: &str| {
        Err(Refusal::Value {
            field: name.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
        })
    };
    let trimmed = value.trim();
    match kind {
        Kind::Secret | Kind::Text if value.len() > TEXT_BYTES => Err(Refusal::Value {
            field: name.to_owned(),
            value: String::new(),
            reason: "it is longer than 8 MiB".to_owned(),
        }),
        Kind::Secret | Kind::Text => Ok(value.to_owned()),
        _ if trimmed.is_empty() => Ok(String::new()),
        Kind::Line | Kind::Moment | Kind::TimeZone | Kind::Language => line(name, trimmed)
            .and_then(|()| match kind {
                Kind::Language if !is_language(trimmed) => {
                    refuse("write a language tag like `ru` or `pt-BR`")
                }
                Kind::TimeZone => crate::when::time_zone(name, trimmed).map(|_| trimmed.to_owned()),
                _ => Ok(trimmed.to_owned()),
            }),
        Kind::Number(least, most) => match i64::from_str(trimmed) {
            Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
            _ => refuse(&format!("write a whole number from {least} to {most}")),
        },
        Kind::OnOff => match trimmed.to_ascii_lowercase().as_str() {
            "on" | "yes" | "1" | "true" => Ok("on".to_owned()),
            "off" | "no" | "0" | "false" => Ok("off".to_owned()),
            _ => refuse("write on or off"),
        },
        Kind::OneOf(words) => match words.iter().find(|word| **word == trimmed) {
            Some(word) => Ok((*word).to_owned()),
            None => refuse(&format!("write one of {}", words.join(", "))),
        },
    }
}

/// Refuses what is no single printable line.
pub(crate) fn line(name: &str, value: &str) -> Result<(), Refusal> {
    let reason = if value.len() > LINE_BYTES {
        format!("it is longer than {LINE_BYTES} bytes")
    } else if value.chars().any(char::is_control) {
        "it holds a control character (a line break, a tab …)".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::Value {
        field: name.to_owned(),
        value: value.chars().filter(|letter| !letter.is_control()).take(80).collect(),
        reason,
    })
}

/// `ru`, `pt-BR`, `zh-Hans-CN`.
pub(crate) fn is_language(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let first = parts.next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

/// The priority parameter's kind.
pub(crate) const PRIORITY: Kind = Kind::Number(-Priority::LIMIT, Priority::LIMIT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalised_or_refused_by_their_kind() {
        let ok = |kind, value| normalised("x", kind, value).unwrap();
        assert_eq!(ok(Kind::OnOff, "YES"), "on");
        assert_eq!(ok(Kind::Number(0, 9), " 7 "), "7");
        assert_eq!(ok(Kind::Language, "pt-BR"), "pt-BR");
        assert_eq!(ok(Kind::Line, "  a b "), "a b");
        assert_eq!(ok(Kind::Text, " a\n"), " a\n");
        for (kind, value) in [
            (Kind::OnOff, "maybe"),
            (Kind::Number(0, 9), "10"),
            (Kind::Number(0, 9), "1x"),
            (Kind::Language, "russian!"),
            (Kind::Language, "r"),
            (Kind::Line, "a\nb"),
            (Kind::TimeZone, "Mars/Base"),
            (Kind::OneOf(&["a", "b"]), "c"),
        ] {
            assert!(normalised("x", kind, value).is_err(), "{value}");
        }
        assert!(normalised("x", Kind::Line, &"a".repeat(1_001)).is_err());
    }
}
