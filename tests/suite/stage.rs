//! The stage of the proofs: an installation with one project, gateways of one's own, numbered messages, a ledger.

use gatepost_kit::host::{Host, Ran, beside_us, wait_until};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Nothing here takes longer, on a busy machine either.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// Settings that make hours into moments.
const SHORT: &[(&str, &str)] = &[
    ("queue.lease_secs", "5"),
    ("queue.extend_secs", "1"),
    ("queue.poll_secs", "0.1"),
    ("retry.mail.base_secs", "0.05"),
    ("retry.mail.cap_secs", "0.2"),
    ("retry.sms.base_secs", "0.05"),
    ("retry.sms.cap_secs", "0.2"),
    ("gateway.breaker_first_secs", "0.1"),
    ("gateway.breaker_most_secs", "0.3"),
    ("gateway.hold_first_secs", "0.1"),
    ("gateway.hold_most_secs", "0.3"),
    ("gate.kill_secs", "0.3"),
    ("daemon.restart_first_secs", "0.1"),
];

/// An installation that is ready to send.
pub(crate) struct Stage {
    /// The installation.
    pub(crate) host: Host,
    settings: BTreeMap<String, String>,
}

impl Stage {
    /// With project 1, short times, and no gateway.
    pub(crate) fn new() -> Self {
        let host = Host::new();
        let settings = SHORT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut stage = Self { host, settings: settings.collect() };
        stage.set(&[]);
        stage
            .host
            .gatepost(&["project", "add", "name=Example", "notifyemail=we@example.com"])
            .ended(0);
        stage
    }

    /// With a gateway whose gate keeps a ledger and takes so long for each message.
    pub(crate) fn with_ledger(each_ms: u32) -> Self {
        let mut stage = Self::new();
        std::fs::copy(beside_us("ledger-gate"), stage.host.path("gate/gwledger")).unwrap();
        stage.set(&[("gate.env.LEDGER_MS", &format!("\"{each_ms}\""))]);
        stage.gateway("gwledger", 1);
        stage
    }

    /// With a gateway whose gate serves, keeps a ledger, and behaves in that way.
    pub(crate) fn serving(mode: &str) -> Self {
        let mut stage = Self::new();
        stage.host.program("gate/gwserve", include_str!("../programs/serve_gate.py"));
        stage.set(&[("gate.env.SERVE_MODE", &format!("\"{mode}\""))]);
        stage.gateway("gwserve", 1);
        stage
    }

    /// The same, well-behaved, and it takes so long for each message.
    pub(crate) fn serving_slowly(each_ms: u32) -> Self {
        let mut stage = Self::serving("");
        stage.set(&[("gate.env.SERVE_MS", &format!("\"{each_ms}\""))]);
        stage
    }

    /// Changes settings: keys with their sections, values as TOML writes them.
    pub(crate) fn set(&mut self, settings: &[(&str, &str)]) {
        for (key, value) in settings {
            self.settings.insert((*key).to_owned(), (*value).to_owned());
        }
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        for (key, value) in &self.settings {
            let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
            writeln!(sections.entry(section).or_default(), "{name} = {value}").unwrap();
        }
        let mut text = sections.remove("").unwrap_or_default();
        for (section, lines) in sections {
            write!(text, "[{section}]\n{lines}").unwrap();
        }
        self.host.write("etc/gatepost.toml", text);
    }

    /// A gateway of a gate that has no form, for messages of a project.
    pub(crate) fn gateway(&self, gate: &str, project: u32) -> i64 {
        self.gateway_of("ntemail", gate, project)
    }

    /// The same for any module.
    pub(crate) fn gateway_of(&self, module: &str, gate: &str, project: u32) -> i64 {
        let id = self.host.sql(&format!(
            "INSERT INTO gateway(name,project,notify_module,gateway_module,gateway_type)
             VALUES('{gate}',{project},'{module}','{gate}',1) RETURNING id"
        ));
        id.parse().unwrap()
    }

    /// Queues one file with so many messages, to `u1@example.com` and so on, from this number up.
    pub(crate) fn queue(&self, from: u32, messages: u32) {
        let notifies: Vec<String> =
            (from..from + messages).map(|number| notify(number, 1)).collect();
        let name = format!("file-{from}.xml");
        self.queue_file(&name, format!("<doc>{}</doc>", notifies.concat()));
    }

    /// Queues a notification file as it is.
    pub(crate) fn queue_file(&self, name: &str, text: impl AsRef<[u8]>) {
        let file = self.host.write(&format!("var/{name}"), text);
        self.host.gatepost(&["enqueue", file.to_str().unwrap(), "--module", "ntemail"]).ended(0);
        std::fs::remove_file(&file).unwrap();
    }

    /// Users `u1` and so on, and a notice to each of them, as tasks with bodies.
    pub(crate) fn mass(&self, messages: u32) {
        let mut csv = "external_id,name,email\n".to_owned();
        for number in 1..=messages {
            writeln!(csv, "e{number},u{number},u{number}@example.com").unwrap();
        }
        self.host
            .run_with("bin/gatepost", &["user", "import", "-", "--project", "1"], csv.as_bytes())
            .ended(0);
        self.host.write("templates/hello/en.ntemail.text.ejs", "Hello <%= user.name %>\n");
        self.host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
        let mass =
            ["func", "notify.mass", "notice=hello", "project=1", "module=ntemail", "key=mass"];
        self.host.gatepost(&mass).ended(0);
        assert_eq!(self.unfinished(), u64::from(messages));
    }

    /// The notice once more to every user there is, or to so many new ones, under another key.
    pub(crate) fn mass_more(&self, messages: u32, key: &str) {
        if self.number("SELECT count(*) FROM user") == 0 {
            return self.mass(messages);
        }
        let key = format!("key={key}");
        let mass = ["func", "notify.mass", "notice=hello", "project=1", "module=ntemail", &key];
        self.host.gatepost(&mass).ended(0);
    }

    /// True if nobody stands in a transaction that writes.
    pub(crate) fn database_is_free(&self) -> bool {
        let database = self.host.path("var/gatepost.db");
        let arguments =
            ["-cmd", ".timeout 300", database.to_str().unwrap(), "BEGIN IMMEDIATE; ROLLBACK"];
        self.host.run("/usr/bin/sqlite3", &arguments).code == Some(0)
    }

    /// `process` with a kill point or a fault of the harness.
    pub(crate) fn sabotaged(&self, word: &str) -> Ran {
        let mut command = self.host.command("notify/ntemail", &["--command", "process", "--force"]);
        let output = command.env("GATEPOST_KILL_AT", word).output().unwrap();
        Ran::of(&output)
    }

    /// Drains until nothing is ready, in hand or waiting.
    pub(crate) fn drain(&self) {
        wait_until(LONG, "the queue is drained", || {
            self.host.process("ntemail").ended(0);
            self.unfinished() == 0
        });
    }

    /// Rows that are ready, sending or waiting.
    pub(crate) fn unfinished(&self) -> u64 {
        self.number("SELECT count(*) FROM notifytask WHERE state<3")
    }

    /// A number from the database.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.host.sql(sql).parse().unwrap_or_else(|_| panic!("{sql} gives no number"))
    }

    /// The hand-overs the gate saw.
    pub(crate) fn ledger(&self) -> Vec<Entry> {
        self.host.read("var/ledger").lines().map(Entry::read).collect()
    }

    /// Waits until the gate has seen so many hand-overs.
    pub(crate) fn wait_for_entries(&self, entries: usize) {
        wait_until(LONG, "the ledger grows", || self.ledger().len() >= entries);
    }

    /// What dead workers left in doubt: `TASK SEQ` of every start without an end in `var/run/OWNER.sent`.
    pub(crate) fn in_doubt(&self) -> Vec<(i64, i64)> {
        let mut open = Vec::new();
        for entry in std::fs::read_dir(self.host.path("var/run")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "sent") {
                open.extend(open_starts(&std::fs::read_to_string(path).unwrap()));
            }
        }
        open
    }
}

fn open_starts(notes: &str) -> Vec<(i64, i64)> {
    let mut open = Vec::new();
    for line in notes.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let lease = (words[1].parse().unwrap(), words[2].parse().unwrap());
        match words[0] {
            "start" => open.push(lease),
            _ => open.retain(|started| *started != lease),
        }
    }
    open
}

/// The `/doc/notify` of one numbered message.
pub(crate) fn notify(number: u32, project: u32) -> String {
    format!(
        "<notify><tmpl>Number &lt;%= n %&gt; for __name__</tmpl><templatesubject>Subject {number}</templatesubject>\
         <notice_xml>&lt;doc&gt;&lt;project&gt;&lt;id&gt;{project}&lt;/id&gt;&lt;/project&gt;&lt;n&gt;{number}&lt;/n&gt;&lt;noticeparams/&gt;&lt;/doc&gt;</notice_xml>\
         <user><id>{number}</id><name>u{number}</name><email>u{number}@example.com</email></user></notify>"
    )
}

/// A line for whoever runs the tests, past the capture of the harness.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One hand-over as the gate saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) task: i64,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) maybe_sent: bool,
    pub(crate) contact: String,
    pub(crate) worker: u32,
}

impl Entry {
    fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        Self {
            task: words[0].parse().unwrap(),
            key: words[1].to_owned(),
            attempt: words[2].parse().unwrap(),
            maybe_sent: words[3] == "1",
            contact: words[4].to_owned(),
            worker: words[5].parse().unwrap(),
        }
    }
}
