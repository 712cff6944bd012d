//! The programs of the scenario: the documents' own where they are present, ours with the same behaviour where not.

use crate::host::examples;

pub(super) const HANDLERS: &str = r#"<mgrdata>
  <handler name="samba.pl" type="cgi">
    <event after="yes" name="user.add" postdata="yes"/>
    <event after="yes" name="user.delete" postdata="yes"/>
  </handler>
</mgrdata>"#;

pub(super) const SKIP: &str = r#"<mgrdata><handler name="test.py" type="xml"><event name="register.activationsend" before="yes"/></handler></mgrdata>"#;

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
pub(super) const GWIN: &str = r#"#!/usr/bin/env python3
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

pub(super) const GWIN_FORM: &str = r#"<mgrdata><plugin name="gwin"><group>gateway</group></plugin>
<metadata name="gateway.gwin"><form><field name="login"><input type="text" name="login"/></field></form></metadata></mgrdata>"#;

/// A program of the documents, or ours in its place.
pub(super) fn text_of(name: &str) -> String {
    let theirs = examples().and_then(|folder| std::fs::read_to_string(folder.join(name)).ok());
    theirs.unwrap_or_else(|| {
        if name == "plugins/example.py" {
            return OWN_EXAMPLE.to_owned();
        }
        OWN.iter().find(|(known, _)| *known == name).unwrap().1.to_owned()
    })
}
