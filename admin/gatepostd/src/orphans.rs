//! As process 1 of a container we inherit the orphans of others, and must bury them.

use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use std::fs;

/// Buries orphans that are none of `own`. Does nothing unless we are process 1.
pub(crate) fn bury(own: &[u32]) {
    if !getpid().is_init() {
        return;
    }
    for pid in children().into_iter().filter(|pid| !own.contains(pid)) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Still alive: nothing happens, and we look again when it ends.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Our children, dead ones too, as the kernel lists them for each of our threads.
fn children() -> Vec<u32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}
