//! Choosing the database by its address.

use crate::sqlite::{Options, Order, Sqlite, Stamp};
use crate::{Result, Snapshot, Store, StoreError, sqlite};
use notice::Ms;
use std::path::{Path, PathBuf};

/// Opens the database that `database = "…"` of the configuration names: `sqlite:PATH`, a path without a scheme
/// likewise; a relative path starts at the folder that holds `var`. Other schemes are refused in words.
pub fn open(url: &str, var: &Path) -> Result<Box<dyn Store>> {
    Ok(Box::new(Sqlite::open(&path_of(url, var)?, options(var))?))
}

/// Looks at the database at that address without opening it for writing, which costs half as much, and says by which
/// [`Stamp`]. None where that can't be done: somebody has it open, changed it a moment ago, or something is wrong with
/// it, and [`open`] says what.
pub fn glance<T>(
    (url, var): (&str, &Path),
    now: Ms,
    look: impl FnMut(&mut dyn Snapshot) -> Result<T>,
) -> Option<(T, Stamp)> {
    sqlite::glance(&path_of(url, var).ok()?, &options(var), now, look)
}

/// The stamp of the database at that address, which is not opened. None: somebody has it open, or changed it a moment
/// ago.
pub fn stamp((url, var): (&str, &Path), now: Ms) -> Option<Stamp> {
    Stamp::at(&path_of(url, var).ok()?, now)
}

/// Makes the database at that address, or brings an older one up to date; safe to run again. The order of one
/// that is there already stays.
pub fn create(url: &str, var: &Path, order: Order) -> Result<()> {
    sqlite::create(&path_of(url, var)?, order, options(var)).map(drop)
}

/// Changes what a step of priority is worth in the database at that address.
pub fn rebuild_order(url: &str, var: &Path, order: Order) -> Result<()> {
    Sqlite::open(&path_of(url, var)?, options(var))?.rebuild_order(order)
}

fn path_of(url: &str, var: &Path) -> Result<PathBuf> {
    let path = match url.split_once(':') {
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((scheme, _)) if !scheme.contains('/') => return Err(unknown(scheme)),
        _ => url,
    };
    Ok(var.parent().unwrap_or(Path::new(".")).join(path))
}

fn options(var: &Path) -> Options {
    Options { wake_folder: Some(var.join("run/wake")), ..Options::default() }
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
