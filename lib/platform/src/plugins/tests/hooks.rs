//! Hooks of agents' status and of shared data.

use super::super::Weight;
use super::{Stage, event};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn status(body: &str) -> String {
    format!(
        "from error import *\nUCS_PLUGIN = 'S'\nclass S:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        \
         ucs.agents.addChangeStatusHook(self.hook)\n    def stop(self): self.ucs.agents.removeChangeStatusHook()\n    \
         def hook(self, agent, status, reason):\n        {body}\n"
    )
}

fn shared(id: &str, body: &str) -> String {
    format!(
        "from error import *\nUCS_PLUGIN = 'S'\nclass S:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        \
         ucs.shared.addChangeHook('{id}', self.hook)\n    def stop(self): self.ucs.agents.removeChangeHook('{id}')\n    \
         def hook(self, identificator, old, new):\n        {body}\n"
    )
}

#[test]
fn a_status_hook_lets_pass_changes_or_blocks() {
    // S4-23, S4-25, S4-26, S4-27, S4-28, S4-29, S4-30, S4-31
    let stage = Stage::new();
    let host = stage.start();
    let asked = |body: &str| {
        stage.write("s.py", &status(body));
        host.load("s").unwrap();
        host.switch(1, (2, "tea"))
    };
    let as_asked = Ok((2, "tea".to_owned()));
    assert_eq!(asked("return status, reason"), as_asked);
    assert_eq!(asked("return 1, ''"), Ok((1, String::new())));
    assert_eq!(asked("return [0, reason.upper()]"), Ok((0, "TEA".to_owned())));
    assert_eq!(asked("return None, 'not now'"), Err("not now".to_owned()));
    assert_eq!(asked("return None, ''"), Err("Blocked by hook".to_owned()));
    assert_eq!(asked("return None, None"), Err("Blocked by hook".to_owned()));
    assert_eq!(asked("raise ProcessingError('never')"), Err("never".to_owned()));
    let before = "return 2, '%s %s %s %r' % (agent.status, agent['displayname'], type(status).__name__, reason)";
    assert_eq!(asked(before), Ok((2, "1 Jana int 'tea'".to_owned())));
    host.unload("s").unwrap();
    assert_eq!(host.switch(1, (2, "tea")), as_asked);
}

#[test]
fn whatever_else_a_status_hook_does_the_change_is_made_as_requested() {
    // S4-32, S4-33
    let stage = Stage::new();
    let host = stage.start();
    for body in [
        "return None",
        "return 1",
        "return (1, '', 2)",
        "return 'ab'",
        "return 'x', 'y'",
        "return 1, None",
        "return True, ''",
        "return 7, ''",
        "return 1.0, ''",
        "return 10 ** 30, ''",
        "return {}",
        "raise InvalidDataInput({'a': 'b'})",
        "raise PermissionDenied('x')",
        "raise KeyError('x')",
        "raise SystemExit(1)",
        "raise KeyboardInterrupt",
        "raise BaseException(object())",
        "exec('x' * 10 + '(')",
        "return self.hook(agent, status, reason)",
    ] {
        stage.write("s.py", &status(body));
        host.load("s").unwrap();
        stage.server.clear();
        assert_eq!(host.switch(1, (2, "tea")), Ok((2, "tea".to_owned())), "{body}");
        let (weight, _) =
            stage.server.line("plugin s: its hook failed, the change is made as requested: ");
        assert_eq!(weight, Weight::Error, "{body}");
        assert!(stage.server.lines().len() >= 2, "{body}: {:?}", stage.server.lines());
    }
}

#[test]
fn a_status_hook_has_one_owner() {
    // S4-24, S4-59
    let stage = Stage::new();
    stage.write("a.py", &status("return 1, 'a'")).write("b.py", &status("return 1, 'b'"));
    let host = stage.start();
    assert!(
        host.standing("b").contains("ProcessingError: the status change hook is held by plugin a"),
        "{}",
        host.standing("b")
    );
    assert_eq!(host.switch(1, (2, "tea")), Ok((1, "a".to_owned())));
    host.load("a").unwrap();
    assert_eq!(host.switch(1, (2, "tea")), Ok((1, "a".to_owned())));
    host.unload("a").unwrap();
    host.load("b").unwrap();
    assert_eq!(host.switch(1, (2, "tea")), Ok((1, "b".to_owned())));
}

#[test]
fn shared_hooks_give_any_value_and_have_an_owner_each() {
    // S4-35, S4-36, S4-37, S4-38, S4-39, S4-41
    let stage = Stage::new();
    stage
        .write("a.py", &shared("x", "return {'id': identificator, 'old': old, 'new': new}"))
        .write("b.py", &shared("x", "return 1"))
        .write("c.py", &shared("y", "return None"))
        .write("d.py", &shared("z", "raise ProcessingError('kept')"));
    let host = stage.start();
    assert!(
        host.standing("b").contains("the change hook of shared data x is held by plugin a"),
        "{}",
        host.standing("b")
    );
    let old = json!({ "$m": [[1, { "$t": [1, 2] }]] });
    assert_eq!(host.set("x", &old, &json!("n")), Ok(json!({ "id": "x", "old": old, "new": "n" })));
    assert_eq!(host.set("y", &json!(1), &json!(2)), Ok(Value::Null));
    assert_eq!(host.set("z", &json!(1), &json!(2)), Err("kept".to_owned()));
    host.unload("a").unwrap();
    assert_eq!(stage.server.count("left"), 0, "`agents.removeChangeHook` is the same");
    assert_eq!(host.set("x", &old, &json!("n")), Ok(json!("n")));
}

#[test]
fn a_shared_hook_that_fails_otherwise_changes_nothing() {
    // S4-40
    let stage = Stage::new();
    let host = stage.start();
    for body in [
        "return old['x']",
        "return object()",
        "return {1, 2}",
        "a = []; a.append(a); return a",
        "raise InvalidDataInput('x')",
    ] {
        stage.write("s.py", &shared("x", body));
        host.load("s").unwrap();
        stage.server.clear();
        assert_eq!(host.set("x", &json!(1), &json!(2)), Ok(json!(2)), "{body}");
        stage.server.line("plugin s: its hook failed, the change is made as requested: ");
    }
}

#[test]
fn values_keep_their_types_on_the_way_in_and_out() {
    // extensions 2.3, S4-56
    let stage = Stage::new();
    let body = "self.ucs.log.info('seen %r', new); return new";
    stage.write("s.py", &shared("x", body));
    let host = stage.start();
    for (value, seen) in [
        (json!(null), "None"),
        (json!(true), "True"),
        (json!(-9_223_372_036_854_775_808_i64), "-9223372036854775808"),
        (json!(1.5), "1.5"),
        (json!({ "$f": "nan" }), "nan"),
        (json!("Žluťoučký \u{1f40e} \u{0}\n"), "'Žluťoučký"),
        (json!({ "$t": [] }), "()"),
        (json!({ "$t": [1, { "$t": ["a"] }] }), "(1, ('a',))"),
        (json!({ "$m": [[2, 7], ["2", 8], [{ "$t": [1, 2] }, []]] }), "{2: 7, '2': 8, (1, 2): []}"),
        (json!({ "$m": [["$t", [1]]] }), "{'$t': [1]}"),
        (json!({ "$b": "AP8=" }), "b'\\x00\\xff'"),
        (json!({ "a": [1, { "b": {} }] }), "{'a': [1, {'b': {}}]}"),
    ] {
        assert_eq!(host.set("x", &json!(null), &value), Ok(value.clone()));
        stage.server.line(&format!("plugin s: seen {seen}"));
    }
}

#[test]
fn what_plugins_ask_is_answered_while_they_are_waited_for() {
    // S4-13; extensions 2.3: nested calls.
    let stage = Stage::new();
    let body = "return [self.ucs.agents.getAgents()[1].displayname, self.ucs.tree.getUsers('username'), \
                self.ucs.shared.get('known'), self.ucs.shared.get('never')]";
    stage.write("s.py", &shared("x", body));
    let host = stage.start();
    let users = json!({ "$m": [[0, "zero"], [2, "jana"]] });
    let expected = json!(["Petr", users, { "$m": [[1, "one"]] }, null]);
    assert_eq!(host.set("x", &json!(null), &json!(1)), Ok(expected));
}

#[test]
fn a_hook_that_sleeps_holds_up_no_other() {
    let stage = Stage::new().with("hook_secs", "20");
    stage
        .write(
            "a.py",
            &shared(
                "slow",
                "self.ucs.log.info('asleep'); __import__('time').sleep(3); return 'late'",
            ),
        )
        .write("b.py", &shared("quick", "return 'now'"));
    let host = stage.start();
    let slow = std::sync::Arc::clone(&host);
    let sleeper = std::thread::spawn(move || slow.set("slow", &json!(null), &json!(1)));
    stage.server.line("asleep");
    let began = Instant::now();
    assert_eq!(host.set("quick", &json!(null), &json!(1)), Ok(json!("now")));
    assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    assert_eq!(sleeper.join().unwrap(), Ok(json!("late")));
}

#[test]
fn callbacks_run_in_the_order_of_events_and_removal_compares_by_equality() {
    // S4-12, S4-14, S4-51
    let stage = Stage::new();
    let text = "UCS_PLUGIN = 'A'\nclass A:\n    def __init__(self, ucs):\n        self.ucs = ucs\n        self.seen = 0\n        \
        ucs.addCallback('x', self.x)\n        ucs.addCallback('end', self.end)\n    def x(self, number, data): self.seen += 1\n    \
        def end(self, number, data):\n        self.ucs.log.info('seen %d', self.seen)\n        self.ucs.removeCallback('x', self.x)\n        \
        self.ucs.removeCallback('x', self.x)\n";
    stage.write("a.py", text);
    let host = stage.start();
    for _ in 0..200 {
        host.emit(&event("x"));
    }
    host.emit(&event("end"));
    stage.server.line("plugin a: seen 200");
    stage.server.line("plugin a: its callback of end failed: ProcessingError: the callback of x is not registered");
    host.emit(&event("x"));
    host.emit(&event("end"));
    stage.server.line("plugin a: seen 200");
}
