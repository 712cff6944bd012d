//! A whole installation in a temporary folder, for tests of functions.

use crate::{Answer, Caller, Platform, Refusal};
use config::{Config, DEFAULTS, Root, Vault};
use notice::{Clock, ManualClock, Ms};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use store::{Store, sqlite};

/// 2026-11-21T22:26:40Z.
pub(crate) const NOW: Ms = Ms(1_795_300_000_000);

/// ROOT, its platform, and a clock that tests set.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bench {
    /// An installation without anything, over `SQLite`.
    pub(crate) fn empty() -> Self {
        Self::over(in_sqlite)
    }

    /// An installation without anything, over the store that is made in it.
    pub(crate) fn over(make: impl FnOnce(&Root) -> Box<dyn Store>) -> Self {
        Self::mailing_by("/bin/true", make)
    }

    /// The same as [`Bench::with_user`], and mail without a gateway is given to that program.
    pub(crate) fn with_sendmail(program: &str) -> Self {
        let mut bench = Self::mailing_by(program, in_sqlite);
        bench.add_user();
        bench
    }

    fn mailing_by(sendmail: &str, make: impl FnOnce(&Root) -> Box<dyn Store>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc/xml", "etc/sql", "var/run", "notify", "gate", "templates"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let settings = DEFAULTS.replace("/usr/sbin/sendmail", sendmail);
        fs::write(folder.path().join("etc/gatepost.toml"), settings).unwrap();
        let root = Root::at(folder.path()).unwrap();
        Vault::create(&root).unwrap();
        let store = make(&root);
        let config = Config::load(&root).unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let as_clock: Arc<dyn Clock> = clock.clone();
        let platform = Platform::over(root, config, as_clock, store);
        Self { folder, platform, clock }
    }

    /// With project 1 `Brand` (language en, zone Europe/Moscow) and user 1 `bob`, who has mail and a phone.
    pub(crate) fn with_user() -> Self {
        let mut bench = Self::empty();
        bench.add_user();
        bench
    }

    /// Project 1 and user 1.
    pub(crate) fn add_user(&mut self) {
        self.ok(
            "project.add",
            &[("name", "Brand"), ("language", "en"), ("timezone", "Europe/Moscow")],
        );
        let bob = [
            ("name", "bob"),
            ("email", "bob@example.com"),
            ("phone", "+79123456789"),
            ("language", "ru"),
            ("external_id", "B-1"),
        ];
        self.ok("user.add", &bob);
    }

    pub(crate) fn call(&mut self, name: &str, params: &[(&str, &str)]) -> Result<Answer, Refusal> {
        let params = params.iter().copied().collect();
        self.platform.call(name, &params, &Caller::operator())
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, name: &str, params: &[(&str, &str)]) -> Answer {
        self.call(name, params).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
    }

    /// The words of a refusal.
    #[track_caller]
    pub(crate) fn refused(&mut self, name: &str, params: &[(&str, &str)]) -> String {
        match self.call(name, params) {
            Ok(answer) => panic!("{name} was not refused: {}", answer.to_lines()),
            Err(refusal) => refusal.to_string(),
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program in `gate/` or `notify/`.
    pub(crate) fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        let path = self.folder.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn read<T>(
        &mut self,
        mut look: impl FnMut(&mut dyn store::Snapshot) -> store::Result<T>,
    ) -> T {
        store::read(self.platform.store(), |snapshot| look(snapshot)).unwrap()
    }
}

fn in_sqlite(root: &Root) -> Box<dyn Store> {
    let options = sqlite::Options::default();
    let database = root.path("var/gatepost.db");
    Box::new(sqlite::create(&database, sqlite::Order::Ageing, options).unwrap())
}
