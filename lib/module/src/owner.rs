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
        Self { host, boot_id: kernel("random/boot_id") }
    }
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
        Ok(file) => {
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            Ok(Some(file))
        }
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
