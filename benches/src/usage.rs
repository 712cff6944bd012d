//! What a tree of processes uses: processor time and memory of everybody we started, the sink left out.

use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// `USER_HZ` is 100 on every Linux.
pub(crate) const TICKS_A_SECOND: f64 = 100.0;

/// The processes below us.
#[derive(Clone, Copy)]
pub(crate) struct Tree {
    /// Left out, with all below it.
    pub(crate) but: u32,
}

struct Process {
    pid: u32,
    parent: u32,
    /// Its own processor time and that of the children it has waited for.
    ticks: u64,
}

impl Tree {
    /// Processor time so far, of those that live and those that were waited for.
    pub(crate) fn ticks(self) -> u64 {
        let gone: u64 = times("self").map_or(0, |times| times[2] + times[3]);
        gone + self.living().iter().map(|process| process.ticks).sum::<u64>()
    }

    /// Begins to note how much memory they take together.
    pub(crate) fn watch(self) -> Watch {
        let (stop, stopped) = channel();
        Watch { stop, thread: std::thread::spawn(move || self.look(&stopped)) }
    }

    fn look(self, stopped: &Receiver<()>) -> f64 {
        let mut most = 0.0;
        loop {
            let now: f64 = self.living().iter().map(|process| peak_mib(process.pid)).sum();
            most = f64::max(most, now);
            if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                return most;
            }
        }
    }

    fn living(self) -> Vec<Process> {
        let mut processes: Vec<Process> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| process(entry.ok()?.file_name().to_str()?))
            .filter(|process| process.pid != self.but)
            .collect();
        let mut ours = BTreeSet::from([std::process::id()]);
        // a child may have a smaller number than its parent
        while let Some(more) = processes
            .iter()
            .find(|process| ours.contains(&process.parent) && !ours.contains(&process.pid))
        {
            ours.insert(more.pid);
        }
        ours.remove(&std::process::id());
        processes.retain(|process| ours.contains(&process.pid));
        processes
    }
}

/// Notes memory until it is ended.
pub(crate) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<f64>,
}

impl Watch {
    /// The most that was seen: the peaks of all that lived at one moment, added up, MiB.
    pub(crate) fn end(self) -> f64 {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

/// Processor time of one process with the children it has waited for.
pub(crate) fn ticks_of(pid: u32) -> u64 {
    times(&pid.to_string()).map_or(0, |times| times.iter().sum())
}

fn process(pid: &str) -> Option<Process> {
    let number = pid.parse().ok()?;
    let fields = fields(pid)?;
    let ticks = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Some(Process { pid: number, parent: fields[1].parse().ok()?, ticks })
}

/// utime, stime, cutime, cstime (proc(5)).
fn times(pid: &str) -> Option<[u64; 4]> {
    let fields = fields(pid)?;
    let mut times = [0; 4];
    for (time, field) in times.iter_mut().zip(&fields[11..15]) {
        *time = field.parse().ok()?;
    }
    Some(times)
}

/// What stands in `stat` after the name; one that is gone has none.
fn fields(pid: &str) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn peak_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}
