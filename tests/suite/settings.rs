//! Every key of the shipped settings is read by the programs: what nobody reads, nobody can set.

use crate::house::all_sources;
use std::collections::BTreeMap;

/// Keys that `config` itself acts on: the environment of the programs we start, and the log it opens.
const OF_CONFIG: &[&str] = &["gate.path", "log.level", "log.line_bytes"];

#[test]
fn every_shipped_setting_is_read_outside_config() {
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut typed = String::new();
    for (path, text) in all_sources() {
        if path == "lib/config/src/keys.rs" {
            typed = text;
        } else if !path.starts_with("lib/config/") && !path.contains("tests") {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            folders.entry(folder.to_owned()).or_default().push(text);
        }
    }
    let fields = renamed(&typed);
    assert_eq!(fields.get("final_secs"), Some(&"last"), "{fields:?}");
    let shipped: toml::Table = config::DEFAULTS.parse().unwrap();
    let mut keys = Vec::new();
    list(&shipped, "", &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys.iter().filter(|key| !OF_CONFIG.contains(&key.as_str())) {
        let is_read = folders.values().any(|files| reads(files, key, &fields));
        assert!(is_read, "nobody reads `{key}` of etc/gatepost.toml");
    }
}

/// The fields that stand for keys of another name, by key: `lease_secs` is `lease`.
fn renamed(typed: &str) -> BTreeMap<&str, &str> {
    let fields = typed.split("#[serde(rename = \"").skip(1);
    fields
        .filter_map(|text| {
            let (key, rest) = text.split_once('"')?;
            let (_, field) = rest.split_once("pub ")?;
            Some((key, field.split_once(':')?.0))
        })
        .collect()
}

fn list(table: &toml::Table, section: &str, keys: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => list(inner, &format!("{section}{name}."), keys),
            _ => keys.push(format!("{section}{name}")),
        }
    }
}

/// True if one file of the folder reads the section and the field as fields (`config.gateway` and `.hold_first`), or
/// one takes the section from the settings and another reads the field from what it calls `settings`.
fn reads(files: &[String], key: &str, fields: &BTreeMap<&str, &str>) -> bool {
    let (sections, last) = key.rsplit_once('.').unwrap_or(("", key));
    let field = fields.get(last).unwrap_or(&last);
    let in_one = |text: &String| {
        has_field(text, field) && sections.split('.').all(|section| has_field(text, section))
    };
    let takes = |text: &String| has_word(text, &format!("config.{sections}"));
    let reads_taken = |text: &String| has_word(text, &format!("settings.{field}"));
    files.iter().any(in_one) || (files.iter().any(takes) && files.iter().any(reads_taken))
}

fn has_field(text: &str, name: &str) -> bool {
    has_word(text, &format!(".{name}"))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, found)| !text[at + found.len()..].starts_with(is_word))
}

#[test]
fn a_setting_that_nobody_reads_is_found() {
    let fields =
        renamed("#[serde(rename = \"lease_secs\", with = \"secs\")]\n    pub lease: Duration,");
    let source = |text: &str| vec![text.to_owned()];
    let days = source("let days = &self.config.retention; days.log_days_more; queue.lease");
    assert!(!reads(&days, "retention.log_days", &fields));
    assert!(
        !reads(&days, "queue.lease_secs", &fields),
        "the section is not taken from the settings"
    );
    assert!(reads(&source("self.config.queue; queue.lease"), "queue.lease_secs", &fields));
    let elsewhere = [source("&config.queue"), source("other.lease")].concat();
    assert!(!reads(&elsewhere, "queue.lease_secs", &fields), "of something else");
    let taken = [source("&config.queue"), source("settings.lease")].concat();
    assert!(reads(&taken, "queue.lease_secs", &fields));
}
