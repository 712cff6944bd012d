//! The name a worker leases under, and its lock: whoever gets the lock of an owner knows that it is dead.

use notice::{Clock, ModuleName};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use store::{Owner, Worker};

/// This machine, as other workers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// The kernel's id of this boot.
    pub boot_id: String,
}

impl Machine {
    /// Asks the kernel.
    pub fn this() -> Self {
        let host = kernel("hostname");
        Self { host, boot_id: boot_id() }
    }
}

/// The kernel's id of this boot; empty where it has none.
pub(crate) fn boot_id() -> String {
    kernel("random/boot_id")
}

fn kernel(name: &str) -> String {
    let path = Path::new("/proc/sys/kernel").join(name);
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// A worker's identity for one start: name, lock, row. The lock is held as long as this lives.
pub struct Identity {
    /// The name of its leases: `MODULE-HOST-PID-START`.
    pub owner: Owner,
    /// Its row in `notifyworker`.
    pub worker: Worker,
    run: PathBuf,
    _lock: File,
}

impl Identity {
    /// Takes a name nobody has had, and its lock. `run` is `var/run`.
    pub fn take(module: &ModuleName, run: &Path, clock: &dyn Clock) -> io::Result<Self> {
        let machine = Machine::this();
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let mut start = clock.now();
        loop {
            let name = format!("{module}-{}-{pid}-{}", plain(&machine.host), start.0);
            match locked_new(&run.join(format!("{name}.lock")))? {
                Some(lock) => {
                    let worker = Worker {
                        owner: name.clone(),
                        host: machine.host,
                        boot_id: machine.boot_id,
                        pid: i64::from(pid),
                        beat: clock.now(),
                    };
                    return Ok(Self {
                        owner: Owner(name),
                        worker,
                        run: run.to_owned(),
                        _lock: lock,
                    });
                }
                None => start = start.plus(1),
            }
        }
    }

    /// Where its hand-over notes are.
    pub fn notes_path(&self) -> PathBuf {
        notes_path(&self.run, &self.owner.0)
    }

    /// Removes the lock file: a clean stop.
    pub fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(lock_path(&self.run, &self.owner.0))
    }
}

/// Where an owner's hand-over notes are.
pub fn notes_path(run: &Path, owner: &str) -> PathBuf {
    run.join(format!("{owner}.sent"))
}

/// Where an owner's lock is.
pub fn lock_path(run: &Path, owner: &str) -> PathBuf {
    run.join(format!("{owner}.lock"))
}

/// Whether an owner of this machine lives.
#[derive(Debug)]
pub enum Life {
    /// Its lock is held.
    Alive,
    /// Its lock is ours now, for as long as this is kept.
    Dead(File),
    /// It has no lock file: it stopped, or ran before this boot.
    NoFile,
}

/// Tries an owner's lock.
pub fn life_of(run: &Path, owner: &str) -> io::Result<Life> {
    match OpenOptions::new().read(true).write(true).open(lock_path(run, owner)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Life::NoFile),
        Err(error) => Err(error),
        Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Life::Dead(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Life::Alive),
            Err(error) => Err(error.into()),
        },
    }
}

/// Removes the locks and notes of workers that are dead and that the database knows nothing of: they died before their
/// first turn, or whoever buried them died. `known` names the owners in the database; it is asked once the locks are
/// taken, when none of them can lease anything any more.
pub fn sweep(run: &Path, known: impl FnOnce() -> Option<Vec<String>>) {
    let Ok(entries) = std::fs::read_dir(run) else { return };
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
    let owners = names.filter_map(|name| owner_of(name.to_str()?).map(str::to_owned));
    let dead: Vec<(String, File)> = owners
        .filter_map(|owner| match life_of(run, &owner) {
            Ok(Life::Dead(lock)) => Some((owner, lock)),
            Ok(Life::Alive | Life::NoFile) | Err(_) => None,
        })
        .collect();
    if dead.is_empty() {
        return;
    }
    let Some(known) = known() else { return };
    for (owner, _lock) in dead.iter().filter(|(owner, _)| !known.contains(owner)) {
        let _ = std::fs::remove_file(notes_path(run, owner));
        let _ = std::fs::remove_file(lock_path(run, owner));
    }
}

/// The owner whose lock has that name, `MODULE-HOST-PID-START.lock`; `daemon-MODULE.lock` is nobody's.
fn owner_of(file: &str) -> Option<&str> {
    let owner = file.strip_suffix(".lock")?;
    let mut parts = owner.rsplitn(4, '-');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number))
        .then_some(owner)
        .filter(|_| parts.next().is_some() && parts.next().is_some())
}

/// Takes a lock file that others may hold, such as `daemon-MODULE.lock`. None: somebody has it.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn locked_new(path: &Path) -> io::Result<Option<File>> {
    let made = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
        Ok(file) => locked_while_there(file),
    }
}

/// Between its making and its lock somebody who sweeps may take it for a dead one's, or have removed it already.
fn locked_while_there(file: File) -> io::Result<Option<File>> {
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) if rustix::fs::fstat(&file)?.st_nlink > 0 => Ok(Some(file)),
        Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A host name as part of a file name.
fn plain(host: &str) -> String {
    host.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(40)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::SystemClock;

    #[test]
    fn what_the_dead_left_is_swept_unless_the_database_knows_them() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let module = ModuleName::new("ntsms").unwrap();
        let take = || Identity::take(&module, run, &SystemClock).unwrap();
        let (living, known, dead) = (take(), take(), take());
        for one in [&living, &known, &dead] {
            std::fs::write(one.notes_path(), "start 1 1 1\n").unwrap();
        }
        let names = [&living, &known, &dead].map(|one| one.owner.0.clone());
        drop((known, dead));
        for other in ["daemon-ntsms.lock", "x.lock", "a-1-2.lock", "api.sock"] {
            std::fs::write(run.join(other), "").unwrap();
        }
        let there = |name: &String| (lock_path(run, name).exists(), notes_path(run, name).exists());
        sweep(run, || None);
        assert!(names.iter().all(|name| there(name) == (true, true)), "nobody knows");
        sweep(run, || Some(vec![names[1].clone()]));
        let left: Vec<_> = names.iter().map(there).collect();
        assert_eq!(left, [(true, true), (true, true), (false, false)]);
        assert!(
            ["daemon-ntsms.lock", "x.lock", "a-1-2.lock"]
                .iter()
                .all(|name| run.join(name).exists())
        );
        sweep(run, || Some(Vec::new()));
        assert_eq!(there(&names[0]), (true, true), "the living are left alone");
        drop(living);
    }

    #[test]
    fn a_lock_that_was_swept_away_before_it_was_taken_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = lock_path(folder.path(), "ntsms-x-1-1");
        let made = || File::create_new(&path).unwrap();
        assert!(locked_while_there(made()).unwrap().is_some());
        std::fs::remove_file(&path).unwrap();
        let swept = made();
        sweep(folder.path(), || Some(Vec::new()));
        assert!(!path.exists(), "nobody held it");
        assert!(locked_while_there(swept).unwrap().is_none(), "a lock that nobody else could find");
        let (mine, theirs) = (made(), File::open(&path).unwrap());
        flock(&theirs, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(locked_while_there(mine).unwrap().is_none(), "whoever sweeps has it");
    }

    #[test]
    fn the_dead_are_told_from_the_living_by_their_lock() {
        let folder = tempfile::tempdir().unwrap();
        let module = ModuleName::new("ntsms").unwrap();
        let first = Identity::take(&module, folder.path(), &SystemClock).unwrap();
        let second = Identity::take(&module, folder.path(), &SystemClock).unwrap();
        assert_ne!(first.owner, second.owner);
        assert!(matches!(life_of(folder.path(), &first.owner.0).unwrap(), Life::Alive));
        let name = first.owner.0.clone();
        drop(first);
        assert!(matches!(life_of(folder.path(), &name).unwrap(), Life::Dead(_)));
        assert!(matches!(life_of(folder.path(), "ntsms-x-1-1").unwrap(), Life::NoFile));
    }
}
