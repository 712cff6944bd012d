//! The four plugins of the documents, unchanged where they are present; else equivalents of ours.

use super::super::Weight;
use super::{LONG, Stage, event, lunch};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const NAMES: [&str; 4] = ["example.py", "middleware.py", "shared_data_hook.py", "status_hook.py"];
/// Stands in front of them: the hour of the day is what the file `hour` says.
const CLOCK: &str = "
import os, time
real = time.localtime
def localtime(*args):
    now = list(real(*args))
    with open(os.path.join(os.path.dirname(__file__), 'hour')) as file:
        now[3:5] = map(int, file.read().split(':'))
    return time.struct_time(now)
time.localtime = localtime
";
/// Wakes the thread of the example, and says which threads there are.
const WAKER: &str = "
import threading
UCS_PLUGIN = 'Waker'
class Waker:
    def __init__(self, ucs):
        self.ucs = ucs
        ucs.addCallback('wake', self.wake)
    def stop(self):
        self.ucs.removeCallback('wake', self.wake)
    def wake(self, number, data):
        names = [thread.name for thread in threading.enumerate()]
        self.ucs.log.info('threads %s', names)
        for thread in threading.enumerate():
            if thread.name == 'ExamplePluginThread':
                thread.work.set()
";

/// The folder of the documents' own files.
fn documents() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/examples");
    let folder = config::variable("GATEPOST_EXAMPLES").map_or(beside, PathBuf::from);
    Some(folder.join("plugins")).filter(|folder| folder.is_dir())
}

fn stage() -> Stage {
    let stage = Stage::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/samples/plugins");
    let folder = documents().unwrap_or_else(|| {
        let _ = writeln!(
            std::io::stderr(),
            "the documents' plugins are absent: ours run in their place"
        );
        own
    });
    for name in NAMES {
        stage.copy(&folder, name);
    }
    stage.write("a_clock.py", CLOCK).write("hour", "12:00").write("waker.py", WAKER);
    stage
}

#[test]
fn all_four_are_loaded_and_leave_nothing_behind() {
    // S4-1, S4-3, S4-5, S4-8, S4-58
    let stage = stage();
    let host = stage.start();
    let classes = ["Example", "Middleware", "SharedDataHook", "StatusHook"];
    for (file, class) in NAMES.iter().zip(classes) {
        let name = file.strip_suffix(".py").unwrap();
        assert_eq!(host.standing(name), format!("loaded, class {class}"));
    }
    host.unload("waker").unwrap();
    for class in classes {
        host.unload(class).unwrap();
    }
    let left: Vec<_> =
        host.list().into_iter().filter(|(_, words)| words.contains("loaded,")).collect();
    assert!(left.is_empty(), "{left:?}");
    stage.server.clear();
    host.emit(&lunch("Jana"));
    assert_eq!(host.switch(1, (2, "Oběd")), Ok((2, "Oběd".to_owned())));
    assert_eq!(host.set("agent_emails", &json!(null), &json!([1])), Ok(json!([1])));
    assert_eq!(host.called("user.delete", &[("elid", "7")]).unwrap(), "elid=7");
    host.load("waker").unwrap();
    host.emit(&event("wake"));
    let (_, threads) = stage.server.line("threads [");
    assert!(!threads.contains("ExamplePluginThread"), "{threads}");
    assert_eq!(stage.server.count("odešel"), 0);
    assert_eq!(stage.server.count("still"), 0, "{:?}", stage.server.lines());
}

#[test]
fn the_example_tells_who_went_to_lunch_and_who_is_there() {
    // S4-6, S4-12, S4-13, S4-53
    let stage = stage();
    let host = stage.start();
    host.emit(&lunch("Žofie Nováková"));
    let (weight, line) = stage.server.line("odešel");
    assert_eq!(
        (weight, line.as_str()),
        (Weight::Info, "plugin example: Agent Žofie Nováková odešel na oběd")
    );
    {
        let mut agents = stage.server.agents.lock().unwrap();
        (agents[1].status, agents[1].reason) = (2, "Oběd".to_owned());
    }
    host.emit(&event("wake"));
    stage.server.line("plugin example: Agent Petr je na obědě");
    assert_eq!(stage.server.count("Jana je"), 0);
    stage.server.clear();
    host.unload("example").unwrap();
    host.emit(&lunch("Jana"));
    host.emit(&event("wake"));
    let (_, threads) = stage.server.line("threads [");
    assert!(!threads.contains("ExamplePluginThread"), "its thread ended: {threads}");
    assert_eq!(stage.server.count("odešel"), 0);
}

#[test]
fn the_example_is_made_with_and_without_asserts() {
    // S4-52: `super().__init__(self)` hands the thread to itself as its group.
    let stage = stage();
    let script = stage.plugins().join("python-O");
    fs::write(&script, "#!/bin/sh\nexec /usr/bin/env python3 -O \"$@\"\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let stage = stage.with("python", &format!("\"{}\"", script.display()));
    let host = stage.start();
    assert_eq!(host.standing("example"), "loaded, class Example");
    host.emit(&lunch("Jana"));
    stage.server.line("plugin example: Agent Jana odešel na oběd");
}

#[test]
fn the_status_hook_refuses_early_and_late_lunches_and_else_fails_open() {
    // S4-29, S4-31, S4-32, S4-54
    let stage = stage();
    let host = stage.start();
    stage.write("hour", "10:59");
    assert_eq!(host.switch(1, (2, "Oběd")), Err("Na oběd je příliš brzy".to_owned()));
    stage.write("hour", "18:00");
    assert_eq!(host.switch(1, (2, "Oběd")), Err("Už je čas na večeři".to_owned()));
    assert_eq!(stage.server.count("NameError"), 0);
    for hour in ["11:00", "17:59"] {
        stage.write("hour", hour);
        stage.server.clear();
        assert_eq!(host.switch(1, (2, "Oběd")), Ok((2, "Oběd".to_owned())));
        stage.server.line("plugin status_hook: NameError: name 'AGENT_OFFLINE' is not defined");
        assert_eq!(stage.server.count("Traceback (most recent call last):"), 1);
        let (weight, _) = stage.server.line("status_hook.py\", line");
        assert_eq!(weight, Weight::Error);
    }
    assert_eq!(host.switch(0, (1, "")), Ok((1, String::new())));
}

#[test]
fn the_status_hook_with_its_import_sends_newcomers_to_their_instructions() {
    // S4-28, S4-55
    let stage = stage();
    let path = stage.plugins().join("status_hook.py");
    let text = fs::read_to_string(&path).unwrap();
    let mended = text.replace("import AGENT_READY,", "import AGENT_OFFLINE, AGENT_READY,");
    assert_ne!(mended, text);
    fs::write(path, mended).unwrap();
    let host = stage.start();
    let greeting = "Seznámení se z provozními pokyny".to_owned();
    assert_eq!(host.switch(0, (1, "")), Ok((2, greeting)));
    for hour in ["11:00", "17:59"] {
        stage.write("hour", hour);
        assert_eq!(host.switch(1, (2, "Oběd")), Ok((2, "Oběd".to_owned())));
    }
    assert_eq!(host.switch(2, (1, "")), Ok((1, String::new())));
    assert_eq!(stage.server.count("Error"), 0);
}

#[test]
fn the_shared_hook_turns_names_into_ids() {
    // S4-38, S4-39, S4-40, S4-41, S4-56
    let stage = stage();
    let host = stage.start();
    let old = json!({ "$m": [[2, 5]] });
    assert_eq!(
        host.set("agent_emails", &old, &json!(["jana"])),
        Err("Only associative array is accepted".to_owned())
    );
    let counts = json!({ "jana": 7, "nobody": 1, "zero": 3 });
    assert_eq!(host.set("agent_emails", &old, &counts), Ok(json!({ "$m": [[2, 7]] })));
    let lines = stage.server.lines();
    let said =
        |weight, text: &str| lines.contains(&(weight, format!("plugin shared_data_hook: {text}")));
    assert!(said(Weight::Dbug, "User ID 2 email count changed from 5 to 7"), "{lines:?}");
    assert!(said(Weight::Warn, "Unknown username: nobody"), "{lines:?}");
    assert!(said(Weight::Warn, "Unknown username: zero"), "user id 0 counts as unknown: {lines:?}");
    // The first set ever: there is no old value.
    assert_eq!(host.set("agent_emails", &json!(null), &counts), Ok(counts.clone()));
    stage.server.line("AttributeError: 'NoneType' object has no attribute 'get'");
    assert_eq!(host.set("other", &json!(null), &json!([1])), Ok(json!([1])));
}

#[test]
fn the_middleware_guards_users() {
    // S4-45, S4-48, S4-49, S4-50, S4-57
    let stage = stage();
    let host = stage.start();
    let edit = |params: &[(&str, &str)]| {
        let mut all = vec![("sok", "ok")];
        all.extend_from_slice(params);
        host.called("config.users.edit", &all)
            .map_err(|refusal| (refusal.kind().to_owned(), refusal.to_document().to_xml()))
    };
    let (kind, document) = edit(&[("elid", "1"), ("name", "root")]).unwrap_err();
    assert_eq!(kind, "InvalidDataInput");
    assert!(document.contains("object=\"username\""), "{document}");
    assert!(document.contains("Admin username can't be changed"), "{document}");
    let (_, document) = edit(&[("elid", "1"), ("name", "admin"), ("passwd", "short")]).unwrap_err();
    assert!(document.contains("Admin password is too short"), "{document}");
    assert_eq!(edit(&[("elid", "1"), ("passwd", "")]).unwrap(), "elid=1 passwd=");
    assert_eq!(edit(&[("elid", "2"), ("name", "root")]).unwrap(), "elid=2 name=root");
    assert_eq!(edit(&[("name", "new")]).unwrap(), "name=new");
    let refusal = host.called("config.users.delete", &[("elid", "2")]).unwrap_err();
    assert_eq!(
        (refusal.kind(), refusal.to_string().as_str()),
        ("PermissionDenied", "This UCS forbids user removal")
    );
    let refusal = host.called("user.delete", &[("elid", "2")]).unwrap_err();
    assert_eq!(refusal.kind(), "PermissionDenied", "there is no way around it");
    assert_eq!(host.called("config.users.get", &[("elid", "2")]).unwrap(), "elid=2");
    let (weight, line) = stage.server.line("Middleware get_user args: (");
    assert_eq!(weight, Weight::Dev);
    assert!(line.ends_with(", 2)"), "{line}");
    stage.server.line("Middleware get_user result: {'elid': '2'}");
    host.unload("Middleware").unwrap();
    assert_eq!(host.called("user.delete", &[("elid", "2")]).unwrap(), "elid=2");
}

#[test]
fn data_without_an_id_fails_the_call() {
    // S4-57: a KeyError is not expected, and middleware does not fail open.
    let stage = stage();
    let before = "
UCS_PLUGIN = 'Before'
class Before:
    def __init__(self, ucs):
        ucs.api.addMiddleware('config.users.edit', self.edit)
    def edit(self, handler, user, data):
        del data['id']
        return handler(user, data)
";
    stage.write("before.py", before);
    let host = stage.start();
    let refusal = host.called("user.edit", &[("sok", "ok"), ("elid", "2")]).unwrap_err();
    assert_eq!(refusal.kind(), "plugin_failed");
    assert_eq!(
        refusal.to_string(),
        "plugin `middleware` failed: unexpected exception: KeyError: 'id'"
    );
    stage.server.line("plugin middleware: KeyError: 'id'");
}

#[test]
fn they_run_on_every_python_that_is_here() {
    for version in ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"] {
        let home = config::variable("HOME").unwrap_or_default().into_string().unwrap();
        let named =
            [format!("/usr/bin/python{version}"), format!("{home}/.pyenv/shims/python{version}")];
        let Some(python) = named.iter().find(|path| Path::new(path).is_file()) else { continue };
        let stage = stage().with("python", &format!("\"{python}\""));
        let Ok(host) = stage.try_start() else { continue };
        let host = host.unwrap();
        assert!(
            NAMES.iter().all(|name| {
                host.standing(name.strip_suffix(".py").unwrap()).starts_with("loaded, class")
            }),
            "{version}: {:?}",
            host.list()
        );
        host.emit(&lunch("Jana"));
        stage.server.line("Agent Jana odešel na oběd");
        assert!(host.called("user.delete", &[("elid", "2")]).is_err());
        assert!(host.switch(1, (2, "Oběd")).is_ok());
        let began = std::time::Instant::now();
        drop(host);
        assert!(began.elapsed() < LONG);
    }
}
