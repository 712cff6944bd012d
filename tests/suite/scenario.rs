//! The four doors as one product (the eight steps of the platform's end-to-end test): a gate, event handlers,
//! provisioning, services over ssh, plugins, incoming mail, and the pause. The documents' own programs run
//! unchanged where they are present, programs of ours with the same behaviour where they are not.

use crate::stage::{LONG, say};
use gatepost_kit::host::{Host, Running, examples, has, wait_until};
use gatepost_kit::http_sink::{HttpSink, Reply, Request};
use gatepost_kit::sshd::Sshd;
use gatepost_kit::tools::comes_true;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

const HANDLERS: &str = r#"<mgrdata>
  <handler name="samba.pl" type="cgi">
    <event after="yes" name="user.add" postdata="yes"/>
    <event after="yes" name="user.delete" postdata="yes"/>
  </handler>
</mgrdata>"#;

const SKIP: &str = r#"<mgrdata><handler name="test.py" type="xml"><event name="register.activationsend" before="yes"/></handler></mgrdata>"#;

/// Ours in place of the documents' programs.
const OWN: [(&str, &str); 9] = [
    (
        "event-handlers/samba.pl",
        "#!/usr/bin/env python3\nimport subprocess, sys, urllib.parse\n\
         given = dict(urllib.parse.parse_qsl(sys.stdin.read(), keep_blank_values=True))\n\
         if given.get('func') == 'user.add':\n    subprocess.run(['smbpasswd', '-a', given['name']], input=2 * (given['passwd'] + '\\n'), text=True)\n\
         print('<doc/>')\n",
    ),
    ("event-handlers/test.py", "#!/usr/bin/env python3\nprint('<doc><skipaction/></doc>')\n"),
    (
        "shellscripts/open.sh",
        "#!/bin/sh\nfor word; do case $word in --user=*) user=${word#*=};; esac; done\nuseradd $user\necho OK --id=$user --username=$user\n",
    ),
    ("shellscripts/suspend.sh", "#!/bin/sh\nusermod -L x\necho OK\n"),
    ("shellscripts/resume.sh", "#!/bin/sh\nusermod -U x\necho OK\n"),
    ("shellscripts/close.sh", "#!/bin/sh\nuserdel x\necho OK\n"),
    (
        "plugins/status_hook.py",
        "import time\nfrom error import ProcessingError\nUCS_PLUGIN = 'StatusHook'\n\nclass StatusHook:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        ucs.agents.addChangeStatusHook(self.hook)\n\n    def stop(self):\n        self.ucs.agents.removeChangeStatusHook()\n\n    def hook(self, agent, status, reason):\n        if reason == 'Oběd' and time.localtime().tm_hour < 11:\n            return None, 'Na oběd je příliš brzy'\n        raise NameError('AGENT_OFFLINE')\n",
    ),
    (
        "plugins/shared_data_hook.py",
        "UCS_PLUGIN = 'SharedDataHook'\n\nclass SharedDataHook:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        ucs.shared.addChangeHook('agent_emails', self.hook)\n\n    def stop(self):\n        self.ucs.shared.removeChangeHook('agent_emails')\n\n    def hook(self, name, old, new):\n        ids = {name: number for number, name in self.ucs.tree.getUsers('username').items()}\n        return {ids[name]: count for name, count in new.items() if name in ids}\n",
    ),
    (
        "plugins/middleware.py",
        "from error import PermissionDenied\nUCS_PLUGIN = 'Middleware'\n\nclass Middleware:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        ucs.api.addMiddleware('config.users.delete', self.delete)\n\n    def stop(self):\n        self.ucs.api.removeMiddleware('config.users.delete', self.delete)\n\n    def delete(self, *args):\n        raise PermissionDenied('This UCS forbids user removal')\n",
    ),
];

/// Tells of the agent who goes to lunch; the documents' own is `example.py`.
const OWN_EXAMPLE: &str = "from events import EVENT_AGENT_STATUS\nUCS_PLUGIN = 'Example'\n\nclass Example:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        ucs.addCallback(EVENT_AGENT_STATUS, self.changed)\n\n    def stop(self):\n        self.ucs.removeCallback(EVENT_AGENT_STATUS, self.changed)\n\n    def changed(self, agent, args):\n        self.ucs.log.info(f'Agent {agent[\"displayname\"]} odešel na oběd')\n";

/// Hands over the mail that lies in `var/box` until it is told that it is stored.
const GWIN: &str = r#"#!/usr/bin/env python3
import glob, os, sys
import xml.etree.ElementTree as ET
if sys.argv[2] == "ingoing":
    for uid in ET.fromstring(sys.stdin.buffer.read()).findall("stored/uid"):
        if os.path.exists("var/box/" + uid.text):
            os.unlink("var/box/" + uid.text)
    messages = ET.Element("messages")
    for path in sorted(glob.glob("var/box/*")):
        ET.SubElement(messages, "message", uid=os.path.basename(path)).text = open(path).read()
    print("<doc>" + ET.tostring(messages, encoding="unicode") + "</doc>")
else:
    print('<doc><features><feature name="ingoing"/></features><notify_module>ntemail</notify_module></doc>')
"#;

const GWIN_FORM: &str = r#"<mgrdata><plugin name="gwin"><group>gateway</group></plugin>
<metadata name="gateway.gwin"><form><field name="login"><input type="text" name="login"/></field></form></metadata></mgrdata>"#;

/// A program of the documents, or ours in its place.
fn text_of(name: &str) -> String {
    let theirs = examples().and_then(|folder| std::fs::read_to_string(folder.join(name)).ok());
    theirs.unwrap_or_else(|| {
        if name == "plugins/example.py" {
            return OWN_EXAMPLE.to_owned();
        }
        OWN.iter().find(|(known, _)| *known == name).unwrap().1.to_owned()
    })
}

/// What receives the events: the documents' flask program, or a receiver of ours.
enum Receiver {
    Flask(Child, u16),
    Ours(HttpSink),
}

impl Receiver {
    fn start() -> Self {
        let script = examples().map(|folder| folder.join("provisioning"));
        let has_flask = Command::new("python3").args(["-c", "import flask"]).output();
        let Some(folder) = script.filter(|_| has_flask.is_ok_and(|done| done.status.success()))
        else {
            return Self::Ours(HttpSink::start(|request| Reply::ok(request.body.clone())));
        };
        let port = gatepost_kit::tools::free_port();
        let child = Command::new("python3")
            .args(["-m", "flask", "--app", "flask_handler", "run", "--port", &port.to_string()])
            .current_dir(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(LONG, "flask listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self::Flask(child, port)
    }

    fn task(&self) -> String {
        match self {
            Self::Flask(_, port) => format!("127.0.0.1:{port}/api"),
            Self::Ours(sink) => format!("{}/api", sink.address()),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Self::Flask(child, _) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The installation of the scenario.
struct Scenario {
    host: Host,
    sms: HttpSink,
    receiver: Receiver,
    daemon: Option<Running>,
    proxied: String,
    stubs: PathBuf,
}

impl Scenario {
    fn new() -> Self {
        let sms =
            HttpSink::start(|_: &Request| Reply::ok("<RESPONSE><status>0</status></RESPONSE>"));
        let host = Host::new();
        let stubs = host.path("stubs");
        let proxied = sms.url("");
        let scenario =
            Self { host, sms, receiver: Receiver::start(), daemon: None, proxied, stubs };
        scenario.settle_at(9);
        scenario.lay_out();
        scenario
    }

    /// Settings under which it is that hour for every program we start.
    fn settle_at(&self, hour: i64) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let ahead = hour - i64::try_from(since.as_secs() / 3_600 % 24).unwrap();
        let settings = format!(
            "[gate]\npath = \"{}:/usr/local/bin:/usr/bin:/bin\"\n\
             [gate.env]\nTZ = \"XXX{}\"\nHTTP_PROXY = \"{proxy}\"\nhttp_proxy = \"{proxy}\"\n\
             [daemon]\ngetmessage_secs = 1\n",
            self.stubs.display(),
            -ahead,
            proxy = self.proxied
        );
        self.host.write("etc/gatepost.toml", settings);
    }

    fn lay_out(&self) {
        let host = &self.host;
        host.program("stubs/smbpasswd", "#!/bin/sh\n(echo \"$@\"; cat) >> var/smbpasswd.log\n");
        for (name, place) in [("samba.pl", "addon/samba.pl"), ("test.py", "addon/test.py")] {
            host.program(place, &text_of(&format!("event-handlers/{name}")));
        }
        host.write("etc/xml/billmgr_mod_samba.xml", HANDLERS);
        host.write("etc/xml/billmgr_mod_test.xml", SKIP);
        host.program("gate/gwin", GWIN);
        host.write("etc/xml/gatepost_mod_gwin.xml", GWIN_FORM);
        host.write("templates/hello/en.ntsms.text.ejs", "Hello, <%- user.name %>");
        host.write(
            "templates/hello/notice.toml",
            "modules = [\"ntsms\"]\nevent = \"clients.create\"\n",
        );
        host.write("templates/ready/en.ntsms.text.ejs", "Your service is ready");
        host.write(
            "templates/ready/notice.toml",
            "modules = [\"ntsms\"]\nevent = \"clients.subscriptions.activate\"\n",
        );
        host.write("templates/tell/en.ntinternal.text.ejs", "Somebody new");
        host.write(
            "templates/tell/notice.toml",
            "modules = [\"ntinternal\"]\nevent = \"clients.create\"\naudience = \"staff\"\n",
        );
    }

    fn start(&mut self) {
        self.daemon = Some(self.host.start("bin/gatepostd", &[]));
        let socket = self.host.path("var/run/api.sock");
        wait_until(LONG, "the daemon takes calls", || UnixStream::connect(&socket).is_ok());
    }

    fn stop(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.signal("TERM");
        assert_eq!(daemon.wait(LONG), Some(0), "{}", self.log());
    }

    /// Calls a function as the ancestor's tool does.
    fn call(&self, words: &[&str]) -> String {
        let all = [&["-m", "billmgr"], words].concat();
        self.host.run("sbin/mgrctl", &all).ended(0).stdout
    }

    fn refused(&self, words: &[&str]) -> String {
        let all = [&["-m", "billmgr"], words].concat();
        let ran = self.host.run("sbin/mgrctl", &all);
        assert_ne!(ran.code, Some(0), "{words:?}: {}", ran.stdout);
        ran.stderr
    }

    fn log(&self) -> String {
        self.host.read("var/gatepost.log")
    }

    fn sent(&self) -> usize {
        let requests = self.sms.requests();
        requests.iter().filter(|one| one.body.contains("<operation>SEND</operation>")).count()
    }

    fn deliveries(&self, event: &str) -> String {
        self.host.sql(&format!(
            "SELECT count(*) FROM notifylog JOIN event ON notifylog.notice=event.events_id \
             WHERE module='nthandler' AND outcome='sent' AND notice='{event}'"
        ))
    }

    fn wait_for(&self, what: &str, is_so: impl FnMut() -> bool) {
        let came = comes_true(LONG, is_so);
        assert!(came, "{what}: {}", self.log());
    }
}

#[test]
fn the_four_doors_are_one_product() {
    let Some(sshd) = Sshd::start() else { return };
    let mut all = Scenario::new();
    the_gateway_is_saved_after_its_check(&all);
    all.start();
    a_new_user_runs_handlers_and_gets_his_notice(&all);
    an_activation_is_skipped_by_its_handler(&all);
    a_service_goes_through_its_life(&all, &sshd);
    plugins_decide_on_agents(&mut all);
    incoming_mail_is_counted_by_name_and_kept_by_id(&all);
    a_middleware_forbids_until_it_is_unloaded(&all);
    the_pause_holds_all_but_the_forced(&all);
    all.stop();
    say("the scenario went through its eight steps");
}

/// Step 1.
fn the_gateway_is_saved_after_its_check(all: &Scenario) {
    let host = &all.host;
    host.gatepost(&[
        "project",
        "add",
        "name=North",
        "notifyemail=a@north.example",
        "country_default=RU",
    ])
    .ended(0);
    let mut more = vec![];
    if let Some(folder) = examples().filter(|_| has("go")) {
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(host.path("gate/gwepochta.new"))
            .arg(folder.join("notification/gwepochta.go"))
            .env("GO111MODULE", "off")
            .status();
        assert!(built.unwrap().success());
        std::fs::rename(host.path("gate/gwepochta.new"), host.path("gate/gwepochta")).unwrap();
        let form = "billmgr_mod_gwepochta.xml";
        std::fs::copy(
            folder.join("notification").join(form),
            host.path(&format!("etc/xml/{form}")),
        )
        .unwrap();
    } else {
        more.push(format!("url={}", all.sms.url("/members/sms/xml.php")));
    }
    host.write("etc/password", "p&q w\n");
    let mut words = vec!["gateway", "add", "gwepochta", "name=sms", "login=me"];
    words.extend(["password=@etc/password", "sender=Gatepost"]);
    words.extend(more.iter().map(String::as_str));
    host.gatepost(&words).ended(0);
    assert_eq!(host.sql("SELECT count(*) FROM gateway"), "1");
}

/// Step 2.
fn a_new_user_runs_handlers_and_gets_his_notice(all: &Scenario) {
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
    all.wait_for("the event is delivered", || all.deliveries("clients.create") == "1");
    assert!(!all.log().contains("b0b-pass"), "{}", all.log());
}

/// Step 3.
fn an_activation_is_skipped_by_its_handler(all: &Scenario) {
    all.call(&["register.activationsend", "user=bob", "notice=hello"]);
    let script = all.host.path("addon/test.py");
    let line = format!("Executing: {}", script.display());
    assert!(all.log().contains(&line), "{line} in {}", all.log());
    assert_eq!(all.host.sql("SELECT count(*) FROM notifytask WHERE modulename='ntsms'"), "0");
    assert_eq!(all.sent(), 1, "nothing is sent");
}

/// Step 4.
fn a_service_goes_through_its_life(all: &Scenario, sshd: &Sshd) {
    for name in ["useradd", "passwd", "usermod", "userdel"] {
        let log = sshd.path("calls");
        sshd.stub(name, &format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", log.display()));
    }
    let mut folder = PathBuf::new();
    for name in ["open.sh", "suspend.sh", "resume.sh", "close.sh"] {
        folder = sshd.script(name, &text_of(&format!("shellscripts/{name}")));
    }
    let key = all.call(&["processing.key", "-o", "json"]);
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    sshd.authorize(key.as_object().unwrap().values().next().unwrap().as_str().unwrap());
    all.call(&[
        "processing.add",
        "module=pmshell",
        "name=web1",
        "product_type=ftp",
        "ip=127.0.0.1",
        &format!("port={}", sshd.port),
        &format!("path={}", folder.display()),
    ]);
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
    let calls = sshd.read("calls");
    assert!(calls.contains("useradd u1") && calls.contains("userdel"), "{calls}");
}

/// Step 5.
fn plugins_decide_on_agents(all: &mut Scenario) {
    for (name, phone) in [("jana", ""), ("petr", "")] {
        let words = [
            "user.add",
            &format!("name={name}"),
            &format!("realname={name}"),
            &format!("email={name}@north.example"),
            &format!("phone={phone}"),
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
    let mut tried = String::new();
    let went = std::time::Instant::now();
    while went.elapsed() < Duration::from_mins(1) {
        let ran = all.host.run("sbin/mgrctl", &[&["-m", "billmgr"], &lunch[..]].concat());
        if ran.code == Some(0) {
            tried.clear();
            break;
        }
        tried = ran.stderr;
    }
    assert!(tried.is_empty(), "{tried}");
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
}

/// Step 6.
fn incoming_mail_is_counted_by_name_and_kept_by_id(all: &Scenario) {
    all.call(&["shared.set", "id=agent_emails", "value={}"]);
    all.host
        .gatepost(&[
            "gateway",
            "add",
            "gwin",
            "name=box",
            "gateway_type=2",
            "project=North",
            "login=x",
        ])
        .ended(0);
    let petr = all.host.sql("SELECT id FROM user WHERE name='petr'");
    all.host.write("var/box/one", "From: bob@north.example\nSubject: help\n\nIt is broken.\n");
    all.wait_for("the mail is stored", || {
        all.host.sql("SELECT count(*) FROM gateway_message") == "1"
    });
    let counted = format!("{{\"$m\":[[{petr},1]]}}");
    all.wait_for("the mail is counted", || {
        all.host.sql("SELECT value FROM shared WHERE id='agent_emails'") == counted
    });
}

/// Step 7.
fn a_middleware_forbids_until_it_is_unloaded(all: &Scenario) {
    all.host.write("plugins/middleware.py", text_of("plugins/middleware.py"));
    all.call(&["plugins.load", "name=middleware"]);
    let refusal = all.refused(&["config.users.delete", "elid=eve"]);
    assert!(refusal.contains("This UCS forbids user removal"), "{refusal}");
    assert_eq!(all.host.sql("SELECT count(*) FROM user WHERE name='eve'"), "1");
    all.call(&["plugins.unload", "name=middleware"]);
    all.call(&["config.users.delete", "elid=eve"]);
    assert_eq!(all.host.sql("SELECT count(*) FROM user WHERE name='eve'"), "0");
}

/// Step 8.
fn the_pause_holds_all_but_the_forced(all: &Scenario) {
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
}
