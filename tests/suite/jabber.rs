//! A new type of notification with its own gate, brought by files alone, as the documents' jabber example is (S3-57).

use gatepost_kit::host::Host;

/// A module that drains its own rows and calls its gate with a layout of its own (S3-2, S3-39, S3-48).
const NTJABBER: &str = r#"#!/usr/bin/env python3
import os, sqlite3, subprocess, sys
import xml.etree.ElementTree as ET

def process():
    database = sqlite3.connect("var/gatepost.db", timeout=10, isolation_level=None)
    rows = database.execute("SELECT id, filename FROM notifytask WHERE modulename = 'ntjabber' ORDER BY priority DESC, id LIMIT 100")
    for task, filename in rows.fetchall():
        for notify in ET.parse(filename).getroot().iter("notify"):
            doc = ET.Element("doc")
            ET.SubElement(doc, "message").text = notify.findtext("tmpl")
            ET.SubElement(doc, "jabber").text = notify.findtext("user/jabber")
            subprocess.run(["gate/gwjabber", "--command", "outgoing"], input=ET.tostring(doc), check=True)
        database.execute("DELETE FROM notifytask WHERE id = ?", (task,))
        os.unlink(filename)

if sys.argv[2:3] == ["process"]:
    process()
else:
    print("<doc><features/><contact_type>jabber</contact_type></doc>")
"#;

/// Its gate; `jabber_recv` is a command of its own that the platform never calls.
const GWJABBER: &str = r#"#!/usr/bin/env python3
import sys
import xml.etree.ElementTree as ET
command = sys.argv[2] if len(sys.argv) > 2 else "features"
if command == "outgoing":
    doc = ET.fromstring(sys.stdin.buffer.read())
    with open("var/jabber.txt", "a") as out:
        out.write(doc.findtext("jabber", "") + ": " + doc.findtext("message", "") + "\n")
    print("<doc/>")
elif command == "features":
    print('<doc><features><feature name="outgoing"/></features><notify_module>ntjabber</notify_module></doc>')
else:
    open("var/called-" + command, "w").close()
"#;

const DESCRIPTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<mgrdata>
  <plugin name="gwjabber"><group>gateway</group><author>somebody</author></plugin>
  <metadata name="gateway.gwjabber"><form>
    <field name="server"><input type="text" name="server" required="yes" identifier="yes"/></field>
  </form></metadata>
  <lang name="en"><messages name="gateway_include"><msg name="gwjabber">Jabber server</msg></messages></lang>
</mgrdata>
"#;

fn host_with_jabber() -> Host {
    let host = Host::new();
    host.program("notify/ntjabber", NTJABBER); // S3-22
    host.program("gate/gwjabber", GWJABBER); // S3-42
    host.write("etc/xml/billmgr_mod_gwjabber.xml", DESCRIPTION); // S3-61
    host.write("etc/sql/billmgr.user.addon/jabber", "type=text\nsize=255\n"); // S3-58, S3-59
    host.write("etc/img/billmanager-plugin-gwjabber.png", b"\x89PNG\r\n\x1a\n"); // S3-60
    host
}

// S3-2, S3-22, S3-42, S3-57
#[test]
fn a_new_type_and_its_gate_come_as_files_and_nothing_else_changes() {
    let host = host_with_jabber();
    host.gatepost(&["project", "add", "name=North", "notifyemail=a@north.example"]).ended(0);
    host.gatepost(&[
        "user",
        "add",
        "name=bob",
        "email=bob@north.example",
        "jabber=bob@jabber.example",
        "quiet=on",
    ])
    .ended(0);
    host.gatepost(&["gateway", "add", "gwjabber", "server=jabber.example"]).ended(0);
    host.write("templates/hello/en.ntjabber.text.ejs", "Hello from a template");
    host.write("templates/hello/notice.toml", "[subject]\nen = \"Hello\"\n");
    host.gatepost(&["send", "hello", "--user", "bob@north.example", "--module", "ntjabber"])
        .ended(0);
    assert_ne!(
        host.sql("SELECT filename FROM notifytask"),
        "",
        "a module without `queue` gets a file"
    );
    host.run("notify/ntjabber", &["--command", "process"]).ended(0);
    assert_eq!(host.read("var/jabber.txt"), "bob@jabber.example: Hello from a template\n");
    assert_eq!(host.sql("SELECT count(*) FROM notifytask"), "0");
    let called = std::fs::read_dir(host.path("var")).unwrap().flatten();
    let called: Vec<_> =
        called.filter(|entry| entry.file_name().to_string_lossy().starts_with("called-")).collect();
    assert!(called.is_empty(), "S3-44, S3-48: only what features list is called: {called:?}");
}

#[test]
fn the_list_of_gates_names_the_logo() {
    let host = host_with_jabber();
    let gates = host.gatepost(&["func", "gate", "-o", "json"]).ended(0).stdout;
    assert!(gates.contains("etc/img/billmanager-plugin-gwjabber.png"), "S3-60: {gates}");
    assert!(gates.contains("billmanager-plugin-gwsmtp.png"), "S3-60: {gates}");
}
