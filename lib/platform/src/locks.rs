//! Who works on a module's rows, by lock and sign of life (queue 3.7).

use config::{Config, Root};
use notice::Ms;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;
use store::Worker;

/// Who drains a module's rows at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    /// A worker that stays, and its last sign of life.
    Daemon {
        /// When.
        beat: Ms,
    },
    /// Its lock is held, but it gave no sign of life for two leases.
    Hung {
        /// The last one, if there ever was one.
        beat: Option<Ms>,
        /// The process, if it is known.
        pid: Option<i64>,
    },
    /// A worker that is not the daemon: cron's, or somebody's.
    Process {
        /// Its last sign of life.
        beat: Ms,
    },
    /// Nobody.
    Nobody,
}

/// Looks at `var/run/daemon-MODULE.lock` and the workers' rows.
pub(crate) fn runner(
    root: &Root,
    config: &Config,
    (module, workers): (&str, &[Worker]),
    now: Ms,
) -> Runner {
    let prefix = format!("{module}-");
    let newest = workers
        .iter()
        .filter(|worker| worker.owner.starts_with(&prefix))
        .max_by_key(|worker| worker.beat);
    let leases = i64::try_from(config.queue.lease.as_millis()).unwrap_or(60_000) * 2;
    let fresh = newest.filter(|worker| now.since(worker.beat) < leases);
    let locked = is_held(&root.path(format!("var/run/daemon-{module}.lock")));
    match (locked, fresh) {
        (true, Some(worker)) => Runner::Daemon { beat: worker.beat },
        (true, None) => Runner::Hung {
            beat: newest.map(|worker| worker.beat),
            pid: newest.map(|worker| worker.pid),
        },
        (false, Some(worker)) => Runner::Process { beat: worker.beat },
        (false, None) => Runner::Nobody,
    }
}

/// True while somebody holds the lock. Tried shared, so that two who look do not see each other.
pub(crate) fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(
        flock(&file, FlockOperation::NonBlockingLockShared),
        Err(rustix::io::Errno::WOULDBLOCK)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_known_by_lock_and_beat() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("var/run")).unwrap();
        let root = Root::at(folder.path()).unwrap();
        let config = Config::defaults(&root).unwrap();
        let now = Ms(1_000_000);
        let worker = |beat: i64| Worker {
            owner: "ntsms-host-7-1".to_owned(),
            host: "host".to_owned(),
            boot_id: "b".to_owned(),
            pid: 7,
            beat: Ms(beat),
        };
        let who = |workers: &[Worker]| runner(&root, &config, ("ntsms", workers), now);
        assert_eq!(who(&[]), Runner::Nobody);
        assert_eq!(who(&[worker(990_000)]), Runner::Process { beat: Ms(990_000) });
        let path = root.path("var/run/daemon-ntsms.lock");
        let lock = File::create(&path).unwrap();
        assert_eq!(who(&[worker(990_000)]), Runner::Process { beat: Ms(990_000) });
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(who(&[worker(990_000)]), Runner::Daemon { beat: Ms(990_000) });
        let hung = Runner::Hung { beat: Some(Ms(1)), pid: Some(7) };
        assert_eq!(who(&[worker(1)]), hung);
    }
}
