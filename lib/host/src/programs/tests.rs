//! Listing: S3-21, S3-43, S3-44, S3-70.

use super::*;
use crate::gates;
use config::{Config, Root};
use notice::{Outcome, Reach};
use std::fs::Permissions;
use wire::xml::{Document, Element};

const GOOD: &str = "#!/bin/sh\necho x >> asked\nprintf '  <doc>\\n <features><feature name=\"outgoing\"/>\
                    <feature name=\"check_connection\"/></features><notify_module>ntsms</notify_module></doc>'\n";

struct Place {
    folder: tempfile::TempDir,
    caller: Caller,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notify", "gate", "var/run"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let root = Root::at(folder.path()).unwrap();
        let caller = Caller::new(&root, &Config::defaults(&root).unwrap());
        Self { folder, caller }
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        let path = self.folder.path().join(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn programs(&self) -> Programs {
        Programs::new(&self.caller)
    }

    fn gates(&self) -> Vec<(String, Result<Features, String>)> {
        let listed = self.programs().list(Folder::Gate);
        listed.into_iter().map(|gate| (gate.name, gate.features)).collect()
    }

    fn times_asked(&self) -> usize {
        fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default().lines().count()
    }
}

#[test]
fn a_program_that_prints_junk_is_not_used_and_others_work() {
    // S3-21
    let place = Place::new();
    place.write("gate/gwgood", GOOD, 0o755);
    place.write("gate/gwjunk", "#!/bin/sh\necho Usage: me\n", 0o755);
    place.write("gate/gwsilent", "#!/bin/sh\n", 0o755);
    place.write(
        "gate/gwerror",
        "#!/bin/sh\necho '<doc><error type=\"x\"><msg>no disk</msg></error></doc>'\n",
        0o755,
    );
    place.write("gate/gwshape", "#!/bin/sh\necho '<doc><ok/></doc>'\n", 0o755);
    place.write("gate/gwdying", "#!/bin/sh\nkill -9 $$\n", 0o755);
    place.write("gate/gwforgotten", GOOD, 0o644);
    place.write("gate/gwopen", GOOD, 0o757);
    place.write("gate/README", "no program\n", 0o644);
    place.write("gate/.hidden", GOOD, 0o755);
    fs::create_dir(place.folder.path().join("gate/folder")).unwrap();
    let gates = place.gates();
    let reasons: Vec<_> = gates
        .iter()
        .map(|(name, features)| match features {
            Ok(features) => format!("{name}: {}", features.names.join(" ")),
            Err(reason) => format!(
                "{name}: {}",
                reason.replace(&*place.folder.path().to_string_lossy(), "ROOT")
            ),
        })
        .collect();
    let begins = [
        "gwdying: features: died by signal 9 (SIGKILL)",
        "gwerror: features: it answered with an error: no disk",
        "gwforgotten: it is not executable: `chmod +x ROOT/gate/gwforgotten`",
        "gwgood: outgoing check_connection",
        "gwjunk: features: exit 0 without a document: ",
        "gwopen: others may write it: `chmod o-w ROOT/gate/gwopen`",
        "gwshape: features: the document has no `features` element",
        "gwsilent: features: unsupported format: it printed nothing",
    ];
    assert_eq!(reasons.len(), begins.len(), "{reasons:#?}");
    for (reason, begin) in reasons.iter().zip(begins) {
        assert!(reason.starts_with(begin), "{reason}");
    }
}

#[test]
fn a_program_is_asked_once_until_it_changes() {
    let place = Place::new();
    place.write("gate/gwgood", GOOD, 0o755);
    let first = place.gates();
    assert_eq!((place.gates(), place.times_asked()), (first.clone(), 1));
    assert!(place.programs().one(Folder::Gate, "gwgood").offers("outgoing"));
    assert_eq!(place.times_asked(), 1);
    place.write("gate/gwgood", &format!("{GOOD}# changed\n"), 0o755);
    assert_eq!((place.gates(), place.times_asked()), (first, 2));
}

#[test]
fn a_broken_cache_is_made_anew() {
    let place = Place::new();
    place.write("gate/gwgood", GOOD, 0o755);
    for junk in ["", "junk", "<doc><program path='x' size='-1'/></doc>", "<doc><program"] {
        place.write("var/run/features", junk, 0o600);
        assert!(place.gates()[0].1.is_ok());
    }
    fs::remove_dir_all(place.folder.path().join("var")).unwrap();
    assert!(place.gates()[0].1.is_ok(), "without a place to keep it, it is asked");
}

#[test]
fn a_name_can_not_leave_its_folder() {
    let place = Place::new();
    for name in ["../../bin/sh", "/bin/sh", "", ".", "a b"] {
        let listed = place.programs().one(Folder::Gate, name);
        assert!(listed.features.is_err() && !listed.offers("outgoing"), "{name}");
    }
    let missing = place.programs().one(Folder::Gate, "gwnone").features.clone().unwrap_err();
    assert!(missing.starts_with("there is no program `"), "{missing}");
}

#[test]
fn what_features_does_not_list_is_never_called() {
    // S3-44
    let place = Place::new();
    place.write("gate/gwgood", &format!("{GOOD}echo \"$2\" >> called\n"), 0o755);
    let gate = place.programs().one(Folder::Gate, "gwgood");
    let form = Document::new(Element::new("doc"));
    let mask = Mask::default();
    let refused = gates::formtune(&place.caller, &gate, &form, &mask).unwrap_err();
    assert_eq!(refused.to_string(), "`gwgood` does not offer `formtune`");
    assert!(gates::ingoing(&place.caller, &gate, b"<doc/>", &mask).is_err());
    gates::check_connection(&place.caller, &gate, &form, &mask).unwrap();
    let called = fs::read_to_string(place.folder.path().join("called")).unwrap();
    assert_eq!(called, "features\ncheck_connection\n");
}

#[test]
fn a_gate_that_is_gone_was_not_reached() {
    let place = Place::new();
    place.write("gate/gwgood", GOOD, 0o755);
    let gate = place.programs().one(Folder::Gate, "gwgood");
    fs::remove_file(&gate.path).unwrap();
    for gate in [gate, place.programs().one(Folder::Gate, "gwgood")] {
        let judged = gates::outgoing(&place.caller, &gate, b"<doc/>", &Mask::default());
        assert_eq!(
            (judged.answer.outcome, judged.answer.reach),
            (Outcome::Later, Reach::Unreached)
        );
        assert!(judged.answer.reason.contains("gwgood"), "{}", judged.answer.reason);
    }
}

#[test]
fn half_an_answer_of_ingoing_gives_its_whole_messages_and_fails() {
    // S3-52, S3-53
    let place = Place::new();
    let script = |body: &str| {
        format!(
            "#!/bin/sh\ncase $2 in features) echo '<doc><features><feature name=\"ingoing\"/></features></doc>';;\n\
             *) {body};; esac\n"
        )
    };
    let message = "<doc><messages><message uid=\"1\">a: b</message>";
    let received = |body: &str| {
        place.write("gate/gwin", &script(body), 0o755);
        let gate = place.programs().one(Folder::Gate, "gwin");
        gates::ingoing(&place.caller, &gate, b"<doc/>", &Mask::default()).unwrap()
    };
    let whole = received(&format!("echo '{message}</messages></doc>'"));
    assert_eq!((whole.reply.ingoing.messages.len(), whole.failure), (1, None));
    let half = received(&format!("echo '{message}<message uid=\"2\">c'; exit 3"));
    assert_eq!(half.reply.ingoing.messages.len(), 1);
    assert_eq!(half.reply.ingoing.messages[0].uid.as_deref(), Some("1"));
    assert!(half.failure.unwrap().starts_with("exit 3"));
    let error = received("echo '<doc><error type=\"hold\"><msg>bad login</msg></error></doc>'");
    assert_eq!(error.failure.as_deref(), Some("bad login"));
}

/// Both are asked before either has answered.
#[test]
fn who_asks_at_the_same_time_has_the_same_answer() {
    let place = Place::new();
    let both_ask =
        "#!/bin/sh\necho x >> asked\nuntil [ \"$(wc -l < asked)\" -ge 2 ]; do sleep 0.01; done\n";
    place.write(
        "gate/gwgood",
        &format!("{both_ask}{}", GOOD.split_once("asked\n").unwrap().1),
        0o755,
    );
    let programs = place.programs();
    let ask = || programs.one(Folder::Gate, "gwgood");
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(ask), scope.spawn(ask));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(place.times_asked(), 2);
    assert!(one.offers("outgoing"), "{:?}", one.features);
    assert!(Arc::ptr_eq(&one, &other));
    assert!(Arc::ptr_eq(&one, &ask()), "and so has who asks later");
}
