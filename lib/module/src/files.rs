//! Notification files: read at their first claim, split into one task for each notification (DESIGN 2).

use crate::pipeline::{FileRead, FileTrouble};
use notice::{ProjectId, Route, chain};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Blob, Body, Claimed, Hash, NewTask, StoredBody};
use wire::notification::{Engine, Notification, read_notifications};
use wire::rendering::{BodyKind, BodyTemplate, Bundle};

/// The largest file that is read.
const FILE_BYTES: u64 = 32 << 20;

/// Reads the file of a claimed row, or takes its stored body as it is.
pub fn read_file(root: &Path, claimed: &Claimed) -> FileRead {
    if let Some(body) = &claimed.body {
        let parts = vec![task_of(claimed, body.clone())];
        return FileRead { lease: claimed.lease, result: Ok(parts), remove: None };
    }
    let mut remove = None;
    let result = match path_of(root, &claimed.filename) {
        None => Err(FileTrouble::Never(
            "the row names no file and has no body: fill `filename` when inserting it".into(),
        )),
        Some(path) => {
            remove = is_ours(root, &path).then(|| path.clone());
            read_parts(&path, claimed)
        }
    };
    FileRead { lease: claimed.lease, result, remove }
}

/// The file a row means: absolute, else under ROOT, else under `var/notify`.
pub fn path_of(root: &Path, filename: &str) -> Option<PathBuf> {
    if filename.trim().is_empty() || filename.contains('\0') {
        return None;
    }
    let under_root = root.join(filename);
    if Path::new(filename).is_absolute() || under_root.symlink_metadata().is_ok() {
        return Some(under_root);
    }
    let in_notify = root.join("var/notify").join(filename);
    Some(if in_notify.symlink_metadata().is_ok() { in_notify } else { under_root })
}

/// Only what lies in `var/notify`, links resolved, is removed after it was taken over.
fn is_ours(root: &Path, path: &Path) -> bool {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let ours = root.join("var/notify").canonicalize().ok();
    matches!((folder, ours), (Some(folder), Some(ours)) if folder.starts_with(&ours))
}

fn read_parts(path: &Path, claimed: &Claimed) -> Result<Vec<NewTask>, FileTrouble> {
    let shown = path.display();
    let bytes = read_limited(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FileTrouble::Later(format!(
            "there is no notification file `{shown}`: write it before the row, or cancel the task"
        )),
        io::ErrorKind::PermissionDenied => FileTrouble::Later(format!(
            "can't read `{shown}`: give the group of var/ the right to read it (chmod g+r), then `gatepost retry {}`",
            claimed.lease.task
        )),
        io::ErrorKind::InvalidData => FileTrouble::Never(format!("`{shown}` {error}")),
        _ => FileTrouble::Later(format!("can't read `{shown}`: {error}")),
    })?;
    let notifications = read_notifications(&bytes)
        .map_err(|error| FileTrouble::Never(format!("`{shown}`: {}", chain(&error))))?;
    Ok(notifications
        .iter()
        .map(|notification| task_of(claimed, body_of(notification, claimed)))
        .collect())
}

/// A regular file of at most 32 MiB; a pipe or a device is refused without waiting for it.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if !found.is_file() {
        return Err(refused("is no regular file".into()));
    }
    let too_long =
        || refused(format!("is over {} MiB: split it into several files", FILE_BYTES >> 20));
    if found.len() > FILE_BYTES {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(too_long());
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(refused(
            "is empty: write the whole file under another name and rename it".into(),
        ));
    }
    Ok(bytes)
}

fn task_of(claimed: &Claimed, body: StoredBody) -> NewTask {
    NewTask {
        module: claimed.module.clone(),
        route: Route::project(body.project.unwrap_or(ProjectId(0))),
        body: Body::Stored(body),
        priority: claimed.priority,
        forced: claimed.forced,
        object: claimed.object.clone(),
        follows: None,
        not_before: None,
        expires: claimed.expires,
        key: None,
    }
}

/// A bad notice becomes a body too: it fails by itself, and does not hold the others of its file.
fn body_of(notification: &Notification, claimed: &Claimed) -> StoredBody {
    let project = notification.notice().ok().and_then(|notice| notice.project_id());
    let kind = kind_of(notification, claimed.module.as_str());
    let body = BodyTemplate { kind, engine: notification.engine, name: "template".into() };
    let mut bundle = Bundle::of_one(body, notification.template.as_str());
    claimed.module.as_str().clone_into(&mut bundle.module);
    if !notification.template_subject.is_empty() {
        bundle.subject = Some((notification.engine, notification.template_subject.clone()));
    }
    StoredBody {
        bundle: Some(blob(&bundle.to_bytes())),
        notice: blob(notification.notice_xml.as_bytes()),
        user: notification.user.to_xml(),
        project,
    }
}

/// A template does not say what it makes. For mail, and the inbox which is made from it: HTML, unless
/// nothing in it looks like a tag.
fn kind_of(notification: &Notification, module: &str) -> BodyKind {
    use notice::ModuleName;
    if module != ModuleName::EMAIL && module != ModuleName::INTERNAL {
        return BodyKind::Text;
    }
    let html = match notification.engine {
        Engine::Xslt => !makes_text(&notification.template),
        Engine::Ejs | Engine::Tera => has_tags(&notification.template),
    };
    if html { BodyKind::Html } else { BodyKind::Text }
}

fn makes_text(stylesheet: &str) -> bool {
    let Some(at) = stylesheet.find(":output") else { return false };
    let tag = stylesheet[at..].split('>').next().unwrap_or_default();
    tag.contains("method=\"text\"") || tag.contains("method='text'")
}

fn has_tags(template: &str) -> bool {
    let mut rest = template;
    while let Some(at) = rest.find('<') {
        let after = &rest[at + 1..];
        if after.starts_with('%') {
            rest = after.find("%>").map_or("", |end| &after[end + 2..]);
            continue;
        }
        if after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') {
            return true;
        }
        rest = after;
    }
    false
}

/// A blob of these bytes.
pub fn blob(bytes: &[u8]) -> Blob {
    Blob { hash: Hash(Sha256::digest(bytes).into()), bytes: Arc::from(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::{ModuleName, Ms, Priority, TaskId};
    use store::Lease;

    fn claimed(filename: &str) -> Claimed {
        Claimed {
            lease: Lease { task: TaskId(5), seq: 1 },
            module: ModuleName::new("ntemail").unwrap(),
            route: Route::unread(),
            gateway: None,
            filename: filename.into(),
            priority: Priority::default(),
            ord: 0,
            error_count: 0,
            attempt: 1,
            maybe_sent: false,
            forced: true,
            object: String::new(),
            queued: Ms(0),
            expires: None,
            key: "k".into(),
            body: None,
        }
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var/notify/d")).unwrap();
        root
    }

    const TWO: &str = "<doc><notify><tmpl>&lt;p&gt;x&lt;/p&gt;</tmpl><notice_xml>&lt;doc&gt;&lt;project&gt;&lt;id&gt;7&lt;/id&gt;&lt;/project&gt;&lt;/doc&gt;</notice_xml><user><id>1</id></user></notify>\
        <notify><tmpl>plain &lt;%= a %&gt;</tmpl><notice_xml>broken</notice_xml><user><id>2</id></user></notify></doc>";

    #[test]
    fn a_file_becomes_a_task_for_each_notification() {
        let root = root();
        std::fs::write(root.path().join("var/notify/d/1"), TWO).unwrap();
        for name in ["var/notify/d/1", "d/1", root.path().join("var/notify/d/1").to_str().unwrap()]
        {
            let read = read_file(root.path(), &claimed(name));
            let parts = read.result.unwrap();
            assert_eq!(parts.len(), 2, "{name}");
            assert_eq!(parts[0].route.as_str(), "p7");
            assert_eq!(parts[1].route.as_str(), "p0");
            assert!(parts[0].forced, "forcedonothing holds for all of them");
            assert!(read.remove.is_some());
            let Body::Stored(body) = &parts[0].body else { panic!("a file again") };
            let bundle = Bundle::parse(&body.bundle.as_ref().unwrap().bytes).unwrap();
            assert_eq!(bundle.bodies[0].kind, BodyKind::Html);
            let Body::Stored(body) = &parts[1].body else { panic!("a file again") };
            let bundle = Bundle::parse(&body.bundle.as_ref().unwrap().bytes).unwrap();
            assert_eq!(bundle.bodies[0].kind, BodyKind::Text);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_cure() {
        let root = root();
        let place = |name: &str| root.path().join("var/notify").join(name);
        std::fs::write(place("empty"), " \n").unwrap();
        std::fs::write(place("words"), "hello").unwrap();
        std::fs::write(place("half"), "<doc>\n<notify><tmpl>").unwrap();
        std::fs::write(place("doctype"), "<!DOCTYPE d [<!ENTITY x 'y'>]><doc><notify/></doc>")
            .unwrap();
        std::fs::write(place("none"), "<doc/>").unwrap();
        std::fs::write(place("odd"), "<?xml version='1.0' encoding='klingon'?><doc/>").unwrap();
        std::fs::write(place("huge"), "").unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .open(place("huge"))
            .unwrap()
            .set_len(100 << 20)
            .unwrap();
        std::fs::create_dir(place("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, place("pipe"), Mode::from_raw_mode(0o600)).unwrap();
        for (name, words) in [
            ("empty", "is empty"),
            ("words", "no document"),
            ("half", "line"),
            ("doctype", "DOCTYPE"),
            ("none", "no `notify` element"),
            ("odd", "klingon"),
            ("huge", "split it"),
            ("folder", "no regular file"),
            ("pipe", "no regular file"),
            ("", "fill `filename`"),
        ] {
            match read_file(root.path(), &claimed(name)).result {
                Err(FileTrouble::Never(why)) => assert!(why.contains(words), "{name}: {why}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let missing = read_file(root.path(), &claimed("nowhere")).result;
        assert!(matches!(missing, Err(FileTrouble::Later(why)) if why.contains("cancel")));
    }

    #[test]
    fn a_file_elsewhere_is_read_and_left_alone() {
        let root = root();
        let other = tempfile::tempdir().unwrap();
        let path = other.path().join("n");
        std::fs::write(&path, TWO).unwrap();
        let read = read_file(root.path(), &claimed(path.to_str().unwrap()));
        assert!(read.result.is_ok() && read.remove.is_none());
    }
}
