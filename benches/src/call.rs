//! What a function call costs: alone, with one `sh` handler before it, with a plugin's middleware and hook.

use crate::report::Report;
use crate::rounds::Case;
use config::{Config, DEFAULTS, Root, Vault};
use notice::{Clock, Fields, SystemClock};
use platform::{Caller, Platform};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use store::sqlite;

/// Calls of a cheap kind; a thousandth of them where a program is started.
const CALLS: u32 = 10_000;
const ROUNDS: usize = 5;

/// The bench `call`.
pub(crate) fn run(report: &mut Report) {
    for (where_, folder) in places() {
        report.say(&format!("### {where_}"));
        let mut cases = Cases::default();
        one_place(&folder, &mut cases);
        report.cases(&cases.0, "µs");
    }
}

/// The calls measured in one place.
#[derive(Default)]
struct Cases(Vec<Case>);

/// On the disk, where a commit waits for it, and in memory, where only the code costs.
fn places() -> Vec<(&'static str, tempfile::TempDir)> {
    let mut places = vec![("on the disk", tempfile::tempdir().unwrap())];
    if let Ok(folder) = tempfile::tempdir_in("/dev/shm") {
        places.push(("in memory (/dev/shm): no fsync", folder));
    }
    places
}

fn one_place(folder: &tempfile::TempDir, cases: &mut Cases) {
    let mut platform = installation(folder.path());
    let bob = [("name", "bob"), ("email", "bob@example.com")];
    call(&mut platform, "project.add", &[("name", "Brand")]);
    call(&mut platform, "user.add", &bob);
    let edit = [("sok", "ok"), ("elid", "1"), ("phone", "+79123456789")];
    cases.measure("desktop: nothing read, nothing written", CALLS, || {
        call(&mut platform, "desktop", &[]);
    });
    cases.measure("user.edit elid=1: shown", CALLS, || {
        call(&mut platform, "user.edit", &[("elid", "1")]);
    });
    cases.measure("user.edit sok=ok: saved, with its event", CALLS / 20, || {
        call(&mut platform, "user.edit", &edit);
    });
    handler(folder.path());
    platform.reload().unwrap();
    cases.measure("desktop with one sh handler before it", CALLS / 100, || {
        call(&mut platform, "desktop", &[]);
    });
    fs::remove_file(folder.path().join("etc/xml/gatepost_mod_ok.xml")).unwrap();
    platform.reload().unwrap();
    with_plugin(&mut platform, folder.path(), cases);
}

/// The rows of the journal that outside code leaves are part of the cost.
fn with_plugin(platform: &mut Platform, folder: &Path, cases: &mut Cases) {
    let set = [("id", "x"), ("value", "[1,2]")];
    cases.measure("shared.set", CALLS / 20, || call(platform, "shared.set", &set));
    fs::create_dir_all(folder.join("plugins")).unwrap();
    fs::set_permissions(folder.join("plugins"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("plugins/one.py"), PLUGIN).unwrap();
    call(platform, "plugins.load", &[("name", "one")]);
    cases.measure("desktop with a plugin's middleware around it", CALLS / 20, || {
        call(platform, "desktop", &[]);
    });
    cases.measure("shared.set with a plugin's hook", CALLS / 20, || {
        call(platform, "shared.set", &set);
    });
}

const PLUGIN: &str = "
UCS_PLUGIN = 'One'
class One:
    def __init__(self, ucs):
        ucs.api.addMiddleware('desktop', lambda handler, *args: handler(*args))
        ucs.shared.addChangeHook('x', lambda identificator, old, new: new)
";

fn installation(folder: &Path) -> Platform {
    for name in ["etc/xml", "addon", "var/run", "notify", "gate", "templates"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    fs::set_permissions(folder.join("addon"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("etc/gatepost.toml"), DEFAULTS).unwrap();
    let root = Root::at(folder).unwrap();
    Vault::create(&root).unwrap();
    let database = root.path("var/gatepost.db");
    let store =
        sqlite::create(&database, sqlite::Order::Ageing, sqlite::Options::default()).unwrap();
    let config = Config::defaults(&root).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Platform::over(root, config, clock, Box::new(store))
}

fn handler(folder: &Path) {
    let script = folder.join("addon/ok.sh");
    fs::write(&script, "#!/bin/sh\necho '<doc/>'\n").unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let registration = "<mgrdata><handler name=\"ok.sh\" type=\"xml\">\
         <event name=\"desktop\" before=\"yes\"/></handler></mgrdata>";
    fs::write(folder.join("etc/xml/gatepost_mod_ok.xml"), registration).unwrap();
}

fn call(platform: &mut Platform, name: &str, params: &[(&str, &str)]) {
    let params: Fields = params.iter().copied().collect();
    platform.call(name, &params, &Caller::operator()).unwrap();
}

impl Cases {
    fn measure(&mut self, what: &str, calls: u32, mut one: impl FnMut()) {
        let mut case = Case::new(what);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            for _ in 0..calls {
                one();
            }
            case.figures.push(started.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
        }
        self.0.push(case);
    }
}
