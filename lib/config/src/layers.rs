//! The layers of settings, key by key: shipped defaults, file, environment, arguments; what stands above wins.

use crate::config::{DEFAULTS, KeyOrigin, Origin};
use crate::source::{Entry, entries, literal, loose_value};
use crate::{ConfigError, Settings, keys, names};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use toml::{Table, Value};

/// The section whose keys are anybody's: names of the environment.
const FREE_SECTION: &str = "gate.env.";

/// A key that somebody set.
pub(crate) struct Given {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

impl Given {
    fn place(&self) -> String {
        match &self.origin {
            Origin::Default => "shipped etc/gatepost.toml".to_owned(),
            Origin::File(place) => place.clone(),
            Origin::Environment(name) => name.clone(),
            Origin::Argument => "argument".to_owned(),
        }
    }

    fn bad(&self, wanted: impl Into<String>) -> ConfigError {
        ConfigError::BadValue {
            place: self.place(),
            key: self.key.clone(),
            wanted: wanted.into(),
            found: format!("`{}`", literal(&self.value)),
        }
    }
}

/// Key by key, what stands above wins.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    order: Vec<String>,
    values: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    pub(crate) fn shipped() -> Result<Self, ConfigError> {
        let mut all = Self { order: Vec::new(), values: BTreeMap::new() };
        // most of it are comments, and every program reads it when it starts
        let is_read = |line: &&str| !line.starts_with('#');
        let text: String = DEFAULTS.split_inclusive('\n').filter(is_read).collect();
        for Entry { key, value, .. } in entries(&text, "shipped etc/gatepost.toml")? {
            all.order.push(key.clone());
            all.values.insert(key, (value, Origin::Default));
        }
        Ok(all)
    }

    pub(crate) fn like(&self, key: &str, text: &str) -> Value {
        match self.values.get(key) {
            Some((known, _)) => loose_value(text, known),
            None => Value::String(text.to_owned()),
        }
    }

    pub(crate) fn set(&mut self, given: &Given) -> Result<(), ConfigError> {
        if given.key.starts_with(FREE_SECTION) {
            let name = &given.key[FREE_SECTION.len()..];
            if !is_environment_name(name) {
                return Err(given.bad("under a name of A-Z a-z 0-9 _"));
            }
            if given.value.as_str().is_none_or(|text| text.contains('\0')) {
                return Err(given.bad("a text in quotes"));
            }
            if !self.order.contains(&given.key) {
                self.order.push(given.key.clone());
            }
        } else {
            self.check(given)?;
        }
        self.values.insert(given.key.clone(), (given.value.clone(), given.origin.clone()));
        Ok(())
    }

    fn check(&self, given: &Given) -> Result<(), ConfigError> {
        let Some((known, _)) = self.values.get(&given.key) else {
            return Err(ConfigError::UnknownKey {
                place: given.place(),
                key: given.key.clone(),
                nearest: nearest(&given.key, &self.order),
            });
        };
        let number = number_of(&given.value);
        let fits = match known {
            Value::Integer(_) if !given.key.ends_with("_secs") => given.value.is_integer(),
            Value::Integer(_) | Value::Float(_) => number.is_some(),
            Value::Array(_) => is_words(&given.value),
            _ => known.same_type(&given.value),
        };
        if !fits {
            return Err(given.bad(wanted_type(&given.key, known)));
        }
        // one that stands in the file keeps no mail back: `gatepost status` tells of it
        let is_typed = given.origin == Origin::Argument && given.key == "api.listen";
        if is_typed && !given.value.as_str().is_some_and(is_listened_at) {
            return Err(given.bad("ADDRESS:PORT, like 127.0.0.1:8025 or [::1]:8025, or empty"));
        }
        let Some((number, (least, most))) = number.zip(limit_of(&given.key)) else { return Ok(()) };
        if number.is_finite() && (least..=most).contains(&number) {
            return Ok(());
        }
        Err(given.bad(format!("from {least} to {most}")))
    }

    /// Takes `GATEPOST_…` names that are keys; gives back those that are not.
    pub(crate) fn take_environment(
        &mut self,
        all: &[(OsString, OsString)],
    ) -> Result<Vec<String>, ConfigError> {
        let mut by_name: BTreeMap<String, String> = BTreeMap::new();
        let mut strange = Vec::new();
        for (name, text) in all {
            let is_key =
                |name: &&str| name.starts_with(names::KEY_PREFIX) && !names::NO_KEYS.contains(name);
            let Some(name) = name.to_str().filter(is_key) else { continue };
            if by_name.is_empty() {
                by_name.extend(self.order.iter().map(|key| (environment_name(key), key.clone())));
            }
            let Some(key) = by_name.get(name) else {
                strange.push(name.to_owned());
                continue;
            };
            let value = self.like(key, &text.to_string_lossy());
            let origin = Origin::Environment(name.to_owned());
            self.set(&Given { key: key.clone(), value, origin })?;
        }
        Ok(strange)
    }

    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut table = Table::new();
        for (key, (value, _)) in &self.values {
            insert(&mut table, key, value.clone());
        }
        insert_section(&mut table, "gate", "env");
        Settings::deserialize_from(table).map_err(|error| {
            let text = error.message().to_owned();
            let culprit = self.values.iter().find(|(_, (value, origin))| {
                *origin != Origin::Default
                    && value.as_str().is_some_and(|word| text.contains(&format!("`{word}`")))
            });
            match culprit {
                Some((key, (value, origin))) => {
                    Given { key: key.clone(), value: value.clone(), origin: origin.clone() }
                        .bad(text)
                }
                None => ConfigError::Syntax { place: "etc/gatepost.toml".into(), text },
            }
        })
    }

    pub(crate) fn check_relations(&self, settings: &Settings) -> Result<(), ConfigError> {
        let queue = &settings.queue;
        let failed = if queue.extend * 2 > queue.lease {
            ("queue.extend_secs", "at most half of queue.lease_secs")
        } else if !settings.database.starts_with("sqlite:") {
            ("database", "`sqlite:PATH`")
        } else if settings.manager_names.is_empty() {
            ("manager_names", "at least one name")
        } else {
            return Ok(());
        };
        let (key, wanted) = failed;
        let (value, origin) =
            self.values.get(key).cloned().unwrap_or((Value::Boolean(false), Origin::Default));
        Err(Given { key: key.to_owned(), value, origin }.bad(wanted))
    }

    pub(crate) fn list(&self) -> Vec<KeyOrigin> {
        let line = |key: &String| {
            let (value, origin) = self.values.get(key)?;
            Some(KeyOrigin { key: key.clone(), value: literal(value), origin: origin.clone() })
        };
        self.order.iter().filter_map(line).collect()
    }
}

impl Settings {
    fn deserialize_from(table: Table) -> Result<Self, toml::de::Error> {
        table.try_into()
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn insert_section(table: &mut Table, outer: &str, inner: &str) {
    if let Some(Value::Table(outer)) = table.get_mut(outer) {
        outer.entry(inner).or_insert_with(|| Value::Table(Table::new()));
    }
}

fn is_environment_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.bytes().all(plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

pub(crate) fn environment_name(key: &str) -> String {
    format!("{}{}", names::KEY_PREFIX, key.to_uppercase().replace('.', "_"))
}

fn number_of(value: &Value) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
    value.as_float().or(value.as_integer().map(|whole| whole as f64))
}

fn is_words(value: &Value) -> bool {
    value.as_array().is_some_and(|words| words.iter().all(Value::is_str))
}

fn wanted_type(key: &str, known: &Value) -> &'static str {
    match known {
        Value::Integer(_) | Value::Float(_) if key.ends_with("_secs") => "a number of seconds",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Array(_) => "a list of texts",
        Value::Boolean(_) => "true or false",
        _ => "a text in quotes",
    }
}

fn limit_of(key: &str) -> Option<(f64, f64)> {
    let own = keys::LIMITS.iter().find(|limit| limit.key == key);
    if let Some(limit) = own {
        return Some((limit.least, limit.most));
    }
    if key.ends_with("_secs") {
        return Some(keys::SECS_LIMIT);
    }
    key.ends_with("_days")
        .then_some((0.0, 36_500.0))
        .or(key.ends_with("_bytes").then_some((0.0, 1e12)))
}

/// Whether a listener may be named so: an address or a host's name, and its port; empty: none.
fn is_listened_at(text: &str) -> bool {
    let is_host = |host: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        // what ends in digits is an address, and was one that can't be
        let last = host.rsplit('.').next().unwrap_or_default();
        host.bytes().all(plain) && last.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    let is_named = |(host, port): (&str, &str)| is_host(host) && port.parse::<u16>().is_ok();
    text.is_empty()
        || text.parse::<SocketAddr>().is_ok()
        || text.rsplit_once(':').is_some_and(is_named)
}

/// The known key with the fewest changed letters.
fn nearest(key: &str, known: &[String]) -> String {
    known
        .iter()
        .map(|candidate| (changed_letters(key, candidate), candidate))
        .min()
        .filter(|(changed, candidate)| *changed <= 1 + candidate.len() / 4)
        .map_or_else(
            || "`gatepost config list` shows every key".to_owned(),
            |(_, candidate)| format!("did you mean `{candidate}`?"),
        )
}

/// Levenshtein's distance, in bytes.
fn changed_letters(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, left) in from.bytes().enumerate() {
        let mut diagonal = at;
        row[0] = at + 1;
        for (column, right) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
