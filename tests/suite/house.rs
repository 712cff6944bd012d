//! The repository as the tests of the house see it: folders, manifests, sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A crate of the workspace.
pub(crate) struct Crate {
    /// Its folder, relative: `lib/wire`.
    pub(crate) folder: String,
    /// Names of normal dependencies, as the manifest's keys.
    pub(crate) dependencies: Vec<String>,
}

const PLACES: &[&str] = &["lib", "notify", "gate", "processing", "admin", "libexec", "tests"];

/// Every crate in the folders that hold crates.
pub(crate) fn crates() -> Vec<Crate> {
    let mut found = Vec::new();
    for place in PLACES {
        let Ok(entries) = fs::read_dir(repository().join(place)) else { continue };
        for entry in entries {
            let manifest = entry.unwrap().path().join("Cargo.toml");
            if manifest.is_file() {
                found.push(read_crate(&manifest));
            }
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    found
}

fn read_crate(manifest: &Path) -> Crate {
    let text = fs::read_to_string(manifest).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let mut dependencies: Vec<String> = names_of(table.get("dependencies"));
    if let Some(targets) = table.get("target").and_then(toml::Value::as_table) {
        for target in targets.values() {
            dependencies.extend(names_of(target.get("dependencies")));
        }
    }
    let folder = manifest.parent().unwrap().strip_prefix(repository()).unwrap();
    Crate { folder: folder.display().to_string(), dependencies }
}

fn names_of(dependencies: Option<&toml::Value>) -> Vec<String> {
    let table = dependencies.and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Every Rust source under a folder of the repository, with its text.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&repository().join(folder), &mut found);
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "scaffold" {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let relative = path.strip_prefix(repository()).unwrap().display().to_string();
            found.push((relative, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Every Rust source of the repository.
pub(crate) fn all_sources() -> Vec<(String, String)> {
    PLACES.iter().chain(&["xtask", "benches"]).flat_map(|place| sources(place)).collect()
}
