//! Services from the order to the server: the control tool, the queue, nthandler, pmshell, a real sshd.

use crate::house::repository;
use gatepost_kit::host::{Host, examples};
use gatepost_kit::sshd::Sshd;
use std::path::{Path, PathBuf};

/// The four of the document; ours, of the same behaviour, where they are absent.
fn scripts() -> PathBuf {
    let theirs = examples().map(|folder| folder.join("shellscripts"));
    let ours = || repository().join("processing/pmshell/tests/scripts");
    theirs.filter(|folder| folder.is_dir()).unwrap_or_else(ours)
}

/// A project, a user, a product, and this server for it.
fn host_with(sshd: &Sshd, scripts: &Path) -> Host {
    let host = Host::new();
    host.gatepost(&["project", "add", "name=North", "notifyemail=a@north.example"]).ended(0);
    host.gatepost(&["user", "add", "name=bob", "email=bob@north.example"]).ended(0);
    let key = host.gatepost(&["processing", "key"]).ended(0).stdout;
    assert!(key.starts_with("ssh-ed25519 "), "{key}");
    sshd.authorize(key.trim());
    let fields = [
        "ip=127.0.0.1".to_owned(),
        format!("port={}", sshd.port),
        format!("path={}", scripts.display()),
        "product_type=ftp".to_owned(),
    ];
    let mut words = vec!["processing", "add", "pmshell"];
    words.extend(fields.iter().map(String::as_str));
    host.gatepost(&words).ended(0);
    host.gatepost(&["product", "add", "name=FTP", "type=ftp"]).ended(0);
    host
}

fn open(host: &Host) {
    host.gatepost(&["service", "open", "--user", "bob", "--product", "FTP"]).ended(0);
}

fn drain(host: &Host) {
    host.process("nthandler");
}

fn stub_accounts(sshd: &Sshd) {
    let log = sshd.path("calls");
    for name in ["useradd", "passwd", "usermod", "userdel"] {
        sshd.stub(name, &format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", log.display()));
    }
}

/// The tasks of services that are left: state, attempts spent, reason.
fn tasks(host: &Host) -> String {
    host.sql(
        "SELECT state||' '||error_count||' '||err_info FROM notifytask WHERE modulename='pmshell'",
    )
}

#[test]
fn a_service_is_opened_suspended_resumed_and_closed_by_the_documents_scripts() {
    // S1-1, S1-18, S1-22, S1-24, S1-25, S1-35, S1-38, S1-40
    let Some(sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let host = host_with(&sshd, &scripts());
    open(&host);
    drain(&host);
    assert_eq!(host.sql("SELECT state, externalid, username FROM service"), "active|u1|u1");
    assert_eq!(
        host.sql("SELECT name FROM itemparam ORDER BY name"),
        "externalid\npassword\nusername"
    );
    for (operation, state) in [("suspend", "suspended"), ("resume", "active")] {
        host.gatepost(&["service", operation, "1"]).ended(0);
        drain(&host);
        assert_eq!(host.sql("SELECT state FROM service"), state);
    }
    host.gatepost(&["service", "close", "1", "--yes"]).ended(0);
    drain(&host);
    assert_eq!(host.sql("SELECT state FROM service"), "closed");
    assert!(sshd.read("calls").ends_with("usermod -d /home/ftp_folder u1\nuserdel u1\n"));
    assert_eq!(tasks(&host), "");
    let events =
        host.sql("SELECT events_id FROM event WHERE events_id LIKE '%subscriptions%' ORDER BY id");
    let kinds: Vec<&str> = events.lines().filter_map(|line| line.rsplit('.').next()).collect();
    assert_eq!(kinds, ["assign", "activate", "deactivate", "activate", "close"]);
    assert_eq!(sshd.logins(), 2, "the check of the row, and one connection for all operations");
}

#[test]
fn a_server_that_is_not_reached_costs_no_attempt_and_the_service_opens_later() {
    // S1-11
    let Some(mut sshd) = Sshd::start() else { return };
    stub_accounts(&sshd);
    let host = host_with(&sshd, &scripts());
    sshd.cut();
    open(&host);
    drain(&host);
    assert_eq!(host.sql("SELECT state FROM service"), "opening");
    let left = tasks(&host);
    assert!(left.contains(" 0 ") && left.contains("connection refused"), "{left}");
    sshd.run();
    host.sql("UPDATE notifytask SET run_at=0 WHERE modulename='pmshell' AND state=2");
    host.sql("DELETE FROM gatewaystate");
    drain(&host);
    assert_eq!(host.sql("SELECT state FROM service"), "active", "{}", tasks(&host));
}

#[test]
fn an_open_nobody_saw_the_end_of_is_asked_and_never_repeated() {
    // S1-26
    let Some(mut sshd) = Sshd::start() else { return };
    let count = sshd.path("count");
    let script = format!("#!/bin/sh\necho run >> '{}'\nkill -9 $PPID\n", count.display());
    let folder = sshd.script("open.sh", &script);
    for name in ["suspend.sh", "resume.sh", "close.sh"] {
        sshd.script(name, "#!/bin/sh\necho OK\n");
    }
    let host = host_with(&sshd, &folder);
    open(&host);
    for _ in 0..3 {
        drain(&host);
    }
    assert_eq!(sshd.read("count"), "run\n");
    assert!(tasks(&host).starts_with("4 "), "{}", tasks(&host));
    assert!(tasks(&host).contains("nobody knows how it ended"), "{}", tasks(&host));
    assert_eq!(host.sql("SELECT state FROM service"), "opening");
    // A person looked: it is there.
    let id = host.sql("SELECT id FROM notifytask WHERE modulename='pmshell'");
    host.gatepost(&["done", &id]).ended(0);
    host.gatepost(&["service", "edit", "1", "state=active", "externalid=u1"]).ended(0);
    host.gatepost(&["service", "suspend", "1"]).ended(0);
    drain(&host);
    assert_eq!(host.sql("SELECT state FROM service"), "suspended");
    sshd.cut();
}

#[test]
fn what_a_script_refuses_is_failed_with_its_words_and_nothing_is_kept() {
    // S1-21, S1-26, S1-27
    let Some(sshd) = Sshd::start() else { return };
    let folder = sshd.path("scripts");
    for name in ["open.sh", "suspend.sh", "resume.sh", "close.sh"] {
        sshd.script(name, "#!/bin/sh\necho OK\n");
    }
    let host = host_with(&sshd, &folder);
    for (script, reason) in [
        ("echo OK", "no --id"),
        ("echo '\u{41e}\u{41a} --id=1'", "Latin letters"),
        ("echo \"no room, $2\" >&2; exit 7", "exit 7: no room, "),
    ] {
        sshd.script("open.sh", &format!("#!/bin/sh\n{script}\n"));
        open(&host);
        drain(&host);
        let last = host.sql(
            "SELECT state||' '||err_info FROM notifytask WHERE modulename='pmshell' ORDER BY id DESC LIMIT 1",
        );
        assert!(last.starts_with("3 ") && last.contains(reason), "{last}");
        assert!(!last.contains("--password=") || last.contains("--password=***"), "{last}");
    }
    assert_eq!(host.sql("SELECT count(*) FROM itemparam"), "0");
    assert_eq!(host.sql("SELECT DISTINCT state FROM service"), "opening");
}
