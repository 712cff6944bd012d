//! What a program and all that it starts ask of the system, by strace: figures that hardly depend on the machine.

use crate::tools::is_here;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the write lock is in the file `-shm` (`SQLite`'s "WAL-mode File Format", 2.3.1).
const WRITE_LOCK: &str = "l_start=120, l_len=1}";

/// Runs a command to its good end, and gives its calls, one a line, of the kinds that `calls` names (`strace -e
/// trace=`). None, said aloud, where there is no strace.
pub fn trace(command: &Command, calls: &str, into: &Path) -> Option<String> {
    if !is_here("strace") {
        return None;
    }
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "512", "-e", &format!("trace={calls}"), "-o"]).arg(into);
    strace.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    strace.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(ended.unwrap().success(), "{command:?}");
    let trace = std::fs::read(into).unwrap();
    Some(String::from_utf8_lossy(&trace).into_owned())
}

/// What a drain costs the system.
#[derive(Debug)]
pub struct Counters {
    /// Transactions that write: `SQLite` takes its WAL's write lock once for each.
    pub commits: usize,
    /// fsync and fdatasync.
    pub fsyncs: usize,
    /// Programs started, the first itself left out.
    pub spawns: usize,
    /// Bytes written at a place of a file: to the database and its log.
    pub written_bytes: u64,
}

impl Counters {
    /// Of a command; None, said aloud, where there is no strace.
    pub fn of(command: &Command, into: &Path) -> Option<Self> {
        let calls = "execve,fcntl,fsync,fdatasync,pwrite64,pwritev";
        trace(command, calls, into).map(|trace| Self::in_text(&trace))
    }

    fn in_text(trace: &str) -> Self {
        let count = |is: &dyn Fn(&str) -> bool| trace.lines().filter(|line| is(line)).count();
        let result =
            |line: &str| line.rsplit_once(" = ").and_then(|(_, bytes)| bytes.parse::<u64>().ok());
        Self {
            commits: count(&|line| {
                line.contains("F_WRLCK") && line.contains(WRITE_LOCK) && !line.contains("= -1")
            }),
            fsyncs: count(&|line| line.contains(" fsync(") || line.contains(" fdatasync(")),
            spawns: count(&|line| line.contains(" execve") && line.ends_with(" = 0"))
                .saturating_sub(1),
            written_bytes: trace
                .lines()
                .filter(|line| line.contains("pwrite"))
                .filter_map(result)
                .sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_tells_commits_fsyncs_spawns_and_bytes() {
        let trace = "7 execve(\"/r/notify/ntemail\", [\"ntemail\"], 0x1 /* 7 vars */) = 0\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=128, l_len=1}) = 0\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1}) = 0\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1}) = -1 EAGAIN\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1} <unfinished ...>\n\
             7 fdatasync(5)                      = 0\n\
             7 pwrite64(5, \"a = 9\"..., 24, 32) = 24\n\
             7 pwrite64(5, \"b\"..., 4096, 56 <unfinished ...>\n\
             7 <... pwrite64 resumed>)           = 4096\n\
             8 execve(\"/r/gate/gwsmtp\", [\"gwsmtp\"], 0x1 /* 7 vars */ <unfinished ...>\n\
             8 <... execve resumed>)             = 0\n\
             8 execve(\"/nowhere\", [\"x\"], 0x1 /* 7 vars */) = -1 ENOENT\n";
        let counters = Counters::in_text(trace);
        assert_eq!((counters.commits, counters.fsyncs, counters.spawns), (2, 1, 1));
        assert_eq!(counters.written_bytes, 24 + 4096);
    }
}
