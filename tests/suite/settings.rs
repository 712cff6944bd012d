//! Every key of the shipped settings is read by the programs: what nobody reads, nobody can set.

use crate::house::all_sources;

/// Keys that `config` itself acts on: the environment of the programs we start, and the log it opens.
/// `handlers.final_secs` is taken with its section in one file of the platform and read, as `last`, in another.
const OF_CONFIG: &[&str] = &["gate.path", "log.level", "log.line_bytes", "handlers.final_secs"];

#[test]
fn every_shipped_setting_is_read_outside_config() {
    let sources: Vec<(String, String)> = all_sources()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("tests/") && !path.starts_with("lib/config/"))
        .collect();
    let shipped: toml::Table = config::DEFAULTS.parse().unwrap();
    let mut keys = Vec::new();
    list(&shipped, "", &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys.iter().filter(|key| !OF_CONFIG.contains(&key.as_str())) {
        let is_read = sources.iter().any(|(_, text)| reads(text, key));
        assert!(is_read, "nobody reads `{key}` of etc/gatepost.toml");
    }
}

fn list(table: &toml::Table, section: &str, keys: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => list(inner, &format!("{section}{name}."), keys),
            _ => keys.push(format!("{section}{name}")),
        }
    }
}

/// True if a source names the section and the field (`config.gateway` and `.hold_first`), both as fields.
fn reads(text: &str, key: &str) -> bool {
    let mut words = key.split('.').rev();
    let field = words.next().unwrap_or_default();
    let field = field.strip_suffix("_secs").unwrap_or(field);
    has_field(text, field) && words.all(|section| has_field(text, section))
}

fn has_field(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&format!(".{name}"))
        .any(|(at, found)| !text[at + found.len()..].starts_with(is_word))
}

#[test]
fn a_setting_that_nobody_reads_is_found() {
    let source = "let days = &self.config.retention; days.log_days_more; queue.lease";
    assert!(!reads(source, "retention.log_days"));
    assert!(!reads(source, "queue.lease_secs"), "the section is not taken from the settings");
    assert!(reads("self.config.queue; queue.lease", "queue.lease_secs"));
}
