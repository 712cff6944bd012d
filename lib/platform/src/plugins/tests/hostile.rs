//! Plugins that mean no good: each is survived, named and reported, and calls are answered throughout.

use super::{LONG, Stage, event};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A plugin that does this when event `NAME` comes, and as the hook of shared data `NAME`.
fn bad(name: &str, body: &str) -> String {
    format!(
        "import os, sys, time, threading, re\nUCS_PLUGIN = 'Bad'\nclass Bad:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        \
         ucs.addCallback('{name}', self.run)\n        ucs.shared.addChangeHook('{name}', self.run)\n    \
         def run(self, *args):\n        {body}\n"
    )
}

const BAD: [(&str, &str); 11] = [
    ("loops", "while True: pass"),
    ("sleeps", "time.sleep(3600)"),
    (
        "swallows",
        "\n        while True:\n            try: time.sleep(0.01)\n            except BaseException: pass",
    ),
    ("exits", "os._exit(0)"),
    ("quits", "sys.exit(1)"),
    ("crashes", "__import__('ctypes').string_at(0)"),
    ("aborts", "os.abort()"),
    ("eats", "a = []\n        while True: a.append(bytearray(50 << 20))"),
    ("hogs", "re.match('(a+)+$', 'a' * 60 + 'b')"),
    ("recurses", "return self.run(*args)"),
    (
        "garbage",
        "\n        for number in range(3, 20):\n            try: os.write(number, b'\\\\xff\\\\xff\\\\xff\\\\xff{]')\n            except OSError: pass\n        time.sleep(3600)",
    ),
];

fn stage() -> Stage {
    let stage = Stage::new()
        .with("hook_secs", "0.5")
        .with("callback_secs", "0.5")
        .with("restart_first_secs", "0.01")
        .with("restart_most_secs", "0.1")
        .with("memory_bytes", "400000000");
    for (name, body) in BAD {
        stage.write(&format!("{name}.py"), &bad(name, &body.replace("\\\\", "\\")));
    }
    stage.write("good.py", "UCS_PLUGIN = 'G'\nclass G:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        \
        ucs.shared.addChangeHook('good', lambda *a: 'changed')\n        ucs.addCallback('good', lambda *a: ucs.log.info('good is told'))\n");
    stage
}

#[test]
fn bad_hooks_fail_open_and_calls_are_answered_throughout() {
    let stage = stage();
    let host = stage.start();
    assert_eq!(host.standing("garbage"), "loaded, class Bad");
    let (ends, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let _ends = Ends(&ends);
        scope.spawn(|| {
            // No plugin stands before this function: it is answered at once, whatever plugins do.
            while !ends.load(Ordering::Relaxed) {
                let began = Instant::now();
                assert_eq!(host.called("user.delete", &[("elid", "5")]).unwrap(), "elid=5");
                assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
                answered.fetch_add(1, Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        for (name, _) in BAD {
            stage.server.clear();
            let began = Instant::now();
            assert_eq!(host.set(name, &json!(1), &json!(2)), Ok(json!(2)), "{name} fails open");
            assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
            stage
                .server
                .line(&format!("plugin {name}: its hook failed, the change is made as requested"));
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 100);
    assert!(good_works(&host), "{:#?}", stage.server.lines());
    host.emit(&event("good"));
    stage.server.line("plugin good: good is told");
    for (name, _) in BAD {
        assert!(
            host.standing(name).starts_with("loaded"),
            "once is not often: {name} {}",
            host.standing(name)
        );
    }
}

/// Set when it is dropped, by a panic too: a scope waits for its threads.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sooner or later, for a worker may just be on its way.
fn good_works(host: &super::PluginHost) -> bool {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        if host.set("good", &json!(1), &json!(2)) == Ok(json!("changed")) {
            return true;
        }
    }
    false
}

#[test]
fn who_ends_the_worker_three_times_is_left_out_until_it_is_loaded_again() {
    let stage = stage();
    let host = stage.start();
    for name in ["sleeps", "exits", "crashes"] {
        for _ in 0..3 {
            assert_eq!(host.set(name, &json!(1), &json!(2)), Ok(json!(2)));
            let until = Instant::now() + LONG;
            while !good_works(&host) && Instant::now() < until {}
        }
        stage.server.line(&format!(
            "the worker ended ({}",
            if name == "exits" { "Exited(0)" } else { "Signalled" }
        ));
        stage.server.line(&format!("because of plugin {name}"));
        stage.server.line(&format!("plugin {name}: left out"));
        assert!(host.standing(name).starts_with("left out"), "{}", host.standing(name));
        assert_eq!(host.set(name, &json!(1), &json!(2)), Ok(json!(2)));
    }
    assert_eq!(host.standing("good"), "loaded, class G");
    host.load("sleeps").unwrap();
    assert_eq!(host.standing("sleeps"), "loaded, class Bad");
    host.unload("crashes").unwrap();
    assert_eq!(host.standing("crashes"), "not loaded");
}

#[test]
fn middleware_fails_closed_while_its_plugin_is_gone() {
    let stage = stage();
    let guard = "import os\nUCS_PLUGIN = 'G'\nclass G:\n    def __init__(self, ucs): ucs.api.addMiddleware('user.delete', self.run)\n    \
        def run(self, handler, user, data):\n        if data == 13: os._exit(1)\n        if data == 14:\n            handler(user, data)\n            os._exit(1)\n        return handler(user, data)\n";
    stage.write("guard.py", guard);
    let host = stage.start();
    let delete = |id: &str| host.called("user.delete", &[("elid", id)]);
    assert_eq!(delete("5").unwrap(), "elid=5");
    let refusal = delete("13").unwrap_err();
    assert_eq!(refusal.kind(), "plugin_failed");
    assert!(
        refusal.to_string().contains("it stands before this function and the worker ended"),
        "{refusal}"
    );
    assert_eq!(delete("5").unwrap(), "elid=5", "the next call waits for the next worker");
    assert_eq!(delete("14").unwrap(), "elid=14", "what is done is answered");
    stage.server.line("plugin guard: failed after user.delete was done");
    assert_eq!(delete("13").unwrap_err().kind(), "plugin_failed");
    stage.server.line("plugin guard: left out");
    assert!(good_works(&host));
    let refusal = delete("5").unwrap_err().to_string();
    assert!(refusal.contains("gatepost plugin unload guard"), "{refusal}");
    host.unload("guard").unwrap();
    assert_eq!(delete("5").unwrap(), "elid=5");
}

#[test]
fn bad_callbacks_and_threads_hold_up_nobody() {
    let stage = stage();
    stage.write("thread.py", "import threading, time, os\nUCS_PLUGIN = 'T'\nclass T(threading.Thread):\n    def __init__(self, ucs):\n        \
        super().__init__()\n        self.wanted = threading.Event()\n        ucs.addCallback('thread', lambda *a: self.wanted.set())\n    \
        def run(self):\n        self.wanted.wait()\n        os._exit(9)\n");
    let host = stage.start();
    for name in ["sleeps", "loops", "crashes"] {
        let began = Instant::now();
        host.emit(&event(name));
        assert!(began.elapsed() < Duration::from_secs(1), "emit never waits");
        stage.server.line(&format!("plugin {name}: its callback of {name} failed"));
        assert!(good_works(&host));
    }
    host.emit(&event("thread"));
    stage.server.line("because of plugin thread");
    assert!(good_works(&host));
}

#[test]
fn who_holds_the_interpreter_is_charged_and_not_who_was_asked() {
    let stage = stage();
    stage.write("greedy.py", "import re, threading\nUCS_PLUGIN = 'T'\nclass T(threading.Thread):\n    def __init__(self, ucs):\n        \
        super().__init__()\n        self.ucs = ucs\n        self.wanted = threading.Event()\n        ucs.addCallback('greedy', lambda *a: self.wanted.set())\n    \
        def run(self):\n        self.wanted.wait()\n        self.ucs.log.info('begins')\n        re.match('(a+)+$', 'a' * 60 + 'b')\n");
    let host = stage.start();
    host.emit(&event("greedy"));
    stage.server.line("plugin greedy: begins");
    assert_eq!(host.set("good", &json!(1), &json!(2)), Ok(json!(2)), "fails open");
    stage.server.line("because of plugin greedy");
    assert!(good_works(&host));
}

#[test]
fn memory_is_limited() {
    let stage = stage().with("hook_secs", "20");
    let host = stage.start();
    assert_eq!(host.set("eats", &json!(1), &json!(2)), Ok(json!(2)));
    stage.server.line("plugin eats: MemoryError");
    assert!(good_works(&host));
    assert_eq!(stage.server.count("the worker ended"), 0);
}

#[test]
fn bad_starts_and_stops_are_survived() {
    // S4-9
    let stage = Stage::new().with("start_secs", "1");
    let made = |name: &str, start: &str, stop: &str| {
        let text = format!(
            "import os, time, ctypes\nUCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs): pass\n    def start(self): {start}\n    def stop(self): {stop}\n"
        );
        stage.write(&format!("{name}.py"), &text);
    };
    made("a_raises", "1 / 0", "pass");
    made("b_exits", "os._exit(4)", "pass");
    made("c_crashes", "ctypes.string_at(0)", "pass");
    made("d_loops", "exec('while True: pass')", "pass");
    made("e_stop_loops", "pass", "exec('while True: pass')");
    made("f_stop_exits", "pass", "os._exit(5)");
    made("g_good", "pass", "pass");
    let host = stage.start();
    for name in ["a_raises", "b_exits", "c_crashes", "d_loops"] {
        assert!(host.standing(name).starts_with("not loaded: "), "{name}: {}", host.standing(name));
    }
    for name in ["e_stop_loops", "f_stop_exits", "g_good"] {
        assert_eq!(host.standing(name), "loaded, class A");
    }
    host.unload("e_stop_loops").unwrap();
    stage.server.line("plugin e_stop_loops: stopped by force: it took longer than 1 s");
    host.unload("f_stop_exits").unwrap();
    host.load("g_good").unwrap();
    assert_eq!(host.standing("g_good"), "loaded, class A");
}

#[test]
fn a_host_that_goes_takes_its_worker_along_whatever_hangs() {
    let stage = stage();
    stage.write("stop.py", "import time\nUCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs): ucs.log.info('pid %d', __import__('os').getpid())\n    def stop(self): time.sleep(3600)\n");
    let stage = stage.with("start_secs", "3");
    let host = stage.start();
    let (_, line) = stage.server.line("plugin stop: pid ");
    let pid = line.rsplit(' ').next().unwrap().to_owned();
    let began = Instant::now();
    drop(host);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
