//! Contact fields that a module adds to users: `etc/sql/NAME.user.addon/FIELD` (S3-58, S3-59).

use crate::refusal::Refusal;
use config::{Config, Root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An added column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddedField {
    /// The column.
    pub(crate) name: String,
    /// Longest value, bytes.
    pub(crate) size: Option<usize>,
    /// Value of a new row.
    pub(crate) default: String,
}

/// Names that can't be added.
const TAKEN: [&str; 5] = ["id", "project", "external_id", "secret", "rowid"];

/// Every described field, by name; the user's own folder wins over the shipped one.
pub(crate) fn read(root: &Root, config: &Config) -> Result<Vec<AddedField>, Refusal> {
    let mut found = BTreeMap::new();
    for manager in &config.manager_names {
        for base in ["share/etc/sql", "etc/sql"] {
            let folder = root.path(base).join(format!("{manager}.user.addon"));
            for path in files_of(&folder) {
                let field = read_one(&path)?;
                found.insert(field.name.clone(), field);
            }
        }
    }
    Ok(found.into_values().collect())
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let visible = |path: &PathBuf| {
        path.is_file() && !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'))
    };
    paths.filter(visible).collect()
}

/// `KEY=VALUE` or `KEY VALUE` lines: type, size, default, `access_read`, `access_write`; an empty file will do.
fn read_one(path: &Path) -> Result<AddedField, Refusal> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let refuse = |reason: String| Refusal::File {
        operation: "take the user field described in",
        path: path.to_owned(),
        reason,
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(plain)
        || !name.starts_with(|c: char| c.is_ascii_lowercase())
        || name.len() > 64
    {
        return Err(refuse("a field is named by a-z, 0-9 and _, at most 64 letters".to_owned()));
    }
    if TAKEN.contains(&name.as_str()) || store::USER_FIELDS.contains(&name.as_str()) {
        return Err(refuse(format!("`{name}` is a column already")));
    }
    let text = config::read_regular_text(path).map_err(|error| refuse(error.to_string()))?;
    let mut field = AddedField { name, size: None, default: String::new() };
    for line in text.lines() {
        let (key, value) = line.split_once(['=', ' ', '\t']).unwrap_or((line, ""));
        match key.trim() {
            "size" => field.size = value.trim().parse().ok(),
            "default" => value.trim().clone_into(&mut field.default),
            _ => {}
        }
    }
    Ok(field)
}
