//! Incoming messages: `getmessage` of a module through the gates of its type.

use crate::stage::LONG;
use gatepost_kit::host::{Host, wait_until};
use std::os::unix::net::UnixStream;

/// Hands over what lies in `var/box`, one message a file, until it is told that it is stored.
const GWIN: &str = r#"#!/usr/bin/env python3
import glob, os, sys
import xml.etree.ElementTree as ET
command = sys.argv[2] if len(sys.argv) > 2 else "features"
if command == "ingoing":
    told = [uid.text for uid in ET.fromstring(sys.stdin.buffer.read()).findall("stored/uid")]
    open("var/told", "a").write(" ".join(told) + "\n")
    for uid in told:
        if os.path.exists("var/box/" + uid):
            os.unlink("var/box/" + uid)
    doc = ET.Element("doc")
    messages = ET.SubElement(doc, "messages")
    for path in sorted(glob.glob("var/box/*")):
        ET.SubElement(messages, "message", uid=os.path.basename(path)).text = open(path).read()
    text = ET.tostring(doc, encoding="unicode")
    print(text[: int(os.environ.get("CUT", len(text)))])
else:
    print('<doc><features><feature name="ingoing"/></features><notify_module>ntemail</notify_module></doc>')
"#;

const DESCRIPTION: &str = r#"<mgrdata><plugin name="gwin"><group>gateway</group></plugin>
<metadata name="gateway.gwin"><form><field name="login"><input type="text" name="login"/></field></form></metadata></mgrdata>"#;

fn host_with_mailbox() -> Host {
    let host = Host::new();
    host.program("gate/gwin", GWIN);
    host.write("etc/xml/gatepost_mod_gwin.xml", DESCRIPTION);
    host.gatepost(&["project", "add", "name=North", "notifyemail=a@north.example"]).ended(0);
    host.gatepost(&["user", "add", "quiet=on", "name=bob", "email=bob@north.example"]).ended(0);
    host.gatepost(&[
        "gateway",
        "add",
        "gwin",
        "name=box",
        "gateway_type=2",
        "project=North",
        "login=x",
    ])
    .ended(0);
    host
}

fn getmessage(host: &Host, gate: &str) -> Option<i32> {
    host.run("notify/ntemail", &["--command", "getmessage", "--gate", gate]).code
}

/// S3-24, S3-33, S3-34, S3-39: by the gateway's id and by all of them; S3-53: each is stored once, whatever runs again,
/// and the gate is told what it may delete.
#[test]
fn messages_are_stored_once_and_the_gate_is_told() {
    let host = host_with_mailbox();
    host.write("var/box/one", "From: Bob <BOB@north.example>\nSubject: hello\n\nfirst & <b>\n");
    host.write("var/box/two", "From: stranger@elsewhere.example\nSubject: who\n\nsecond\n");
    assert_eq!(getmessage(&host, "1"), Some(0));
    assert_eq!(host.sql("SELECT count(*) FROM gateway_message"), "2");
    let known = host.gatepost(&["incoming", "-o", "json"]).ended(0).stdout;
    assert!(known.contains("bob@north.example") || known.contains("BOB@north.example"), "{known}");
    assert_eq!(
        host.sql("SELECT count(*) FROM gateway_message WHERE \"user\" IS NOT NULL"),
        "1",
        "matched by its sender"
    );
    assert_eq!(
        host.sql("SELECT count(*) FROM gateway_message WHERE reason <> ''"),
        "1",
        "the other is kept with a reason"
    );
    assert_eq!(getmessage(&host, "all"), Some(0));
    assert_eq!(host.read("var/told"), "\none two\n");
    assert_eq!(host.sql("SELECT count(*) FROM gateway_message"), "2");
    assert_eq!(
        std::fs::read_dir(host.path("var/box")).unwrap().count(),
        0,
        "only what was stored is deleted"
    );
}

/// S3-53: of half a document the whole messages are taken, and the run counts as failed.
#[test]
fn half_a_document_loses_and_doubles_nothing() {
    let host = host_with_mailbox();
    host.write("var/box/one", "From: bob@north.example\nSubject: a\n\nfirst\n");
    host.write("var/box/two", "From: bob@north.example\nSubject: b\n\nsecond\n");
    host.write("etc/gatepost.toml", "[gate.env]\nCUT = \"150\"\n");
    assert_ne!(getmessage(&host, "1"), Some(0));
    let stored = host.sql("SELECT count(*) FROM gateway_message");
    assert!(stored == "0" || stored == "1", "{stored}");
    host.write("etc/gatepost.toml", "");
    assert_eq!(getmessage(&host, "1"), Some(0));
    assert_eq!(host.sql("SELECT count(*) FROM gateway_message"), "2");
}

/// S3-35: an unknown gateway, and one that is not active.
#[test]
fn a_gateway_that_can_not_receive_is_an_error() {
    let host = host_with_mailbox();
    assert_ne!(getmessage(&host, "99"), Some(0));
    assert_ne!(getmessage(&host, "../x"), Some(0));
    host.gatepost(&["gateway", "edit", "box", "active=off"]).ended(0);
    assert_ne!(getmessage(&host, "1"), Some(0));
    assert_eq!(host.sql("SELECT count(*) FROM gateway_message"), "0");
}

/// S3-52: where a message has no headers the gate says who sent it. A mail's subject is kept as a person wrote it.
#[test]
fn the_sender_that_a_gate_names_and_an_encoded_subject_are_kept() {
    let host = host_with_mailbox();
    host.program(
        "gate/gwchat",
        "#!/bin/sh\ncase $2 in\nfeatures) echo '<doc><features><feature name=\"ingoing\"/></features><notify_module>ntemail</notify_module></doc>';;\n\
         ingoing) cat >/dev/null; echo '<doc><messages><message uid=\"1\" sender=\"bob@north.example\">STOP</message><message uid=\"2\" sender=\"al@north.example\">hi</message><message uid=\"3\">who</message></messages></doc>';;\nesac\n",
    );
    host.gatepost(&["gateway", "add", "gwchat", "name=chat", "gateway_type=2", "project=North"])
        .ended(0);
    assert_eq!(getmessage(&host, "2"), Some(0));
    let rows = "SELECT sender, \"user\", reason FROM gateway_message ORDER BY uid";
    let expected = "bob@north.example|1|\nal@north.example||unknown_sender\n||no_sender";
    assert_eq!(host.sql(rows), expected);
    host.write(
        "var/box/one",
        "From: bob@north.example\nSubject: Re: =?UTF-8?B?0KHRh9GR?=\n =?UTF-8?B?0YI=?=\n\nx\n",
    );
    assert_eq!(getmessage(&host, "1"), Some(0));
    assert_eq!(host.sql("SELECT subject FROM gateway_message WHERE uid='one'"), "Re: Счёт");
}

/// Receipts are recorded once each; a failed one marks the contact.
#[test]
fn receipts_of_delivery_are_recorded_once() {
    let host = host_with_mailbox();
    host.program(
        "gate/gwpost",
        "#!/bin/sh\ncase $2 in\nfeatures) echo '<doc><features><feature name=\"outgoing\"/><feature name=\"ingoing\"/></features><notify_module>ntemail</notify_module></doc>';;\n\
         outgoing) n=$(cat var/n 2>/dev/null || echo 0); n=$((n+1)); echo $n >var/n; cat >/dev/null; echo \"<doc><reference>r$n</reference></doc>\";;\n\
         ingoing) cat >/dev/null; echo '<doc><messages/><receipts><receipt reference=\"r1\" state=\"delivered\"/><receipt reference=\"r2\" state=\"failed\"/><receipt reference=\"r9\" state=\"failed\"/></receipts></doc>';;\nesac\n",
    );
    for direction in ["1", "2"] {
        let (name, kind) = (format!("name=p{direction}"), format!("gateway_type={direction}"));
        host.gatepost(&["gateway", "add", "gwpost", &name, &kind, "project=North"]).ended(0);
    }
    host.write("templates/hello/en.ntemail.text.tera", "Hello\n");
    host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
    for to in ["bob@north.example", "gone@north.example"] {
        let send = ["send", "hello", "--to", to, "--lang", "en", "--module", "ntemail"];
        host.gatepost(&send).ended(0);
        host.process("ntemail").ended(0);
    }
    for _ in 0..2 {
        assert_eq!(getmessage(&host, "3"), Some(0));
        let rows = "SELECT reference, outcome, contact FROM notifylog WHERE outcome <> 'sent' ORDER BY reference";
        let expected = "r1|delivered|bob@north.example\nr2|failed|gone@north.example\nr9|failed|";
        assert_eq!(host.sql(rows), expected);
    }
    assert_eq!(host.sql("SELECT contact, state FROM contact_state"), "gone@north.example|failing");
}

/// Writes down each start and each question, and takes a hundred for every mail.
const HUNDREDS: &str = r"
import os

UCS_PLUGIN = 'Hundreds'


def note(name):
    with open('LEDGER/' + name, 'a') as file:
        file.write('%d\n' % os.getpid())


class Hundreds:
    def __init__(self, ucs):
        self.ucs = ucs
        note('started')
        ucs.shared.addChangeHook('agent_emails', self.asked)

    def stop(self):
        self.ucs.shared.removeChangeHook('agent_emails')

    def asked(self, identificator, old, new):
        note('asked')
        return {agent: count + 99 for agent, count in new.items()}
";

/// What follows from a mail follows in the daemon: by the plugins it has at that moment, and by no others; without a
/// daemon by plugins that are started for it.
#[test]
fn a_mail_is_followed_by_the_daemon_and_its_plugins_of_the_moment() {
    let host = host_with_mailbox();
    let ledger = host.path("var").display().to_string();
    host.write("plugins/hundreds.py", HUNDREDS.replace("LEDGER", &ledger));
    host.gatepost(&["func", "user.add", "name=jana", "level=admin", "quiet=on"]).ended(0);
    let started = || host.read("var/started").lines().count();
    host.gatepost(&["func", "agent.status", "agent=jana", "status=ready"]).ended(0);
    std::fs::remove_file(host.path("var/started")).unwrap();
    let comes = |uid: &str, count: &str| {
        host.write(&format!("var/box/{uid}"), "From: bob@north.example\nSubject: hi\n\nhi\n");
        assert_eq!(getmessage(&host, "all"), Some(0));
        let counted = format!("{{\"jana\":{count}}}");
        wait_until(LONG, "the mail is counted", || {
            host.run("notify/nthandler", &["--command", "process"]).ended(0);
            host.sql("SELECT value FROM shared WHERE id='agent_emails'") == counted
        });
    };
    let mut daemon = host.start("bin/gatepostd", &[]);
    let socket = host.path("var/run/api.sock");
    wait_until(LONG, "the socket is open", || UnixStream::connect(&socket).is_ok());
    comes("one", "100");
    assert_eq!((started(), host.read("var/asked").lines().count()), (1, 1), "one worker");
    host.gatepost(&["plugin", "unload", "hundreds"]).ended(0);
    comes("two", "101");
    assert_eq!((started(), host.read("var/asked").lines().count()), (1, 1), "it is unloaded");
    daemon.signal("TERM");
    assert_eq!(daemon.wait(LONG), Some(0));
    comes("three", "201");
    assert_eq!((started(), host.read("var/asked").lines().count()), (2, 2));
    assert_eq!(host.sql("SELECT count(*) FROM gateway_message WHERE followed<2"), "0");
}
