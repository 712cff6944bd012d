//! The stage of the proofs: an installation with one project, gateways of one's own, numbered messages, a ledger.

use gatepost_kit::host::{Host, Ran, Running, beside_us, wait_until};
use gatepost_kit::ledger::DeliveryPath;
use gatepost_kit::smtp_sink::{Letter, Sink};
use gatepost_kit::tools::descendants;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

/// Nothing here takes longer, on a busy machine either.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// What gwsmtp may open here.
pub(crate) const CONNECTIONS: usize = 4;

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
    /// The mail server, where the messages are mails.
    sink: Option<Sink>,
    settings: BTreeMap<String, String>,
}

impl Stage {
    /// With project 1, short times, and no gateway.
    pub(crate) fn new() -> Self {
        let host = Host::new();
        let settings = SHORT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut stage = Self { host, sink: None, settings: settings.collect() };
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

    /// With a gateway of gwsmtp to a mail server that takes so long for each message.
    pub(crate) fn mailing(each_ms: u64) -> Self {
        let mut stage = Self::new();
        let sink = Sink::start();
        sink.take_its_time(Duration::from_millis(each_ms));
        let (port, most) =
            (format!("port={}", sink.port()), format!("max_connections={CONNECTIONS}"));
        let relay = ["gateway", "add", "gwsmtp", "project=1", "name=relay", "host=127.0.0.1"];
        let relay = [&relay[..], &[&port, "security=none", &most]].concat();
        stage.host.gatepost(&relay).ended(0);
        stage.sink = Some(sink);
        stage
    }

    /// With a gateway whose messages take this path, and so long each.
    pub(crate) fn on(path: DeliveryPath, each_ms: u32) -> Self {
        match path {
            DeliveryPath::OneShot => Self::with_ledger(each_ms),
            DeliveryPath::Serve => Self::serving_slowly(each_ms),
            DeliveryPath::Smtp => {
                let stage = Self::mailing(each_ms.into());
                // a window as the other gates have it
                stage.host.sql("UPDATE gateway SET concurrency=8");
                stage
            }
        }
    }

    /// The mail server of a stage that has one.
    pub(crate) fn sink(&self) -> &Sink {
        self.sink.as_ref().unwrap()
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

    /// The hand-overs the gate saw; of mails: what the server took, by the tasks of the log.
    pub(crate) fn ledger(&self) -> Vec<Entry> {
        match &self.sink {
            None => self.host.read("var/ledger").lines().map(Entry::read).collect(),
            Some(sink) => self.mails(&sink.letters()),
        }
    }

    /// Which task each contact has or had, by the queue and by the log.
    pub(crate) fn tasks_of_contacts(&self) -> BTreeMap<String, i64> {
        let rows = self.host.sql(
            "SELECT contact||' '||task FROM notifylog WHERE contact IS NOT NULL UNION \
             SELECT substr(user, instr(user,'<email>')+7, instr(user,'</email>')-instr(user,'<email>')-7)||' '||id \
             FROM notifybody",
        );
        let pair = |row: &str| {
            let (contact, task) = row.split_once(' ').unwrap();
            (contact.to_owned(), task.parse().unwrap())
        };
        rows.lines().map(pair).collect()
    }

    fn mails(&self, letters: &[Letter]) -> Vec<Entry> {
        let tasks = self.tasks_of_contacts();
        let mut came: BTreeMap<String, u32> = BTreeMap::new();
        let entry = |letter: &Letter| {
            let [contact] = &letter.recipients[..] else { panic!("{:?}", letter.recipients) };
            let attempt = came.entry(contact.clone()).or_default();
            *attempt += 1;
            Entry::of_mail(letter, *attempt, tasks.get(contact.as_str()).copied())
        };
        letters.iter().map(entry).collect()
    }

    /// Waits until the receiver has seen so many hand-overs.
    pub(crate) fn wait_for_entries(&self, entries: usize) {
        wait_until(LONG, "the ledger grows", || match &self.sink {
            None => self.host.read("var/ledger").lines().count() >= entries,
            Some(sink) => sink.count() >= entries,
        });
    }

    /// The gates that this worker runs now.
    pub(crate) fn gates_of(worker: &Running) -> Vec<u32> {
        descendants(worker.pid(), 1).into_iter().filter(|pid| is_gate(*pid)).collect()
    }

    /// Waits until a dead worker's gates have gone, and what they had in hand has arrived.
    pub(crate) fn let_gates_leave(&self) {
        let own = std::fs::canonicalize(self.host.root()).unwrap();
        let is_here = |pid: u32| {
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == own)
        };
        wait_until(LONG, "the gates leave", || {
            let all = std::fs::read_dir("/proc").unwrap();
            let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            !pids.into_iter().any(|pid| is_gate(pid) && is_here(pid))
        });
        if let Some(sink) = &self.sink {
            sink.wait_until_left();
        }
    }

    /// Attempts that ended as unknown, by the log: task and number.
    pub(crate) fn unknown(&self) -> BTreeSet<(i64, i64)> {
        let sql = "SELECT task||' '||attempt FROM notifylog WHERE outcome='unknown'";
        let row = |line: &str| {
            let (task, attempt) = line.split_once(' ').unwrap();
            (task.parse().unwrap(), attempt.parse().unwrap())
        };
        self.host.sql(sql).lines().map(row).collect()
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

/// By the name it runs under.
fn is_gate(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.starts_with("gw")
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

/// One hand-over as the receiver saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) task: i64,
    pub(crate) key: String,
    /// As the gate was told; of a mail: which of its arrivals.
    pub(crate) attempt: u32,
    /// As the gate was told; a mail server is told by the same Message-ID, which is the key here.
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

    /// 0 where the log knows no task of this contact, and no worker.
    fn of_mail(letter: &Letter, attempt: u32, task: Option<i64>) -> Self {
        let text = letter.text();
        let key = text.lines().find(|line| line.starts_with("Message-ID: ")).unwrap();
        Self {
            task: task.unwrap_or(0),
            key: key.to_owned(),
            attempt,
            maybe_sent: attempt > 1,
            contact: letter.recipients[0].clone(),
            worker: 0,
        }
    }
}
