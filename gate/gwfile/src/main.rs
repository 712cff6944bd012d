//! gwfile - writes messages to a folder or a file
//!
//! SYNOPSIS
//!     gwfile --command features|formtune|check_connection|outgoing|serve
//!
//! For development, and the folder to copy for a gate of your own. It serves every module that has
//! gateways: it names none in its features.
//!
//! FIELDS
//!     folder     a file for each message, named by the task's key and attempt; relative to ROOT
//!     file       or one file to which each message is appended; relative to ROOT
//!     format     text (default): headers and the message, as a person reads it
//!                json: one object on one line
//!
//! OUTCOMES
//!     A place that can't be written holds the gateway; a full disk is later. The reference is the
//!     name of the file.

#![expect(clippy::doc_markdown, reason = "the head is the manual: plain text, shown as it is")]

mod format;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gatepost_gate::{
    Document, Element, Failure, Features, Gate, GatewayParams, OutgoingMessage, Sent,
};

use crate::format::Format;

/// Messages at once in serve mode: one disk takes no more.
const WINDOW: u32 = 4;

struct FileGate;

impl Gate for FileGate {
    fn source(&self) -> &'static str {
        include_str!("main.rs")
    }

    fn features(&self) -> Features {
        Features {
            window: Some(WINDOW),
            ..Features::of(["formtune", "check_connection", "outgoing", "parallel", "serve"])
        }
    }

    fn formtune(&self, mut form: Document) -> Result<Document, Failure> {
        let mut list = Element::new("slist").with_attribute("name", "format");
        for key in Format::KEYS {
            list.push(Element::new("val").with_attribute("key", key).with_text(key));
        }
        form.root.push(list);
        Ok(form)
    }

    fn check_connection(&self, gateway: &GatewayParams) -> Result<(), Failure> {
        Format::read(gateway.text("format"))?;
        match Place::read(gateway)? {
            Place::File(path) => append(&path, b""),
            Place::Folder(folder) => {
                let probe = folder.join(".gwfile");
                create(&probe, b"")
                    .and_then(|()| fs::remove_file(&probe).map_err(|it| named(&it, &probe)))
            }
        }
    }

    fn outgoing(&self, message: &OutgoingMessage) -> Result<Sent, Failure> {
        let format = Format::read(message.param("format"))?;
        let written = format.write(message);
        match Place::read(&message.gateway)? {
            Place::File(path) => append(&path, &written).map(|()| Sent::plain()),
            Place::Folder(folder) => {
                let name = file_name(message, format);
                create(&folder.join(&name), &written).map(|()| Sent::with_reference(name))
            }
        }
    }
}

enum Place {
    Folder(PathBuf),
    File(PathBuf),
}

impl Place {
    fn read(gateway: &GatewayParams) -> Result<Self, Failure> {
        match (gateway.text("folder").trim(), gateway.text("file").trim()) {
            ("", "") => Err(Failure::hold("neither `folder` nor `file` is given")),
            ("", file) => Ok(Self::File(PathBuf::from(file))),
            (folder, "") => Ok(Self::Folder(PathBuf::from(folder))),
            _ => Err(Failure::hold("`folder` and `file` are both given: use one")),
        }
    }
}

/// The same attempt has the same name: a repeat replaces its file. Nothing of it leaves the folder.
fn file_name(message: &OutgoingMessage, format: Format) -> String {
    let id = message.task.id.map_or_else(|| "message".to_owned(), |id| id.to_string());
    let key = if message.task.key.is_empty() { &id } else { &message.task.key };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let key: String = key.chars().take(100).map(|it| if plain(it) { it } else { '_' }).collect();
    format!("{key}.{}.{}", message.task.attempt, format.extension())
}

/// Written whole beside its name, then renamed: a reader never sees half a message.
fn create(path: &Path, written: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| named(&error, folder))?;
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let write = || {
        File::create(&part)?.write_all(written)?;
        fs::rename(&part, path)
    };
    write().map_err(|error| named(&error, path))
}

/// One write, so that gates that run side by side do not mix their messages.
fn append(path: &Path, written: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| named(&error, folder))?;
    }
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(written)).map_err(|error| named(&error, path))
}

fn named(error: &io::Error, path: &Path) -> Failure {
    let words = format!("can't write `{}`: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::Interrupted => {
            Failure::later(words)
        }
        _ => Failure::hold(words),
    }
}

fn main() -> ExitCode {
    gatepost_gate::main(&FileGate)
}
