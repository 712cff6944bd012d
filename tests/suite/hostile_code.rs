//! Handlers and plugins that misbehave, all in one run of one daemon: each is survived, named and reported, other
//! callers are answered throughout, and no secret that was sent in comes to light.

use crate::secrets::faces;
use crate::stage::{LONG, say};
use gatepost_kit::host::{Host, Running, has, wait_until};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Sent with calls; handlers and plugins print it wherever they can.
const SECRET: &str = "Hush 47/11%+pw";

/// Another client waits at most so long for an answer, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hanging callers of one handler: as many as would fill a small pool of threads.
const CROWD: usize = 20;

const SETTINGS: &str = "
[gate]
kill_secs = 0.2
stdout_bytes = 1000000
[handlers]
before_secs = 3
after_secs = 2
final_secs = 5
breaker_failures = 3
breaker_secs = 3600
[plugins]
hook_secs = 3
callback_secs = 1
middleware_secs = 3
start_secs = 5
restart_first_secs = 0.01
restart_most_secs = 0.1
memory_bytes = 400000000
";

/// A script of `addon/` that does wrong.
struct Bad {
    name: &'static str,
    /// Attributes of its event.
    event: &'static str,
    script: &'static str,
    /// Words of the refusal; empty: the call is answered all the same.
    refusal: &'static str,
    /// The journal's word.
    outcome: &'static str,
}

/// Those that decide before a function: each has its own.
const BEFORE: &[Bad] = &[
    Bad {
        name: "endless",
        event: "name='project.delete' before='yes'",
        script: "echo \"$PARAM_passwd\"; while :; do :; done",
        refusal: "killed",
        outcome: "failed",
    },
    Bad {
        name: "gigabyte",
        event: "name='user.delete' before='yes'",
        script: "echo \"<doc>$PARAM_passwd\"; yes '<more>' | head -c 1000000000",
        refusal: "killed",
        outcome: "failed",
    },
    Bad {
        name: "herd",
        event: "name='gateway.hold' before='yes'",
        script: "(trap '' TERM; exec sleep 600) & (trap '' TERM; exec sleep 600) & trap '' TERM; sleep 600",
        refusal: "killed",
        outcome: "failed",
    },
    Bad {
        name: "broken",
        event: "name='gateway.delete' before='yes'",
        script: "echo \"<doc><unclosed>$PARAM_passwd</doc>\"; echo \"no such $PARAM_passwd\" >&2",
        refusal: "without a document",
        outcome: "failed",
    },
    Bad {
        name: "nonsense",
        event: "name='user.import' before='yes'",
        script: "echo '<doc><param name=\"func\">exit</param><param name=\"elid\">../../etc/passwd</param>\
                 <param name=\"level\">godlike</param></doc>'",
        refusal: "takes no parameter `elid`",
        outcome: "changed",
    },
    Bad {
        name: "again",
        event: "name='project.edit' before='yes'",
        script: "sbin/mgrctl -m billmgr project.edit sok=ok name=inside > again 2>&1; \
                 echo \"<doc><error type='x'><msg>$PARAM_passwd is wrong</msg></error></doc>\"",
        refusal: "*** is wrong",
        outcome: "refused",
    },
    Bad {
        name: "deaf",
        event: "name='task.done' before='yes' postdata='yes'",
        script: "exec <&-; exec sleep 600",
        refusal: "killed",
        outcome: "failed",
    },
    Bad {
        name: "turned",
        event: "name='task.cancel' before='yes'",
        script: "echo '<doc/>'",
        refusal: "others may write it",
        outcome: "failed",
    },
];

/// Those that come after `user.edit`: what is done stands, whatever they do.
const AFTER: &[Bad] = &[
    Bad {
        name: "fork",
        event: "name='user.edit' after='yes'",
        script: "sleep 20 & echo '<doc/>'",
        refusal: "",
        outcome: "ok",
    },
    Bad {
        name: "unread",
        event: "name='user.edit' after='yes' postdata='yes'",
        script: "exec <&-; echo '<doc/>'",
        refusal: "",
        outcome: "ok",
    },
    Bad {
        name: "crash",
        event: "name='user.edit' after='yes'",
        script: "echo \"$PARAM_passwd\" >&2; kill -SEGV $$",
        refusal: "",
        outcome: "failed",
    },
    Bad {
        name: "slow",
        event: "name='user.edit' after='yes'",
        script: "exec sleep 600",
        refusal: "",
        outcome: "failed",
    },
    Bad {
        name: "late",
        event: "name='user.edit' after='yes'",
        script: "echo \"<doc><error type='x'><msg>$PARAM_passwd</msg></error></doc>\"",
        refusal: "",
        outcome: "warning",
    },
    Bad {
        name: "last",
        event: "name='user.edit' final='yes'",
        script: "sbin/mgrctl -m billmgr shared.set id=last value=1 > last 2>&1; echo '<doc/>'",
        refusal: "",
        outcome: "ok",
    },
];

/// Names that are never run, and a word of the reason.
const UNUSABLE: &[(&str, &str)] = &[
    ("missing.sh", "there is no such file"),
    ("plain.sh", "chmod 750"),
    ("writable.sh", "others may write it"),
    ("../outside.sh", "no plain file name"),
    ("/bin/sh", "no plain file name"),
    ("link.sh", "leads out of addon/"),
];

/// What the hook of shared data `NAME` of plugin `NAME` does, and a word of what the log says of it.
const HOOKS: &[(&str, &str, &str)] = &[
    ("loops", "while True: pass", "longer than 3 s"),
    ("sleeps", "time.sleep(3600)", "longer than 3 s"),
    ("exits", "os._exit(0)", "the worker ended"),
    ("crashes", "ctypes.string_at(0)", "the worker ended"),
    ("eats", "a = [bytearray(size << 20) for size in (10, 100, 8000, 80000)]", "MemoryError"),
];

fn hook(name: &str, body: &str) -> String {
    format!(
        "import ctypes, os, time\nUCS_PLUGIN = 'P'\nclass P:\n    def __init__(self, ucs):\n        \
         ucs.shared.addChangeHook('{name}', self.run)\n    def run(self, *args):\n        {body}\n"
    )
}

fn with(start: &str, stop: &str) -> String {
    format!(
        "import os\nUCS_PLUGIN = 'P'\nclass P:\n    def __init__(self, ucs): ucs.shared.addChangeHook('stays', lambda *a: 'stayed')\n    \
         def start(self): {start}\n    def stop(self): {stop}\n"
    )
}

const MIDDLEWARE: &str = "
import time
UCS_PLUGIN = 'P'
class P:
    def __init__(self, ucs):
        self.ucs = ucs
        ucs.api.addMiddleware('contact_state.edit', self.leaks)
        ucs.api.addMiddleware('product.delete', self.hangs)
    def leaks(self, handler, user, data):
        self.ucs.log.error('it is %s', data['passwd'])
        print(data)
        raise RuntimeError(str(data))
    def hangs(self, handler, user, number):
        time.sleep(3600)
";

/// An installation with all of them.
fn host() -> Host {
    let host = Host::new();
    host.gatepost(&["project", "add", "name=Example"]).ended(0);
    host.write("etc/gatepost.toml", SETTINGS);
    let mut handlers = String::new();
    for bad in BEFORE.iter().chain(AFTER) {
        let Bad { name, event, script, .. } = bad;
        host.program(&format!("addon/{name}.sh"), &format!("#!/bin/sh\n{script}\n"));
        write!(handlers, "<handler name='{name}.sh' type='cgi'><event {event}/></handler>")
            .unwrap();
    }
    for (name, _) in UNUSABLE {
        write!(
            handlers,
            "<handler name='{name}' type='cgi'><event name='user.edit' before='yes'/></handler>"
        )
        .unwrap();
    }
    handlers += "<handler name='unread.sh' type='cgi'><event name='desktop' after='yes' priority='after'/></handler>";
    host.write("etc/xml/billmgr_mod_bad.xml", format!("<mgrdata>{handlers}</mgrdata>"));
    host.write("etc/xml/billmgr_mod_half.xml", "<mgrdata><handler");
    host.write("addon/plain.sh", "#!/bin/sh\n");
    host.program("addon/writable.sh", "#!/bin/sh\n");
    host.program("outside.sh", "#!/bin/sh\n");
    fs::set_permissions(host.path("addon/writable.sh"), fs::Permissions::from_mode(0o757)).unwrap();
    symlink("/bin/sh", host.path("addon/link.sh")).unwrap();
    for (name, body, _) in HOOKS {
        host.write(&format!("plugins/{name}.py"), hook(name, body));
    }
    host.write("plugins/good.py", hook("good", "return 'changed'"));
    host.write("plugins/middle.py", MIDDLEWARE);
    host.write("plugins/no_start.py", with("1 / 0", "pass"));
    host.write("plugins/stays.py", with("pass", "1 / 0"));
    host.write("outside.py", hook("outside", "pass"));
    symlink("../outside.py", host.path("plugins/link.py")).unwrap();
    host.write("plugins/open.py", hook("open", "pass"));
    fs::set_permissions(host.path("plugins/open.py"), fs::Permissions::from_mode(0o666)).unwrap();
    host
}

/// A call of any client: status and body.
fn call(host: &Host, function: &str, params: &Value) -> (u16, String) {
    let mut stream = UnixStream::connect(host.path("var/run/api.sock")).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let body = params.to_string();
    write!(
        stream,
        "POST /v1/func/{function} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{function}: no answer: {text}")), text)
}

fn daemon(host: &Host) -> Running {
    let running = host.start("bin/gatepostd", &[]);
    let socket = host.path("var/run/api.sock");
    wait_until(LONG, "the daemon listens", || UnixStream::connect(&socket).is_ok());
    running
}

/// Another client: asks until it is over, and looks at the process list. Its count and longest wait.
fn client(host: &Host, is_over: &AtomicBool) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let (status, text) = call(host, "project", &json!({}));
        assert_eq!(status, 200, "{text}");
        longest = longest.max(began.elapsed());
        assert!(longest < PATIENCE, "another client waited {longest:?}");
        count += 1;
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words);
            assert!(!words.contains(SECRET), "in the process list: {words}");
        }
    }
    (count, longest)
}

/// Over when it is dropped, by a panic too: a scope waits for its threads.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The function a script is registered for.
fn function_of(bad: &Bad) -> &'static str {
    bad.event.split('\'').nth(1).unwrap()
}

/// All bad handlers at once, and a crowd before the one that hangs; everything that was answered.
fn use_handlers(host: &Host) -> String {
    let much = json!({"passwd": SECRET, "sok": "ok", "elid": "1", "note": "x".repeat(1 << 20)});
    let nothing = json!({});
    std::thread::scope(|scope| {
        let ask = |bad: &'static Bad| {
            let given = if bad.name == "nonsense" { &nothing } else { &much };
            let (status, text) = call(host, function_of(bad), given);
            assert!(status >= 400 && text.contains(bad.refusal), "{}: {text}", bad.name);
            text
        };
        let crowd = std::iter::repeat_n(&BEFORE[2], CROWD);
        let calls: Vec<_> =
            BEFORE.iter().chain(crowd).map(|bad| scope.spawn(move || ask(bad))).collect();
        let user = json!({"sok": "ok", "name": "bob", "passwd": SECRET});
        let (status, text) = call(host, "user.edit", &user);
        assert_eq!(status, 200, "what is done stands: {text}");
        calls.into_iter().fold(text, |all, call| all + &call.join().unwrap())
    })
}

/// Every bad plugin, one after the other; everything that was answered.
fn use_plugins(host: &Host) -> String {
    let set = |id: &str| call(host, "shared.set", &json!({"id": id, "value": "asked"}));
    let is_up = || wait_until(LONG, "the worker is up", || set("good").1.contains("changed"));
    let mut all = String::new();
    for (name, _, _) in HOOKS {
        is_up();
        let (status, text) = set(name);
        assert!(status == 200 && text.contains("asked"), "{name} fails open: {text}");
        all += &text;
    }
    is_up();
    let told = json!({"sok": "ok", "passwd": SECRET});
    let (status, text) = call(host, "contact_state.edit", &told);
    assert!(status >= 400 && text.contains("middle"), "{text}");
    all += &text;
    let (status, text) = call(host, "product.delete", &json!({"elid": "1"}));
    assert!(status >= 400 && text.contains("middle"), "it fails closed: {text}");
    is_up();
    for name in ["../outside", "/etc/passwd", "link", "open", "no_start"] {
        let (status, text) = call(host, "plugins.load", &json!({"name": name}));
        assert!(status >= 400, "{name}: {text}");
        all += &text;
    }
    let (status, text) = call(host, "plugins.unload", &json!({"name": "stays"}));
    assert_eq!(status, 200, "{text}");
    let (_, text) = set("stays");
    assert!(text.contains("stayed"), "what was not taken back is still called: {text}");
    for _ in 0..2 {
        is_up();
        set("crashes");
    }
    is_up();
    all
}

/// The scripts and plugins are named where a person looks.
fn assert_named(host: &Host) {
    let journal = host.sql("SELECT place, name, outcome FROM journal");
    for Bad { name, outcome, .. } in BEFORE.iter().chain(AFTER) {
        assert!(journal.contains(&format!("|{name}.sh|{outcome}")), "{name}: {journal}");
    }
    let log = host.read("var/gatepost.log");
    let list = host.gatepost(&["handler", "list", "-o", "json"]).ended(0).stdout;
    let status = host.gatepost(&["status", "-o", "json"]).stdout;
    for (name, reason) in UNUSABLE {
        assert!(log.contains(&format!("Addon 'addon/{name}'")), "{name}: {log}");
        for (what, text) in [("handler list", &list), ("status", &status)] {
            assert!(text.contains(name) && text.contains(reason), "{what}: {name}: {text}");
        }
    }
    for words in ["did you mean the attribute `proirity`", "billmgr_mod_half.xml` is not read"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(status.contains("herd.sh` failed"), "its breaker is open: {status}");
    for (name, _, words) in HOOKS {
        assert!(journal.contains(&format!("hook|{name}|failed open")), "{name}: {journal}");
        let mark = format!("plugin {name}: its hook failed, the change is made as requested: ");
        let line = log.lines().find_map(|line| line.split_once(&mark));
        assert!(line.is_some_and(|(_, reason)| reason.contains(words)), "{name}: {log}");
    }
    for words in [
        "plugin stays: stop failed",
        "plugin stays: its stop left",
        "plugin no_start: not loaded",
        "plugin crashes: left out",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    for words in ["plugin `no_start`", "plugin `crashes`", "plugin `open`", "plugin `link`"] {
        assert!(status.contains(words), "{words}: {status}");
    }
}

#[test]
fn misbehaving_handlers_and_plugins_are_survived_named_and_hide_what_they_were_told() {
    if !has("python3") {
        return;
    }
    let host = host();
    let daemon = daemon(&host);
    let turned = host.path("addon/turned.sh");
    fs::set_permissions(turned, fs::Permissions::from_mode(0o757)).unwrap();
    let is_over = AtomicBool::new(false);
    let (mut answers, seen) = std::thread::scope(|scope| {
        let over = Over(&is_over);
        let other = scope.spawn(|| client(&host, &is_over));
        let handlers = scope.spawn(|| use_handlers(&host));
        let answers = use_plugins(&host);
        let answers = answers + &handlers.join().unwrap();
        drop(over);
        (answers, other.join().unwrap())
    });
    say(&format!("another client was answered {} times, within {:?}", seen.0, seen.1));
    assert!(seen.0 > 20, "{seen:?}");
    assert_named(&host);
    let inside = host.read("again");
    assert!(inside.contains("final=\"yes\""), "a handler is refused its own function: {inside}");
    let made = |id| host.sql(&format!("SELECT count(*) FROM shared WHERE id='{id}'"));
    wait_until(LONG, "a final handler may call back", || made("last") == "1");
    assert_eq!(host.sql("SELECT count(*) FROM user WHERE name='bob'"), "1");
    drop(daemon);
    assert_nothing_runs(&host);
    answers += &host.sql(".dump");
    for file in ["var/gatepost.log", "bin-gatepostd.out", "again", "last"] {
        answers += &host.read(file);
    }
    for face in faces(SECRET) {
        let at = answers.find(&face).map(|at| answers.ceil_char_boundary(at.saturating_sub(200)));
        assert!(at.is_none(), "`{face}`: {}", &answers[at.unwrap_or(0)..]);
    }
}

/// Whatever they started ended with them, or with the daemon; what lies about its end has 20 seconds of its own.
fn assert_nothing_runs(host: &Host) {
    let is_ours = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder == host.root())
            && fs::read(process.path().join("cmdline")).is_ok_and(|words| !words.is_empty())
    };
    wait_until(LONG, "no process of it is left", || {
        !fs::read_dir("/proc").unwrap().flatten().any(|process| is_ours(&process))
    });
}
