//! Plugins in the pipeline: real functions, a real store.

use crate::caller::{Caller, Level};
use crate::testing::Bench;
use std::fs;
use std::time::{Duration, Instant};

const GUARD: &str = "
import time
from error import PermissionDenied
UCS_PLUGIN = 'Guard'
class Guard:
    def __init__(self, ucs):
        self.ucs = ucs
        ucs.addCallback('clients.create', lambda number, data: ucs.log.info('created %r %s', number, data.get('name')))
        ucs.api.addMiddleware('config.users.delete', self.deleted)
        ucs.api.addMiddleware('user.edit', self.edited)
        ucs.api.addMiddleware('project.edit', self.slow)
    def deleted(self, *args):
        raise PermissionDenied('This UCS forbids user removal')
    def edited(self, handler, user, data):
        data['realname'] = 'by plugin'
        return handler(user, data)
    def slow(self, handler, *args):
        time.sleep(1)
        return handler(*args)
";

fn with_guard() -> Bench {
    let mut bench = Bench::with_user();
    bench.write("plugins/guard.py", GUARD);
    bench.ok("plugins.load", &[("name", "guard")]);
    bench
}

#[test]
fn only_the_owner_loads_and_unloads() {
    // S4-15, S4-16
    let mut bench = Bench::with_user();
    bench.write("plugins/guard.py", GUARD);
    let params = [("name", "guard")].into_iter().collect();
    for level in [Level::Nobody, Level::User, Level::Admin] {
        for name in ["plugins.load", "plugins.unload"] {
            let refusal =
                bench.platform.call(name, &params, &Caller::new("someone", level)).unwrap_err();
            assert_eq!(refusal.kind(), "access", "{name}");
        }
    }
    assert_eq!(bench.ok("plugin", &[]).to_lines(), "name=guard state=not loaded\n");
    bench.ok("plugins.load", &[("name", "guard")]);
    assert_eq!(bench.ok("plugin", &[]).to_lines(), "name=guard state=loaded, class Guard\n");
    bench.ok("plugins.unload", &[("name", "Guard")]);
    assert_eq!(bench.ok("plugin", &[]).to_lines(), "name=guard state=not loaded\n");
}

#[test]
fn middleware_stands_around_real_functions() {
    let mut bench = with_guard();
    let refusal = bench.call("user.delete", &[("elid", "1")]).unwrap_err();
    assert_eq!((refusal.kind(), refusal.exit_code()), ("PermissionDenied", 77));
    assert_eq!(refusal.to_string(), "This UCS forbids user removal");
    assert_eq!(bench.ok("user", &[("id", "1")]).rows().count(), 1);
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "1"), ("name", "bobby")]);
    let shown = bench.ok("user.edit", &[("elid", "1")]);
    assert_eq!(
        (shown.text("name").as_str(), shown.text("realname").as_str()),
        ("bobby", "by plugin")
    );
    let journal = bench.ok("journal", &[]).to_lines();
    assert!(journal.contains("middleware") && journal.contains("refused"), "{journal}");
    bench.ok("plugins.unload", &[("name", "guard")]);
    bench.write(
        "plugins/guard.py",
        "UCS_PLUGIN = 'G'\nclass G:\n    def __init__(self, ucs): pass\n",
    );
    assert!(
        bench.refused("user.delete", &[("elid", "1")]).contains("forbids"),
        "what its stop left is still called"
    );
}

#[test]
fn while_a_plugin_sleeps_others_call_and_commit() {
    // Issue 3: no transaction and no lock is open while foreign code runs.
    let mut bench = with_guard();
    let mut other = bench.platform.another().unwrap();
    let sleeper = std::thread::spawn(move || {
        let params = [("sok", "ok"), ("elid", "1"), ("site", "https://a.example")];
        let began = Instant::now();
        other.call("project.edit", &params.into_iter().collect(), &Caller::operator()).unwrap();
        began.elapsed()
    });
    let began = Instant::now();
    let mut calls = 0;
    while !sleeper.is_finished() {
        bench.ok("user.edit", &[("sok", "ok"), ("elid", "1"), ("name", &format!("bob{calls}"))]);
        calls += 1;
    }
    assert!(calls > 2, "{calls} in {:?}", began.elapsed());
    assert!(sleeper.join().unwrap() >= Duration::from_secs(1));
}

#[test]
fn the_last_door_closes_after_the_callbacks() {
    // S4-12 without a daemon: the worker that was started for the call is told what the call did.
    let mut bench = with_guard();
    bench.ok("user.add", &[("name", "carl"), ("email", "carl@example.com")]);
    let Bench { folder, platform, .. } = bench;
    drop(platform);
    let log = fs::read_to_string(folder.path().join("var/gatepost.log")).unwrap();
    assert!(log.contains("plugin guard: created 2 carl"), "{log}");
}

#[test]
fn with_plugins_and_no_worker_there_is_no_call() {
    let bench = Bench::empty();
    bench.write("plugins/guard.py", GUARD);
    let settings = config::DEFAULTS.replace("python = \"\"", "python = \"/nowhere/python3\"");
    bench.write("etc/gatepost.toml", &settings);
    let root = config::Root::at(bench.folder.path()).unwrap();
    let mut platform = crate::Platform::open(root).unwrap();
    let refusal = platform.call("user", &notice::Fields::new(), &Caller::operator()).unwrap_err();
    assert!(refusal.to_string().contains("/nowhere/python3"), "{refusal}");
    assert_eq!(refusal.exit_code(), 69);
}

const NEWS: &str = "
UCS_PLUGIN = 'News'
class News:
    def __init__(self, ucs):
        self.ucs = ucs
        ucs.addCallback('agents.status', self.changed)
        ucs.agents.addChangeStatusHook(lambda agent, status, reason: (2, 'news') if (agent.status, status) == (0, 1) else (status, reason))
        ucs.shared.addChangeHook('agent_emails', self.counts)
    def changed(self, agent, args):
        self.ucs.log.info('%s is %d %s %s', agent.displayname, agent.status, agent['reason'], args['status'])
        self.ucs.log.info('all: %s', [(one.username, one.status) for one in self.ucs.agents.getAgents()])
    def counts(self, identificator, old, new):
        ids = {name: number for number, name in self.ucs.tree.getUsers('username').items()}
        return {ids[name]: (count, old) for name, count in new.items()}
";

#[test]
fn the_event_carries_the_state_that_was_taken() {
    // S4-12, S4-28, S4-34
    let mut bench = Bench::with_user();
    bench.write("plugins/news.py", NEWS);
    bench.ok("plugins.load", &[("name", "news")]);
    bench.ok("user.edit", &[("sok", "ok"), ("elid", "1"), ("level", "admin")]);
    let answer = bench.ok("agent.status", &[("agent", "1"), ("status", "ready")]);
    assert!(answer.to_lines().contains("reason=news"), "{}", answer.to_lines());
    let journal = bench.ok("journal", &[]).to_lines();
    assert!(journal.contains("hook"), "{journal}");
    let Bench { folder, platform, .. } = bench;
    drop(platform);
    let log = fs::read_to_string(folder.path().join("var/gatepost.log")).unwrap();
    assert!(log.contains("plugin news: bob is 2 news 2"), "{log}");
    assert!(log.contains("plugin news: all: [('bob', 2)]"), "{log}");
}

#[test]
fn shared_data_keep_their_types_through_hook_and_store() {
    // S4-39, S4-56
    let mut bench = Bench::with_user();
    bench.write("plugins/news.py", NEWS);
    bench.ok("plugins.load", &[("name", "news")]);
    let set = [("id", "agent_emails"), ("value", r#"{"bob":7}"#)];
    let first = bench.ok("shared.set", &set);
    assert_eq!(first.text("value"), r#"{"$m":[[1,{"$t":[7,null]}]]}"#);
    let second = bench.ok("shared.set", &set);
    assert_eq!(second.text("value"), r#"{"$m":[[1,{"$t":[7,{"$m":[[1,{"$t":[7,null]}]]}]}]]}"#);
}

#[test]
fn passwords_that_plugins_see_are_in_no_log_and_no_refusal() {
    // extensions 1.6, 6
    let mut bench = Bench::with_user();
    let text = "
from error import InvalidDataInput
UCS_PLUGIN = 'Talker'
class Talker:
    def __init__(self, ucs):
        self.ucs = ucs
        ucs.api.addMiddleware('user.edit', self.edited)
    def edited(self, handler, user, data):
        self.ucs.log.info('data %s', data)
        print(data)
        if data['id'] is None:
            raise KeyError(data['password'])
        raise InvalidDataInput({'password': 'weak: ' + data['password']})
";
    bench.write("plugins/talker.py", text);
    bench.ok("plugins.load", &[("name", "talker")]);
    for id in [("elid", "1"), ("external_id", "new")] {
        let save = [("sok", "ok"), id, ("name", "bob"), ("passwd", "hunter2&hunter3")];
        let refusal = bench.call("user.edit", &save).unwrap_err();
        let shown = format!("{refusal} {}", refusal.to_document().to_xml());
        assert!(shown.contains("***") && !shown.contains("hunter"), "{shown}");
    }
    let journal = bench.ok("journal", &[]).to_lines();
    let Bench { folder, platform, .. } = bench;
    drop(platform);
    let log = fs::read_to_string(folder.path().join("var/gatepost.log")).unwrap();
    assert!(log.contains("plugin talker: data {") && log.contains("KeyError: '***'"), "{log}");
    assert!(!log.contains("hunter") && !journal.contains("hunter"), "{log}{journal}");
}
