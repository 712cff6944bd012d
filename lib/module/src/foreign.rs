//! Modules of other people (DESIGN 4): they know only the documented columns, select, update and delete
//! their rows themselves, and are run as cron would run them.

use config::Config;
use host::{Caller, Folder, Listed, Programs, Ran};
use std::time::Duration;

/// A module that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignModule {
    /// Its name, the `modulename` of its rows.
    pub name: String,
    /// The user's column it sends to, where it says so.
    pub contact_type: Option<String>,
    program: Listed,
}

/// How a run of its `process` ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignEnd {
    /// Exit code 0.
    Well,
    /// Anything else; the words are for the log.
    Badly(String),
}

/// Programs in `notify/` that answer `features` and do not list `queue`: enqueue gives them files, and their
/// `process` is to be run. Those that do not answer are left out; [`Programs::list`] says why (S3-21).
pub fn foreign_modules(programs: &Programs) -> Vec<ForeignModule> {
    programs.list(Folder::Notify).into_iter().filter_map(foreign).collect()
}

/// True when enqueue must write a file for that module.
pub fn is_foreign(program: &Listed) -> bool {
    program.features.as_ref().is_ok_and(|features| !features.has("queue"))
}

fn foreign(program: Listed) -> Option<ForeignModule> {
    if !is_foreign(&program) {
        return None;
    }
    let contact_type = program.features.as_ref().ok()?.contact_type.clone();
    Some(ForeignModule { name: program.name.clone(), contact_type, program })
}

impl ForeignModule {
    /// Runs its `--command process` once, in ROOT, within `module.foreign_process_secs`.
    pub fn process(&self, caller: &Caller, config: &Config) -> ForeignEnd {
        self.call(caller, &["process"], config.module.foreign_process)
    }

    /// Runs its `--command getmessage --gate GATE`, within `gate.ingoing_secs`.
    pub fn get_message(&self, caller: &Caller, config: &Config, gate: &str) -> ForeignEnd {
        self.call(caller, &["getmessage", "--gate", gate], config.gate.ingoing)
    }

    fn call(&self, caller: &Caller, arguments: &[&str], deadline: Duration) -> ForeignEnd {
        let mut program = caller.command_within(&self.program.path, arguments[0], deadline);
        program.args.extend(arguments[1..].iter().map(std::ffi::OsString::from));
        outcome_of(&self.name, &caller.run(&program, b""))
    }
}

fn outcome_of(name: &str, ran: &Ran) -> ForeignEnd {
    if ran.end == host::End::Exited(0) {
        return ForeignEnd::Well;
    }
    let said = String::from_utf8_lossy(&ran.stderr_tail);
    let said = said.trim();
    let colon = if said.is_empty() { "" } else { ": " };
    ForeignEnd::Badly(format!("{name} ended badly ({:?}){colon}{said}", ran.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Root;
    use std::os::unix::fs::PermissionsExt;

    fn site(programs: &[(&str, &str)]) -> (tempfile::TempDir, Caller, Config) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notify", "var/run", "etc"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for (name, text) in programs {
            let path = folder.path().join("notify").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let root = Root::at(folder.path()).unwrap();
        let config = Config::defaults(&root).unwrap();
        let caller = Caller::new(&root, &config);
        (folder, caller, config)
    }

    // S3-2, S3-21: a new module needs no change; one that prints junk is left out, the others work
    #[test]
    fn a_module_of_others_is_found_and_run() {
        let (folder, caller, config) = site(&[
            (
                "ntjabber",
                "#!/bin/sh\nif [ \"$2\" = features ]; then echo '<doc><features/><contact_type>jabber</contact_type></doc>'\n\
                 else echo \"$@\" > var/ran; fi\n",
            ),
            (
                "ntours",
                "#!/bin/sh\necho '<doc><features><feature name=\"queue\"/></features></doc>'\n",
            ),
            ("ntjunk", "#!/bin/sh\necho junk\n"),
            (
                "ntbad",
                "#!/bin/sh\n[ \"$2\" = features ] && echo '<doc><features/></doc>' && exit 0\necho 'no jabber' >&2; exit 3\n",
            ),
        ]);
        let found = foreign_modules(&Programs::new(&caller));
        let names: Vec<&str> = found.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["ntbad", "ntjabber"]);
        assert_eq!(found[1].contact_type.as_deref(), Some("jabber"));
        assert_eq!(found[1].process(&caller, &config), ForeignEnd::Well);
        assert_eq!(
            std::fs::read_to_string(folder.path().join("var/ran")).unwrap(),
            "--command process\n"
        );
        assert_eq!(found[1].get_message(&caller, &config, "all"), ForeignEnd::Well);
        let ran = std::fs::read_to_string(folder.path().join("var/ran")).unwrap();
        assert_eq!(ran, "--command getmessage --gate all\n");
        let ForeignEnd::Badly(words) = found[0].process(&caller, &config) else {
            panic!("it was well")
        };
        assert!(words.contains("ntbad") && words.contains("no jabber"), "{words}");
    }
}
