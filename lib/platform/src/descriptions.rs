//! Description files `etc/xml/NAME_mod_*.xml`: what gates and modules say about themselves (S3-61).

use config::{Config, Root};
use std::collections::BTreeMap;
use std::path::PathBuf;
use wire::form::{Description, Descriptions};

/// Everything the description files say, and what is wrong with those that can't be used: one broken
/// file does not hide the others.
pub fn descriptions(root: &Root, config: &Config) -> (Descriptions, Vec<String>) {
    let mut all = Descriptions::default();
    let mut wrong = Vec::new();
    for path in files(root, config) {
        let read = config::read_regular(&path).map_err(|error| error.to_string());
        let parsed = read
            .and_then(|bytes| Description::parse(&bytes).map_err(|error| notice::chain(&error)));
        match parsed {
            Ok(description) => all.add(description),
            Err(reason) => wrong.push(format!("`{}`: {reason}", path.display())),
        }
    }
    (all, wrong)
}

/// By file name; the user's own file wins over the shipped one of that name.
pub(crate) fn files(root: &Root, config: &Config) -> Vec<PathBuf> {
    let mut found = BTreeMap::new();
    for folder in [root.path("share/etc/xml"), root.path("etc/xml")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let name =
                path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let is_ours = config.manager_names.iter().any(|manager| {
                name.strip_prefix(manager.as_str()).is_some_and(|rest| rest.starts_with("_mod_"))
            });
            if is_ours && path.extension().is_some_and(|extension| extension == "xml") {
                found.insert(name, path);
            }
        }
    }
    found.into_values().collect()
}
