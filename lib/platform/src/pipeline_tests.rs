//! The pipeline: names, levels, masks, what moves between plan and apply, and both stores alike.

use crate::testing::Bench;
use crate::{Caller, Level, Platform};
use notice::Fields;
use store::{Durability, Snapshot, Store, Tx, Wake, memory, sqlite};

/// A store in which somebody else changes user 1 just before our next transactions.
struct Meddled {
    inner: Box<dyn Store>,
    times: u32,
}

impl Store for Meddled {
    fn write(
        &mut self,
        durability: Durability,
        change: &mut dyn FnMut(&mut dyn Tx) -> store::Result<()>,
    ) -> store::Result<()> {
        if self.times > 0 {
            let times = self.times;
            self.inner.write(durability, &mut |tx| {
                if let Some(mut user) = tx.user(notice::UserId(1))? {
                    user.fields.set("realname", format!("changed {times}"));
                    tx.save_user(&user)?;
                }
                Ok(())
            })?;
            self.times -= 1;
        }
        self.inner.write(durability, change)
    }

    fn read(
        &mut self,
        look: &mut dyn FnMut(&mut dyn Snapshot) -> store::Result<()>,
    ) -> store::Result<()> {
        self.inner.read(look)
    }

    fn waker(&self) -> store::Result<Box<dyn Wake>> {
        self.inner.waker()
    }

    fn wake(&self) {
        self.inner.wake();
    }

    fn has_news(&mut self) -> store::Result<bool> {
        self.inner.has_news()
    }

    fn tidy(&mut self) -> store::Result<()> {
        self.inner.tidy()
    }
}

fn meddled(times: u32) -> Bench {
    let mut made = Bench::with_user();
    let root = made.platform.root().clone();
    let config = made.platform.config().clone();
    let clock = made.platform.clock().clone();
    let inner = store::open("sqlite:var/gatepost.db", &root.path("var")).unwrap();
    made.platform = Platform::over(root, config, clock, Box::new(Meddled { inner, times }));
    made
}

#[test]
fn what_moved_between_plan_and_apply_is_planned_anew_once() {
    let edit = [("sok", "ok"), ("elid", "1"), ("phone", "8")];
    let mut once = meddled(1);
    once.ok("user.edit", &edit);
    let user = once.ok("user.edit", &[("elid", "1")]);
    assert_eq!((user.text("phone"), user.text("realname")), ("8".into(), "changed 1".into()));
    let mut twice = meddled(2);
    let refusal = twice.call("user.edit", &edit).unwrap_err();
    assert_eq!((refusal.kind(), refusal.exit_code()), ("changed", 75), "{refusal}");
    assert_ne!(twice.ok("user.edit", &[("elid", "1")]).text("phone"), "8", "nothing was written");
}

#[test]
fn the_model_and_the_database_answer_alike() {
    let calls: &[(&str, &[(&str, &str)])] = &[
        ("user.add", &[("name", "al"), ("external_id", "X"), ("language", "en")]),
        ("user.add", &[("name", "al2"), ("external_id", "X")]),
        ("user", &[("name", "al2")]),
        ("notify.send", &[("notice", "hi"), ("user", "bob"), ("key", "k"), ("data.a", "1")]),
        ("notify.send", &[("notice", "hi"), ("user", "bob"), ("key", "k"), ("data.a", "1")]),
        ("notify.mass", &[("notice", "hi"), ("module", "ntemail"), ("at", "+2h"), ("key", "m")]),
        ("subscription.edit", &[("user", "bob"), ("active", "off")]),
        ("subscription", &[("user", "bob")]),
        ("notify.send", &[("notice", "hi"), ("user", "bob")]),
        ("task", &[]),
        ("task.cancel", &[("elid", "1"), ("comment", "c")]),
        ("task.show", &[("elid", "1")]),
        ("log", &[]),
        ("task.retry", &[("state", "waiting")]),
        ("task", &[("state", "ready")]),
        ("contact_state.edit", &[("kind", "phone"), ("contact", "1"), ("state", "failing")]),
        ("contact_state", &[("kind", "phone"), ("contact", "1, 2")]),
        ("user.delete", &[("elid", "bob, al2")]),
        ("user", &[]),
        ("project.delete", &[("elid", "Brand")]),
    ];
    let mut over_sqlite = Bench::empty();
    let mut over_memory = Bench::over(|_| Box::new(memory::Memory::new()));
    for bench in [&mut over_sqlite, &mut over_memory] {
        bench.write("templates/hi/en.ntemail.text.ejs", "hi");
        bench.write("templates/hi/en.ntsms.text.ejs", "hi");
        bench.add_user();
    }
    let text =
        |bench: &mut Bench, name: &str, params: &[(&str, &str)]| match bench.call(name, params) {
            Ok(answer) => answer.document.to_xml(),
            Err(refusal) => refusal.to_string(),
        };
    for (name, params) in calls {
        let (one, other) =
            (text(&mut over_sqlite, name, params), text(&mut over_memory, name, params));
        assert_eq!(without_clock(&one), without_clock(&other), "{name}");
    }
}

/// `createdate` is the engine's own clock, shown and never used.
fn without_clock(xml: &str) -> String {
    let mut text = xml.to_owned();
    while let (Some(from), Some(to)) = (text.find("<createdate>"), text.find("</createdate>")) {
        text.replace_range(from..to + "</createdate>".len(), "");
    }
    text
}

#[test]
fn an_unknown_function_names_the_nearest_and_an_alias_is_the_function() {
    let mut bench = Bench::with_user();
    assert!(bench.refused("user.edti", &[]).contains("did you mean `user.edit`?"));
    assert!(Platform::function("config.users.get").is_some_and(|found| found.name == "user.edit"));
    let refused = bench.refused("project.delete", &[]);
    assert!(refused.contains("`elid` is missing: the projects"), "{refused}");
}

#[test]
fn names_and_aliases_are_declared_once() {
    let mut names: Vec<_> = Platform::functions()
        .flat_map(|one| {
            std::iter::once(one.name).chain(one.aliases.iter().map(|alias| alias.name()))
        })
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for function in Platform::functions() {
        assert!(function.help.ends_with('.'), "{}", function.name);
        let mut parameters: Vec<_> = function.parameters.iter().map(|one| one.name).collect();
        parameters.sort_unstable();
        parameters.dedup();
        assert_eq!(parameters.len(), function.parameters.len(), "{}", function.name);
    }
}

#[test]
fn a_password_is_in_no_refusal_and_in_no_row() {
    let mut bench = Bench::with_user();
    let params = [("name", "x"), ("passwd", "hunter2!"), ("email", "hunter2!")];
    let refused = bench.refused("user.add", &params);
    assert!(refused.contains("***") && !refused.contains("hunter2"), "{refused}");
    bench.ok("user.add", &params[..2]);
    let bytes = std::fs::read(bench.folder.path().join("var/gatepost.db")).unwrap();
    let wal = std::fs::read(bench.folder.path().join("var/gatepost.db-wal")).unwrap_or_default();
    assert!(!bytes.windows(7).chain(wal.windows(7)).any(|found| found == b"hunter2"));
}

#[test]
fn a_level_too_low_is_denied_before_anything_is_read() {
    let mut bench = Bench::with_user();
    let caller = Caller::new("x", Level::Admin);
    let params = [("user", "bob")].into_iter().collect();
    let refusal = bench.platform.call("forget", &params, &caller).unwrap_err();
    assert_eq!(refusal.exit_code(), 77);
    assert!(refusal.to_document().to_xml().contains("type=\"access\""));
    // Who sets these has programs run, and files written, as the owner of ROOT.
    for name in ["gateway.edit", "gateway.add", "processing.edit"] {
        let refusal = bench.platform.call(name, &Fields::new(), &caller).unwrap_err();
        assert_eq!(refusal.exit_code(), 77, "{name}: {refusal}");
    }
}

#[test]
fn an_installation_without_a_database_says_what_to_do() {
    let bench = Bench::over(|_| Box::new(memory::Memory::new()));
    let error = Platform::open(bench.platform.root().clone()).err().unwrap().to_string();
    assert!(error.contains("gatepost init"), "{error}");
    let database = bench.platform.root().path("var/gatepost.db");
    sqlite::create(&database, sqlite::Order::Ageing, sqlite::Options::default()).unwrap();
    assert!(Platform::open(bench.platform.root().clone()).is_ok());
}
