//! Files that go with a notice: copied to `var/attach/SHA256`, where every task of it finds them.

use crate::refusal::Refusal;
use config::Root;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use wire::xml::Element;

/// Copies the files and answers with their `<attachment name= type=>var/attach/SHA256</attachment>`.
/// Together at most `most_bytes`.
pub(crate) fn take(root: &Root, paths: &[&str], most_bytes: u64) -> Result<Vec<Element>, Refusal> {
    let mut total = 0;
    let mut elements = Vec::new();
    for path in paths {
        let path = Path::new(path);
        let refuse =
            |reason: String| Refusal::File { operation: "attach", path: path.to_owned(), reason };
        let mut file = config::open_regular(path).map_err(|error| refuse(error.to_string()))?;
        let size = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
        total += size;
        if total > most_bytes {
            return Err(refuse(format!(
                "attachments may have {} MiB together (gate.attachments_bytes)",
                most_bytes / 1_048_576
            )));
        }
        let mut bytes = Vec::new();
        let read = (&mut file).take(size + 1).read_to_end(&mut bytes);
        read.map_err(|error| refuse(error.to_string()))?;
        if bytes.len() as u64 != size {
            return Err(refuse("it changes while it is read; call again".to_owned()));
        }
        let stored = store(root, &bytes)?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        elements.push(
            Element::new("attachment")
                .with_attribute("name", name.replace(char::is_control, "_"))
                .with_attribute("type", media_type(&name))
                .with_text(stored),
        );
    }
    Ok(elements)
}

fn store(root: &Root, bytes: &[u8]) -> Result<String, Refusal> {
    let name = format!("var/attach/{}", hex(&Sha256::digest(bytes)));
    let path = root.path(&name);
    if path.is_file() {
        return Ok(name);
    }
    write_durably(&path, bytes)?;
    Ok(name)
}

/// A new file with these bytes, mode 0600, on the disk when this returns: written beside, fsynced, renamed.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let fail = |error: std::io::Error| Refusal::File {
        operation: "write",
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(fail)?;
    let (mut file, beside) = beside(path).map_err(fail)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        fail(error)
    })
}

/// A file nobody else has, named after the target and this process.
fn beside(path: &Path) -> std::io::Result<(File, PathBuf)> {
    for attempt in 0..1_000_u32 {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.{attempt}.part", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(file) => return Ok((file, PathBuf::from(name))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// By extension; a browser or mail client looks no further either.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("pdf") => "application/pdf",
        Some("txt" | "log") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("csv") => "text/csv",
        Some("xml") => "application/xml",
        Some("json") => "application/json",
        Some("ics") => "text/calendar",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        Some("zip") => "application/zip",
        Some("doc") => "application/msword",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_attachment_is_copied_once_by_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        let file = folder.path().join("Счёт 1.PDF");
        fs::write(&file, "abc").unwrap();
        let path = file.to_str().unwrap();
        let taken = take(&root, &[path, path], 10).unwrap();
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(taken[0].text(), format!("var/attach/{hash}"));
        assert!(taken[0].has("name", "Счёт 1.PDF") && taken[0].has("type", "application/pdf"));
        let stored = root.path(taken[0].text());
        assert_eq!(fs::read(&stored).unwrap(), b"abc");
        assert_eq!(stored.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(root.path("var/attach")).unwrap().count(), 1);
    }

    #[test]
    fn too_much_and_what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        let file = folder.path().join("x");
        fs::write(&file, "0123456789").unwrap();
        let path = file.to_str().unwrap();
        assert!(take(&root, &[path, path], 15).is_err());
        assert!(take(&root, &[folder.path().to_str().unwrap()], 1 << 30).is_err());
        assert!(take(&root, &["/nonexistent"], 15).is_err());
    }
}
