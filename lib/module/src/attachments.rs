//! Files that go with a mail: only from `var/attach` or `var/notify`, without links, 25 MiB together (DESIGN 5).

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};
use wire::outgoing::Attachment;

const FOLDERS: [&str; 2] = ["var/attach", "var/notify"];

/// The attachments with their paths made sure; the text of a refusal names the file and the cure.
pub fn checked(
    root: &Path,
    attachments: Vec<Attachment>,
    most_bytes: u64,
) -> Result<Vec<Attachment>, String> {
    let mut left = most_bytes;
    let mut sure = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        let (path, bytes) = resolve(root, &attachment.path)?;
        left = left.checked_sub(bytes).ok_or_else(|| {
            format!(
                "the attachments are over {} MiB together at `{}`",
                most_bytes >> 20,
                attachment.name
            )
        })?;
        let content_type = if attachment.content_type.is_empty() {
            type_of(&attachment.name).to_owned()
        } else {
            attachment.content_type.clone()
        };
        sure.push(Attachment { path, content_type, ..attachment });
    }
    Ok(sure)
}

/// The bytes of an attachment that was [`checked`], from the file that is there now: it may have been replaced since.
pub(crate) fn read(root: &Path, path: &str, most_bytes: u64) -> Result<Vec<u8>, String> {
    let fail = |why: &dyn std::fmt::Display| format!("can't read the attachment `{path}`: {why}");
    let file = open_below_var(root, path).map_err(|error| fail(&error))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(fail(&"it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut bytes).map_err(|error| fail(&error))?;
    if bytes.len() as u64 > most_bytes {
        return Err(fail(&"it has grown over the limit (gate.attachments_bytes)"));
    }
    Ok(bytes)
}

/// The path relative to ROOT, and the file's size.
fn resolve(root: &Path, named: &str) -> Result<(String, u64), String> {
    let outside = || {
        format!(
            "the attachment `{named}` is not in var/attach or var/notify: copy it there, without links"
        )
    };
    let path = Path::new(named);
    let path = path.strip_prefix(root).unwrap_or(path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || named.is_empty() {
        return Err(outside());
    }
    let candidates: Vec<String> = match FOLDERS.iter().find(|folder| path.starts_with(folder)) {
        Some(_) => vec![path.display().to_string()],
        None => FOLDERS.iter().map(|folder| format!("{folder}/{}", path.display())).collect(),
    };
    let mut reason = outside();
    for candidate in candidates {
        match open_below_var(root, &candidate) {
            Ok(file) => match file.metadata() {
                Ok(found) if found.is_file() => return Ok((candidate, found.len())),
                _ => reason = format!("the attachment `{named}` is no regular file"),
            },
            Err(rustix::io::Errno::NOENT) => reason = format!("there is no attachment `{named}`"),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => return Err(outside()),
            Err(error) => reason = format!("can't read the attachment `{named}`: {error}"),
        }
    }
    Err(reason)
}

/// Opens `var/…` for reading. No link below `var` is followed: others may write there.
fn open_below_var(root: &Path, path: &str) -> Result<File, rustix::io::Errno> {
    let below = path.strip_prefix("var/").ok_or(rustix::io::Errno::XDEV)?;
    let directory = rustix::fs::openat(
        CWD,
        root.join("var"),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(directory, below, flags, Mode::empty(), resolve).map(File::from)
}

/// A media type by the name's ending; the reader's program knows the rest.
fn type_of(name: &str) -> &'static str {
    let ending =
        name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "txt" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "ics" => "text/calendar",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(path: &str) -> Vec<Attachment> {
        vec![Attachment { name: "a.pdf".into(), path: path.into(), ..Attachment::default() }]
    }

    #[test]
    fn an_attachment_can_not_leave_its_folders() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        for folder in ["var/attach/sub", "var/notify", "etc"] {
            std::fs::create_dir_all(place(folder)).unwrap();
        }
        for file in ["var/attach/x", "var/attach/sub/y", "var/notify/z", "etc/secret.key"] {
            std::fs::write(place(file), "12345").unwrap();
        }
        std::os::unix::fs::symlink("../../etc/secret.key", place("var/attach/link")).unwrap();
        std::os::unix::fs::symlink("../../etc", place("var/attach/folder")).unwrap();
        let whole = place("var/attach/x");
        for good in ["var/attach/x", "x", "sub/y", "z", "var/notify/z", whole.to_str().unwrap()] {
            let checked = checked(root.path(), attachment(good), 100).unwrap();
            assert!(place(&checked[0].path).is_file(), "{good}");
            assert_eq!(checked[0].content_type, "application/pdf");
        }
        for bad in [
            "../etc/secret.key",
            "var/attach/../../etc/secret.key",
            "etc/secret.key",
            "/etc/passwd",
            "link",
            "folder/secret.key",
            "var/attach/link",
            "sub",
            "",
            "nowhere",
            "./x/../../y",
        ] {
            let refused = checked(root.path(), attachment(bad), 100);
            assert!(refused.is_err(), "{bad}: {refused:?}");
        }
    }

    #[test]
    fn a_folder_that_is_a_link_holds_no_attachments() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var")).unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/secret.key"), "x").unwrap();
        std::os::unix::fs::symlink("../etc", root.path().join("var/attach")).unwrap();
        assert!(checked(root.path(), attachment("var/attach/secret.key"), 100).is_err());
        assert!(read(root.path(), "var/attach/secret.key", 100).is_err());
    }

    #[test]
    fn what_is_read_was_checked_or_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("var/attach/x");
        std::fs::create_dir_all(root.path().join("var/attach")).unwrap();
        std::fs::write(&place, "12345").unwrap();
        assert_eq!(read(root.path(), "var/attach/x", 5).unwrap(), b"12345");
        assert!(read(root.path(), "var/attach/x", 4).unwrap_err().contains("grown"));
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
        assert!(read(root.path(), "var/attach/x", 1 << 20).is_err());
    }

    #[test]
    fn together_they_have_a_limit() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var/attach")).unwrap();
        std::fs::write(root.path().join("var/attach/x"), "12345").unwrap();
        let two = [attachment("x"), attachment("x")].concat();
        assert!(checked(root.path(), two.clone(), 10).is_ok());
        assert!(checked(root.path(), two, 9).unwrap_err().contains("together"));
    }
}
