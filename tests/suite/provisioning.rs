//! Provisioning handlers, whole: a real Flask handler, hostile servers, order, retries, deaths (seed 002).

use crate::stage::{LONG, say};
use gatepost_kit::host::{Host, examples, repository, wait_until};
use gatepost_kit::http_sink::{HttpSink, Reply, Request};
use gatepost_kit::tools::missing;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An installation whose handlers are tried again at once.
fn host() -> Host {
    let host = Host::new();
    set(
        &host,
        &[("retry.provisioning.base_secs", "0.02"), ("retry.provisioning.cap_secs", "0.05")],
    );
    host.gatepost(&["func", "project.add", "name=Brand"]).ended(0);
    host
}

fn set(host: &Host, keys: &[(&str, &str)]) {
    for (key, value) in keys {
        host.gatepost(&["config", "set", key, value]).ended(0);
    }
}

/// A handler of `clients.create`, brought into action; its id.
fn handler(host: &Host, task: &str, more: &[&str]) -> String {
    let task = format!("task={task}");
    let mut words = vec!["func", "provisioning.add", "name=h", "event=clients.create", &task];
    words.extend(more);
    let made = host.gatepost(&words).ended(0).stdout;
    host.gatepost(&["func", "cachemanager.restart"]).ended(0);
    word(&made, "id=")
}

fn word(line: &str, name: &str) -> String {
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {line}")).to_owned()
}

fn add_user(host: &Host, name: &str) {
    host.gatepost(&["func", "user.add", &format!("name={name}")]).ended(0);
}

/// Events as a settling turn writes them: nobody has been told.
fn events(host: &Host, count: u32, object: &str) {
    host.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{count}) \
         INSERT INTO event(at_ms,events_id,object_id,data,told) \
         SELECT 1795300000000+i,'clients.create',{object},'{{\"n\":'||i||'}}',0 FROM n"
    ));
}

fn drain(host: &Host) {
    let left =
        || host.sql("SELECT count(*) FROM notifytask WHERE modulename='nthandler' AND state<3");
    wait_until(10 * LONG, "every delivery ends", || {
        host.process("nthandler").ended(0);
        left() == "0" && host.sql("SELECT count(*) FROM event WHERE told=0") == "0"
    });
}

fn outcomes(host: &Host) -> String {
    host.sql("SELECT group_concat(outcome,' ') FROM (SELECT outcome FROM notifylog WHERE module='nthandler' ORDER BY id)")
}

fn number_of(request: &Request) -> u64 {
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    body["data"]["n"].as_u64().unwrap()
}

/// Python with the packages that `cargo xtask test` fetches.
fn python(imports: &str) -> Option<Command> {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", repository().join("target/peers/python"));
    let mut look = Command::new("python3");
    look.env("PYTHONPATH", repository().join("target/peers/python"))
        .args(["-c", &format!("import {imports}")]);
    let found = look.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    (found || missing(&format!("python package `{imports}`"))).then_some(command)
}

/// The documents' handler where it is present, else the same by us.
fn flask_source() -> String {
    let theirs = examples().map(|folder| folder.join("provisioning/flask_handler.py"));
    let theirs = theirs.and_then(|path| std::fs::read_to_string(path).ok());
    theirs.unwrap_or_else(|| include_str!("../programs/flask_handler.py").to_owned())
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// S2-25, S2-26, S2-31, S2-32, S2-33, S2-33a, S2-34
#[test]
fn the_documents_flask_handler_gets_one_post_and_its_answer_equals_the_request() {
    let Some(mut python) = python("flask") else { return };
    let host = host();
    let source = host.write("flask_handler.py", flask_source());
    let child = python.arg(source).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _flask = Ended(child);
    wait_until(LONG, "flask listens", || TcpStream::connect("127.0.0.1:5000").is_ok());
    // the steps of the document: HTTP type, enabled, restart of the cache manager, a new client
    let id = handler(&host, "127.0.0.1:5000/api", &["type=http", "status=enabled"]);
    add_user(&host, "bob");
    host.process("nthandler").ended(0);
    assert_eq!(outcomes(&host), "sent");
    let log =
        host.gatepost(&["func", "provisioning.log", &format!("elid={id}"), "-o", "json"]).ended(0);
    let rows: serde_json::Value = serde_json::from_str(&log.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!((&rows[0]["status"], &rows[0]["event"]), (&"200".into(), &"clients.create".into()));
    let echoed: serde_json::Value =
        serde_json::from_str(rows[0]["response"].as_str().unwrap()).unwrap();
    assert_eq!(echoed["event"]["events_id"], "clients.create");
    assert_eq!(echoed["event"]["object_id"], 1);
    assert_eq!(echoed["data"]["name"], "bob");
}

// S2-35
#[test]
fn the_pages_do_not_copy_the_slip_of_the_document() {
    for page in crate::pages::pages() {
        assert!(!page.whole.contains("120.0.0.1"), "{}", page.name);
    }
}

const VERIFY: &str = "
import json, sys
from standardwebhooks import Webhook
given = json.load(sys.stdin)
for secret in given['secrets']:
    Webhook(secret).verify(given['body'].encode(), given['headers'])
try:
    Webhook(given['secrets'][0]).verify(given['body'].encode() + b' ', given['headers'])
except Exception:
    print('verified')
";

#[test]
fn the_reference_verifier_takes_the_signature_and_both_while_a_secret_is_rotated() {
    let Some(mut python) = python("standardwebhooks") else { return };
    let host = host();
    let sink = HttpSink::start(|_| Reply::ok(""));
    let task = format!("task=http://{}/", sink.address());
    let words = ["func", "provisioning.add", "name=h", "event=clients.create", &task];
    let made = host.gatepost(&words).ended(0).stdout;
    let elid = format!("elid={}", word(&made, "id="));
    let next = host.gatepost(&["func", "provisioning.edit", "sok=ok", &elid, "rotate=on"]).ended(0);
    let secrets = [word(&next.stdout, "secret="), word(&made, "secret=")];
    host.gatepost(&["func", "cachemanager.restart"]).ended(0);
    add_user(&host, "bob");
    host.process("nthandler").ended(0);
    let request = &sink.requests()[0];
    let headers: BTreeMap<_, _> = request.headers.iter().cloned().collect();
    assert_eq!(headers["idempotency-key"], headers["webhook-id"]);
    let given = serde_json::json!({"secrets": secrets, "headers": headers, "body": request.body});
    let mut child =
        python.args(["-c", VERIFY]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &given).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "verified");
    // the secrets stand nowhere in the clear
    for secret in secrets {
        assert_eq!(
            host.sql(
                "SELECT count(*) FROM provisioning WHERE hex(secret) LIKE '%'||hex('whsec_')||'%'"
            ),
            "0"
        );
        assert!(!host.read("var/gatepost.log").contains(&secret));
    }
}

/// What is about client 1.
const BOB: &str = "\"object_id\":1}";

// S2-27, S2-28, S2-30
#[test]
fn one_handlers_trouble_holds_neither_the_next_handler_nor_other_objects() {
    let host = host();
    let refused = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&refused);
    // fails the first three calls about client 1
    let first = HttpSink::start(move |request| {
        let about_bob = request.body.contains(BOB);
        if about_bob && count.fetch_add(1, Ordering::SeqCst) < 3 {
            return Reply::status(500, "not now");
        }
        Reply::ok("done")
    });
    let second = HttpSink::start(|_| Reply::ok(""));
    handler(&host, &first.url("/"), &["priority=1"]);
    handler(&host, &second.url("/"), &["priority=2"]);
    add_user(&host, "bob");
    add_user(&host, "eve");
    drain(&host);
    assert_eq!(first.requests().len(), 5);
    assert_eq!(second.requests().len(), 2);
    let words: Vec<_> = outcomes(&host).split(' ').map(str::to_owned).collect();
    assert_eq!(words.iter().filter(|word| *word == "later").count(), 3, "{words:?}");
    let mut bobs = first.requests();
    bobs.retain(|request| request.body.contains(BOB));
    assert_eq!(bobs.len(), 4);
    let key = bobs[0].header("idempotency-key").to_owned();
    assert!(bobs.iter().all(|request| request.header("idempotency-key") == key), "{bobs:?}");
    assert_eq!(host.sql("SELECT count(*) FROM notifylog WHERE reason LIKE '% answered 500 Internal Server Error: not now'"), "3");
}

#[test]
fn gone_redirected_forbidden_and_busy_receivers() {
    let host = host();
    let gone = HttpSink::start(|_| Reply::status(410, "leave me alone"));
    let id = handler(&host, &gone.url("/"), &[]);
    add_user(&host, "a");
    add_user(&host, "b");
    let one = ["--command", "process", "--force", "--limit", "1"];
    host.run("notify/nthandler", &one).ended(0);
    drain(&host);
    assert_eq!(gone.requests().len(), 1, "after a 410 nobody is called");
    assert_eq!(host.sql(&format!("SELECT status FROM provisioning WHERE id={id}")), "disabled");
    let failed = host.sql("SELECT group_concat(err_info,'|') FROM notifytask WHERE modulename='nthandler' AND state=3");
    assert!(
        failed.contains("answered 410 Gone: leave me alone") && failed.contains("disabled"),
        "{failed}"
    );
    // enabled again, what has failed is replayable
    let elid = format!("elid={id}");
    let ok = HttpSink::start(|_| Reply::ok(""));
    let to = format!("task={}", ok.url("/x"));
    host.gatepost(&["func", "provisioning.edit", "sok=ok", &elid, "status=enabled", &to]).ended(0);
    host.gatepost(&["func", "cachemanager.restart"]).ended(0);
    host.gatepost(&["retry", "--state", "failed", "--yes"]).ended(0);
    drain(&host);
    assert_eq!(ok.requests().len(), 2);
    // Retry-After is kept: no second call within the time that cron has
    let busy = HttpSink::start(|_| Reply::status(429, "").with_header("Retry-After", "3600"));
    let to = format!("task={}", busy.url("/"));
    host.gatepost(&["func", "provisioning.edit", "sok=ok", &elid, &to]).ended(0);
    host.gatepost(&["func", "cachemanager.restart"]).ended(0);
    add_user(&host, "c");
    host.process("nthandler").ended(0);
    host.process("nthandler").ended(0);
    assert_eq!(busy.requests().len(), 1);
    let wait =
        host.sql("SELECT (run_at-strftime('%s','now')*1000)/60000 FROM notifytask WHERE modulename='nthandler' AND state=2");
    assert!(matches!(wait.as_str(), "58" | "59" | "60"), "{wait}");
}

/// Longer than any limit of this test.
const NEVER: Duration = Duration::from_secs(30);

#[test]
fn slow_redirecting_and_endless_answers_are_named_kept_short_and_hold_nobody_up() {
    let host = host();
    set(&host, &[("provisioning.call_secs", "1"), ("retry.provisioning.age_secs", "0.01")]);
    let (asked, patience) = std::sync::mpsc::channel::<()>();
    let patience = Mutex::new(patience);
    let slow = HttpSink::start(move |_| {
        // until the test ends
        let _ = patience.lock().unwrap().recv_timeout(NEVER);
        Reply::ok("")
    });
    let aside = HttpSink::start(|_| Reply::ok(""));
    let elsewhere = aside.url("/stolen");
    let moved =
        HttpSink::start(move |_| Reply::status(307, "").with_header("Location", &elsewhere));
    let long = HttpSink::start(|_| Reply::ok("y".repeat(10 << 20)));
    let good = HttpSink::start(|_| Reply::ok(""));
    let sinks = [&slow, &moved, &long, &good];
    for (sink, number) in sinks.iter().zip(["priority=1", "priority=2", "priority=3", "priority=4"])
    {
        handler(&host, &sink.url("/"), &[number]);
    }
    let from = Instant::now();
    add_user(&host, "bob");
    drain(&host);
    assert!(from.elapsed() < NEVER, "{:?}", from.elapsed());
    drop(asked);
    assert!(aside.requests().is_empty(), "a redirect is not followed");
    assert_eq!((long.requests().len(), good.requests().len()), (1, 1));
    let failed = host.sql(
        "SELECT group_concat(err_info,'|') FROM notifytask WHERE modulename='nthandler' AND state=3",
    );
    assert!(failed.contains("no answer in time"), "{failed}");
    assert!(failed.contains("307 Temporary Redirect: redirects are not followed"), "{failed}");
    let log = host.gatepost(&["func", "provisioning.log", "elid=3", "-o", "json"]).ended(0).stdout;
    let rows: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!(rows[0]["response"].as_str().unwrap().len(), 64 << 10, "of 10 MiB");
    assert_eq!(rows[0]["status"], "200");
}

#[test]
fn an_address_inside_is_refused_and_a_script_gets_the_same_bytes() {
    let host = host();
    set(&host, &[("provisioning.allow_private", "[]")]);
    let sink = HttpSink::start(|_| Reply::ok(""));
    handler(&host, &sink.url("/"), &[]);
    // S2-29
    host.program("addon/seen.sh", "#!/bin/sh\ncat > seen.json\necho thanks\n");
    handler(&host, "addon/seen.sh", &["type=script", "priority=2"]);
    host.program("addon/angry.sh", "#!/bin/sh\necho 'no such client' >&2\nexit 3\n");
    set(&host, &[("retry.provisioning.age_secs", "0.01")]);
    handler(&host, "addon/angry.sh", &["type=script", "priority=3"]);
    add_user(&host, "bob");
    drain(&host);
    assert!(sink.requests().is_empty());
    let failed = host.sql("SELECT group_concat(err_info,'|') FROM notifytask WHERE modulename='nthandler' AND state=3");
    assert!(failed.contains("provisioning.allow_private"), "{failed}");
    assert!(failed.contains("exit 3: no such client"), "{failed}");
    let seen: serde_json::Value = serde_json::from_str(&host.read("seen.json")).unwrap();
    assert_eq!(seen["event"]["events_id"], "clients.create");
    assert_eq!(host.sql("SELECT count(*) FROM notifylog WHERE outcome='sent'"), "1");
}

/// Counted, not timed: the calls come one after the other, in order, and each turn costs the same.
#[test]
fn ten_thousand_calls_on_one_object_are_in_order_and_linear() {
    const CALLS: u32 = 10_000;
    let host = host();
    let at = Arc::new(Mutex::new(Vec::with_capacity(CALLS as usize)));
    let seen = Arc::clone(&at);
    let sink = HttpSink::start(move |request| {
        seen.lock().unwrap().push((number_of(request), Instant::now()));
        Reply::ok("")
    });
    handler(&host, &sink.url("/"), &[]);
    events(&host, CALLS, "7");
    drain(&host);
    let at = at.lock().unwrap();
    let numbers: Vec<u64> = at.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=u64::from(CALLS)).collect::<Vec<_>>());
    let quarter = CALLS as usize / 4;
    let took = |part: usize| at[(part + 1) * quarter - 1].1 - at[part * quarter].1;
    say(&format!("10,000 calls on one object: quarters took {:?}", [0, 1, 2, 3].map(took)));
    assert!(took(3) < took(0) * 4, "the last quarter took {:?}, the first {:?}", took(3), took(0));
}

#[test]
fn a_worker_killed_again_and_again_loses_no_call_and_keeps_the_order() {
    const CALLS: u32 = 200;
    let host = host();
    set(&host, &[("queue.poison_crashes", "1000")]);
    let sink = HttpSink::start(|_| Reply::ok(""));
    handler(&host, &sink.url("/"), &[]);
    events(&host, CALLS, "1+i%4");
    for round in 0..12 {
        let word = [
            "after_claim:3",
            "mid_send:5",
            "after_send:4",
            "in_finish:3",
            "after_finish:4",
            "random:150",
        ][round % 6];
        let mut command = host.command("notify/nthandler", &["--command", "process", "--force"]);
        let _ = command.env("GATEPOST_KILL_AT", word).output().unwrap();
    }
    drain(&host);
    let requests = sink.requests();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut first_seen = std::collections::BTreeSet::new();
    for request in &requests {
        let number = number_of(request);
        let object = number % 4;
        // a call may come twice, but none before the one that happened before it
        let before = last.get(&object).copied().unwrap_or(0);
        assert!(number >= before, "call {number} of object {object} after {before}");
        last.insert(object, number);
        first_seen.insert(number);
    }
    assert_eq!(first_seen.len(), CALLS as usize, "nothing is lost");
    assert!(requests.len() < CALLS as usize + 40, "{} calls", requests.len());
    assert_eq!(host.sql("SELECT count(*) FROM notifytask"), "0");
}

// S2-33
#[test]
fn a_handler_is_never_probed_each_event_is_one_post_and_nothing_else() {
    let host = host();
    let sink = HttpSink::start(|_| Reply::ok(""));
    let id = handler(&host, &sink.url("/api"), &["type=http", "status=enabled"]);
    host.gatepost(&["func", "provisioning.edit", "sok=ok", &format!("elid={id}"), "name=again"])
        .ended(0);
    host.gatepost(&["provisioning", "restart"]).ended(0);
    host.process("nthandler").ended(0);
    add_user(&host, "bob");
    drain(&host);
    host.process("nthandler").ended(0);
    let requests = sink.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!((requests[0].method.as_str(), requests[0].target.as_str()), ("POST", "/api"));
}

#[test]
fn a_do_nothing_file_holds_calls_of_handlers_and_work_on_services_until_it_is_gone() {
    let host = host();
    let sink = HttpSink::start(|_| Reply::ok(""));
    handler(&host, &sink.url("/"), &[]);
    for name in ["open", "suspend", "resume", "close"] {
        let script = "#!/bin/sh\necho ran >> var/ran\necho OK --id=7\n";
        host.program(&format!("scripts/{name}.sh"), script);
    }
    let path = format!("path={}", host.path("scripts").display());
    let row = ["func", "processing.add", "module=pmshell", "transport=local", &path];
    host.gatepost(&row).ended(0);
    host.gatepost(&["func", "product.add", "name=FTP", "type=ftp"]).ended(0);
    host.write("etc/gatepost.DoNothing", "");
    add_user(&host, "bob");
    host.gatepost(&["func", "service.open", "user=bob", "product=FTP"]).ended(0);
    let waiting = "SELECT group_concat(modulename||' '||state||error_count) FROM \
                   (SELECT * FROM notifytask WHERE modulename IN ('nthandler','pmshell') ORDER BY id)";
    for _ in 0..2 {
        host.process("nthandler").ended(0);
        assert_eq!(host.sql(waiting), "nthandler 00,pmshell 00");
    }
    assert_eq!((sink.requests().len(), host.read("var/ran").as_str()), (0, ""));
    std::fs::remove_file(host.path("etc/gatepost.DoNothing")).unwrap();
    wait_until(LONG, "both are done", || {
        host.process("nthandler").ended(0);
        host.sql("SELECT state FROM service") == "active" && sink.requests().len() == 1
    });
    assert_eq!(host.read("var/ran"), "ran\n");
}
