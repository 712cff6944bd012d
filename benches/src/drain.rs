//! Gatepost's own part: an installation with a full queue, and its drain.

use crate::contest::{Ready, Sender};
use crate::sinks::Sink;
use gatepost_kit::host::Host;
use gatepost_kit::strace::Counters;
use std::fmt::Write as _;
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
        let row = |number| format!("u{number},User {number},{}", contact(number));
        import_users(&host, &format!("name,realname,{column}"), (0..self.messages).map(row));
        for (name, text) in &self.templates {
            host.write(&format!("templates/bench/{name}"), text);
        }
        let module = format!("module={}", self.module);
        let mass = ["func", "notify.mass", "notice=bench", &module, "data.number=2026-0118"];
        host.gatepost(&mass).ended(0);
        Queue { host, module: self.module, messages: self.messages }
    }
}

/// Users of one import: a call takes 8 MiB.
const IMPORT: usize = 100_000;

/// Users of the project `Bench`.
pub(crate) fn import_users(host: &Host, head: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let mut csv = format!("{head}\n");
        for row in rows.by_ref().take(IMPORT) {
            writeln!(csv, "{row}").unwrap();
        }
        let import = ["user", "import", "-", "--project", "Bench"];
        host.run_with("bin/gatepost", &import, csv.as_bytes()).ended(0);
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
        let counters = Counters::of(&self.drain(), &self.host.path("trace"))?;
        self.check();
        Some(counters)
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
