//! What must be right about the file before the engine sees it: filesystem and mode.

use crate::{Result, StoreError};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Read and write for the owner and the group of `var/` (DESIGN 1).
const MODE: u32 = 0o660;

/// `f_type` of filesystems without shared memory between hosts: NFS, SMB, CIFS, SMB2, AFS, Coda, NCP, Ceph,
/// Lustre, GPFS (statfs(2)).
const NETWORK: [u64; 10] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x5346_414f,
    0x7375_7245,
    0x564c,
    0x00c3_6400,
    0x0bd0_0bd0,
    0x4750_4653,
];

/// Refuses a folder whose filesystem can't carry a WAL.
pub(super) fn refuse_network(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let found = rustix::fs::statfs(folder.unwrap_or(Path::new(".")));
    let Ok(found) = found else { return Ok(()) };
    #[expect(clippy::cast_sign_loss, reason = "magic numbers; its type differs between targets")]
    let kind = found.f_type as u64 & 0xffff_ffff;
    if is_network(kind) {
        return Err(StoreError::NetworkFilesystem { path: path.to_path_buf() });
    }
    Ok(())
}

fn is_network(kind: u64) -> bool {
    NETWORK.contains(&kind)
}

/// Makes the empty file with its mode, before the engine opens it; `-wal` and `-shm` take the mode over.
/// One that is there already gets its mode back.
pub(super) fn make(path: &Path) -> Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    let made = rustix::fs::open(path, flags, Mode::from_raw_mode(MODE))
        // The umask may have taken bits away.
        .and_then(|file| rustix::fs::fchmod(file, Mode::from_raw_mode(MODE)));
    match made {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => {
            restore_mode(path);
            Ok(())
        }
        Err(error) => Err(StoreError::Open { path: path.to_path_buf(), reason: error.to_string() }),
    }
}

/// Keeps a second `init` of the same database waiting until this value is dropped: two that switch a new file
/// to WAL at once would wait for each other. The folder is locked, not the file: closing a second descriptor of
/// the file would drop the engine's own locks.
pub(super) fn alone(path: &Path) -> Result<OwnedFd> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|fd| rustix::fs::flock(&fd, FlockOperation::LockExclusive).map(|()| fd))
        .map_err(|error| StoreError::Open { path: path.to_path_buf(), reason: error.to_string() })
}

/// Of the file and of what the engine made beside it: once opened read-only they stay read-only, and `-shm` alone
/// keeps everybody out. Who is not the owner can't, and learns at opening what is wrong.
fn restore_mode(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = rustix::fs::chmod(Path::new(&name), Mode::from_raw_mode(MODE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_filesystems_are_known_by_their_number() {
        for kind in [0x6969, 0xff53_4d42, 0xfe53_4d42] {
            assert!(is_network(kind), "{kind:x}");
        }
        for local in [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630] {
            assert!(!is_network(local), "{local:x}");
        }
    }
}
