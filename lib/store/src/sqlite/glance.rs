//! A look at a database that nobody has open, without opening it for writing: no lock is taken, no `-wal` and no `-shm`
//! are made and removed again.
//!
//! While there is neither a `-wal` nor a `-journal`, the file is all there is, and who changes it makes one of them first.
//! So what was read is of one moment if, before and after, there is none and the file is the same. Whoever came, wrote
//! and went in between has changed its time, which counts only when it is old enough to tell a change by. That holds
//! however long the between is, so a [`Stamp`] says later, too, that the same is in the file: within one boot, since
//! after a power cut a file may have a newer text than time, and while nobody has set the clock back.

use super::blobs::Blobs;
use super::{Options, STATEMENTS_LIMIT, Sqlite, errors, schema};
use crate::{Durability, Snapshot, Store, StoreError};
use notice::Ms;
use rusqlite::{Connection, OpenFlags};
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file written later than that may be written again without showing it: a time has the kernel's tick, a few
/// milliseconds, or two seconds on some filesystems.
const SETTLED_MS: i64 = 2_000;

/// Looks, and says by which stamp; None where that can't be done so: somebody has the database open, has just changed it,
/// or it is not one that this program reads. [`super::Sqlite::open`] then does it, or says what is wrong.
pub(crate) fn glance<T>(
    path: &Path,
    options: &Options,
    now: Ms,
    mut look: impl FnMut(&mut dyn Snapshot) -> Result<T, StoreError>,
) -> Option<(T, Stamp)> {
    let before = Stamp::at(path, now)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(address(path), flags).ok()?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_LIMIT);
    let is_ours = schema::version(&connection).ok()? == schema::KNOWN
        && schema::application_id(&connection).ok()? == schema::APPLICATION_ID;
    if !is_ours {
        return None;
    }
    let mut glanced = Sqlite {
        connection,
        blobs: Blobs::default(),
        // of keys alone, and those are no part of a glance
        uuid: String::new(),
        durability: Durability::Power,
        errors: errors(path, options),
        wake_folder: PathBuf::new(),
        version_of_others: None,
    };
    let seen = crate::read(&mut glanced as &mut dyn Store, &mut look).ok()?;
    (Stamp::at(path, now)? == before).then_some((seen, before))
}

/// A database file that nobody has open: which one, and when it was written. As long as the stamp is the same, and the
/// machine has not started anew nor its clock been set, the same is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    file: (u64, u64),
    bytes: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// None: somebody has it open, or has just changed it.
    pub(crate) fn at(path: &Path, now: Ms) -> Option<Self> {
        let is_beside = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            // in doubt it is
            let found = rustix::fs::lstat(Path::new(&name));
            !matches!(found, Err(rustix::io::Errno::NOENT))
        };
        if is_beside("-wal") || is_beside("-journal") {
            return None;
        }
        // the engine's files stand beside the file itself, not beside a link to it
        let found = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
        let is_settled =
            found.mtime().saturating_mul(1_000).saturating_add(1_000 + SETTLED_MS) < now.0;
        is_settled.then(|| Self {
            file: (found.dev(), found.ino()),
            bytes: found.size(),
            written: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Numbers between blanks.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, file) = self.file;
        write!(f, "{device} {file} {}", self.bytes)?;
        for (secs, nanoseconds) in [self.written, self.changed] {
            write!(f, " {secs} {nanoseconds}")?;
        }
        Ok(())
    }
}

/// The file as a URI, which says that nobody changes it.
fn address(path: &Path) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => {
                let _ = write!(address, "%{byte:02x}");
            }
        }
    }
    address + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{Order, create};
    use notice::ModuleName;

    /// In the year 3000.
    const LATER: Ms = Ms(32_503_680_000_000);

    fn looked(path: &Path, now: Ms) -> Option<usize> {
        let module = ModuleName::new("ntemail").unwrap();
        glance(path, &Options::default(), now, |snapshot| {
            Ok(snapshot.ready_routes(&module, false)?.len())
        })
        .map(|(found, _)| found)
    }

    fn made(name: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        create(&path, Order::Ageing, Options::default()).unwrap();
        (folder, path)
    }

    #[test]
    fn a_database_that_nobody_has_open_is_read_and_nothing_is_made() {
        let (folder, path) = made("a?b#c%d e.db");
        assert_eq!(looked(&path, LATER), Some(0));
        let add = "INSERT INTO notifytask(modulename,filename) VALUES('ntemail','x')";
        Connection::open(&path).unwrap().execute(add, []).unwrap();
        let before = path.metadata().unwrap().modified().unwrap();
        assert_eq!(looked(&path, LATER), Some(1));
        assert_eq!(path.metadata().unwrap().modified().unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_somebody_has_open_is_not() {
        let (_folder, path) = made("x.db");
        let other = Sqlite::open(&path, Options::default()).unwrap();
        assert_eq!(looked(&path, LATER), None);
        drop(other);
        assert_eq!(looked(&path, LATER), Some(0));
        std::fs::write(path.with_extension("db-journal"), "").unwrap();
        assert_eq!(looked(&path, LATER), None);
    }

    #[test]
    fn one_behind_a_link_is_not_and_one_in_a_linked_folder_is() {
        let (folder, path) = made("x.db");
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(looked(&link, LATER), None);
        let elsewhere = tempfile::tempdir().unwrap();
        let linked = elsewhere.path().join("var");
        std::os::unix::fs::symlink(folder.path(), &linked).unwrap();
        assert_eq!(looked(&linked.join("x.db"), LATER), Some(0));
        let _other = Sqlite::open(&path, Options::default()).unwrap();
        assert_eq!(looked(&linked.join("x.db"), LATER), None);
    }

    #[test]
    fn one_that_changes_meanwhile_or_did_a_moment_ago_is_not() {
        let (_folder, path) = made("x.db");
        let options = Options::default();
        let changed = glance(&path, &options, LATER, |_| {
            let other = Connection::open(&path).unwrap();
            other.execute("UPDATE setting SET value='z' WHERE name='uuid'", []).unwrap();
            Ok(())
        });
        assert!(changed.is_none(), "whoever came has gone again");
        let opened = glance(&path, &options, LATER, |_| {
            std::mem::forget(Sqlite::open(&path, Options::default()));
            Ok(())
        });
        assert!(opened.is_none());
        std::fs::remove_file(path.with_extension("db-wal")).unwrap();
        // the second in which it was written, and two more
        let settled = Ms(path.metadata().unwrap().mtime() * 1_000 + 3_000);
        assert_eq!(looked(&path, settled), None);
        assert_eq!(looked(&path, settled.plus(1)), Some(0));
    }

    #[test]
    fn no_database_another_programs_and_an_older_one_are_left_to_the_opening() {
        let (folder, path) = made("x.db");
        assert_eq!(looked(&folder.path().join("none.db"), LATER), None);
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
        assert_eq!(looked(&path, LATER), None);
        std::fs::write(&path, "no database").unwrap();
        assert_eq!(looked(&path, LATER), None);
    }
}
