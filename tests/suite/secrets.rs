//! Secrets of a whole run are nowhere but where they are sealed: not in a log, a table, a file, an error or a process list.

use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::{Host, Ran, wait_until};
use gatepost_kit::http_sink::{HttpSink, Reply};
use gatepost_kit::smtp_sink::{Act, Rule, Sink};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Values with characters that every encoding writes in its own way.
const SMTP_PASSWORD: &str = "kX9&<smtp>'7/?\u{436}";
const HTTP_TOKEN: &str = "tok+en=%/&\"Q2<z>";
const GATE_PASSWORD: &str = "Gate&pass<word> \"4'2\"/+";

/// How a secret may look.
pub(crate) fn faces(secret: &str) -> Vec<String> {
    let percent = |keep: fn(u8) -> bool| {
        secret.bytes().fold(String::new(), |mut text, byte| {
            if keep(byte) {
                text.push(char::from(byte));
            } else {
                write!(text, "%{byte:02X}").unwrap();
            }
            text
        })
    };
    let strict = percent(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    let path = percent(|byte| byte.is_ascii_graphic() && !b"%<>\"".contains(&byte));
    let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let full = xml.replace('"', "&quot;").replace('\'', "&apos;");
    let json = secret.replace('"', "\\\"");
    let twice = xml.replace('&', "&amp;");
    let mut faces =
        vec![secret.to_owned(), strict.replace("%20", "+"), path, xml, full, twice, json];
    faces.extend([strict.to_lowercase(), strict]);
    faces.extend(base64_cores(secret));
    faces.sort();
    faces.dedup();
    faces
}

/// What stands in the middle of the base64 of any text that contains the secret, at each of the three offsets.
fn base64_cores(secret: &str) -> Vec<String> {
    (0..3)
        .map(|offset| {
            let padded = ["\0".repeat(offset), secret.to_owned()].concat();
            let text = base64(padded.as_bytes());
            let whole = padded.len() / 3 * 4;
            let from = if offset == 0 { 0 } else { 4 };
            text[from..whole].to_owned()
        })
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = char::from(LETTERS[(word >> (18 - 6 * place) & 63) as usize]);
            text.push(if place <= three.len() { letter } else { '=' });
        }
    }
    text
}

/// Looks at every process's arguments and environment as fast as it can, until it is dropped.
struct ProcessList {
    seen: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl ProcessList {
    fn watch() -> Self {
        let (seen, stop) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicBool::new(false)));
        let (all, end) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut known = std::collections::BTreeSet::new();
            while !end.load(Ordering::SeqCst) {
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        let bytes = fs::read(process.path().join(file)).unwrap_or_default();
                        if known.insert(bytes.clone()) {
                            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
                            writeln!(all.lock().unwrap(), "{text}").unwrap();
                        }
                    }
                }
                std::thread::yield_now();
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    fn end(mut self) -> String {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_ours = ["share", "sdk", "bin", "libexec"].contains(&name.as_str());
        if path.is_symlink() || is_ours {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file()
            && name != "secret.key"
            && fs::metadata(&path).unwrap().len() < 4 << 20
        {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

/// A gate that tells its password in every way it has.
const BLAB: &str = r#"#!/usr/bin/env python3
import sys, re, html, base64, urllib.parse
if sys.argv[2] == "features":
    print('<doc><features><feature name="outgoing"/><feature name="check_connection"/></features><notify_module>ntemail</notify_module></doc>')
    sys.exit(0)
text = sys.stdin.read()
inner = html.unescape(re.search("<xmlparams>(.*?)</xmlparams>", text, re.S).group(1))
word = html.unescape(re.search("<password>(.*?)</password>", inner, re.S).group(1))
if sys.argv[2] == "check_connection":
    print("<doc/>")
    sys.exit(0)
sys.stderr.write("login failed for " + word + " and " + urllib.parse.quote(word) + " " + urllib.parse.quote_plus(word) + " " + base64.b64encode(word.encode()).decode() + "\n")
sys.stderr.write(text + "\n")
user = re.search("u([0-9]+)@", text).group(1)
if user == "4":
    print("not a document " + word)
elif user == "5":
    sys.exit(1)
else:
    print('<doc><error type="later">bad password ' + html.escape(word) + '</error></doc>')
"#;

const FORM: &str = r#"<?xml version="1.0"?><mgrdata><plugin name="gwblab"><group>gateway</group></plugin>
<metadata name="gateway.gwblab" type="form"><form><page name="p">
<field name="password"><input type="password" name="password" required="yes"/></field></page></form></metadata></mgrdata>"#;

/// The control tool, and everything it said.
struct Told<'a> {
    host: &'a Host,
    said: String,
}

impl Told<'_> {
    fn run(&mut self, arguments: &[&str], stdin: &str) -> Ran {
        let ran = self.host.run_with("bin/gatepost", arguments, stdin.as_bytes());
        write!(self.said, "{}{}", ran.stdout, ran.stderr).unwrap();
        ran
    }
}

/// Three gateways, each with a secret of its own.
fn gateways(told: &mut Told<'_>, smtp: &Sink, http: &HttpSink) {
    told.host.program("gate/gwblab", BLAB);
    told.host.write("etc/xml/gatepost_mod_gwblab.xml", FORM);
    for name in ["two", "three"] {
        let name = format!("name={name}");
        told.run(&["project", "add", &name, "notifyemail=we@example.com"], "").ended(0);
    }
    let port = format!("port={}", smtp.port());
    let relay = ["gateway", "add", "gwsmtp", "project=1", "name=relay", "host=127.0.0.1", &port];
    let login = ["security=none", "auth=password", "login=jane", "password=@-"];
    told.run(&[&relay[..], &login].concat(), SMTP_PASSWORD).ended(0);
    told.host.write("token", HTTP_TOKEN);
    let url = format!("url={}", http.url("/send"));
    let service = ["gateway", "add", "gwhttp", "project=2", "name=service", &url];
    let request = ["auth=bearer", "token=@token", "body={\"to\":\"{phone}\"}"];
    told.run(&[&service[..], &request].concat(), "").ended(0);
    let blab = ["gateway", "add", "gwblab", "project=2", "name=blab", "password=@-"];
    told.run(&blab, GATE_PASSWORD).ended(0);
    fs::remove_file(told.host.path("token")).unwrap();
}

/// Mail by two gateways and a text message, queued; the text message is tried at once.
fn queue(stage: &Stage, told: &mut Told<'_>) {
    let notifies: Vec<String> = (1..=3)
        .map(|number| notify(number, 1))
        .chain((4..=6).map(|number| notify(number, 2)))
        .collect();
    let sms = notify(7, 2).replace("<email>", "<phone>+79123456789</phone><email>");
    let file = told.host.write("var/sms.xml", format!("<doc>{sms}</doc>"));
    told.run(&["enqueue", file.to_str().unwrap(), "--module", "ntsms"], "").ended(0);
    stage.queue_file("all.xml", format!("<doc>{}</doc>", notifies.concat()));
    told.host.process("ntsms").ended(0);
}

/// Everything a person may ask that could show a secret.
fn ask_everything(told: &mut Told<'_>) {
    for arguments in [
        &["status", "-o", "json"][..],
        &["log", "-o", "json"],
        &["queue", "-o", "json"],
        &["check"],
        &["gateway", "list", "-o", "xml"],
        &["func", "gateway.edit", "elid=1", "-o", "json"],
        &["func", "gateway.edit", "elid=2", "-o", "xml"],
        &["why", "5"],
        &["show", "6"],
        &["gateway", "test", "1"],
        &["gateway", "test", "2", "--to", "u4@example.com"],
        &["gateway", "edit", "blab", "password="],
    ] {
        told.run(arguments, "");
    }
}

/// Where a secret stands, in any of its faces.
fn found_in(places: &[(String, Vec<u8>)]) -> String {
    let mut found = String::new();
    for secret in [SMTP_PASSWORD, HTTP_TOKEN, GATE_PASSWORD] {
        for face in faces(secret) {
            for (place, bytes) in places {
                if bytes.windows(face.len()).any(|window| window == face.as_bytes()) {
                    writeln!(found, "`{face}` is in {place}").unwrap();
                }
            }
        }
    }
    found
}

#[test]
fn secrets_are_nowhere_but_where_they_are_sealed() {
    let stage = Stage::new();
    let host = &stage.host;
    let list = ProcessList::watch();
    let later = Rule::once("RCPT", Act::Reply("451 4.7.1 later"));
    let smtp = Sink::with(&["AUTH PLAIN LOGIN"], vec![later]);
    let http = HttpSink::start(|_| Reply::status(500, "token refused"));
    let mut told = Told { host, said: String::new() };
    gateways(&mut told, &smtp, &http);
    queue(&stage, &mut told);
    let mut worker = host.start("notify/ntemail", &["--command", "process", "--follow"]);
    wait_until(LONG, "everything was tried", || {
        smtp.letters().len() >= 3 && stage.number("SELECT count(DISTINCT task) FROM notifylog") >= 7
    });
    ask_everything(&mut told);
    worker.signal("TERM");
    worker.wait(LONG);
    let mut places = vec![
        ("stdout and stderr".to_owned(), told.said.into_bytes()),
        ("the process list".to_owned(), list.end().into_bytes()),
        ("the tables".to_owned(), host.sql(".dump").into_bytes()),
    ];
    files(host.root(), &mut places);
    assert_eq!(found_in(&places), "");
    // the run was real: the passwords did their work
    let lines = smtp.lines();
    assert!(lines.iter().any(|line| line.to_uppercase().starts_with("AUTH")), "{lines:?}");
    let bearers = http.requests();
    assert!(bearers.iter().any(|request| request.header("authorization").contains(HTTP_TOKEN)));
    let of_blab =
        "SELECT count(*) FROM notifylog WHERE gateway=(SELECT id FROM gateway WHERE name='blab')";
    assert!(stage.number(of_blab) >= 3);
    assert!(stage.number("SELECT count(*) FROM gateway WHERE length(secret)>16") == 3);
}

#[test]
fn the_faces_of_a_secret_are_what_encoders_write() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    let faces = faces("a&b c/d");
    for face in ["a&b c/d", "a%26b%20c%2Fd", "a%26b+c%2Fd", "a&amp;b c/d", "a&amp;amp;b c/d"] {
        assert!(faces.iter().any(|known| known == face), "{face}: {faces:?}");
    }
    let inside = base64(b"\0jane\0a&b c/d");
    assert!(faces.iter().any(|face| inside.contains(face.as_str())), "{inside}: {faces:?}");
}

#[test]
fn a_lost_key_is_never_replaced_unasked() {
    let host = Host::new();
    let add = ["provisioning", "add", "name=Billing", "event=clients.create", "type=http"];
    host.gatepost(&[&add[..], &["task=127.0.0.1:9/api"]].concat()).ended(0);
    let key = host.read("etc/secret.key");
    fs::remove_file(host.path("etc/secret.key")).unwrap();
    let refused = host.gatepost(&["init"]).ended(78).stderr;
    for words in ["is lost", "provisioning handler 1 Billing", "from a backup", "init --new-key"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert!(!host.path("etc/secret.key").exists());
    // the cure that comes first
    host.write("etc/secret.key", &key);
    fs::set_permissions(host.path("etc/secret.key"), fs::Permissions::from_mode(0o600)).unwrap();
    host.gatepost(&["init"]).ended(0);
    assert_eq!(host.read("etc/secret.key"), key);
    // and the one for who has no backup
    fs::remove_file(host.path("etc/secret.key")).unwrap();
    let made = host.gatepost(&["init", "--new-key"]).ended(0).stdout;
    assert!(made.contains("gatepost provisioning edit 1 rotate=on"), "{made}");
    assert_ne!(host.read("etc/secret.key"), key);
    host.gatepost(&["provisioning", "edit", "1", "rotate=on"]).ended(0);
}
