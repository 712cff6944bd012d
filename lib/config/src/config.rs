//! Settings from the shipped defaults, the file, the environment and arguments, in that order.

use crate::layers::{Given, Layers};
use crate::source::{Entry, at_line, entries};
use crate::{Account, ConfigError, Root, Settings, names};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// `etc/gatepost.toml` as shipped: it is the defaults.
pub const DEFAULTS: &str = include_str!("../../../etc/gatepost.toml");

/// Where the value of a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Shipped.
    Default,
    /// `etc/gatepost.toml:LINE`.
    File(String),
    /// This environment name.
    Environment(String),
    /// The command line.
    Argument,
}

/// A key, its value as TOML, and its origin: for `config list --show-origin`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyOrigin {
    /// With its sections: `gate.outgoing_secs`.
    pub key: String,
    /// As TOML writes it.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The settings in force. Its fields are those of [`Settings`].
#[derive(Clone, Debug)]
pub struct Config {
    settings: Settings,
    layers: Layers,
    keys: OnceLock<Vec<KeyOrigin>>,
    /// Of our own environment, what children get.
    handed_on: Vec<(OsString, OsString)>,
    folder: PathBuf,
    environment: OnceLock<Vec<(OsString, OsString)>>,
    strange: Vec<String>,
}

impl Deref for Config {
    type Target = Settings;
    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Config {
    /// Reads `etc/gatepost.toml` under ROOT and the environment. [`ConfigError::NotARoot`] without the file.
    pub fn load(root: &Root) -> Result<Self, ConfigError> {
        Self::load_with(root, &[])
    }

    /// The same, with keys given on the command line, which win.
    pub fn load_with(root: &Root, arguments: &[(String, String)]) -> Result<Self, ConfigError> {
        let path = root.settings_file();
        let file = match crate::read_regular_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::NotARoot(root.folder().display().to_string()));
            }
            Err(error) => return Err(ConfigError::file("read", path)(error)),
        };
        let environment: Vec<_> = std::env::vars_os().collect();
        Self::merge(root, &Sources { file: &file, environment: &environment, arguments })
    }

    /// The shipped defaults alone, for a ROOT that is being made.
    pub fn defaults(root: &Root) -> Result<Self, ConfigError> {
        let environment: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| !name.as_encoded_bytes().starts_with(names::KEY_PREFIX.as_bytes()))
            .collect();
        Self::merge(root, &Sources { file: "", environment: &environment, arguments: &[] })
    }

    /// Every key in force, in the order of the shipped file, `[gate.env]` last.
    pub fn keys(&self) -> &[KeyOrigin] {
        self.keys.get_or_init(|| self.layers.list())
    }

    /// Environment names that look like ours and are no key: a warning for `gatepost check`.
    pub fn strange_names(&self) -> &[String] {
        &self.strange
    }

    /// The whole environment of every program we start (DESIGN 5): PATH, HOME, USER made, the names of
    /// [`names::HANDED_ON`] copied, then `[gate.env]`. Made when it is first asked for, cheap to ask: who starts nothing
    /// does not read `/etc/passwd`.
    pub fn child_environment(&self) -> Vec<(OsString, OsString)> {
        let made = || environment_of_children(&self.folder, &self.settings, &self.handed_on);
        self.environment.get_or_init(made).clone()
    }

    fn merge(root: &Root, sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut layers = Layers::shipped()?;
        let place = "etc/gatepost.toml";
        for Entry { key, value, line, .. } in entries(sources.file, place)? {
            let place = at_line(place, line);
            layers.set(&Given { key, value, origin: Origin::File(place) })?;
        }
        let strange = layers.take_environment(sources.environment)?;
        for (key, text) in sources.arguments {
            let value = layers.like(key, text);
            layers.set(&Given { key: key.clone(), value, origin: Origin::Argument })?;
        }
        let settings = layers.settings()?;
        layers.check_relations(&settings)?;
        let ours = sources.environment.iter();
        Ok(Self {
            settings,
            layers,
            keys: OnceLock::new(),
            handed_on: ours.filter(|(name, _)| is_handed_on(name)).cloned().collect(),
            folder: root.folder().to_path_buf(),
            environment: OnceLock::new(),
            strange,
        })
    }
}

struct Sources<'a> {
    file: &'a str,
    environment: &'a [(OsString, OsString)],
    arguments: &'a [(String, String)],
}

fn environment_of_children(
    folder: &Path,
    settings: &Settings,
    handed_on: &[(OsString, OsString)],
) -> Vec<(OsString, OsString)> {
    let account = Account::current();
    let home = account.home.unwrap_or_else(|| folder.to_path_buf());
    let mut all: BTreeMap<OsString, OsString> = handed_on.iter().cloned().collect();
    all.insert(names::PATH.into(), settings.gate.path.clone().into());
    all.insert(names::HOME.into(), home.into());
    all.insert(names::USER.into(), account.name.into());
    all.extend(settings.gate.env.iter().map(|(name, value)| (name.into(), value.into())));
    all.into_iter().collect()
}

fn is_handed_on(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        names::HANDED_ON.contains(&name) || name.starts_with(names::LOCALE_PREFIX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;
    use crate::layers::environment_name;
    use crate::source::literal;
    use std::time::Duration;

    fn merged(
        file: &str,
        environment: &[(&str, &str)],
        arguments: &[(&str, &str)],
    ) -> Result<Config, ConfigError> {
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let arguments: Vec<_> =
            arguments.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let root = Root::at(Path::new("/nowhere")).unwrap();
        Config::merge(&root, &Sources { file, environment: &environment, arguments: &arguments })
    }

    fn refusal(file: &str) -> String {
        merged(file, &[], &[]).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_file_is_complete_and_sane() {
        let config = merged("", &[], &[]).unwrap();
        assert_eq!(config.queue.lease, Duration::from_mins(1));
        assert_eq!(config.retry.mail.age, Duration::from_hours(72));
        assert_eq!(config.gate.stdout_bytes, 8 * 1024 * 1024);
        assert_eq!(config.manager_names, ["gatepost", "billmgr"]);
        assert!(config.keys().iter().all(|key| key.origin == Origin::Default));
        assert_eq!(config.keys()[0].key, "manager_names");
        let whole = entries(DEFAULTS, "with its comments").unwrap().into_iter();
        let whole: Vec<_> = whole.map(|entry| (entry.key, literal(&entry.value))).collect();
        let read = config.keys().iter().map(|key| (key.key.clone(), key.value.clone()));
        assert_eq!(whole, read.collect::<Vec<_>>());
        for limit in keys::LIMITS {
            assert!(
                config.keys().iter().any(|key| key.key == limit.key),
                "{} is no key",
                limit.key
            );
        }
    }

    #[test]
    fn every_shipped_key_has_a_comment_above_it() {
        let lines: Vec<_> = DEFAULTS.lines().collect();
        let starts = lines.iter().enumerate().filter(|(_, line)| line.contains(" = "));
        for (at, line) in starts.filter(|(_, line)| !line.starts_with('#')) {
            let block = lines[..at].iter().rev().take_while(|line| !line.is_empty());
            assert!(
                block.into_iter().any(|line| line.starts_with('#')) || is_retry(&lines, at),
                "{line}"
            );
        }
    }

    fn is_retry(lines: &[&str], at: usize) -> bool {
        lines[..at]
            .iter()
            .rev()
            .find(|line| line.starts_with('['))
            .is_some_and(|line| line.starts_with("[retry."))
    }

    #[test]
    fn no_two_keys_share_an_environment_name() {
        let config = merged("", &[], &[]).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for key in config.keys() {
            assert!(seen.insert(environment_name(&key.key)), "{}", key.key);
        }
    }

    #[test]
    fn file_environment_and_argument_win_in_that_order() {
        let file = "[gate]\noutgoing_secs = 1\ningoing_secs = 1\nkill_secs = 1\n";
        let environment = [
            ("GATEPOST_GATE_INGOING_SECS", "2"),
            ("GATEPOST_GATE_KILL_SECS", "2.5"),
            ("GATEPOST_X", ""),
        ];
        let config = merged(file, &environment, &[("gate.kill_secs", "0.3")]).unwrap();
        assert_eq!(config.gate.outgoing, Duration::from_secs(1));
        assert_eq!(config.gate.ingoing, Duration::from_secs(2));
        assert_eq!(config.gate.kill, Duration::from_millis(300));
        let origin =
            |name: &str| config.keys().iter().find(|key| key.key == name).unwrap().origin.clone();
        assert_eq!(origin("gate.outgoing_secs"), Origin::File("etc/gatepost.toml:2".into()));
        assert_eq!(
            origin("gate.ingoing_secs"),
            Origin::Environment("GATEPOST_GATE_INGOING_SECS".into())
        );
        assert_eq!(origin("gate.kill_secs"), Origin::Argument);
        assert_eq!(config.strange_names(), ["GATEPOST_X"]);
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest() {
        let text = refusal("\n[gate]\noutgoing_sec = 1\n");
        assert_eq!(
            text,
            "etc/gatepost.toml:3: unknown key `gate.outgoing_sec`; did you mean `gate.outgoing_secs`?"
        );
        assert!(refusal("worker_synk = 'full'").contains("`worker_sync`"));
        assert!(refusal("[smtp]\nhost = 'x'").contains("unknown key `smtp.host`"));
    }

    #[test]
    fn a_bad_value_names_its_place_and_what_may_stand_there() {
        for (file, part) in [
            ("worker_sync = 'ful'", ":1: `worker_sync` must be"),
            ("worker_sync = 3", "`worker_sync` must be a text"),
            ("database = 'postgres://x'", "`database` must be `sqlite:PATH`"),
            ("[queue]\nlease_secs = 0", "from 0.2 to"),
            ("[queue]\nlease_secs = nan", "from 0.2 to"),
            ("[queue]\nextend_secs = 59", "at most half"),
            ("[queue]\nturn_tasks = 1.5", "a whole number"),
            ("[queue]\nturn_tasks = 101", "from 1 to 100"),
            ("manager_names = []", "at least one"),
            ("manager_names = [1]", "a list of texts"),
            ("gate = 1", "unknown key `gate`"),
            ("[gate.env]\nX = 1", "a text in quotes"),
            ("[gate.env]\n\"A=B\" = 'x'", "under a name"),
            ("[gate.env]\na.b = 'x'", "under a name"),
            ("[gate.env]\nX = \"\\u0000\"", "a text in quotes"),
            ("[queue", "etc/gatepost.toml:1: "),
            ("[queue]\nlease_secs = -5", "from 0.2 to"),
        ] {
            let text = refusal(file);
            assert!(text.contains(part), "{file}: {text}");
        }
    }

    #[test]
    fn a_bad_word_is_not_blamed_on_a_value_whose_letters_the_reason_holds() {
        let text = refusal("worker_sync = 'ful'\n[gate]\npath = 'u'\n");
        assert!(text.contains(":1: `worker_sync` must be"), "{text}");
    }

    #[test]
    fn children_get_the_fixed_path_the_proxies_and_gate_env_only() {
        // S3-69
        let ours = [
            ("PATH", "/evil"),
            ("LD_PRELOAD", "/evil.so"),
            ("GATEPOST_ROOT", "/x"),
            ("http_proxy", "http://a"),
            ("HTTP_PROXY", "http://b"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "Europe/Moscow"),
        ];
        let config = merged("[gate.env]\nAPI = 'k'\nTZ = 'UTC'\n", &ours, &[]).unwrap();
        let names: Vec<_> = config
            .child_environment()
            .into_iter()
            .map(|(name, _)| name.into_string().unwrap())
            .collect();
        assert_eq!(
            names,
            ["API", "HOME", "HTTP_PROXY", "LC_ALL", "PATH", "TZ", "USER", "http_proxy"]
        );
        let value = |wanted: &str| {
            let all = config.child_environment();
            all.into_iter().find(|(name, _)| name == wanted).unwrap().1.into_string().unwrap()
        };
        assert_eq!(value("TZ"), "UTC", "[gate.env] wins");
        assert!(value("PATH").starts_with("/usr/local/sbin:"));
        assert_eq!(value("HTTP_PROXY"), "http://b");
    }

    #[test]
    fn a_folder_without_settings_is_no_root() {
        let root = Root::at(Path::new("/nowhere")).unwrap();
        let text = Config::load(&root).unwrap_err().to_string();
        assert!(text.contains("gatepost init --root /nowhere"), "{text}");
    }
}
