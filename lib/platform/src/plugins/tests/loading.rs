//! Loading, unloading, and what plugins that fail at it leave.

use super::super::Weight;
use super::{Stage, event, lunch};
use crate::refusal::Refusal;
use std::time::{Duration, Instant};

/// Says `TEXT` on every event `x`; never takes its callback back.
fn speaker(text: &str) -> String {
    format!(
        "UCS_PLUGIN = 'Speaker'\nclass Speaker:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        \
         ucs.addCallback('x', self.x)\n    def x(self, number, data):\n        self.ucs.log.info('{text} %d %s', number, data['a'])\n"
    )
}

#[test]
fn files_without_a_class_are_skipped_and_the_rest_goes_on_whatever_fails() {
    // S4-4, S4-9
    let stage = Stage::new();
    stage
        .write("a_words.py", "WORDS = 'imported'\n")
        .write("b_syntax.py", "def (:\n")
        .write("c_import.py", "import nothing_of_that_name\n")
        .write("d_class.py", "UCS_PLUGIN = 'Missing'\n")
        .write("e_made.py", "UCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs):\n        ucs.addCallback('x', print)\n        1 / 0\n")
        .write("f_start.py", "UCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs): pass\n    def start(self): raise SystemExit(3)\n")
        .write("g_text.py", "UCS_PLUGIN = 7\n")
        .write("h_good.py", &format!("import a_words\nfrom plugins import a_words as again\n{}", speaker("heard")));
    let host = stage.start();
    assert_eq!(host.standing("a_words"), "no plugin: it names no class in UCS_PLUGIN");
    for (name, reason) in [
        ("b_syntax", "SyntaxError: "),
        ("c_import", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("d_class", "NameError: UCS_PLUGIN names 'Missing'"),
        ("e_made", "ZeroDivisionError: division by zero"),
        ("f_start", "SystemExit: 3"),
        ("g_text", "NameError: UCS_PLUGIN names 7"),
    ] {
        let standing = host.standing(name);
        assert!(
            standing.starts_with("not loaded: ") && standing.contains(reason),
            "{name}: {standing}"
        );
        assert_eq!(stage.server.line(&format!("plugin {name}: not loaded")).0, Weight::Error);
    }
    stage.server.line("plugin e_made:     1 / 0");
    assert_eq!(host.standing("h_good"), "loaded, class Speaker");
    host.emit(&event("x"));
    stage.server.line("plugin h_good: heard 12 1");
    let refusal = host.load("a_words").unwrap_err().to_string();
    assert!(refusal.contains("it names no class in UCS_PLUGIN"), "{refusal}");
}

#[test]
fn a_start_that_blocks_is_not_waited_for() {
    // S4-7
    let stage = Stage::new().with("start_secs", "0.5");
    stage
        .write("a.py", "import time\nUCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs): pass\n    def start(self): time.sleep(3600)\n")
        .write("b.py", &speaker("heard"));
    let began = Instant::now();
    let host = stage.start();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(host.standing("a").contains("it took longer than 0.5 s"), "{}", host.standing("a"));
    assert_eq!(host.standing("b"), "loaded, class Speaker");
    host.emit(&event("x"));
    stage.server.line("plugin b: heard 12 1");
}

#[test]
fn a_plugin_is_loaded_anew_from_the_disk_and_keeps_what_it_did_not_take_back() {
    // S4-15, S4-17, S4-18, S4-20, S4-21
    let stage = Stage::new();
    let host = stage.start();
    stage.write("s.py", &speaker("old"));
    host.load("s").unwrap();
    stage.write("s.py", &speaker("new"));
    host.load("Speaker").unwrap();
    host.emit(&event("x"));
    stage.server.line("plugin s: old 12 1");
    stage.server.line("plugin s: new 12 1");
    host.unload("s.py").unwrap();
    assert_eq!(host.standing("s"), "not loaded");
    let (weight, _) = stage
        .server
        .line("its stop left the callback of x, the callback of x registered; still called");
    assert_eq!(weight, Weight::Warn);
    stage.server.clear();
    host.emit(&event("x"));
    stage.server.line("plugin s: new 12 1");
    assert_eq!(stage.server.count("plugin s: old 12 1"), 1);
}

#[test]
fn leftovers_are_dropped_where_the_settings_say_so() {
    // S4-20
    let stage = Stage::new().with("leftovers", "\"drop\"");
    stage.write("s.py", &speaker("old")).write("t.py", &speaker("other"));
    let host = stage.start();
    host.unload("s").unwrap();
    stage.server.line("its stop left the callback of x registered; dropped");
    host.emit(&event("x"));
    stage.server.line("plugin t: other 12 1");
    assert_eq!(stage.server.count("plugin s: old"), 0);
}

#[test]
fn a_stop_that_raises_holds_up_neither_unload_nor_reload() {
    // S4-8, S4-22
    let stage = Stage::new();
    let text = "UCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs): ucs.log.info('made')\n    def stop(self): raise KeyError('stuck')\n";
    stage.write("a.py", text);
    let host = stage.start();
    host.load("a").unwrap();
    stage.server.line("plugin a: stop failed");
    stage.server.line("plugin a: KeyError: 'stuck'");
    assert_eq!(stage.server.count("plugin a: made"), 2);
    host.unload("a").unwrap();
    assert!(matches!(host.unload("a"), Err(Refusal::NotFound { .. })));
}

#[test]
fn names_of_nothing_and_names_that_leave_the_folder_are_refused() {
    // S4-19
    let stage = Stage::new();
    let host = stage.start();
    for name in ["nowhere", "../x", "a/b", "", "__init__"] {
        assert!(host.load(name).is_err(), "{name}");
        assert!(host.unload(name).is_err(), "{name}");
    }
}

#[test]
fn plugins_load_and_unload_others_by_the_api() {
    // S4-16, S4-17, S4-18: the session decides, as for any caller.
    let stage = Stage::new();
    let text = "UCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        ucs.addCallback('x', self.x)\n    \
        def x(self, number, data):\n        self.ucs.log.info('%s', self.ucs.api.plugins.load('good', 'other'))\n        \
        self.ucs.api.user.edit('good', {'sok': 'ok', 'name': 'bob', 'id': 3})\n        \
        try:\n            self.ucs.api.plugins.unload('bad', 'other')\n        except Exception as e:\n            self.ucs.log.info('told %s %s', type(e).__name__, e)\n";
    stage.write("a.py", text);
    let host = stage.start();
    host.emit(&event("x"));
    stage.server.line("plugin a: {'id': 7}");
    stage.server.line("plugin a: told ProcessingError there is no plugin `session`");
    let calls = stage.server.calls.lock().unwrap().clone();
    let shown: Vec<_> = calls
        .iter()
        .map(|(_, name, params)| (name.as_str(), params.iter().collect::<Vec<_>>()))
        .collect();
    assert_eq!(shown[0], ("plugins.load", vec![("name", "other")]));
    assert_eq!(shown[1].0, "user.edit");
}

#[test]
fn what_plugins_import_and_how_they_log() {
    // S4-10, S4-11
    let stage = Stage::new();
    let text = "import constants, events, error\nUCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs):\n        \
        ucs.log.info('%d%d%d', constants.AGENT_OFFLINE, constants.AGENT_READY, constants.AGENT_AUX)\n        \
        ucs.log.dbug('%s', [error.ProcessingError, error.InvalidDataInput, error.PermissionDenied])\n        \
        ucs.log.warn('100 % sure')\n        ucs.log.dev('%(a)s', {'a': 'mapped'})\n        ucs.log.info('%d', 'x')\n        \
        ucs.log.info(events.EVENT_AGENT_STATUS + ' ' + events.EVENT_CLIENTS_CREATE)\n        print('printed')\n";
    stage.write("a.py", text);
    let host = stage.start();
    assert_eq!(stage.server.line("plugin a: 012").0, Weight::Info);
    assert_eq!(stage.server.line("error.PermissionDenied").0, Weight::Dbug);
    assert_eq!(stage.server.line("plugin a: 100 % sure").0, Weight::Warn);
    assert_eq!(stage.server.line("plugin a: mapped").0, Weight::Dev);
    stage.server.line("plugin a: %d ('x',)");
    stage.server.line("plugins: printed");
    drop(host);
}

#[test]
fn without_plugins_no_interpreter_is_needed_and_with_one_its_absence_is_named() {
    // extensions 2.1
    let stage = Stage::new().with("python", "\"/nowhere/python3\"");
    let host = stage.start();
    host.emit(&lunch("Jana"));
    assert_eq!(host.switch(1, (2, "x")), Ok((2, "x".to_owned())));
    drop(host);
    stage.write("a.py", "x = 1");
    let refusal = stage.try_start().err().unwrap().to_string();
    for words in ["/nowhere/python3", "CPython 3.8", "plugins.python", "plugins.enabled = false"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    let stage = stage.with("enabled", "false");
    assert!(stage.try_start().unwrap().is_none());
}

#[test]
fn the_end_of_the_server_stops_every_plugin_after_the_events_before_it() {
    // S4-8
    let stage = Stage::new();
    let text = format!("{}    def stop(self): self.ucs.log.info('stopped')\n", speaker("heard"));
    stage.write("a.py", &text).write("b.py", &text);
    let host = stage.start();
    for _ in 0..50 {
        host.emit(&event("x"));
    }
    drop(host);
    let lines: Vec<String> = stage.server.lines().into_iter().map(|(_, line)| line).collect();
    assert_eq!(stage.server.count("a: heard"), 50);
    assert!(
        lines.ends_with(&["plugin b: stopped".to_owned(), "plugin a: stopped".to_owned()]),
        "{lines:?}"
    );
}
