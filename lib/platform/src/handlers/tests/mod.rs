//! Real scripts, registered as authors do it. The documents' own programs are run where they are present.

use super::{Before, Handlers, Line};
use crate::call::{Along, Call, CallId, Outside};
use crate::caller::Caller;
use crate::pipeline::Platform;
use crate::refusal::Refusal;
use config::{Config, DEFAULTS, Log, Root};
use notice::{Fields, Mask, Secret};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use wire::xml::Document;

mod registering;
mod running;
mod telling;

/// A ROOT with scripts.
struct Place {
    _folder: tempfile::TempDir,
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
        let config = on_path(&root, &[]);
        Self { _folder: folder, root, config }
    }

    /// With other settings.
    fn set(mut self, settings: &[(&str, &str)]) -> Self {
        self.config = on_path(&self.root, settings);
        self
    }

    #[expect(clippy::disallowed_methods, reason = "a test lays its ground itself")]
    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.path(name);
        // written by another process: a child that another test starts at this moment can't hold it open
        let beside = path.with_extension("new");
        fs::write(&beside, text).unwrap();
        assert!(
            std::process::Command::new("cp").arg(&beside).arg(&path).status().unwrap().success()
        );
        fs::remove_file(beside).unwrap();
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
        let ground = self.ground();
        let mut outside = self.outside(&ground);
        let decided = handlers.before(call, &mut outside);
        (decided, words(&outside))
    }

    /// Runs what is registered after it, on this answer.
    fn after(&self, call: &Call, answer: &str) -> (String, Vec<String>) {
        let (handlers, _) = self.load();
        let ground = self.ground();
        let mut outside = self.outside(&ground);
        let mut answer = Document::parse(answer.as_bytes()).unwrap().root;
        handlers.after(call, &mut answer, &mut outside);
        (answer.to_xml(), words(&outside))
    }

    fn ground(&self) -> (host::Caller, Log) {
        let log = Log::open(&self.root, &self.config, "external").unwrap();
        (host::Caller::new(&self.root, &self.config), log)
    }

    #[expect(clippy::unused_self, reason = "told of a place like all else here")]
    fn outside<'a>(&'a self, (starter, log): &'a (host::Caller, Log)) -> Outside<'a> {
        let log = Some(log);
        Outside { starter, log, journal: Vec::new() }
    }
}

/// The tools of the place are found first.
fn on_path(root: &Root, settings: &[(&str, &str)]) -> Config {
    let tools = format!("{}:/usr/bin:/bin", root.path("tools").display());
    let mut all = vec![("gate.path", tools.as_str())];
    all.extend(settings);
    with(root, &all)
}

fn with(root: &Root, settings: &[(&str, &str)]) -> Config {
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
        along: Along::Nothing,
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
