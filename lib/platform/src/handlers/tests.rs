//! Real scripts, registered as authors do it. The documents' own programs are run where they are present.

use super::{Before, Handlers, Line};
use crate::call::{Call, CallId, Outside};
use crate::caller::Caller;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use config::{Config, DEFAULTS, Root};
use notice::{Fields, Mask, Secret, SystemClock};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use wire::xml::Document;

/// A ROOT with scripts.
struct Place {
    folder: tempfile::TempDir,
    root: Root,
    config: Config,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["etc/xml", "var/run", "addon", "tools"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(folder.path().join(name), mode).unwrap();
        }
        fs::write(folder.path().join("etc/gatepost.toml"), DEFAULTS).unwrap();
        let root = Root::at(folder.path()).unwrap();
        let mut config = Config::defaults(&root).unwrap();
        let tools = format!("gate.path=\"{}:/usr/bin:/bin\"", root.path("tools").display());
        let (key, value) = tools.split_once('=').unwrap();
        config = with(&root, config, &[(key, value)]);
        Self { folder, root, config }
    }

    /// With other settings.
    fn set(mut self, settings: &[(&str, &str)]) -> Self {
        let tools = format!("\"{}:/usr/bin:/bin\"", self.root.path("tools").display());
        let mut all = vec![("gate.path", tools.as_str())];
        all.extend(settings);
        self.config = with(&self.root, self.config, &all);
        self
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        path
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        self.program(&format!("addon/{name}"), text)
    }

    /// A registration file: the elements inside `<mgrdata>`.
    fn register(&self, file: &str, inside: &str) {
        let text = format!("<mgrdata>{inside}</mgrdata>");
        fs::write(self.root.path(format!("etc/xml/billmgr_mod_{file}.xml")), text).unwrap();
    }

    /// One handler for one event.
    fn handler(&self, name: &str, kind: &str, event: &str) {
        self.register(
            name,
            &format!("<handler name=\"{name}\" type=\"{kind}\"><event {event}/></handler>"),
        );
    }

    fn load(&self) -> (Handlers, Vec<Line>) {
        Handlers::load(&self.root, &self.config)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root.path(name)).unwrap_or_default()
    }

    fn log(&self) -> String {
        self.read("var/gatepost.log")
    }

    /// Runs what is registered before this call.
    fn before(&self, call: &mut Call) -> (Result<Before, Refusal>, Vec<String>) {
        let (handlers, _) = self.load();
        let starter = host::Caller::new(&self.root, &self.config);
        let mut outside = self.outside(&starter);
        let decided = handlers.before(call, &mut outside);
        (decided, words(&outside))
    }

    /// Runs what is registered after it, on this answer.
    fn after(&self, call: &Call, answer: &str) -> (String, Vec<String>) {
        let (handlers, _) = self.load();
        let starter = host::Caller::new(&self.root, &self.config);
        let mut outside = self.outside(&starter);
        let mut answer = Document::parse(answer.as_bytes()).unwrap().root;
        handlers.after(call, &mut answer, &mut outside);
        (answer.to_xml(), words(&outside))
    }

    fn outside<'a>(&'a self, starter: &'a host::Caller) -> Outside<'a> {
        Outside { root: &self.root, starter, clock: &SystemClock, log: None, journal: Vec::new() }
    }
}

fn with(root: &Root, _old: Config, settings: &[(&str, &str)]) -> Config {
    let given: Vec<_> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Config::load_with(root, &given).unwrap()
}

/// `place name outcome` of each run.
fn words(outside: &Outside<'_>) -> Vec<String> {
    outside
        .journal
        .iter()
        .map(|run| format!("{} {} {}", run.place.word(), run.name, run.outcome))
        .collect()
}

fn call(name: &str, params: &[(&str, &str)]) -> Call {
    let function = Platform::function(name).unwrap();
    let mut all: Fields = [("func", name)].into_iter().collect();
    for (name, value) in params {
        all.set(*name, *value);
    }
    Call {
        id: CallId::new(notice::Ms(0)),
        function,
        called_as: name.to_owned(),
        manager: "billmgr".to_owned(),
        caller: Caller::operator(),
        mask: Mask::new([&Secret::new("hunter2")]),
        params: all,
    }
}

const EMPTY: &str = "<doc><ok/></doc>";

/// Prints what it got, then an empty document.
const TELL: &str = "#!/bin/sh\nenv | sort > told.env\ncat > told.in\necho '<doc/>'\n";

fn examples() -> Option<PathBuf> {
    let given = config::variable("GATEPOST_EXAMPLES").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/examples");
    given.or(Some(beside)).filter(|folder| folder.is_dir())
}

#[test]
fn a_script_and_its_registration_make_a_handler_and_neither_alone() {
    // S0-4, S0-7, S0-8, S0-10, S0-12, S0-27
    let place = Place::new();
    place.script("alone.sh", TELL);
    place.register(
        "other",
        "<handler name='gone.sh' type='cgi'><event name='user.edit' after='yes'/></handler>",
    );
    fs::write(
        place.root.path("etc/xml/dnsmgr_mod_x.xml"),
        "<mgrdata><handler name='alone.sh' type='cgi'><event name='user.edit' after='yes'/></handler></mgrdata>",
    )
    .unwrap();
    let (handlers, lines) = place.load();
    assert!(handlers.events.is_empty());
    // S0-25
    assert!(lines[0].text.contains("Addon 'addon/gone.sh' is not executable"), "{lines:?}");
    assert_eq!(lines[0].component, "external");
    place.handler("alone.sh", "cgi", "name='user.edit' after='yes'");
    let (handlers, lines) = place.load();
    assert_eq!(handlers.events.len(), 1);
    let texts: Vec<_> = lines.iter().map(|line| (line.component, line.text.as_str())).collect();
    assert!(texts.contains(&("action", "Register event 'alone.sh' for action 'user.edit'")));
}

#[test]
fn the_whole_files_of_the_document_load_as_they_are() {
    // S0-11, S0-18, S0-19, S0-28, S0-54, S0-67
    let place = Place::new();
    place.script("samba.pl", TELL);
    place.script("test.py", TELL);
    let files = [
        ("samba", include_str!("samples/samba.xml")),
        ("useredit", include_str!("samples/useredit.xml")),
        ("test", include_str!("samples/test.xml")),
        ("desktop", include_str!("samples/desktop.xml")),
    ];
    for (name, text) in files {
        fs::write(place.root.path(format!("etc/xml/billmgr_mod_{name}.xml")), text).unwrap();
    }
    if let Some(folder) = examples() {
        let read =
            |name: &str| fs::read_to_string(folder.join("event-handlers").join(name)).unwrap();
        for (name, file) in [("samba", "billmgr_mod_samba.xml"), ("test", "billmgr_mod_test.xml")] {
            let text = read(file);
            fs::write(place.root.path(format!("etc/xml/billmgr_mod_{name}.xml")), text).unwrap();
        }
        place.register("useredit", &read("samba-useredit.xml"));
        let desktop = read("desktop-event.xml");
        place.register(
            "desktop",
            &format!("<handler name='test.py' type='xml'>{desktop}</handler>"),
        );
    }
    let (handlers, lines) = place.load();
    let registered: Vec<_> = lines
        .iter()
        .filter(|line| line.component == "action")
        .map(|line| line.text.as_str())
        .collect();
    // By file name, then by place in the file (S0-55).
    assert_eq!(
        registered,
        [
            "Register event 'test.py' for action 'desktop'",
            "Register event 'samba.pl' for action 'user.edit'",
            "Register event 'samba.pl' for action 'user.delete'",
            "Register event 'test.py' for action 'notify.send'",
            "Register event 'samba.pl' for action 'user.edit'",
        ]
        .map(|line| if Platform::function("register.activationsend").is_some() {
            line.to_owned()
        } else {
            line.replace("notify.send", "register.activationsend")
        })
    );
    let desktop = &handlers.events[0];
    assert_eq!(desktop.when, super::registration::When::Late, "S0-21");
}

/// Name of the file, its handlers, what is said about it.
const BAD: &[(&str, &str, &str)] = &[
    ("b_half", "<handler name='a.sh' type='cgi'>", "`etc/xml/billmgr_mod_b_half.xml` is not read"),
    (
        "c_type",
        "<handler name='a.sh' type='sh'><event name='user.edit' after='yes'/></handler>",
        "its type is `sh`; write `cgi` or `xml`",
    ),
    (
        "d_notype",
        "<handler name='a.sh'><event name='user.edit' after='yes'/></handler>",
        "its type is ``",
    ),
    (
        "e_neither",
        "<handler name='a.sh' type='cgi'><event name='user.edit'/></handler>",
        "neither before=\"yes\" nor after=\"yes\"",
    ),
    (
        "f_noname",
        "<handler name='a.sh' type='cgi'><event after='yes'/></handler>",
        "an event has no name",
    ),
    (
        "g_priority",
        "<handler name='a.sh' type='cgi'><event name='user.delete' after='yes' priority='after'/></handler>",
        "unknown attribute `priority` of event `user.delete` (did you mean the attribute `proirity`?)",
    ),
    (
        "h_function",
        "<handler name='a.sh' type='cgi'><event name='user.edti' after='yes'/></handler>",
        "there is no such function, it is never called (did you mean `user.edit`?)",
    ),
    (
        "i_value",
        "<handler name='a.sh' type='cgi'><event name='project.edit' after='yes' proirity='first' onfailure='maybe'/></handler>",
        "proirity `first` means nothing",
    ),
];

#[test]
fn what_is_wrong_with_a_registration_is_named_and_the_others_load() {
    // S0-13, S0-20, S0-23, S0-24, S0-26
    let place = Place::new();
    for name in ["a.sh", "z.sh"] {
        place.script(name, TELL);
    }
    for (name, inside, _) in BAD {
        place.register(name, inside);
    }
    fs::write(place.root.path("etc/xml/billmgr_mod_j_root.xml"), "<doc/>").unwrap();
    fs::write(place.root.path("etc/xml/billmgr_mod_k_binary.xml"), [0xff; 99]).unwrap();
    fs::write(place.root.path("etc/xml/billmgr_mod_l_doctype.xml"), "<!DOCTYPE m><mgrdata/>")
        .unwrap();
    // One file carries a gate's description too, with a comment and a declaration that strict parsers reject.
    fs::write(
        place.root.path("etc/xml/billmgr_mod_z.xml"),
        "<?xml version=\"1.0\" encoding=\"UTF8\"?>\n<!-- x --><mgrdata><plugin name='x'/><metadata name='y'/>\
         <lang name='en'/>\n<handler name='z.sh' type='cgi'> stray <event after='yes'>user.edit</event>\
         <event name='user.delete' before='yes' after='yes' base='#10000'/></handler></mgrdata>",
    )
    .unwrap();
    let (handlers, lines) = place.load();
    let text: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let text = text.join("\n");
    for (name, _, words) in BAD {
        assert!(text.contains(words), "{name}: {words}\n{text}");
    }
    for words in ["its root is `doc`, not `mgrdata`", "mod_k_binary.xml` is not read", "DOCTYPE"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let of_z: Vec<_> = handlers.events.iter().filter(|event| event.script.name == "z.sh").collect();
    assert_eq!(of_z.len(), 3, "both sides are two runs");
    assert!(handlers.unusable.iter().any(|(name, why)| name == "a.sh" && why.contains("type")));
}

#[test]
fn a_name_that_leaves_addon_and_a_file_others_may_write_are_refused() {
    // S0-7, S0-9
    let place = Place::new();
    place.program("tools/out.sh", TELL);
    symlink(place.root.path("tools/out.sh"), place.root.path("addon/link.sh")).unwrap();
    place.script("plain.sh", TELL);
    symlink("plain.sh", place.root.path("addon/inside.sh")).unwrap();
    let open = place.script("open.sh", TELL);
    fs::set_permissions(open, fs::Permissions::from_mode(0o757)).unwrap();
    fs::create_dir(place.root.path("addon/folder")).unwrap();
    let names =
        ["../tools/out.sh", "/bin/sh", "..", ".", "", "link.sh", "open.sh", "folder", "inside.sh"];
    for (at, name) in names.iter().enumerate() {
        place.register(
            &format!("{at}"),
            &format!(
                "<handler name='{name}' type='cgi'><event name='user.edit' after='yes'/></handler>"
            ),
        );
    }
    let (handlers, lines) = place.load();
    let registered: Vec<_> =
        handlers.events.iter().map(|event| event.script.name.as_str()).collect();
    assert_eq!(registered, ["inside.sh"], "a link that stays inside is fine");
    let text: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let text = text.join("\n");
    for words in
        ["no plain file name", "it leads out of addon/", "others may write it", "it is no file"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    fs::set_permissions(place.root.path("addon"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(place.load().0.events.is_empty(), "nor is anything run from a folder others may write");
}

#[test]
fn a_handler_gets_all_that_real_ones_read() {
    // S0-17, S0-33, S0-40, S0-59, S0-60
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    let params = [("sok", "ok"), ("elid", ""), ("name", "bob; drop=1&x"), ("passwd", "p w+%\"")];
    place.after(&call("user.edit", &params), EMPTY);
    let body = "func=user.edit&sok=ok&elid=&name=bob%3B%20drop%3D1%26x&passwd=p%20w%2B%25%22";
    assert_eq!(place.read("told.in"), body);
    let told = place.read("told.env");
    let length = format!("CONTENT_LENGTH={}", body.len());
    for line in [
        "REQUEST_METHOD=POST",
        "CONTENT_TYPE=application/x-www-form-urlencoded",
        &length,
        &format!("QUERY_STRING={body}"),
        "PARAM_func=user.edit",
        "PARAM_sok=ok",
        "PARAM_elid=",
        "PARAM_name=bob; drop=1&x",
        "PARAM_passwd=p w+%\"",
        "AUTH_USER=operator",
        "AUTH_LEVEL=30",
        "REMOTE_USER=operator",
        "SESSION_LEVEL=30",
        "SESSION_LANG=en",
        "ACTION_NAME=user.edit",
        "EVENT_TYPE=after",
        "HANDLER_STAGE=after",
        "MGR=billmgr",
        "GATEPOST_WITHIN=user.edit",
    ] {
        assert!(told.lines().any(|known| known == line), "{line}\n{told}");
    }
    assert!(
        told.lines().any(|line| line.starts_with("PATH=")) && !told.contains("CARGO"),
        "{told}"
    );
    // Without postdata: a GET, nothing on stdin.
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes'");
    place.after(&call("user.edit", &params), EMPTY);
    assert_eq!(place.read("told.in"), "");
    let told = place.read("told.env");
    assert!(told.contains("REQUEST_METHOD=GET\n") && !told.contains("CONTENT_LENGTH"), "{told}");
    assert!(told.contains(&format!("QUERY_STRING={body}\n")), "{told}");
    // type=xml gets the same names, and a document.
    place.handler("tell.sh", "xml", "name='user.edit' after='yes'");
    place.after(&call("user.edit", &params), EMPTY);
    assert!(place.read("told.env").contains("PARAM_sok=ok\n"));
    let stdin = place.read("told.in");
    assert!(stdin.contains("func=\"user.edit\"") && stdin.ends_with("<ok/></doc>\n"), "{stdin}");
}

#[test]
fn a_value_too_long_for_the_environment_comes_with_postdata() {
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    let long = "x".repeat(3 << 20);
    let mut params = vec![("sok", "ok"), ("note", long.as_str())];
    let many = vec!["y".repeat(20_000); 6];
    let names = ["n1", "n2", "n3", "n4", "n5", "n6"];
    params.extend(names.iter().zip(&many).map(|(name, value)| (*name, value.as_str())));
    let (_, runs) = place.after(&call("user.edit", &params), EMPTY);
    assert_eq!(runs, ["after tell.sh ok"]);
    assert!(place.read("told.in").len() > 3 << 20);
    let told = place.read("told.env");
    assert!(!told.contains("PARAM_note=") && told.contains("PARAM_n6=yyy"));
    assert!(told.contains("QUERY_STRING=func=user.edit&sok=ok\n"));
}

#[test]
fn one_name_for_reading_changing_and_creating() {
    // S0-34, S0-35, S0-36, S0-37, S0-38
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes'");
    for params in [
        &[("elid", "bob")][..],
        &[("elid", "bob"), ("sok", "yes"), ("phone", "1")],
        &[("sok", "ok"), ("name", "al")],
    ] {
        let (_, runs) = place.after(&call("user.edit", params), EMPTY);
        assert_eq!(runs.len(), 1, "{params:?}");
        for (name, value) in params {
            assert!(place.read("told.env").contains(&format!("PARAM_{name}={value}\n")));
        }
    }
    place.handler("tell.sh", "cgi", "name='project.edit' after='yes'");
    assert_eq!(place.after(&call("project.edit", &[("elid", "1")]), EMPTY).1.len(), 1);
    assert_eq!(place.after(&call("user.edit", &[("elid", "1")]), EMPTY).1.len(), 0);
}

#[test]
fn registered_for_a_creation_it_runs_for_creations_and_is_told_so() {
    // S0-28, S0-37, S0-64
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.add' after='yes' postdata='yes'");
    let runs = |called: &Call| place.after(called, EMPTY).1.len();
    assert_eq!(runs(&call("user.edit", &[("elid", "bob")])), 0, "read");
    assert_eq!(runs(&call("user.edit", &[("sok", "ok"), ("elid", "bob")])), 0, "changed");
    assert_eq!(runs(&call("user.edit", &[("sok", "ok"), ("name", "al")])), 1, "created");
    assert_eq!(place.read("told.in"), "func=user.add&sok=ok&name=al&elid=");
    // `user.add name=al` is a creation without saying so.
    assert_eq!(runs(&call("user.add", &[("name", "al")])), 1);
    assert_eq!(place.read("told.in"), "func=user.add&name=al&sok=ok&elid=");
    // Registered for the function's own name it is called by that name, whatever the caller said.
    place.handler("tell.sh", "cgi", "name='user.edit' after='yes' postdata='yes'");
    assert_eq!(runs(&call("user.add", &[("name", "al"), ("sok", "ok")])), 1);
    assert!(place.read("told.in").starts_with("func=user.edit&"));
}

#[test]
fn a_group_is_one_run() {
    // S0-39
    let place = Place::new();
    place.script("tell.sh", TELL);
    place.handler("tell.sh", "cgi", "name='user.delete' after='yes' postdata='yes'");
    let (_, runs) = place.after(&call("user.delete", &[("elid", "bob, al, carol")]), EMPTY);
    assert_eq!(runs.len(), 1);
    assert_eq!(place.read("told.in"), "func=user.delete&elid=bob%2C%20al%2C%20carol");
    let told = place.read("told.env");
    assert!(told.contains("PARAM_elid=bob, al, carol\nPARAM_elids=bob, al, carol\n"), "{told}");
}

#[test]
fn a_before_handler_changes_parameters_each_seeing_the_former_ones() {
    // S0-2, S0-15, S0-44, S0-55
    let place = Place::new();
    place.script(
        "one.sh",
        "#!/bin/sh\necho '<doc><param name=\"realname\">One</param><params><phone>1</phone></params></doc>'\n",
    );
    place.script("two.sh", "#!/bin/sh\ncat > told.in\nsed 's|One|Two|; s|<phone>1</phone>||; s|user.edit</func>|user.delete</func>|' told.in\n");
    place.register(
        "a",
        "<handler name='one.sh' type='cgi'><event name='user.edit' before='yes'/></handler>",
    );
    place.register(
        "b",
        "<handler name='two.sh' type='xml'><event name='user.edit' before='yes'/></handler>",
    );
    let mut called = call("user.edit", &[("sok", "ok"), ("elid", "bob"), ("odd name", "stays")]);
    let (decided, runs) = place.before(&mut called);
    assert!(matches!(decided, Ok(Before::GoOn)));
    assert_eq!(runs, ["before one.sh changed", "before two.sh changed"]);
    let stdin = place.read("told.in");
    assert!(stdin.contains("<params><func>user.edit</func><sok>ok</sok>"), "{stdin}");
    assert!(stdin.contains("<realname>One</realname>") && stdin.ends_with("</params></doc>\n"));
    let params: Vec<_> = called.params.iter().collect();
    assert_eq!(
        params,
        [
            ("func", "user.edit"),
            ("sok", "ok"),
            ("elid", "bob"),
            ("realname", "Two"),
            ("odd name", "stays")
        ],
        "a document of parameters is all of them; `func` stays"
    );
}

#[test]
fn an_error_document_refuses_the_call_and_is_the_answer() {
    // S0-1, S0-50
    let place = Place::new();
    place.script(
        "no.sh",
        "#!/bin/sh\necho '<doc><error type=\"value\" object=\"name\"><param name=\"value\">hunter2</param>\
         <msg>no such names: hunter2</msg></error></doc>'\nexit 3\n",
    );
    place.script("never.sh", TELL);
    place.register("a", "<handler name='no.sh' type='cgi'><event name='user.edit' before='yes' onfailure='ignore'/></handler>");
    place.register(
        "b",
        "<handler name='never.sh' type='cgi'><event name='user.edit' before='yes'/></handler>",
    );
    let (decided, runs) = place.before(&mut call("user.edit", &[("sok", "ok")]));
    assert_eq!(runs, ["before no.sh refused"], "nothing runs after it");
    let refusal = decided.unwrap_err();
    assert_eq!((refusal.kind(), refusal.to_string().as_str()), ("value", "no such names: ***"));
    let document = refusal.to_document().to_xml();
    assert!(document.starts_with("<doc><error type=\"value\" object=\"name\">"), "{document}");
    assert!(!document.contains("hunter2"));
}

#[test]
fn skipaction_takes_the_place_of_the_function() {
    // S0-45, S0-47, S0-48
    let place = Place::new();
    place.script(
        "skip.sh",
        "#!/bin/sh\ncat >/dev/null\necho '<doc lang=\"en\"><skipaction/><ok/><id>7</id></doc>'\n",
    );
    place.script("never.sh", TELL);
    place.register(
        "a",
        "<handler name='skip.sh' type='xml'><event name='user.edit' before='yes'/></handler>",
    );
    place.register(
        "b",
        "<handler name='never.sh' type='xml'><event name='user.edit' before='yes'/></handler>",
    );
    let (decided, runs) = place.before(&mut call("user.edit", &[("sok", "ok")]));
    assert_eq!(runs, ["before skip.sh skipaction"]);
    let Ok(Before::Skip(answer)) = decided else { panic!("{decided:?}") };
    assert_eq!(answer.to_xml(), "<doc><ok/><id>7</id></doc>");
    // Deeper inside, or after the function, the tag means nothing.
    place.script("skip.sh", "#!/bin/sh\necho '<doc><x><skipaction/></x></doc>'\n");
    let (decided, _) = place.before(&mut call("user.edit", &[("sok", "ok")]));
    assert!(matches!(decided, Ok(Before::GoOn)));
    place.register(
        "a",
        "<handler name='skip.sh' type='cgi'><event name='user.edit' after='yes'/></handler>",
    );
    place.script("skip.sh", "#!/bin/sh\necho '<doc><skipaction/><more>1</more></doc>'\n");
    let (answer, _) = place.after(&call("user.edit", &[]), EMPTY);
    assert_eq!(answer, "<doc><ok/><more>1</more></doc>");
    assert!(place.log().contains("<skipaction/> means nothing after user.edit"), "{}", place.log());
}
