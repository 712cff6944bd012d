//! `var/run/features`: what programs said of themselves. Only a saving of time: lost or broken, it is
//! made anew.

use notice::{Clock, Ms, SystemClock};
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wire::features::Features;
use wire::xml::{Document, Element};

/// A program that failed is asked again after this: what it lacked need not show in its file.
const FAILURE_MS: i64 = 60 * Ms::SECOND;

/// A file as it was when it was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Print {
    path: String,
    size: u64,
    changed_ns: i128,
}

impl Print {
    pub(super) fn of(path: &Path, found: &Metadata) -> Self {
        let changed_ns = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
        Self { path: path.to_string_lossy().into_owned(), size: found.len(), changed_ns }
    }
}

struct Said {
    features: Result<Features, String>,
    at: Ms,
}

/// The answers, by file.
pub(super) struct Cache {
    file: PathBuf,
    said: BTreeMap<Print, Said>,
    is_changed: bool,
}

impl Cache {
    pub(super) fn read(file: &Path) -> Self {
        let document = read(file).ok().and_then(|bytes| Document::parse(&bytes).ok());
        let said = document.map(|document| document.root.elements().filter_map(entry_of).collect());
        Self { file: file.to_path_buf(), said: said.unwrap_or_default(), is_changed: false }
    }

    pub(super) fn get(&self, print: &Print) -> Option<Result<Features, String>> {
        let said = self.said.get(print)?;
        let age = SystemClock.now().since(said.at);
        let is_stale = said.features.is_err() && !(0..FAILURE_MS).contains(&age);
        (!is_stale).then(|| said.features.clone())
    }

    pub(super) fn put(&mut self, print: Print, features: Result<Features, String>) {
        self.said.retain(|known, _| known.path != print.path);
        self.said.insert(print, Said { features, at: SystemClock.now() });
        self.is_changed = true;
    }

    /// Replaces the file as a whole. It can't be written: then everyone asks for himself.
    pub(super) fn save(&mut self) {
        if !self.is_changed {
            return;
        }
        let new = self.file.with_extension(std::process::id().to_string());
        let written = write_new(&new, &self.to_bytes()).and_then(|()| fs::rename(&new, &self.file));
        if written.is_err() {
            // Nobody reads a half-written one under this name.
            let _ = fs::remove_file(&new);
        }
        self.is_changed = false;
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut root = Element::new("doc");
        for (print, said) in &self.said {
            let program = Element::new("program")
                .with_attribute("path", &print.path)
                .with_attribute("size", print.size.to_string())
                .with_attribute("changed_ns", print.changed_ns.to_string())
                .with_attribute("at", said.at.to_string());
            root.push(match &said.features {
                Ok(features) => program.with_text(String::from_utf8_lossy(&features.to_bytes())),
                Err(reason) => program.with_attribute("reason", reason),
            });
        }
        Document::new(root).to_bytes()
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    config::open_own(file)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What a dead process of this number has left, or a stranger's link: only the name goes.
    let _ = fs::remove_file(path);
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(no_link)
        .open(path)?;
    file.write_all(bytes)
}

fn entry_of(program: &Element) -> Option<(Print, Said)> {
    let print = Print {
        path: program.attribute("path")?.to_owned(),
        size: program.attribute("size")?.parse().ok()?,
        changed_ns: program.attribute("changed_ns")?.parse().ok()?,
    };
    let features = match program.attribute("reason") {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(Features::parse(program.text().as_bytes()).ok()?),
    };
    let at = Ms(program.attribute("at")?.parse().ok()?);
    Some((print, Said { features, at }))
}
