//! Bad files, templates, attachments, databases and settings: a clear word with place and cure, nothing lost, and no
//! other message held up.

use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::{Host, repository, wait_until};
use gatepost_kit::smtp_sink::Sink;
use gatepost_kit::tools::{is_root, missing};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

/// A row as a foreign program writes it; its id.
fn insert(stage: &Stage, filename: &str) -> String {
    stage.host.sql(&format!(
        "INSERT INTO notifytask(modulename,filename) VALUES('ntemail','{filename}') RETURNING id"
    ))
}

fn state(stage: &Stage, task: &str) -> String {
    stage.host.sql(&format!("SELECT state FROM notifytask WHERE id={task}"))
}

fn why(stage: &Stage, task: &str) -> String {
    stage.host.gatepost(&["why", task]).ended(0).stdout
}

/// What is wrong with a file: name, bytes (None: the file is missing), state of the task, words of `why`.
type BadFile = (&'static str, Option<Vec<u8>>, &'static str, &'static str);

fn bad_files() -> Vec<BadFile> {
    let declared = |encoding: &str| {
        format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?><doc>{}</doc>", notify(1, 1))
            .into_bytes()
    };
    let doctype =
        b"<!DOCTYPE d [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><doc><notify>&e;</notify></doc>";
    vec![
        ("missing.xml", None, "2", "there is no notification file"),
        ("empty.xml", Some(Vec::new()), "3", "is empty"),
        ("blank.xml", Some(b" \n\n".to_vec()), "3", "is empty"),
        ("text.xml", Some(b"Dear customer,\n".to_vec()), "3", "line 1"),
        ("half.xml", Some(b"<doc><notify><tmpl>x".to_vec()), "3", "line 1"),
        ("doctype.xml", Some(doctype.to_vec()), "3", "DOCTYPE"),
        ("klingon.xml", Some(declared("x-klingon")), "3", "x-klingon"),
        ("binary.xml", Some(vec![0xff; 4096]), "3", "binary.xml"),
        ("other.xml", Some(b"<doc><other/></doc>".to_vec()), "3", "notify"),
        ("huge.xml", Some(vec![b' '; 100 << 20]), "3", "is over 32 MiB"),
        (
            "deep.xml",
            Some(["<a>".repeat(5000), "</a>".repeat(5000)].concat().into_bytes()),
            "3",
            "deep",
        ),
    ]
}

#[test]
fn bad_notification_files_fail_or_wait_by_name_and_hold_nobody_up() {
    let mut stage = Stage::with_ledger(0);
    stage.set(&[("retry.mail.base_secs", "600"), ("retry.mail.cap_secs", "600")]);
    let mut expected = Vec::new();
    for (name, bytes, state, says) in bad_files() {
        let path = format!("var/notify/{name}");
        if let Some(bytes) = bytes {
            stage.host.write(&path, bytes);
        }
        expected.push((insert(&stage, &path), name, state, says));
    }
    fs::create_dir_all(stage.host.path("var/notify/folder.xml")).unwrap();
    expected.push((insert(&stage, "var/notify/folder.xml"), "folder.xml", "3", "no regular file"));
    let fifo = stage.host.path("var/notify/fifo.xml");
    stage.host.run("/usr/bin/mkfifo", &[fifo.to_str().unwrap()]).ended(0);
    expected.push((insert(&stage, "var/notify/fifo.xml"), "fifo.xml", "3", "no regular file"));
    expected.push((insert(&stage, ""), "", "3", "no file"));
    stage.queue(1001, 10);
    stage.host.process("ntemail").ended(0);
    let mut wrong = String::new();
    for (task, name, is, says) in expected {
        let words = why(&stage, &task);
        if state(&stage, &task) != is || !words.contains(says) || !words.contains(name) {
            writeln!(
                wrong,
                "{name}: state {}, not {is}, or lacks `{says}`: {words}",
                state(&stage, &task)
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(stage.ledger().len(), 10, "the good file went out");
}

#[test]
fn a_file_we_may_not_read_waits_and_says_how_to_let_us() {
    if !is_root() {
        return;
    }
    let stage = Stage::with_ledger(0);
    stage
        .host
        .run("/usr/bin/chown", &["-R", "nobody:nogroup", stage.host.path("var").to_str().unwrap()])
        .ended(0);
    stage
        .host
        .run("/usr/bin/chown", &["nobody", stage.host.path("etc/secret.key").to_str().unwrap()])
        .ended(0);
    let file = stage.host.write("var/notify/ours.xml", format!("<doc>{}</doc>", notify(1, 1)));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let task = insert(&stage, "var/notify/ours.xml");
    stage.host.process("ntemail").ended(0);
    let words = why(&stage, &task);
    assert!(words.contains("can't read") && words.contains("chmod g+r"), "{words}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    stage.drain();
    assert_eq!(stage.ledger().len(), 1);
}

/// Template, words of `why`.
const BAD_TEMPLATES: &[(&str, &str)] = &[
    ("<% if ( { %>", "line"),
    ("<%= nobody.knows.it %>", "nobody"),
    ("<% while (true) {} %>x", "the template"),
    ("<% let a = []; for (;;) { a.push('x'.repeat(1e6)) } %>", "memory"),
    ("<% let t = 'x'; for (let i = 0; i < 40; i++) { t += t } %><%= t %>", ""),
    ("<%= require('fs').readFileSync('/etc/passwd') %>", "require"),
    ("<%= fetch('http://127.0.0.1/') %>", "fetch"),
    ("<%- include('/etc/passwd') %>", "/etc/passwd"),
    ("<%- include('../../etc/secret.key') %>", "secret.key"),
    ("<%= (function f() { return f() })() %>", ""),
    (
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"><xsl:template match=\"/\"><xsl:call-template/></xsl:template></xsl:stylesheet>",
        "",
    ),
    (
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"><xsl:template match=\"/\"><xsl:value-of select=\"document('/etc/passwd')\"/></xsl:template></xsl:stylesheet>",
        "/etc/passwd",
    ),
    (
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\"><xsl:template match=\"/\"><xsl:call-template name=\"a\"/></xsl:template><xsl:template name=\"a\"><xsl:call-template name=\"a\"/></xsl:template></xsl:stylesheet>",
        "",
    ),
];

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

// S3-15: a template that fails is later once and never after
#[test]
fn bad_templates_fail_after_a_second_try_and_hold_nobody_up() {
    let mut stage = Stage::with_ledger(0);
    stage.set(&[("render.message_secs", "20")]);
    let mut notifies = notify(1001, 1);
    for (number, (template, _)) in (1..).zip(BAD_TEMPLATES) {
        notifies +=
            &notify(number, 1).replace("Number &lt;%= n %&gt; for __name__", &escaped(template));
    }
    notifies += &notify(1002, 1);
    stage.queue_file("templates.xml", format!("<doc>{notifies}</doc>"));
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    wait_until(LONG, "everything has ended", || stage.unfinished() == 0);
    worker.signal("TERM");
    worker.wait(LONG);
    let mut wrong = String::new();
    for (number, (template, says)) in (1..).zip(BAD_TEMPLATES) {
        let row = stage.host.sql(&format!(
            "SELECT state, error_count, err_info FROM notifytask JOIN notifybody USING(id) WHERE user LIKE '%<id>{number}</id>%'"
        ));
        if !row.starts_with("3|2|") || !row.contains(says) || row.contains("root:") {
            writeln!(wrong, "{template}: {row}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let contacts: Vec<String> = stage.ledger().into_iter().map(|entry| entry.contact).collect();
    assert_eq!(contacts.len(), 2, "only the good ones were handed over: {contacts:?}");
}

#[test]
fn an_attachment_that_leaves_its_folder_is_never_read() {
    let stage = Stage::with_ledger(0);
    stage.host.write("var/attach/good.txt", "good");
    std::os::unix::fs::symlink("/etc/passwd", stage.host.path("var/attach/link")).unwrap();
    let names = [
        "../../etc/secret.key",
        "/etc/passwd",
        "var/attach/../../etc/secret.key",
        "var/attach/link",
        "var/attach/none",
    ];
    let with = |number: u32, name: &str| {
        notify(number, 1).replace(
            "&lt;noticeparams/&gt;",
            &escaped(&format!("<attachments><attachment>{name}</attachment></attachments>")),
        )
    };
    let mut notifies = with(1001, "var/attach/good.txt");
    for (number, name) in (1..).zip(names) {
        notifies += &with(number, name);
    }
    stage.queue_file("attach.xml", format!("<doc>{notifies}</doc>"));
    stage.host.process("ntemail").ended(0);
    for (number, name) in (1..).zip(names) {
        let row = stage.host.sql(&format!(
            "SELECT err_info FROM notifytask JOIN notifybody USING(id) WHERE user LIKE '%<id>{number}</id>%'"
        ));
        let last = name.rsplit('/').next().unwrap();
        assert!(row.contains(last), "{name}: {row}");
    }
    let contacts: Vec<String> = stage.ledger().into_iter().map(|entry| entry.contact).collect();
    assert_eq!(contacts, ["u1001@example.com"]);
}

fn five() -> String {
    let notifies: Vec<String> = (1..=5).map(|number| notify(number, 1)).collect();
    format!("<doc>{}</doc>", notifies.concat())
}

#[test]
fn a_locked_database_is_waited_for_and_then_named() {
    let stage = Stage::with_ledger(0);
    let mut patient = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    wait_until(LONG, "it has begun", || stage.number("SELECT count(*) FROM notifyworker") == 1);
    let database = stage.host.path("var/gatepost.db");
    let arguments = ["-cmd", ".timeout 10000", database.to_str().unwrap()];
    let mut holder = stage.host.command("/usr/bin/sqlite3", &arguments);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = holder.stdin.take().unwrap();
    stage.host.write("var/notify/five.xml", five());
    let insert =
        "INSERT INTO notifytask(modulename,filename) VALUES('ntemail','var/notify/five.xml');";
    writeln!(pipe, "BEGIN EXCLUSIVE; {insert}").unwrap();
    wait_until(LONG, "it is locked", || !stage.database_is_free());
    let ran =
        stage.host.run("bin/gatepost", &["pause", "--gateway", "1", "--reason", "x"]).ended(75);
    assert!(ran.stderr.contains("locked"), "{}", ran.stderr);
    writeln!(pipe, "COMMIT;").unwrap();
    drop(pipe);
    holder.wait().unwrap();
    wait_until(LONG, "all is sent", || stage.ledger().len() >= 5 && stage.unfinished() == 0);
    assert_eq!(stage.ledger().len(), 5, "nothing was doubled");
    patient.signal("TERM");
    assert_eq!(patient.wait(LONG), Some(0));
}

/// Every way to the database.
const PROGRAMS: [(&str, &[&str]); 4] = [
    ("notify/ntemail", &["--command", "process"]),
    ("notify/ntemail", &["--command", "getmessage", "--gate", "all"]),
    ("bin/gatepost", &["status"]),
    ("bin/gatepost", &["queue"]),
];

/// What every program says of a database of another schema: its place, both numbers, what to do.
fn refused_by_every_program(stage: &Stage, words: &[&str]) {
    let path = stage.host.path("var/gatepost.db");
    for (program, arguments) in PROGRAMS {
        let ran = stage.host.run(program, arguments);
        assert!(matches!(ran.code, Some(75 | 78)), "{program} {arguments:?}: {ran:?}");
        for word in words.iter().chain([&path.to_str().unwrap()]) {
            assert!(ran.stderr.contains(word), "{program} {arguments:?}: {word}: {}", ran.stderr);
        }
    }
    assert_eq!(stage.ledger().len(), 0);
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let stage = Stage::with_ledger(0);
    stage.queue(1, 1);
    let known = stage.host.sql("PRAGMA user_version");
    stage.host.sql("PRAGMA user_version=999");
    let says = ["schema 999", &format!("up to {known}"), "upgrade the program"];
    refused_by_every_program(&stage, &says);
    let ran = stage.host.gatepost(&["init"]);
    assert!(ran.code != Some(0) && ran.stderr.contains("upgrade the program"), "{ran:?}");
    stage.host.sql(&format!("PRAGMA user_version={known}"));
    stage.drain();
    assert_eq!(stage.ledger().len(), 1, "its task is as it was");
}

#[test]
fn an_older_database_is_refused_until_init_has_brought_it_up_to_date() {
    let stage = Stage::with_ledger(0);
    for file in ["gatepost.db", "gatepost.db-wal", "gatepost.db-shm"] {
        let _ = fs::remove_file(stage.host.path("var").join(file));
    }
    let first = repository().join("lib/store/sql/sqlite/0001_queue.sql");
    let first = fs::read_to_string(first).unwrap().replace("{slack}", "86400000");
    stage.host.write("var/notify/old.xml", format!("<doc>{}</doc>", notify(1, 1)));
    stage.host.sql(&format!(
        "PRAGMA application_id={}; PRAGMA user_version=1;\n{first};
         INSERT INTO notifytask(modulename,filename) VALUES('ntemail','var/notify/old.xml')",
        0x4750_5354
    ));
    refused_by_every_program(&stage, &["schema 1,", "run `gatepost init`"]);
    stage.host.gatepost(&["init"]).ended(0);
    stage.host.gatepost(&["project", "add", "name=Example", "notifyemail=a@example.com"]).ended(0);
    stage.gateway("gwledger", 1);
    stage.drain();
    assert_eq!(stage.ledger().len(), 1, "the task of the old database went out");
}

#[test]
fn a_full_disk_stops_delivery_in_words_and_loses_nothing() {
    if !is_root() {
        return;
    }
    let stage = Stage::with_ledger(20);
    stage.queue(1, 30);
    let Some(disk) = SmallDisk::under(&stage.host, "var") else {
        missing("the right to mount a tmpfs");
        return;
    };
    let mut worker = stage.host.start("notify/ntemail", &["--command", "process", "--follow"]);
    stage.wait_for_entries(3);
    disk.fill();
    // what the log has room for is still taken; then it is refused, and what was taken is there
    let mut accepted = 1;
    let refused = loop {
        let add = ["project", "add", &format!("name=p{accepted}"), "notifyemail=a@example.com"];
        let ran = stage.host.gatepost(&add);
        if ran.code != Some(0) {
            break ran;
        }
        accepted += 1;
        assert!(accepted < 1_000, "the disk is never full");
    };
    assert_eq!(stage.number("SELECT count(*) FROM project"), accepted);
    assert!(refused.stderr.contains("full"), "{}", refused.stderr);
    disk.free();
    wait_until(LONG, "the worker ends or all is sent", || {
        stage.unfinished() == 0 || worker_is_gone(&stage)
    });
    worker.signal("TERM");
    worker.wait(LONG);
    stage.drain();
    let ledger = stage.ledger();
    let contacts: std::collections::BTreeSet<_> =
        ledger.iter().map(|entry| &entry.contact).collect();
    assert_eq!(contacts.len(), 30, "nothing is lost");
    let untold = ledger.iter().filter(|entry| entry.attempt > 1 && !entry.maybe_sent).count();
    assert_eq!(untold, 0);
}

fn worker_is_gone(stage: &Stage) -> bool {
    !stage.host.read("notify-ntemail.out").is_empty()
}

/// A tmpfs of a few megabytes over a folder, with what was in it.
struct SmallDisk {
    folder: std::path::PathBuf,
}

impl SmallDisk {
    fn under(host: &Host, relative: &str) -> Option<Self> {
        let folder = host.path(relative);
        let beside = host.path("var.before");
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        fs::rename(&folder, &beside).unwrap();
        fs::create_dir(&folder).unwrap();
        let mounted = host.run(
            "/usr/bin/mount",
            &["-t", "tmpfs", "-o", "size=6m,mode=2770", "tmpfs", &text(&folder)],
        );
        let disk = (mounted.code == Some(0)).then(|| Self { folder: folder.clone() });
        host.run("/usr/bin/cp", &["-a", &format!("{}/.", text(&beside)), &text(&folder)]).ended(0);
        disk
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.folder.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[test]
fn a_database_that_can_not_be_written_is_named() {
    if !is_root() {
        return;
    }
    let stage = Stage::with_ledger(0);
    stage.queue(1, 3);
    let var = stage.host.path("var");
    stage.host.run("/usr/bin/chown", &["-R", "nobody:nogroup", var.to_str().unwrap()]).ended(0);
    stage
        .host
        .run("/usr/bin/chown", &["nobody", stage.host.path("etc/secret.key").to_str().unwrap()])
        .ended(0);
    fs::set_permissions(stage.host.path("var/gatepost.db"), fs::Permissions::from_mode(0o440))
        .unwrap();
    let ran = stage.host.process("ntemail");
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.stderr.contains("gatepost.db") || ran.stderr.contains("read"), "{}", ran.stderr);
    fs::set_permissions(stage.host.path("var/gatepost.db"), fs::Permissions::from_mode(0o660))
        .unwrap();
    // what the message says would cure it
    assert!(ran.stderr.contains("gatepost init"), "{}", ran.stderr);
    stage.host.gatepost(&["init"]).ended(0);
    stage.drain();
    assert_eq!(stage.ledger().len(), 3);
}

// every program reads the same settings by the same door
#[test]
fn unknown_keys_and_a_root_others_may_write_are_refused_by_every_program() {
    let mut stage = Stage::with_ledger(0);
    let programs: &[(&str, &[&str])] = &[
        ("notify/ntemail", &["--command", "process"]),
        ("bin/gatepostd", &[]),
        ("bin/gatepost", &["queue"]),
    ];
    stage.set(&[("queue.leese_secs", "5")]);
    for (program, arguments) in programs {
        let ran = stage.host.run(program, arguments).ended(78);
        assert!(
            ran.stderr.contains("leese_secs") && ran.stderr.contains("lease_secs"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("gatepost.toml:"), "its place: {}", ran.stderr);
    }
    stage.host.write("etc/gatepost.toml", "");
    for folder in ["etc", "notify", "gate", "addon", "plugins"] {
        fs::set_permissions(stage.host.path(folder), fs::Permissions::from_mode(0o757)).unwrap();
        for (program, arguments) in programs {
            let ran = stage.host.run(program, arguments).ended(78);
            assert!(
                ran.stderr.contains(folder) && ran.stderr.contains("chmod o-w"),
                "{}",
                ran.stderr
            );
        }
        fs::set_permissions(stage.host.path(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn no_subject_name_or_macro_can_add_a_header_or_a_recipient() {
    let stage = Stage::new();
    let sink = Sink::start();
    let port = format!("port={}", sink.port());
    stage
        .host
        .gatepost(&[
            "gateway",
            "add",
            "gwsmtp",
            "project=1",
            "name=relay",
            "host=127.0.0.1",
            &port,
            "security=none",
            "auth=none",
        ])
        .ended(0);
    let evil = "x&amp;#13;&amp;#10;Bcc: evil@example.com&amp;#10;X-Evil: 1&amp;#13;&amp;#10;&amp;#13;&amp;#10;body";
    let evil_user = evil.replace("&amp;#", "&#");
    let subjects = notify(1, 1).replace(
        "&lt;noticeparams/&gt;",
        &format!("&lt;noticeparams&gt;&lt;subject&gt;{evil}&lt;/subject&gt;&lt;/noticeparams&gt;"),
    );
    let names = notify(2, 1)
        .replace(
            "<name>u2</name>",
            &format!("<name>{evil_user}</name><realname>{evil_user}</realname>"),
        )
        .replace("Subject 2", "For __name__");
    let templates = notify(3, 1).replace("Subject 3", &evil_user);
    let contact = notify(4, 1)
        .replace("u4@example.com", "u4@example.com&#13;&#10;RCPT TO:&lt;evil@example.com&gt;");
    stage.queue_file("evil.xml", format!("<doc>{subjects}{names}{templates}{contact}</doc>"));
    stage.host.process("ntemail").ended(0);
    let letters = sink.letters();
    assert_eq!(letters.len(), 3, "{}", stage.host.gatepost(&["log"]).stdout);
    for letter in letters {
        assert_eq!(letter.recipients.len(), 1, "{:?}", letter.recipients);
        assert!(!letter.recipients[0].contains("evil"), "{:?}", letter.recipients);
        let text = letter.text();
        let headers = text.split("\r\n\r\n").next().unwrap().to_lowercase();
        for line in headers.split("\r\n") {
            assert!(!line.starts_with("bcc") && !line.starts_with("x-evil"), "{headers}");
        }
        assert_eq!(headers.matches("subject:").count(), 1, "{headers}");
    }
    assert!(
        !sink
            .lines()
            .iter()
            .any(|line| line.to_lowercase().starts_with("rcpt") && line.contains("evil"))
    );
    let refused = stage.host.sql("SELECT outcome, reason FROM notifylog WHERE outcome<>'sent'");
    assert!(refused.starts_with("never|"), "{refused}");
}

/// A pipe, a device and a folder in the places of files that are read whole.
#[test]
fn what_is_no_regular_file_is_named_and_never_waited_for() {
    let host = Host::new();
    host.gatepost(&["project", "add", "name=Example", "notifyemail=a@example.com"]).ended(0);
    host.gatepost(&["user", "add", "quiet=on", "name=bob", "email=b@example.com"]).ended(0);
    let make = |name: &str, kind: &str| {
        let path = host.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        match kind {
            "pipe" => {
                host.run("/usr/bin/mkfifo", &["-m", "600", path.to_str().unwrap()]).ended(0);
            }
            "device" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
    };
    host.write("templates/odd/en.ntemail.text.ejs", "x");
    host.write("templates/even/notice.toml", "");
    let send =
        |notice: &str| host.gatepost(&["send", notice, "--user", "bob", "--module", "ntemail"]);
    let refused = |ran: &gatepost_kit::host::Ran, name: &str| {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(name) && said.contains("no regular file"), "{said}");
    };
    for kind in ["pipe", "device", "folder"] {
        make("templates/odd/notice.toml", kind);
        refused(&host.gatepost(&["notice", "list", "-o", "json"]).ended(0), "notice.toml");
        refused(&send("odd").ended(66), "notice.toml");
        make("templates/even/en.ntemail.text.ejs", kind);
        refused(&send("even").ended(66), "en.ntemail.text.ejs");
        make("etc/xml/gatepost_mod_odd.xml", kind);
        refused(&host.gatepost(&["status"]).ended(1), "gatepost_mod_odd.xml");
        fs::remove_file(host.path("etc/xml/gatepost_mod_odd.xml"))
            .or_else(|_| fs::remove_dir(host.path("etc/xml/gatepost_mod_odd.xml")))
            .unwrap();
    }
    let settings = host.read("etc/gatepost.toml");
    for kind in ["pipe", "folder"] {
        make("etc/gatepost.toml", kind);
        refused(&host.gatepost(&["status"]).ended(78), "etc/gatepost.toml");
    }
    fs::remove_dir(host.path("etc/gatepost.toml")).unwrap();
    host.write("etc/gatepost.toml", settings);
    host.gatepost(&["status"]).ended(0);
}

#[test]
fn control_characters_of_others_reach_no_terminal() {
    let stage = Stage::with_ledger(0);
    let reason = "x\x1b[2J\x1b]0;owned\x07\u{9b}31mred";
    stage.host.gatepost(&["gateway", "hold", "gwledger", "--reason", "x"]).ended(0);
    let sql = "'x'||char(27)||'[2J'||char(27)||']0;owned'||char(7)||char(155)||'31mred'";
    stage.host.sql(&format!("UPDATE gatewaystate SET reason={sql}"));
    stage.host.gatepost(&["pause", "--reason", reason]).ended(0);
    stage.queue(1, 1);
    let control = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    for arguments in [
        &["status"][..],
        &["status", "-o", "json"],
        &["status", "-o", "prometheus"],
        &["gateway", "list"],
        &["gateway", "list", "-o", "json"],
        &["gateway", "list", "-o", "xml"],
        &["func", "gateway"],
        &["why", "1"],
        &["check"],
        &["why", reason],
        &["resume", "--gateway", reason],
    ] {
        let ran = stage.host.gatepost(arguments);
        assert!(!control(&ran.stdout) && !control(&ran.stderr), "{arguments:?}: {ran:?}");
    }
    let listed = stage.host.gatepost(&["gateway", "list", "-o", "json"]).ended(0).stdout;
    assert!(listed.contains("\\u001b[2J") && listed.contains("\\u009b31mred"), "{listed}");
}

/// A worker that died before its first turn is in no row: nobody would ever bury it.
#[test]
fn what_dead_workers_left_in_var_run_is_removed_by_the_next_run() {
    let stage = Stage::with_ledger(0);
    let left = ["ntemail-host-7-1.lock", "ntemail-host-7-1.sent", "ntsms-host-7-1.lock"];
    for name in left.iter().chain(&["daemon-ntsms.lock"]) {
        stage.host.write(&format!("var/run/{name}"), "");
    }
    stage.host.process("ntemail").ended(0);
    let there = |name: &str| stage.host.path("var/run").join(name).exists();
    assert!(!left.iter().any(|name| there(name)) && there("daemon-ntsms.lock"));
}
