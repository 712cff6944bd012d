//! Files that go with a mail: only from `var/attach` or `var/notify`, without links, 25 MiB together (DESIGN 5).

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use std::fs::File;
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
        let folder =
            FOLDERS.iter().find(|folder| candidate.starts_with(**folder)).unwrap_or(&FOLDERS[0]);
        let below = candidate.strip_prefix(folder).unwrap_or_default().trim_start_matches('/');
        match open_beneath(&root.join(folder), below) {
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

fn open_beneath(folder: &Path, below: &str) -> Result<File, rustix::io::Errno> {
    let directory = rustix::fs::openat(
        CWD,
        folder,
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
    fn together_they_have_a_limit() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var/attach")).unwrap();
        std::fs::write(root.path().join("var/attach/x"), "12345").unwrap();
        let two = [attachment("x"), attachment("x")].concat();
        assert!(checked(root.path(), two.clone(), 10).is_ok());
        assert!(checked(root.path(), two, 9).unwrap_err().contains("together"));
    }
}
