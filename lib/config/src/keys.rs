//! The settings by type, one field for each key of `etc/gatepost.toml`, where each is explained.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every key.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Settings {
    /// `manager_names`
    pub manager_names: Vec<String>,
    /// `database`: `sqlite:PATH`
    pub database: String,
    /// `worker_sync`
    pub worker_sync: WorkerSync,
    /// `[queue]`
    pub queue: Queue,
    /// `[retry.…]`
    pub retry: RetryTable,
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[provisioning]`
    pub provisioning: Provisioning,
    /// `[processing]`
    pub processing: Processing,
    /// `[gate]`
    pub gate: Gate,
    /// `[module]`
    pub module: ForeignModule,
    /// `[handlers]`
    pub handlers: Handlers,
    /// `[plugins]`
    pub plugins: Plugins,
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[api]`
    pub api: Api,
    /// `[retention]`
    pub retention: Retention,
    /// `[render]`
    pub render: Render,
    /// `[ntemail]`
    pub ntemail: Ntemail,
    /// `[ntsms]`
    pub ntsms: Ntsms,
    /// `[status]`
    pub status: Status,
    /// `[log]`
    pub log: LogSettings,
}

/// What a power cut may undo of a worker's last turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerSync {
    /// Claims and completions since the last sync.
    Normal,
    /// Nothing: one fsync a turn.
    Full,
}

/// What priority is worth (queue 1, slack).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// A step is worth a day of waiting.
    Ageing,
    /// Plain descending priority.
    Strict,
}

/// `[queue]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Queue {
    /// For `gatepost init` only; the queue itself knows its order.
    pub order: Order,
    /// Length of a lease.
    #[serde(rename = "lease_secs", with = "secs")]
    pub lease: Duration,
    /// Age at which a lease is renewed.
    #[serde(rename = "extend_secs", with = "secs")]
    pub extend: Duration,
    /// What in-flight sends get on SIGTERM.
    #[serde(rename = "grace_secs", with = "secs")]
    pub grace: Duration,
    /// Longest `--command process` without `--follow`; while a slow gateway has a message in hand, it goes on for others.
    #[serde(rename = "process_secs", with = "secs")]
    pub process: Duration,
    /// Poll without wake-up.
    #[serde(rename = "poll_secs", with = "secs")]
    pub poll: Duration,
    /// Tasks in a turn.
    pub turn_tasks: u32,
    /// A claim takes what the gateway took in that time, and its free window.
    #[serde(rename = "claim_ahead_secs", with = "secs")]
    pub claim_ahead: Duration,
    /// An asked task is failed after that.
    #[serde(rename = "asked_secs", with = "secs")]
    pub asked: Duration,
    /// Crashes that make a task poison.
    pub poison_crashes: u32,
}

/// `[retry.…]`, by kind (queue 3.2).
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RetryTable {
    /// Mail.
    pub mail: Retry,
    /// Sms and other gates.
    pub sms: Retry,
    /// The inbox.
    pub internal: Retry,
    /// Deliveries of events.
    pub provisioning: Retry,
    /// Service tasks.
    pub processing: RetryTries,
}

/// One line of the retry table.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Retry {
    /// First delay.
    #[serde(rename = "base_secs", with = "secs")]
    pub base: Duration,
    /// Longest delay.
    #[serde(rename = "cap_secs", with = "secs")]
    pub cap: Duration,
    /// Failed after that, counted while a gateway is usable.
    #[serde(rename = "age_secs", with = "secs")]
    pub age: Duration,
}

/// A line that counts tries: service tasks are for people to end.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct RetryTries {
    /// First delay.
    #[serde(rename = "base_secs", with = "secs")]
    pub base: Duration,
    /// Longest delay.
    #[serde(rename = "cap_secs", with = "secs")]
    pub cap: Duration,
    /// Failed after so many attempts that reached the server.
    pub tries: u32,
}

/// `[gateway]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Gateway {
    /// Messages at once, to begin with.
    pub window_first: u32,
    /// Messages at once, at most.
    pub window_most: u32,
    /// First probe of an open breaker.
    #[serde(rename = "breaker_first_secs", with = "secs")]
    pub breaker_first: Duration,
    /// Longest time between probes of an open breaker.
    #[serde(rename = "breaker_most_secs", with = "secs")]
    pub breaker_most: Duration,
    /// First probe of a held gateway.
    #[serde(rename = "hold_first_secs", with = "secs")]
    pub hold_first: Duration,
    /// Longest time between probes of a held gateway.
    #[serde(rename = "hold_most_secs", with = "secs")]
    pub hold_most: Duration,
    /// Failures in a row without a valid document that hold.
    pub hold_failures: u32,
    /// Different tasks that said hold, where `check_connection` is missing.
    pub hold_tasks: u32,
}

/// `[provisioning]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Provisioning {
    /// For the name and the connection of a POST.
    #[serde(rename = "connect_secs", with = "secs")]
    pub connect: Duration,
    /// For a whole POST, or a script.
    #[serde(rename = "call_secs", with = "secs")]
    pub call: Duration,
    /// Kept of an answer.
    pub answer_bytes: usize,
    /// Calls of one handler at once.
    pub at_once: u32,
    /// Private networks that may be called.
    pub allow_private: Vec<String>,
    /// Folders whose scripts may be handlers; relative to ROOT.
    pub script_folders: Vec<String>,
}

/// `[processing]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Processing {
    /// Limit of `open`, `suspend`, `resume`, `close` and `setparam`.
    #[serde(rename = "call_secs", with = "secs")]
    pub call: Duration,
}

/// `[gate]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Gate {
    /// Limit of `outgoing`.
    #[serde(rename = "outgoing_secs", with = "secs")]
    pub outgoing: Duration,
    /// Limit of `ingoing`.
    #[serde(rename = "ingoing_secs", with = "secs")]
    pub ingoing: Duration,
    /// Limit of `features`.
    #[serde(rename = "features_secs", with = "secs")]
    pub features: Duration,
    /// Limit of `formtune`.
    #[serde(rename = "formtune_secs", with = "secs")]
    pub formtune: Duration,
    /// Limit of `check_connection`.
    #[serde(rename = "check_connection_secs", with = "secs")]
    pub check_connection: Duration,
    /// From SIGTERM to SIGKILL.
    #[serde(rename = "kill_secs", with = "secs")]
    pub kill: Duration,
    /// After such a silence a gate in serve mode gets a ping.
    #[serde(rename = "serve_ping_secs", with = "secs")]
    pub serve_ping: Duration,
    /// After such a time without a message it is sent home.
    #[serde(rename = "serve_idle_secs", with = "secs")]
    pub serve_idle: Duration,
    /// Most output.
    pub stdout_bytes: usize,
    /// End of stderr that is kept.
    pub stderr_bytes: usize,
    /// Attachments of one message together.
    pub attachments_bytes: u64,
    /// PATH of every program.
    pub path: String,
    /// `[gate.env]`
    pub env: BTreeMap<String, String>,
}

/// `[module]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ForeignModule {
    /// Between two runs of a foreign module.
    #[serde(rename = "foreign_every_secs", with = "secs")]
    pub foreign_every: Duration,
    /// Limit of one run.
    #[serde(rename = "foreign_process_secs", with = "secs")]
    pub foreign_process: Duration,
}

/// `[handlers]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Handlers {
    /// Limit of a before handler: its caller waits for it.
    #[serde(rename = "before_secs", with = "secs")]
    pub before: Duration,
    /// Limit of an after handler.
    #[serde(rename = "after_secs", with = "secs")]
    pub after: Duration,
    /// Limit of a final handler.
    #[serde(rename = "final_secs", with = "secs")]
    pub last: Duration,
    /// Failures in a row that open a handler's breaker.
    pub breaker_failures: u32,
    /// From there to the next attempt.
    #[serde(rename = "breaker_secs", with = "secs")]
    pub breaker: Duration,
}

/// `[plugins]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Plugins {
    /// Whether any is loaded.
    pub enabled: bool,
    /// The interpreter; empty: `python3` on `gate.path`.
    pub python: String,
    /// Limit of a hook.
    #[serde(rename = "hook_secs", with = "secs")]
    pub hook: Duration,
    /// Limit of a middleware, without the function's own time.
    #[serde(rename = "middleware_secs", with = "secs")]
    pub middleware: Duration,
    /// Limit of a callback.
    #[serde(rename = "callback_secs", with = "secs")]
    pub callback: Duration,
    /// Limit of loading or stopping one plugin.
    #[serde(rename = "start_secs", with = "secs")]
    pub start: Duration,
    /// Memory of the worker; 0: no limit.
    pub memory_bytes: u64,
    /// Ends of the worker by one plugin that leave it out.
    pub kills: u32,
    /// Within this time.
    #[serde(rename = "kill_window_secs", with = "secs")]
    pub kill_window: Duration,
    /// First restart of a worker that dies again.
    #[serde(rename = "restart_first_secs", with = "secs")]
    pub restart_first: Duration,
    /// Longest time to a restart.
    #[serde(rename = "restart_most_secs", with = "secs")]
    pub restart_most: Duration,
    /// What becomes of registrations that `stop` left.
    pub leftovers: Leftovers,
}

/// What becomes of registrations that an unloaded plugin did not take back (S4-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leftovers {
    /// They are still called, as documented.
    Keep,
    /// They are dropped.
    Drop,
}

/// `[daemon]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Daemon {
    /// Kept running; empty: all that answer `features`.
    pub modules: Vec<String>,
    /// First restart.
    #[serde(rename = "restart_first_secs", with = "secs")]
    pub restart_first: Duration,
    /// Longest time to a restart.
    #[serde(rename = "restart_most_secs", with = "secs")]
    pub restart_most: Duration,
    /// Between two fetches of incoming messages.
    #[serde(rename = "getmessage_secs", with = "secs")]
    pub getmessage: Duration,
    /// Between two prunings.
    #[serde(rename = "prune_secs", with = "secs")]
    pub prune: Duration,
}

/// `[api]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Api {
    /// `ADDRESS:PORT` of the listener that wants tokens; empty: none.
    pub listen: String,
}

/// `[retention]`, in days.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Retention {
    /// Rows of the log.
    pub log_days: u32,
    /// Events.
    pub event_days: u32,
    /// Failed tasks.
    pub failed_days: u32,
    /// Keys, past the end of their task.
    pub key_days: u32,
    /// Blobs, after their last use.
    pub blob_days: u32,
    /// The journal of handlers and plugins.
    pub journal_days: u32,
    /// Callers' `Idempotency-Key`s with their answers.
    pub call_key_days: u32,
    /// Reply tokens.
    pub reply_token_days: u32,
}

/// `[render]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Render {
    /// Children of each engine.
    pub children: u32,
    /// Messages in a frame.
    pub frame_messages: u32,
    /// Wall time of a message.
    #[serde(rename = "message_secs", with = "secs")]
    pub message: Duration,
    /// Text of one body.
    pub text_bytes: usize,
}

/// `[ntemail]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ntemail {
    /// Program for mail of a project without any gateway row.
    pub sendmail: String,
}

impl Ntemail {
    /// `sendmail` of an installation in ROOT; None: it is no absolute path, can't be run, or is one of ours (then mail
    /// would go round in circles).
    pub fn program(&self, root: &Path) -> Option<PathBuf> {
        let named = Some(self.sendmail.as_str()).filter(|path| path.starts_with('/'))?;
        let real = Path::new(named).canonicalize().ok()?;
        let root = root.canonicalize().ok()?;
        let name = real.file_name()?.to_str()?;
        let found = real.metadata().ok()?;
        let runs = found.is_file() && found.permissions().mode() & 0o111 != 0;
        (runs && !real.starts_with(root) && !name.starts_with("gatepost"))
            .then(|| PathBuf::from(named))
    }
}

/// `[ntsms]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ntsms {
    /// Two letters, or empty.
    pub country: String,
}

/// `[status]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Status {
    /// A pause older than this is a warning.
    #[serde(rename = "pause_warning_secs", with = "secs")]
    pub pause_warning: Duration,
    /// A ready task older than this is a warning.
    #[serde(rename = "waiting_warning_secs", with = "secs")]
    pub waiting_warning: Duration,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LogSettings {
    /// 1 to 9.
    pub level: u8,
    /// Longest line.
    pub line_bytes: usize,
}

/// What a key's number may be; keys that are not here may be anything their type holds.
pub(crate) struct Limit {
    pub(crate) key: &'static str,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// Floors keep a setting from turning the queue into a spin or a leak; tests stay above them.
#[rustfmt::skip]
pub(crate) const LIMITS: &[Limit] = &[
    Limit { key: "queue.lease_secs",            least: 0.2,    most: 86_400.0 },
    Limit { key: "queue.extend_secs",           least: 0.05,   most: 43_200.0 },
    Limit { key: "queue.grace_secs",            least: 0.0,    most: 3_600.0 },
    Limit { key: "queue.process_secs",          least: 0.1,    most: 86_400.0 },
    Limit { key: "queue.poll_secs",             least: 0.01,   most: 60.0 },
    Limit { key: "queue.turn_tasks",            least: 1.0,    most: 100.0 },
    Limit { key: "queue.claim_ahead_secs",      least: 0.0,    most: 10.0 },
    Limit { key: "queue.asked_secs",            least: 1.0,    most: 31_536_000.0 },
    Limit { key: "queue.poison_crashes",        least: 1.0,    most: 1_000.0 },
    Limit { key: "gateway.window_first",        least: 1.0,    most: 1_024.0 },
    Limit { key: "gateway.window_most",         least: 1.0,    most: 1_024.0 },
    Limit { key: "gateway.breaker_first_secs",  least: 0.01,   most: 86_400.0 },
    Limit { key: "gateway.breaker_most_secs",   least: 0.01,   most: 86_400.0 },
    Limit { key: "gateway.hold_first_secs",     least: 0.01,   most: 86_400.0 },
    Limit { key: "gateway.hold_most_secs",      least: 0.01,   most: 86_400.0 },
    Limit { key: "gateway.hold_failures",       least: 1.0,    most: 1_000.0 },
    Limit { key: "gateway.hold_tasks",          least: 1.0,    most: 1_000.0 },
    Limit { key: "provisioning.at_once",        least: 1.0,    most: 64.0 },
    Limit { key: "provisioning.answer_bytes",   least: 0.0,    most: 1_048_576.0 },
    Limit { key: "retry.processing.tries",      least: 1.0,    most: 1_000.0 },
    Limit { key: "gate.stdout_bytes",           least: 4_096.0, most: 1_073_741_824.0 },
    Limit { key: "gate.stderr_bytes",           least: 0.0,    most: 16_777_216.0 },
    Limit { key: "module.foreign_every_secs",   least: 0.1,    most: 86_400.0 },
    Limit { key: "handlers.breaker_failures",   least: 1.0,    most: 1_000.0 },
    Limit { key: "plugins.memory_bytes",        least: 0.0,    most: 1e12 },
    Limit { key: "plugins.kills",               least: 1.0,    most: 1_000.0 },
    Limit { key: "daemon.restart_first_secs",   least: 0.01,   most: 86_400.0 },
    Limit { key: "daemon.restart_most_secs",    least: 0.01,   most: 86_400.0 },
    Limit { key: "daemon.getmessage_secs",      least: 0.1,    most: 86_400.0 },
    Limit { key: "daemon.prune_secs",           least: 0.1,    most: 86_400.0 },
    Limit { key: "render.children",             least: 1.0,    most: 64.0 },
    Limit { key: "render.frame_messages",       least: 1.0,    most: 32.0 },
    Limit { key: "render.text_bytes",           least: 1_024.0, most: 33_554_432.0 },
    Limit { key: "log.level",                   least: 1.0,    most: 9.0 },
    Limit { key: "log.line_bytes",              least: 256.0,  most: 1_048_576.0 },
];

/// For every other key that ends in `_secs`.
pub(crate) const SECS_LIMIT: (f64, f64) = (0.01, 31_536_000.0);

/// Seconds as TOML writes them, whole or not.
mod secs {
    use serde::{Deserialize, Deserializer, de::Error};
    use std::time::Duration;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}
