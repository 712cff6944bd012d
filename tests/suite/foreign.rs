//! Programs of others: a row and a file by Debian's `sqlite3` from another uid; a module that knows the documented
//! columns only.

use crate::stage::{LONG, Stage, notify};
use gatepost_kit::host::{repository, wait_until};
use gatepost_kit::tools::is_root;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A group and an account in it that exist for one test.
struct Account {
    name: String,
}

impl Account {
    fn make() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("gp{}x{number}", std::process::id());
        for (program, arguments) in
            [("groupadd", vec![name.as_str()]), ("useradd", vec!["-M", "-N", "-g", &name, &name])]
        {
            let output = Command::new(program).args(&arguments).output().unwrap();
            assert!(
                output.status.success(),
                "{program}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Self { name }
    }

    /// Runs a program as this account: what it printed.
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            &self.name,
            "--regid",
            &self.name,
            "--clear-groups",
            "--",
            program,
        ]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        for program in ["userdel", "groupdel"] {
            let _ = Command::new(program).arg(&self.name).output();
        }
    }
}

// S3-25, S3-26, S3-28: the documented columns are enough, for a program that has never heard of us
#[test]
fn a_foreign_row_and_its_file_are_delivered_within_two_seconds() {
    if !is_root() {
        return;
    }
    let stage = Stage::with_ledger(0);
    let account = Account::make();
    stage.host.gatepost(&["init", "--submit-group", &account.name]).ended(0);
    // DESIGN 1
    let modes = [
        ("var", 0o2770),
        ("var/notify", 0o3770),
        ("var/attach", 0o3770),
        ("var/gatepost.db", 0o660),
        ("etc/secret.key", 0o600),
    ];
    for (name, mode) in modes {
        let found = stage.host.path(name).metadata().unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode, "{name}: {found:o}");
    }
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    wait_until(LONG, "ntemail has begun", || {
        stage.number("SELECT count(*) FROM notifyworker WHERE owner LIKE 'ntemail%'") == 1
    });
    let database = stage.host.path("var/gatepost.db");
    for number in 1..=3_u32 {
        let text = format!("<doc>{}</doc>", notify(number, 1));
        let file = stage.host.path(&format!("var/notify/foreign-{number}"));
        let file = file.to_str().unwrap();
        account.run("/bin/sh", &["-c", "umask 027; printf %s \"$1\" > \"$2\"", "sh", &text, file]);
        let insert = format!(
            "INSERT INTO notifytask(modulename,filename,priority,error_count,forcedonothing,err_info,createdate)
             VALUES('ntemail','{file}',{number},0,NULL,NULL,'2026-01-01 00:00:00')"
        );
        let from = Instant::now();
        account.run("sqlite3", &["-cmd", ".timeout 2000", database.to_str().unwrap(), &insert]);
        let is_there = || stage.ledger().len() == number as usize;
        wait_until(Duration::from_secs(2), "it is delivered", is_there);
        assert!(from.elapsed() < Duration::from_secs(4));
    }
    wait_until(LONG, "rows are gone", || stage.unfinished() == 0);
    let left = std::fs::read_dir(stage.host.path("var/notify")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("foreign")), "{left:?}");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

// the kernel says who calls: the level of another uid ends where things would act as the owner
#[test]
fn another_uid_calls_what_staff_may_and_nothing_above() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    let account = Account::make();
    stage.host.gatepost(&["init", "--submit-group", &account.name]).ended(0);
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    let socket = stage.host.path("var/run/api.sock");
    wait_until(LONG, "the socket is open", || UnixStream::connect(&socket).is_ok());
    let curl = ["--silent", "--max-time", "60", "--write-out", " %{http_code}", "-X", "POST"];
    let call = |function: &str| {
        let url = format!("http://gatepost/v1/func/{function}");
        let place = ["--unix-socket", socket.to_str().unwrap(), url.as_str()];
        account.run("curl", &[&curl[..], &place].concat())
    };
    let listed = call("project");
    assert!(listed.contains("Example") && listed.ends_with(" 200"), "{listed}");
    for function in ["exit", "plugins.load?name=x", "token.add?name=mine"] {
        let refused = call(function);
        assert!(refused.ends_with(" 403") && refused.contains("the caller is admin"), "{refused}");
    }
    assert_eq!(stage.number("SELECT count(*) FROM token"), 0);
    assert!(call("project").ends_with(" 200"), "the daemon has left");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
}

/// The module of docs/module.md, word for word.
fn documented_module() -> String {
    let page = std::fs::read_to_string(repository().join("docs/module.md")).unwrap();
    let (_, block) = page.split_once("```python file=notify/ntlog").unwrap();
    let (_, block) = block.split_once('\n').unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

// S3-21, S3-22, S3-36
#[test]
fn a_thirty_line_module_of_others_is_found_probed_given_rows_and_run() {
    let mut stage = Stage::new();
    stage.set(&[("module.foreign_every_secs", "0.2")]);
    let text = documented_module();
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 32, "{lines} lines");
    stage.host.program("notify/ntlog", &text);
    stage.host.write("templates/hello/en.ntlog.text.ejs", "Hello <%= user.name %>\n");
    stage.host.write("templates/hello/notice.toml", "[subject]\nen = \"Good morning\"\n");
    let mut daemon = stage.host.start("bin/gatepostd", &[]);
    let add = ["user", "add", "quiet=on", "project=1", "name=jane", "email=jane@example.com"];
    stage.host.gatepost(&add).ended(0);
    stage.host.gatepost(&["send", "hello", "--user", "jane@example.com"]).ended(0);
    wait_until(LONG, "it has sent", || {
        stage.host.read("var/ntlog.txt").contains("jane@example.com")
    });
    assert_eq!(stage.host.read("var/ntlog.txt").lines().count(), 1);
    wait_until(LONG, "its row is gone", || stage.unfinished() == 0);
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
    // our own modules leave its rows alone
    stage.host.gatepost(&["send", "hello", "--user", "jane@example.com"]).ended(0);
    let file = stage.host.sql("SELECT filename FROM notifytask");
    assert!(stage.host.read(&file).contains("<notify>"), "its file is {file}");
    stage.host.process("ntemail").ended(0);
    assert_eq!(stage.number("SELECT count(*) FROM notifytask WHERE state=0 AND attempt=0"), 1);
}
