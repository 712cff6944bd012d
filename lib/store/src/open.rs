//! Choosing the database by its address.

use crate::{Result, Store, StoreError, sqlite};
use std::path::Path;

/// Opens the database that `database = "…"` of the configuration names: `sqlite:PATH`, a path without a scheme
/// likewise; a relative path starts at the folder that holds `var`. Other schemes are refused in words.
pub fn open(url: &str, var: &Path) -> Result<Box<dyn Store>> {
    let path = match url.split_once(':') {
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((scheme, _)) if !scheme.contains('/') => return Err(unknown(scheme)),
        _ => url,
    };
    let root = var.parent().unwrap_or(Path::new("."));
    let wake_folder = Some(var.join("run/wake"));
    let options = sqlite::Options { wake_folder, ..sqlite::Options::default() };
    Ok(Box::new(sqlite::Sqlite::open(&root.join(path), options)?))
}

fn unknown(scheme: &str) -> StoreError {
    StoreError::Refused {
        operation: "open the database",
        reason: format!("`{scheme}` is no kind of database that is built in: use sqlite:PATH"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_database() {
        let root = tempfile::tempdir().unwrap();
        let var = root.path().join("var");
        std::fs::create_dir(&var).unwrap();
        let path = var.join("gatepost.db");
        sqlite::create(&path, sqlite::Order::Ageing, sqlite::Options::default()).unwrap();
        for url in ["sqlite:var/gatepost.db", "var/gatepost.db", path.to_str().unwrap()] {
            open(url, &var).unwrap();
        }
        open(&format!("sqlite://{}", path.display()), &var).unwrap();
        for other in ["postgres://localhost/x", "mysql://localhost/x"] {
            let error = open(other, &var).err().unwrap().to_string();
            assert!(error.contains("use sqlite:PATH"), "{error}");
        }
    }
}
