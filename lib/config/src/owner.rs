//! Who runs it (DESIGN 1): the owner of `var/`, and nobody else may change what is run.

use crate::{Account, ConfigError, Root};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What is run or obeyed from there.
const GUARDED: [&str; 8] =
    ["etc", "etc/gatepost.toml", "etc/xml", "notify", "gate", "addon", "plugins", "processing"];

/// Becomes the owner of `var/` when started as root while `var/` has another owner, and sets umask
/// 077 in any case. Anyone else is refused: a run of a third user, with the queue's rights through its
/// group but without the key, would leave files nobody else can write. Call it first in `main`, before any thread is started: the ids of the calling thread
/// are set, and threads inherit them. Without a `var/` nothing is taken.
pub fn take_owner(root: &Root) -> Result<(), ConfigError> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let var = root.path("var");
    let Ok(found) = var.metadata() else { return Ok(()) };
    let (uid, gid) = (found.uid(), found.gid());
    let caller = rustix::process::geteuid().as_raw();
    if caller == uid {
        return Ok(());
    }
    if caller != 0 {
        let (owner, caller) = (Account::of(uid).name, Account::of(caller).name);
        return Err(ConfigError::Stranger { path: var, owner, caller });
    }
    become_account(&Account::of(uid), gid).map_err(|source| ConfigError::NotOwner {
        path: var,
        uid,
        source: source.into(),
    })
}

fn become_account(account: &Account, group_of_var: u32) -> rustix::io::Result<()> {
    let (uid, gid) =
        (Uid::from_raw(account.uid), Gid::from_raw(account.gid.unwrap_or(group_of_var)));
    let further = account.groups().into_iter().chain([group_of_var]);
    let groups: Vec<_> = further.map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}

/// Opens a file of `var/` that only we write: a link, a pipe, or a file of somebody else is refused.
pub fn open_own(path: &Path) -> io::Result<File> {
    let no_link = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(no_link).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() {
        let why = format!("`{}` is not ours: it is left alone", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(file)
}

/// Refuses a ROOT whose `etc`, `notify`, `gate`, `addon`, `plugins` or `processing`, or which itself, others may write: anyone
/// but root and the owner of `var/` (and the owner's own first group). Missing folders are fine.
pub fn refuse_if_writable_by_others(root: &Root) -> Result<(), ConfigError> {
    let owner =
        root.path("var").metadata().map_or(rustix::process::geteuid().as_raw(), |var| var.uid());
    for path in GUARDED.map(|name| root.path(name)).iter().chain([&root.path("")]) {
        let Ok(found) = path.metadata() else { continue };
        if let Some((who, cure)) = who_may_write(&found, owner) {
            let cure = format!("`{cure} {}`", path.display());
            return Err(ConfigError::WritableByOthers { path: tidy(path), who, cure });
        }
    }
    Ok(())
}

/// Who else may change a file that is to be run, with the command that ends it; None: only root and the owner
/// of `var/` may. The file must be there.
pub fn who_else_may_write(root: &Root, path: &Path) -> Option<String> {
    let owner =
        root.path("var").metadata().map_or(rustix::process::geteuid().as_raw(), |var| var.uid());
    let found = path.metadata().ok()?;
    let (who, cure) = who_may_write(&found, owner)?;
    Some(format!("others may write it ({who}); try `{cure} {}`", path.display()))
}

/// Who else may write a folder, and the command that ends it.
fn who_may_write(folder: &Metadata, owner: u32) -> Option<(String, String)> {
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    if folder.uid() != 0 && folder.uid() != owner {
        return Some((format!("its owner is uid {}", folder.uid()), format!("chown {owner}")));
    }
    if folder.mode() & OTHERS_WRITE != 0 {
        return Some((format!("mode {:o}", folder.mode() & 0o7777), "chmod o-w".to_owned()));
    }
    let is_own = || folder.gid() == 0 || Account::of(owner).gid == Some(folder.gid());
    if folder.mode() & GROUP_WRITES != 0 && !is_own() {
        return Some((format!("group {}", folder.gid()), "chmod g-w".to_owned()));
    }
    None
}

fn tidy(path: &Path) -> std::path::PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_root_writable_by_others_is_refused_with_its_cure() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        refuse_if_writable_by_others(&root).unwrap();
        for name in ["var", "etc", "notify", "gate", "addon", "plugins", "processing"] {
            fs::create_dir(root.path(name)).unwrap();
            fs::set_permissions(root.path(name), Permissions::from_mode(0o755)).unwrap();
        }
        refuse_if_writable_by_others(&root).unwrap();
        for name in ["", "etc", "notify", "gate", "addon", "plugins", "processing"] {
            fs::set_permissions(root.path(name), Permissions::from_mode(0o757)).unwrap();
            let error = refuse_if_writable_by_others(&root).unwrap_err().to_string();
            let cure = format!("chmod o-w {}", root.path(name).display());
            assert!(error.contains(&cure), "{error}");
            fs::set_permissions(root.path(name), Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(root.path("var"), Permissions::from_mode(0o2777)).unwrap();
        refuse_if_writable_by_others(&root).unwrap();
    }

    #[test]
    fn root_becomes_the_owner_of_var_and_its_files_are_for_the_owner_alone() {
        use std::os::unix::fs::chown;
        if !gatepost_kit::tools::is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("var")).unwrap();
        chown(root.path("var"), Some(4242), Some(4343)).unwrap();
        // The ids are those of one thread, so this one is spent on it.
        let spent = std::thread::spawn(move || {
            take_owner(&root).unwrap();
            fs::write(root.path("var/x"), "").unwrap();
            let made = fs::metadata(root.path("var/x")).unwrap();
            assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (4242, 4343, 0o600));
            assert!(fs::write("/etc/gatepost-test", "").is_err());
            assert!(rustix::thread::set_thread_uid(Uid::ROOT).is_err(), "there is no way back");
            take_owner(&root).unwrap();
        });
        spent.join().unwrap();
    }

    #[test]
    fn a_third_user_is_refused_and_told_who_may() {
        use std::os::unix::fs::chown;
        if !gatepost_kit::tools::is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("var")).unwrap();
        chown(root.path("var"), Some(4242), Some(4343)).unwrap();
        let spent = std::thread::spawn(move || {
            rustix::thread::set_thread_uid(Uid::from_raw(4444)).unwrap();
            let error = take_owner(&root).unwrap_err().to_string();
            assert!(error.contains("sudo -u 4242") && error.contains("you are 4444"), "{error}");
        });
        spent.join().unwrap();
    }

    #[test]
    fn a_link_a_pipe_and_a_strangers_file_are_not_read_as_ours() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::write(place("ours"), "x").unwrap();
        std::os::unix::fs::symlink(place("ours"), place("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, place("pipe"), Mode::RWXU).unwrap();
        assert!(open_own(&place("ours")).is_ok());
        assert!(open_own(&place("link")).is_err());
        assert!(open_own(&place("pipe")).is_err());
        if gatepost_kit::tools::is_root() {
            std::os::unix::fs::chown(place("ours"), Some(4242), None).unwrap();
            assert!(open_own(&place("ours")).is_err());
        }
    }

    #[test]
    fn a_folder_of_a_third_user_is_refused() {
        if !gatepost_kit::tools::is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let root = Root::at(folder.path()).unwrap();
        fs::create_dir(root.path("gate")).unwrap();
        std::os::unix::fs::chown(root.path("gate"), Some(4242), None).unwrap();
        assert!(refuse_if_writable_by_others(&root).unwrap_err().to_string().contains("uid 4242"));
    }
}
