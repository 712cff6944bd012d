//! Kill -9 of the daemon in the middle of the platform's work, round after round: users, payments past a before handler,
//! agents past a plugin's hook, services, notices and deliveries go through its socket, mails with commands come in, and at
//! the end the ledgers of the sink, the scripts and the gate are compared
//! with what was answered and with what the database says.

use crate::killed_ledgers::{Books, compare};
use crate::stage::{LONG, Stage, say};
use gatepost_kit::host::{Running, wait_until};
use gatepost_kit::http_sink::{HttpSink, Reply};
use gatepost_kit::tools::{comes_true, descendants};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Rounds in a usual run; the long run sets 200.
const ROUNDS: u32 = 6;
/// The kill comes within so many milliseconds of the first call.
const WITHIN_MS: u64 = 800;

/// The sink takes its time with a delivery, so that some are cut.
const TAKES: Duration = Duration::from_millis(30);

/// Hands over what lies in `var/box` until it is told that it is stored.
const GWIN: &str = r#"#!/usr/bin/env python3
import os, sys
import xml.etree.ElementTree as ET
if sys.argv[2] == "ingoing":
    for uid in ET.fromstring(sys.stdin.buffer.read()).findall("stored/uid"):
        if os.path.exists("var/box/" + uid.text):
            os.unlink("var/box/" + uid.text)
    doc = ET.Element("doc")
    messages = ET.SubElement(doc, "messages")
    for uid in sorted(os.listdir("var/box")):
        ET.SubElement(messages, "message", uid=uid).text = open("var/box/" + uid).read()
    print(ET.tostring(doc, encoding="unicode"))
else:
    print('<doc><features><feature name="ingoing"/></features><notify_module>ntemail</notify_module></doc>')
"#;

/// Holds the hook of agents' status: the reason tells that it was asked.
const HOOKED: &str = "
UCS_PLUGIN = 'Hooked'


class Hooked:
    def __init__(self, ucs):
        self.ucs = ucs
        ucs.agents.addChangeStatusHook(self.asked)

    def stop(self):
        self.ucs.agents.removeChangeStatusHook()

    def asked(self, agent, status, reason):
        return status, reason + ' hooked'
";

/// Stands before `payment.add`: the comment tells that it was asked.
const BEFORE: &str = "#!/bin/sh\necho '<doc><param name=\"comment\">handled</param></doc>'\n";

const BEFORE_XML: &str = "<mgrdata><handler name='before.sh' type='cgi'>\
    <event name='payment.add' before='yes'/></handler></mgrdata>";

/// What a script of the services does: two lines in a ledger of its own, some time between them.
const SCRIPT: &str = r#"#!/bin/sh
for word; do case $word in --user=*) user=${word#*=} ;; esac; done
echo "start OPERATION $user" >> LEDGER
sleep 0.15
echo "end OPERATION $user" >> LEDGER
echo "OK --id=$user"
"#;

/// Who dies with the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// It alone: the modules leave by themselves, and the next daemon's start beside them.
    Alone,
    /// The modules too: what they started runs on.
    WithModules,
    /// Everything it started, and what that started.
    WithAll,
}

const DEATHS: [Death; 3] = [Death::Alone, Death::WithModules, Death::WithAll];

fn rounds() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "the test's own setting, read once")]
    let given = std::env::var(gatepost_kit::ledger::ROUNDS).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// A call and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) round: u32,
    pub(crate) function: &'static str,
    params: Value,
    /// None: no answer came. Else the status and the document.
    pub(crate) answer: Option<(u16, Value)>,
}

impl Call {
    /// True when it was answered that it is done.
    pub(crate) fn is_done(&self) -> bool {
        self.answer.as_ref().is_some_and(|(status, _)| *status == 200)
    }
}

struct Rounds {
    stage: Stage,
    socket: PathBuf,
    sink: HttpSink,
    calls: Vec<Call>,
    /// Reply tokens that came in by mail, each once.
    commands: BTreeSet<String>,
    chance: u64,
}

#[test]
fn a_daemon_killed_again_and_again_loses_nothing_and_repeats_no_open() {
    let mut all = Rounds::new();
    let mut daemon = all.start();
    for round in 1..=rounds() {
        all.work_until_the_kill(round, &mut daemon);
        daemon = all.start();
        all.ask_again(round);
    }
    all.rest();
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
    let Rounds { stage, sink, calls, commands, .. } = all;
    let scripts = stage.host.read("var/scripts");
    let verdict = compare(&Books {
        host: &stage.host,
        calls: &calls,
        requests: &sink.requests(),
        scripts: &scripts,
        mails: &stage.ledger(),
        incoming: (rounds() as usize, commands.len()),
    });
    say(&format!("{} kills: {}", rounds(), verdict.figures));
    assert!(verdict.wrong.is_empty(), "{:#?}", verdict.wrong);
    assert_eq!(stage.host.sql("PRAGMA integrity_check"), "ok");
}

impl Rounds {
    fn new() -> Self {
        let mut stage = Stage::with_ledger(5);
        stage.set(&[
            ("queue.poison_crashes", "1000"),
            ("retry.provisioning.base_secs", "0.05"),
            ("retry.provisioning.cap_secs", "0.2"),
            ("retry.processing.base_secs", "0.05"),
            ("retry.processing.cap_secs", "0.2"),
        ]);
        let sink = HttpSink::start(|_| {
            comes_true(TAKES, || false);
            Reply::ok("{}")
        });
        let socket = stage.host.path("var/run/api.sock");
        let (calls, commands, chance) = (Vec::new(), BTreeSet::new(), 0x2545_f491_4f6c_dd1d);
        let rounds = Self { stage, socket, sink, calls, commands, chance };
        rounds.lay_out();
        rounds
    }

    /// Notices, scripts, a server, handlers of events.
    fn lay_out(&self) {
        let host = &self.stage.host;
        let notice = |name: &str, toml: &str| {
            for module in ["ntemail", "ntinternal"] {
                let path = format!("templates/{name}/en.{module}.text.ejs");
                host.write(&path, format!("{name} <%= user.name %>\n"));
            }
            host.write(&format!("templates/{name}/notice.toml"), toml);
        };
        let subject = "[subject]\nen = \"x\"\n";
        let both = "modules = [\"ntemail\", \"ntinternal\"]\nevent = \"clients.create\"\n";
        notice("registration", &format!("{both}{subject}"));
        notice("tell", &format!("reply_token = true\nmodules = [\"ntinternal\"]\n{subject}"));
        host.write("templates/tell/en.ntinternal.text.ejs", "tell __reply_token__\n");
        let ledger = host.path("var/scripts").display().to_string();
        for operation in ["open", "suspend", "resume", "close"] {
            let text = SCRIPT.replace("OPERATION", operation).replace("LEDGER", &ledger);
            host.program(&format!("scripts/{operation}.sh"), &text);
        }
        let call = |words: &[&str]| host.gatepost(&[&["func"], words].concat()).ended(0);
        call(&["account.edit", "sok=ok", "name=all", "project=1"]);
        let path = format!("path={}", host.path("scripts").display());
        call(&["processing.add", "module=pmshell", "transport=local", &path, "product_type=ftp"]);
        call(&["product.add", "name=FTP", "type=ftp"]);
        for (name, event) in crate::killed_ledgers::HANDLERS {
            let task = format!("task={}/{name}", self.sink.address());
            let (name, event) = (format!("name={name}"), format!("event={event}"));
            call(&["provisioning.add", &name, &event, "type=http", &task, "status=enabled"]);
        }
        call(&["cachemanager.restart"]);
        host.program("gate/gwin", GWIN);
        host.write("var/box/.keep", "");
        std::fs::remove_file(host.path("var/box/.keep")).unwrap();
        host.sql(
            "INSERT INTO gateway(name,project,notify_module,gateway_module,gateway_type)
             VALUES('box',1,'ntemail','gwin',2)",
        );
        host.program("addon/before.sh", BEFORE);
        host.write("etc/xml/gatepost_mod_before.xml", BEFORE_XML);
        host.write("plugins/hooked.py", HOOKED);
        call(&["user.add", "name=jana", "email=jana@example.com", "level=admin", "language=en"]);
    }

    fn start(&self) -> Running {
        let daemon = self.stage.host.start("bin/gatepostd", &[]);
        wait_until(LONG, "the daemon takes calls", || UnixStream::connect(&self.socket).is_ok());
        daemon
    }

    /// The calls of a round, one after the other, until the daemon does not answer any more.
    fn work_until_the_kill(&mut self, round: u32, daemon: &mut Running) {
        let calls = self.calls_of(round);
        self.send_a_mail(round);
        let getmessage = ["--command", "getmessage", "--gate", "all"];
        let mut fetching = self.stage.host.start("notify/ntemail", &getmessage);
        let wait = Duration::from_millis(self.chance_below(WITHIN_MS));
        let death = DEATHS[(round / 3) as usize % DEATHS.len()];
        let socket = self.socket.clone();
        let caller = std::thread::spawn(move || call_all(&socket, calls));
        // every third kill comes while a script runs, the others at any moment
        let scripts = || self.stage.host.read("var/scripts");
        let runs = || round % 3 == 1 && scripts().lines().count() % 2 == 1;
        comes_true(wait, runs);
        kill(daemon, death);
        daemon.wait(LONG);
        assert_eq!(fetching.wait(LONG), Some(0));
        self.calls.extend(caller.join().unwrap());
    }

    /// A mail that is to come in: with the token of a notice that somebody got in a round before, it is a command.
    fn send_a_mail(&mut self, round: u32) {
        let got = "SELECT substr(text, 6, 43) FROM inbox WHERE text LIKE 'tell gp-%' ORDER BY id";
        let got = self.stage.host.sql(got);
        let token = got.lines().find(|token| !self.commands.contains(*token));
        let text =
            format!("From: any@example.com\nSubject: Re: {}\n\nstop\n", token.unwrap_or("nothing"));
        self.commands.extend(token.map(str::to_owned));
        self.stage.host.write(&format!("var/box/m{round}"), text);
    }

    fn calls_of(&self, round: u32) -> Vec<Call> {
        let user = format!("u{round}");
        let call = |function, params| Call { round, function, params, answer: None };
        let email = format!("{user}@example.com");
        let mut calls = vec![
            call("user.add", json!({"name": user, "email": email, "language": "en"})),
            call("payment.add", json!({"account": "1", "amount": "1.25", "key": user})),
            call("agent.status", json!({"agent": "jana", "status": "ready", "reason": user})),
            call("service.open", json!({"user": user, "product": "FTP"})),
        ];
        for (state, function) in [("active", "service.suspend"), ("suspended", "service.resume")] {
            let sql = format!(
                "SELECT coalesce(min(id),0) FROM service WHERE state='{state}' AND NOT EXISTS \
                 (SELECT 1 FROM notifytask WHERE modulename='pmshell' AND object=service.id)"
            );
            let service = self.stage.host.sql(&sql);
            if service != "0" {
                calls.push(call(function, json!({"elid": service})));
            }
        }
        let key = format!("tell-{round}");
        calls.push(call("notify.send", json!({"user": user, "notice": "tell", "key": key})));
        calls
    }

    /// Every second round what was not answered is called again under the same key: it is done now, or is
    /// known to have been done, or is refused, since nobody can tell.
    fn ask_again(&mut self, round: u32) {
        if !round.is_multiple_of(2) {
            return;
        }
        for (at, call) in self.calls.iter_mut().filter(|call| call.round == round).enumerate() {
            if call.answer.is_none() {
                call.answer = post(&self.socket, call, at);
                let (status, document) = call.answer.clone().unwrap();
                assert!(status == 200 || (400..500).contains(&status), "{call:?}: {document}");
            }
        }
    }

    /// Until nothing goes on by itself any more.
    fn rest(&self) {
        let left = "SELECT (SELECT count(*) FROM notifytask WHERE state<3) + (SELECT count(*) FROM event WHERE told=0) \
                    + (SELECT count(*) FROM gateway_message WHERE followed<2)";
        let tasks =
            "SELECT modulename, state, count(*), min(err_info) FROM notifytask GROUP BY 1,2";
        let getmessage = ["--command", "getmessage", "--gate", "all"];
        self.stage.host.run("notify/ntemail", &getmessage).ended(0);
        let came = comes_true(2 * LONG, || self.stage.number(left) == 0);
        assert!(came, "{}", self.stage.host.sql(tasks));
    }

    fn chance_below(&mut self, most: u64) -> u64 {
        for shift in [13, -7, 17] {
            self.chance ^= if shift > 0 { self.chance << shift } else { self.chance >> -shift };
        }
        self.chance % most
    }
}

fn call_all(socket: &Path, mut calls: Vec<Call>) -> Vec<Call> {
    for (at, call) in calls.iter_mut().enumerate() {
        call.answer = post(socket, call, at);
        if call.answer.is_none() {
            break;
        }
    }
    calls
}

/// None without a whole answer.
fn post(socket: &Path, call: &Call, at: usize) -> Option<(u16, Value)> {
    let body = call.params.to_string();
    let mut stream = UnixStream::connect(socket).ok()?;
    let request = format!(
        "POST /v1/func/{} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Idempotency-Key: {}-{at}\r\nContent-Length: {}\r\n\r\n{body}",
        call.function,
        call.round,
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

fn kill(daemon: &Running, death: Death) {
    let all = |signal: &str, pids: &[u32]| {
        let pids = pids.iter().map(u32::to_string);
        let done = Command::new("kill").arg(signal).arg("--").args(pids).output();
        assert!(done.is_ok());
    };
    let own = daemon.pid();
    if death == Death::Alone {
        return all("-KILL", &[own]);
    }
    // stopped first, so that nobody sees the others die
    all("-STOP", &[own]);
    let mut doomed = vec![own];
    doomed.extend(descendants(own, if death == Death::WithAll { u32::MAX } else { 1 }));
    all("-STOP", &doomed);
    if death == Death::WithAll {
        doomed = [vec![own], descendants(own, u32::MAX)].concat();
    }
    all("-KILL", &doomed);
}
