//! The eight steps: each does, checks, and tells what it saw.

use super::programs::text_of;
use super::{LONG, Scenario};
use crate::host::{examples, has};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Step 1. The daemon is started when it is done.
pub(super) fn the_gateway_is_saved_after_its_check(all: &mut Scenario) -> String {
    let host = &all.host;
    let project = ["name=North", "notifyemail=a@north.example", "country_default=RU"];
    host.gatepost(&[&["project", "add"], &project[..]].concat()).ended(0);
    let mut more = vec![];
    let gate = if let Some(folder) = examples().filter(|_| has("go")) {
        build_their_gate(all, &folder.join("notification"));
        "the documents' Go program"
    } else {
        more.push(format!("url={}", all.sms.url("/members/sms/xml.php")));
        "ours"
    };
    // what the gate is shown it gives back to the byte
    let form = host.gatepost(&["func", "gateway.edit", "gateway_module=gwepochta", "-o", "xml"]);
    let form = form.ended(0).stdout;
    let tune = ["--command", "formtune"];
    let tuned = host.run_with("gate/gwepochta", &tune, form.as_bytes()).ended(0).stdout;
    assert!(form.contains("<login") && tuned == form, "formtune made\n{tuned}\nof\n{form}");
    host.write("etc/password", "p&q w\n");
    let mut words = vec!["gateway", "add", "gwepochta", "name=sms", "login=me"];
    words.extend(["password=@etc/password", "sender=Gatepost"]);
    words.extend(more.iter().map(String::as_str));
    host.gatepost(&words).ended(0);
    assert_eq!(host.sql("SELECT count(*) FROM gateway"), "1");
    let asked = all.sms.requests();
    let balance = asked.iter().filter(|one| one.body.contains("<operation>BALANCE</operation>"));
    assert_eq!(balance.count(), 1, "the check asks for the balance: {asked:?}");
    all.start();
    format!(
        "gwepochta is {gate}; its form went through formtune, its check asked the service for BALANCE; gateway 1 saved; the daemon runs"
    )
}

fn build_their_gate(all: &Scenario, folder: &Path) {
    let new = all.host.path("gate/gwepochta.new");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&new).arg(folder.join("gwepochta.go")).env("GO111MODULE", "off");
    assert!(go.status().unwrap().success());
    std::fs::rename(new, all.host.path("gate/gwepochta")).unwrap();
    let form = std::fs::read(folder.join("billmgr_mod_gwepochta.xml")).unwrap();
    all.host.write("etc/xml/billmgr_mod_gwepochta.xml", form);
}

/// Step 2.
pub(super) fn a_new_user_runs_handlers_and_gets_his_notice(all: &mut Scenario) -> String {
    let task = format!("task={}", all.receiver.task());
    for event in ["clients.create", "clients.subscriptions.activate", "clients.subscriptions.close"]
    {
        all.call(&[
            "provisioning.add",
            &format!("name={event}"),
            &format!("event={event}"),
            "type=http",
            &task,
            "status=enabled",
        ]);
    }
    all.call(&["cachemanager.restart"]);
    all.call(&[
        "user.add",
        "name=bob",
        "passwd=b0b-pass",
        "email=bob@north.example",
        "phone=89123456789",
    ]);
    let smbpasswd = all.host.read("var/smbpasswd.log");
    assert!(smbpasswd.contains("-a bob\nb0b-pass\nb0b-pass"), "{smbpasswd}");
    all.wait_for("the sms is sent", || all.sent() == 1);
    let notices = "SELECT group_concat(notice) FROM notifylog WHERE module='ntsms'";
    all.wait_for("its attempt is logged", || all.host.sql(notices) == "registration");
    all.wait_for("the event is delivered", || all.deliveries("clients.create") == "1");
    assert!(!all.log().contains("b0b-pass"), "{}", all.log());
    "samba.pl ran `smbpasswd -a bob`; clients.create was posted once; one SMS, `registration`; no password in the log"
        .to_owned()
}

/// Step 3.
pub(super) fn an_activation_is_skipped_by_its_handler(all: &mut Scenario) -> String {
    all.call(&["register.activationsend", "user=bob", "notice=registration"]);
    let script = all.host.path("addon/test.py");
    let line = format!("Executing: {}", script.display());
    assert!(all.log().contains(&line), "{line} in {}", all.log());
    assert_eq!(all.host.sql("SELECT count(*) FROM notifytask WHERE modulename='ntsms'"), "0");
    assert_eq!(all.sent(), 1, "nothing is sent");
    "test.py answered <skipaction/>: nothing queued, nothing sent; the log says `Executing: …/test.py`"
        .to_owned()
}

/// Step 4.
pub(super) fn a_service_goes_through_its_life(all: &mut Scenario) -> String {
    let place = add_server(all);
    all.call(&["product.add", "name=FTP", "type=ftp"]);
    all.call(&["service.open", "user=bob", "product=FTP", "addon.disk=5"]);
    let state = || all.host.sql("SELECT state FROM service");
    all.wait_for("the service is open", || state() == "active");
    let externalid = all.host.sql("SELECT value FROM itemparam WHERE name='externalid'");
    assert_eq!(externalid, "u1");
    all.wait_for("its event is delivered", || {
        all.deliveries("clients.subscriptions.activate") == "1"
    });
    all.wait_for("the client is told", || all.sent() == 2);
    for (function, word) in [
        ("service.suspend", "suspended"),
        ("service.resume", "active"),
        ("service.close", "closed"),
    ] {
        all.call(&[function, "elid=1"]);
        all.wait_for(word, || state() == word);
    }
    let calls = server_file(all, "calls");
    assert!(calls.contains("useradd u1") && calls.contains("userdel"), "{calls}");
    format!(
        "{place}: useradd u1 … userdel u1; externalid u1 kept; activate was posted, an SMS sent; now closed"
    )
}

/// The server of the services: over ssh, or this host where there is no sshd. Its name for a person.
fn add_server(all: &Scenario) -> String {
    for name in ["useradd", "passwd", "usermod", "userdel"] {
        let log = server_path(all, "calls");
        let stub = format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", log.display());
        match &all.sshd {
            Some(sshd) => sshd.stub(name, &stub),
            None => drop(all.host.program(&format!("stubs/{name}"), &stub)),
        }
    }
    for name in ["open.sh", "suspend.sh", "resume.sh", "close.sh"] {
        let text = text_of(&format!("shellscripts/{name}"));
        match &all.sshd {
            Some(sshd) => drop(sshd.script(name, &text)),
            None => drop(all.host.program(&format!("scripts/{name}"), &text)),
        }
    }
    let path = format!("path={}", server_path(all, "scripts").display());
    let row = ["processing.add", "module=pmshell", "name=web1", "product_type=ftp", &path];
    let Some(sshd) = &all.sshd else {
        all.call(&[&row[..], &["transport=local"]].concat());
        return "on this host".to_owned();
    };
    sshd.authorize(all.host.gatepost(&["processing", "key"]).ended(0).stdout.trim());
    let port = format!("port={}", sshd.port);
    all.call(&[&row[..], &["ip=127.0.0.1", &port]].concat());
    "over ssh to 127.0.0.1".to_owned()
}

fn server_path(all: &Scenario, relative: &str) -> PathBuf {
    match &all.sshd {
        Some(sshd) => sshd.path(relative),
        None => all.host.path(relative),
    }
}

fn server_file(all: &Scenario, relative: &str) -> String {
    std::fs::read_to_string(server_path(all, relative)).unwrap_or_default()
}

/// Step 5.
pub(super) fn plugins_decide_on_agents(all: &mut Scenario) -> String {
    for name in ["jana", "petr"] {
        let words = [
            "user.add",
            &format!("name={name}"),
            &format!("realname={name}"),
            &format!("email={name}@north.example"),
            "phone=",
            "level=admin",
            "quiet=on",
        ];
        all.call(&words);
        all.call(&["agent.status", &format!("agent={name}"), "status=ready"]);
    }
    for name in ["example", "status_hook", "shared_data_hook"] {
        let text = text_of(&format!("plugins/{name}.py"));
        all.host.write(&format!("plugins/{name}.py"), text);
        all.call(&["plugins.load", &format!("name={name}")]);
    }
    let lunch = ["agent.status", "agent=jana", "status=aux", "reason=Oběd"];
    let refusal = all.refused(&lunch);
    assert!(refusal.contains("Na oběd je příliš brzy"), "{refusal}");
    all.settle_at(12);
    all.daemon.as_ref().unwrap().signal("HUP");
    all.goes_to_lunch(&lunch);
    assert_eq!(all.host.sql("SELECT status FROM agent WHERE reason='Oběd'"), "2");
    all.wait_for("the plugin tells of the lunch", || {
        all.log().contains("Agent jana odešel na oběd")
    });
    assert!(all.log().contains("NameError"), "{}", all.log());
    all.call(&["user.add", "name=eve", "email=eve@north.example", "passwd=eve-pass-1"]);
    let told = "SELECT group_concat(user.name) FROM inbox JOIN user ON user.id=inbox.user \
                WHERE inbox.text LIKE 'Somebody new%'";
    all.wait_for("the staff is told", || all.host.sql(told).contains("petr"));
    assert!(!all.host.sql(told).contains("jana"), "{}", all.host.sql(told));
    "at 9: `Na oběd je příliš brzy`; at 12 jana is AUX, `odešel na oběd` and the hook's NameError are logged; \
     petr got the staff notice"
        .to_owned()
}

impl Scenario {
    /// The daemon reads the hour again; until it has, the hook refuses.
    fn goes_to_lunch(&self, lunch: &[&str]) {
        let went = Instant::now();
        loop {
            let ran = self.host.run("sbin/mgrctl", &[&["-m", "billmgr"], lunch].concat());
            if ran.code == Some(0) {
                return;
            }
            assert!(went.elapsed() < LONG, "{}", ran.stderr);
        }
    }
}

/// Step 6.
pub(super) fn incoming_mail_is_counted_by_name_and_kept_by_id(all: &mut Scenario) -> String {
    all.call(&["shared.set", "id=agent_emails", "value={}"]);
    let gateway = ["gateway", "add", "gwin", "name=box", "gateway_type=2", "project=North"];
    all.host.gatepost(&[&gateway[..], &["login=x"]].concat()).ended(0);
    let petr = all.host.sql("SELECT id FROM user WHERE name='petr'");
    all.host.write("var/box/one", "From: bob@north.example\nSubject: help\n\nIt is broken.\n");
    all.wait_for("the mail is stored", || {
        all.host.sql("SELECT count(*) FROM gateway_message") == "1"
    });
    let counted = format!("{{\"$m\":[[{petr},1]]}}");
    let value = || all.host.sql("SELECT value FROM shared WHERE id='agent_emails'");
    all.wait_for("the mail is counted", || value() == counted);
    format!("one mail fetched and stored; `petr: 1` became `{petr}: 1` in agent_emails")
}

/// Step 7.
pub(super) fn a_middleware_forbids_until_it_is_unloaded(all: &mut Scenario) -> String {
    all.host.write("plugins/middleware.py", text_of("plugins/middleware.py"));
    all.call(&["plugins.load", "name=middleware"]);
    let refusal = all.refused(&["config.users.delete", "elid=eve"]);
    assert!(refusal.contains("This UCS forbids user removal"), "{refusal}");
    let eve = || all.host.sql("SELECT count(*) FROM user WHERE name='eve'");
    assert_eq!(eve(), "1");
    all.call(&["plugins.unload", "name=middleware"]);
    all.call(&["config.users.delete", "elid=eve"]);
    assert_eq!(eve(), "0");
    "refused: `This UCS forbids user removal`; unloaded, the same call deletes eve".to_owned()
}

/// Step 8.
pub(super) fn the_pause_holds_all_but_the_forced(all: &mut Scenario) -> String {
    let before = all.sent();
    all.host.write("etc/billmgr.DoNothing", "");
    let waiting = || all.host.sql("SELECT count(*) FROM notifytask WHERE modulename='ntsms'");
    all.call(&["notify.send", "user=bob", "notice=ready", "key=waits"]);
    all.call(&["notify.send", "user=bob", "notice=ready", "key=forced", "while_paused=on"]);
    all.wait_for("the forced one goes", || all.sent() == before + 1);
    all.wait_for("the other waits", || waiting() == "1");
    std::fs::remove_file(all.host.path("etc/billmgr.DoNothing")).unwrap();
    all.wait_for("it goes once the pause is over", || all.sent() == before + 2);
    all.wait_for("nothing is left", || waiting() == "0");
    "with etc/billmgr.DoNothing the forced SMS went, the other stayed queued; without the file it went too"
        .to_owned()
}
