//! What the rounds of kills have left, compared: the calls that were answered, the sink's requests, the ledger of the
//! scripts, that of the gate, and the database.

use crate::killed_daemon::Call;
use crate::stage::Entry;
use gatepost_kit::host::Host;
use gatepost_kit::http_sink::Request;
use std::collections::{BTreeMap, BTreeSet};

/// Provisioning handlers: their path at the sink and their event. Two wait for the same one.
pub(crate) const HANDLERS: [(&str, &str); 4] = [
    ("created", "clients.create"),
    ("created-too", "clients.create"),
    ("active", "clients.subscriptions.activate"),
    ("inactive", "clients.subscriptions.deactivate"),
];

/// All that was written down.
pub(crate) struct Books<'a> {
    pub(crate) host: &'a Host,
    pub(crate) calls: &'a [Call],
    pub(crate) requests: &'a [Request],
    /// Lines `start|end OPERATION USERNAME`.
    pub(crate) scripts: &'a str,
    pub(crate) mails: &'a [Entry],
    /// Messages that came in, and how many of them were commands.
    pub(crate) incoming: (usize, usize),
}

/// What is wrong, and the counts.
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<String>,
    pub(crate) figures: String,
}

/// Compares.
pub(crate) fn compare(books: &Books<'_>) -> Verdict {
    let mut wrong = Vec::new();
    let calls = calls(books, &mut wrong);
    let deliveries = deliveries(books, &mut wrong);
    let services = services(books, &mut wrong);
    let mails = mails(books, &mut wrong);
    let guarded = guarded(books, &mut wrong);
    let incoming = incoming(books, &mut wrong);
    tasks(books, &mut wrong);
    let figures = [calls, deliveries, services, mails, guarded, incoming].join("; ");
    Verdict { wrong, figures }
}

impl Books<'_> {
    fn number(&self, sql: &str) -> usize {
        self.host.sql(sql).parse().unwrap_or_else(|_| panic!("{sql} gives no number"))
    }

    /// The rows of a query, columns apart.
    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = self.host.sql(sql);
        text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
    }
}

/// What was answered is there once, with its event; what was not answered is there once and whole, or not at all.
fn calls(books: &Books<'_>, wrong: &mut Vec<String>) -> String {
    let (mut lost, mut doubled) = (0, 0);
    for call in books.calls {
        let round = call.round;
        let user = format!("(SELECT id FROM user WHERE name='u{round}')");
        let count = match call.function {
            "user.add" => format!("user WHERE name='u{round}'"),
            "payment.add" => format!("payment WHERE key='u{round}'"),
            "service.open" => format!("service WHERE user={user}"),
            "notify.send" => format!("inbox WHERE user={user} AND text LIKE 'tell%'"),
            _ => continue,
        };
        let count = books.number(&format!("SELECT count(*) FROM {count}"));
        lost += usize::from(call.is_done() && count == 0);
        doubled += usize::from(count > 1);
        if count > 1 || (call.is_done() && count == 0) {
            wrong.push(format!("{count} after {call:?}"));
        }
    }
    for (what, sql) in [
        (
            "events of users",
            "SELECT count(*)=(SELECT count(*) FROM user) AND count(*)=count(DISTINCT object_id) FROM event WHERE events_id='clients.create'",
        ),
        (
            "users without a welcome",
            "SELECT NOT EXISTS(SELECT 1 FROM user WHERE (SELECT count(*) FROM inbox WHERE inbox.user=user.id AND text LIKE 'registration%')<>1)",
        ),
        ("the balance", "SELECT balance=(SELECT count(*) FROM payment)*125 FROM account"),
        ("an event nobody was told of", "SELECT count(*)=0 FROM event WHERE told=0"),
    ] {
        if books.number(sql) != 1 {
            wrong.push(format!("{what}: {sql}"));
        }
    }
    let done = books.calls.iter().filter(|call| call.is_done()).count();
    let unknown = books.calls.iter().filter(|call| call.answer.is_none()).count();
    format!("{done} calls done, {unknown} without an answer, {lost} lost, {doubled} done twice")
}

/// Every event has reached each handler of it: once under one key, in order for each object.
fn deliveries(books: &Books<'_>, wrong: &mut Vec<String>) -> String {
    let mut tasks: BTreeMap<String, i64> = BTreeMap::new();
    for row in
        books.rows("SELECT key, task FROM notifylog WHERE module='nthandler' AND outcome='sent'")
    {
        if tasks.insert(row[0].clone(), row[1].parse().unwrap()).is_some() {
            wrong.push(format!("settled twice as sent: {row:?}"));
        }
    }
    let mut seen: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    for request in books.requests {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let handler = request.target.trim_start_matches('/').to_owned();
        let object = body["event"]["object_id"].to_string();
        let key = request.header("idempotency-key");
        if *bodies.entry(key).or_insert(&request.body) != request.body {
            wrong.push(format!("another body under the key {key}"));
        }
        seen.entry((handler, object)).or_default().push(key);
    }
    let (mut events, mut missing) = (0, 0);
    for (handler, event) in HANDLERS {
        let sql =
            format!("SELECT object_id, count(*) FROM event WHERE events_id='{event}' GROUP BY 1");
        for row in books.rows(&sql) {
            let raised: usize = row[1].parse().unwrap();
            events += raised;
            let keys = seen.remove(&(handler.to_owned(), row[0].clone())).unwrap_or_default();
            let once: BTreeSet<&&str> = keys.iter().collect();
            if once.len() != raised {
                missing += raised.abs_diff(once.len());
                wrong.push(format!("{handler} of {row:?}: {raised} events, keys {keys:?}"));
            }
            if !keys.is_sorted_by_key(|key| tasks.get(*key).copied().unwrap_or_default()) {
                wrong.push(format!("{handler} of {row:?}: out of order"));
            }
        }
    }
    wrong.extend(seen.keys().map(|(handler, object)| format!("{handler} of {object}: no event")));
    let doubled = books.requests.len() - bodies.len();
    format!("{events} deliveries due, {missing} missing, {doubled} posted twice (same key)")
}

/// No script ran more often than it was ordered, `open` once at most; what was cut is asked, what is open was opened.
fn services(books: &Books<'_>, wrong: &mut Vec<String>) -> String {
    let ran = |mark: &str, operation: &str, username: &str| {
        let line = format!("{mark} {operation} {username}");
        books.scripts.lines().filter(|found| **found == line).count()
    };
    let asked: BTreeSet<String> = books
        .rows("SELECT object FROM notifytask WHERE modulename='pmshell' AND state=4")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let rows = books.rows("SELECT id, username, state, externalid FROM service");
    let (mut opened, mut cut, mut twice) = (0, 0, 0);
    for row in &rows {
        let (started, ended) = (ran("start", "open", &row[1]), ran("end", "open", &row[1]));
        let is_open = row[2] != "opening";
        opened += usize::from(is_open);
        twice += usize::from(started > 1);
        cut += usize::from(started > 0 && !is_open);
        let is_right = if is_open {
            (started, ended) == (1, 1) && row[3] == row[1]
        } else {
            started <= 1 && asked.contains(&row[0])
        };
        if !is_right {
            wrong.push(format!("service {row:?}: open started {started}, ended {ended}"));
        }
    }
    let ordered = changes(books, (&rows, &asked), wrong);
    format!(
        "{} services, {opened} opened once, {} asked, of these {cut} with a script that had begun, {twice} opened twice; {ordered}",
        rows.len(),
        rows.len() - opened,
    )
}

/// A suspend or resume that was done ran once; one that is asked ran once at most.
fn changes(
    books: &Books<'_>,
    (services, asked): (&[Vec<String>], &BTreeSet<String>),
    wrong: &mut Vec<String>,
) -> String {
    let (mut done, mut ran_in_all) = (0, 0);
    for service in services {
        let of = |event: &str| {
            books.number(&format!(
                "SELECT count(*) FROM event WHERE object_id='{}' AND events_id='clients.subscriptions.{event}'",
                service[0]
            ))
        };
        let opened = usize::from(service[2] != "opening");
        for (operation, events) in
            [("suspend", of("deactivate")), ("resume", of("activate").saturating_sub(opened))]
        {
            let line = format!("start {operation} {}", service[1]);
            let ran = books.scripts.lines().filter(|found| **found == line).count();
            if ran < events || ran > events + usize::from(asked.contains(&service[0])) {
                wrong.push(format!("{operation} of {service:?}: ran {ran}, done {events}"));
            }
            done += events;
            ran_in_all += ran;
        }
    }
    format!("{done} suspends and resumes done, {ran_in_all} run")
}

/// Each user's mail was handed over; a second hand-over says that it may be one.
fn mails(books: &Books<'_>, wrong: &mut Vec<String>) -> String {
    let mut tasks: BTreeMap<i64, Vec<&Entry>> = BTreeMap::new();
    for entry in books.mails {
        tasks.entry(entry.task).or_default().push(entry);
    }
    let contacts: BTreeSet<&str> = books.mails.iter().map(|entry| entry.contact.as_str()).collect();
    for row in books.rows("SELECT email FROM user") {
        if !contacts.contains(row[0].as_str()) {
            wrong.push(format!("no mail to {}", row[0]));
        }
    }
    let sent =
        "SELECT count(DISTINCT task) FROM notifylog WHERE module='ntemail' AND outcome='sent'";
    if books.number(sent) != tasks.len() {
        wrong.push(format!("{} mails, by the log {}", tasks.len(), books.number(sent)));
    }
    for entries in tasks.values_mut() {
        entries.sort_by_key(|entry| entry.attempt);
        if entries.iter().skip(1).any(|entry| !entry.maybe_sent || entry.key != entries[0].key) {
            wrong.push(format!("a double that was not told: {entries:?}"));
        }
    }
    let doubled = books.mails.len() - tasks.len();
    format!("{} mails, {doubled} handed over twice (and told)", tasks.len())
}

/// No payment is there that its handler was not asked about, no switch of an agent that the hook was not.
fn guarded(books: &Books<'_>, wrong: &mut Vec<String>) -> String {
    let payments = books.number("SELECT count(*) FROM payment");
    let handled = books.number("SELECT count(*) FROM payment WHERE comment='handled'");
    let of_agents = "SELECT count(*) FROM event WHERE events_id='agents.status'";
    let switches = books.number(of_agents);
    let hooked = books.number(&format!("{of_agents} AND data LIKE '% hooked\"%'"));
    let answered =
        books.calls.iter().filter(|call| call.function == "agent.status" && call.is_done());
    let answered = answered.count();
    if handled != payments || hooked != switches || switches < answered {
        wrong.push(format!(
            "{handled} of {payments} payments, {hooked} of {switches} switches, {answered} answered"
        ));
    }
    format!(
        "{handled} of {payments} payments handled before, {hooked} of {switches} switches of agents hooked"
    )
}

/// Each mail is stored, counts once, and commands once if it is a command.
fn incoming(books: &Books<'_>, wrong: &mut Vec<String>) -> String {
    let (sent, commands) = books.incoming;
    let stored = books.number("SELECT count(*) FROM gateway_message");
    let counted =
        books.number("SELECT json_extract(value,'$.jana') FROM shared WHERE id='agent_emails'");
    let obeyed = books.number("SELECT count(*) FROM subscription WHERE active=0");
    let used = books.number("SELECT count(*) FROM reply_token WHERE used_ms IS NOT NULL");
    if (stored, counted, obeyed, used) != (sent, sent, commands, commands) {
        wrong.push(format!("of {sent} mails {stored} stored, {counted} counted; of {commands} commands {obeyed} done, {used} tokens used"));
    }
    format!(
        "{sent} mails in, {stored} stored, {counted} counted, {obeyed} of {commands} commands done"
    )
}

/// A task has ended as sent, or is asked: nothing failed, nothing vanished.
fn tasks(books: &Books<'_>, wrong: &mut Vec<String>) {
    let left = "SELECT modulename, state, err_info FROM notifytask WHERE NOT (state=4 AND modulename='pmshell')";
    wrong.extend(books.rows(left).iter().map(|row| format!("left: {row:?}")));
    let vanished = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM n \
                    WHERE id<(SELECT seq FROM sqlite_sequence WHERE name='notifytask')) SELECT id FROM n \
                    WHERE id NOT IN (SELECT id FROM notifytask) \
                    AND id NOT IN (SELECT task FROM notifylog WHERE outcome='sent')";
    wrong.extend(books.rows(vanished).iter().map(|row| format!("task {row:?} has vanished")));
}
