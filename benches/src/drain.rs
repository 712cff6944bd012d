//! Gatepost's own part: an installation with a full queue, and its drain.

use crate::contest::{Ready, Sender};
use crate::sinks::Sink;
use gatepost_kit::host::Host;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A drain takes less.
const LONG_SECS: &str = "7200";

/// What is sent how.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The module.
    pub(crate) module: &'static str,
    /// So many users, each a message.
    pub(crate) messages: usize,
    /// The user's column that is the contact, and the contact of a number.
    pub(crate) contact: (&'static str, fn(usize) -> String),
    /// The gate, and the gateway's fields for a sink on a port.
    pub(crate) gateway: (&'static str, fn(u16) -> Vec<String>),
    /// Files of the notice `bench`.
    pub(crate) templates: Vec<(String, String)>,
    /// Lines of `etc/gatepost.toml`.
    pub(crate) settings: &'static str,
}

impl Plan {
    /// For a contest.
    pub(crate) fn ready<'a>(self) -> Ready<'a> {
        Box::new(move |port| Box::new(self.filled(port)))
    }

    /// One shared notice to every user, queued by one call.
    pub(crate) fn filled(&self, port: u16) -> Queue {
        let host = Host::new();
        if !self.settings.is_empty() {
            host.write("etc/gatepost.toml", self.settings);
        }
        host.gatepost(&["project", "add", "name=Bench", "notifyemail=bench@example.com"]).ended(0);
        let (gate, fields) = self.gateway;
        let module = format!("notify_module={}", self.module);
        let mut words = vec!["gateway", "add", gate, "name=sink", "project=Bench", &module];
        let fields = fields(port);
        words.extend(fields.iter().map(String::as_str));
        host.gatepost(&words).ended(0);
        let (column, contact) = self.contact;
        let mut users = format!("name,realname,{column}\n");
        for number in 0..self.messages {
            writeln!(users, "u{number},User {number},{}", contact(number)).unwrap();
        }
        let import = ["user", "import", "-", "--project", "Bench"];
        host.run_with("bin/gatepost", &import, users.as_bytes()).ended(0);
        for (name, text) in &self.templates {
            host.write(&format!("templates/bench/{name}"), text);
        }
        let module = format!("module={}", self.module);
        let mass = ["func", "notify.mass", "notice=bench", &module, "data.number=2026-0118"];
        host.gatepost(&mass).ended(0);
        Queue { host, module: self.module, messages: self.messages }
    }
}

/// A full queue.
pub(crate) struct Queue {
    host: Host,
    module: &'static str,
    messages: usize,
}

impl Queue {
    fn drain(&self) -> Command {
        let words = ["--command", "process", "--force", "--for", LONG_SECS];
        self.host.command(&format!("notify/{}", self.module), &words)
    }

    /// What a drain asks of the system, of its whole tree; None where there is no strace.
    pub(crate) fn counted(&mut self) -> Option<Counters> {
        gatepost_kit::tools::find("strace")?;
        let trace = self.host.path("trace");
        let drain = self.drain();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=execve,fcntl,fsync,fdatasync", "-o"]).arg(&trace);
        strace.arg(drain.get_program()).args(drain.get_args()).current_dir(self.host.root());
        strace.env_clear().envs(drain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        assert!(strace.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success());
        self.check();
        Some(Counters::of(&trace))
    }
}

impl Sender for Queue {
    fn send(&mut self, _: &mut Sink) {
        let ended = self.drain().stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(ended.success(), "{ended}");
    }

    fn check(&mut self) {
        let sent = self.host.sql("SELECT count(*) FROM notifylog WHERE outcome='sent'");
        assert_eq!(sent, self.messages.to_string());
    }
}

/// Calls of the system.
pub(crate) struct Counters {
    /// Transactions that write: `SQLite` takes its WAL's write lock once for each.
    pub(crate) commits: usize,
    /// fsync and fdatasync.
    pub(crate) fsyncs: usize,
    /// Programs started, the module itself left out.
    pub(crate) spawns: usize,
}

impl Counters {
    fn of(trace: &Path) -> Self {
        Self::in_text(&fs::read_to_string(trace).unwrap())
    }

    fn in_text(trace: &str) -> Self {
        let count = |is: &dyn Fn(&str) -> bool| trace.lines().filter(|line| is(line)).count();
        Self {
            commits: count(&|line| line.contains("F_WRLCK") && line.contains(WRITE_LOCK)),
            fsyncs: count(&|line| line.contains(" fsync(") || line.contains(" fdatasync(")),
            spawns: count(&|line| line.contains(" execve(") && line.ends_with(" = 0"))
                .saturating_sub(1),
        }
    }
}

/// Where the write lock is in the file `-shm` (`SQLite`'s "WAL-mode File Format", 2.3.1).
const WRITE_LOCK: &str = "l_start=120, l_len=1}) = 0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_tells_commits_fsyncs_and_spawns() {
        let trace = "7 execve(\"/r/notify/ntemail\", [\"ntemail\"], 0x1 /* 7 vars */) = 0\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=128, l_len=1}) = 0\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1}) = 0\n\
             7 fcntl(6, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1}) = -1 EAGAIN\n\
             7 fdatasync(5)                      = 0\n\
             8 execve(\"/r/gate/gwsmtp\", [\"gwsmtp\"], 0x1 /* 7 vars */) = 0\n\
             8 execve(\"/nowhere\", [\"x\"], 0x1 /* 7 vars */) = -1 ENOENT\n";
        let counters = Counters::in_text(trace);
        assert_eq!((counters.commits, counters.fsyncs, counters.spawns), (1, 1, 1));
    }
}
