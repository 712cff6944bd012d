//! Keeps the worker running: starts it, loads plugins into it, starts it again when it died, leaves out who kills it.

use super::blame::{Stalled, Traces, culprit};
use super::files::{self, Source};
use super::reports::Reports;
use super::serving;
use super::standing::{Plugin, Standing};
use super::worker::{
    Kind, Nested, Outside, Question, Raised, Registration, Told, Trouble, Worker, lock,
};
use super::{Server, Weight};
use crate::refusal::Refusal;
use config::{Config, Leftovers, Plugins, Root};
use host::{End, Program};
use notice::Mask;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So long after a call its secrets are replaced in lines of plugins; of so many calls at most.
const HIDDEN: Duration = Duration::from_mins(1);
const HIDDEN_MOST: usize = 256;
/// How long a worker that overran may take to show that only one plugin of it hangs.
const PING: Duration = Duration::from_millis(200);

/// How workers are made, and for whom.
pub(super) struct Keeper {
    pub(super) folder: PathBuf,
    pub(super) settings: Plugins,
    pub(super) server: Arc<dyn Server>,
    program: Program,
    reports: Reports,
    state: Mutex<State>,
    changed: Condvar,
    /// Secrets of calls that plugins saw lately: they are in no line of theirs.
    masks: Mutex<VecDeque<(Instant, Mask)>>,
    /// Loading, unloading and starting happen one after the other.
    administration: Mutex<()>,
}

#[derive(Default)]
struct State {
    worker: Option<Arc<Worker>>,
    plugins: BTreeMap<String, Plugin>,
    /// The one that calls used until now: its end is not yet known.
    dying: Option<Arc<Worker>>,
    /// What was registered by plugins that were in a worker that died, and are not loaded again.
    lost: Vec<Registration>,
    down: Option<Down>,
    deaths_in_a_row: u32,
    started: Option<Instant>,
    is_leaving: bool,
}

/// There is no worker, and there should be one.
struct Down {
    /// None: the dead one is not yet buried.
    next: Option<Instant>,
}

/// What is registered at a place.
pub(super) enum Found {
    Nobody,
    Here(Arc<Worker>, Vec<Registration>),
    /// This plugin had registered there, and is not running.
    Lost(String),
}

impl Keeper {
    /// Nothing is started yet.
    pub(super) fn new(root: &Root, config: &Config, server: Arc<dyn Server>) -> Self {
        let folder = root.path("plugins");
        let settings = config.plugins.clone();
        let mut program = host::Caller::new(root, config).command(&python(config), "");
        program.args = ["-I", "-B", "-X", "utf8", "-c", BOOTSTRAP].map(Into::into).to_vec();
        program.args.push(super::worker::SCRIPT.len().to_string().into());
        Self {
            folder,
            settings,
            server,
            program,
            reports: Reports::new(root),
            state: Mutex::default(),
            changed: Condvar::new(),
            masks: Mutex::default(),
            administration: Mutex::default(),
        }
    }

    /// Starts the worker with every plugin of the folder; false: there is none.
    pub(super) fn start(self: &Arc<Self>) -> Result<bool, Refusal> {
        let names = files::names(&self.folder);
        if names.is_empty() {
            return Ok(false);
        }
        let _only = lock(&self.administration);
        lock(&self.state).plugins.extend(names.into_iter().map(|name| (name, Plugin::wanted())));
        self.bring_up().map_err(|reason| self.no_worker(&reason))?;
        Ok(true)
    }

    fn no_worker(&self, reason: &str) -> Refusal {
        Refusal::Failed {
            what: "plugin worker",
            name: self.program.path.display().to_string(),
            reason: format!(
                "{reason}; plugins need CPython 3.8 or later: install python3, name it in \
                 `plugins.python`, or set `plugins.enabled = false`"
            ),
        }
    }

    /// A new worker with every wanted plugin. One that makes an end of it while it is loaded is not wanted any more.
    fn bring_up(self: &Arc<Self>) -> Result<(), String> {
        loop {
            let worker = self.spawn()?;
            let wanted: Vec<String> = lock(&self.state).wanted();
            if wanted.iter().all(|name| self.load_into(&worker, name)) {
                let mut state = lock(&self.state);
                state.worker = Some(worker);
                state.forget_found();
                state.down = None;
                state.started = Some(Instant::now());
                drop(state);
                self.changed.notify_all();
                return Ok(());
            }
        }
    }

    fn spawn(self: &Arc<Self>) -> Result<Arc<Worker>, String> {
        let begin = json!({
            "do": "begin",
            "folder": self.folder,
            "memory_bytes": self.settings.memory_bytes,
            "events": events(),
        });
        let outside: Arc<dyn Outside> = Arc::<Self>::clone(self);
        let worker = Worker::start(&self.program, &begin, outside)?;
        if worker.answers(self.settings.start) {
            return Ok(worker);
        }
        worker.kill();
        Err(format!("it does not answer: {}", last_line(&worker.stderr_tail())))
    }

    /// Loads a plugin that is wanted; false: that was the end of the worker.
    fn load_into(self: &Arc<Self>, worker: &Arc<Worker>, name: &str) -> bool {
        let standing = match files::read(&self.folder, name) {
            Err(refusal) => {
                self.say(Weight::Error, name, &format!("not loaded: {refusal}"));
                Standing::Failed(refusal.to_string())
            }
            Ok(source) => self.load_source(worker, &source),
        };
        let lives = !worker.is_doomed();
        self.reports.note(name, &standing);
        let mut state = lock(&self.state);
        state.plugins.entry(name.to_owned()).or_default().standing = standing;
        // A worker that calls do not find yet brings nothing back.
        if state.worker.is_some() {
            state.forget_found();
        }
        lives
    }

    fn load_source(self: &Arc<Self>, worker: &Arc<Worker>, source: &Source) -> Standing {
        let name = source.name.as_str();
        let body = json!({
            "do": "load",
            "name": name,
            "path": source.path,
            "source": { "$b": super::tagged::base64(&source.text) },
        });
        match self.ask(worker, Question { body, plugin: name, limit: self.settings.start }) {
            Ok(Value::String(class)) => {
                self.say(Weight::Info, name, &format!("loaded, class {class}"));
                Standing::Loaded(class)
            }
            Ok(_) => Standing::Skipped,
            Err(Trouble::Ended) if worker.blamed().is_some_and(|blamed| blamed != name) => {
                // Another plugin's thread was the end of it; this one is loaded into the next.
                Standing::Wanted
            }
            Err(trouble) => {
                let reason = trouble.words(self.settings.start);
                let trace = trouble.trace();
                self.say(Weight::Error, name, &format!("not loaded: {reason}\n{trace}"));
                Standing::Failed(reason)
            }
        }
    }

    /// Loads it; one that is loaded is stopped and loaded again (S4-17).
    pub(super) fn load(self: &Arc<Self>, name: &str) -> Result<(), Refusal> {
        let _only = lock(&self.administration);
        let name = self.name_of(name);
        files::read(&self.folder, &name)?;
        lock(&self.state).plugins.insert(name.clone(), Plugin::wanted());
        let worker = lock(&self.state).worker.clone();
        match worker.filter(|worker| !worker.is_doomed()) {
            Some(worker) => drop(self.load_into(&worker, &name)),
            None => self.bring_up().map_err(|reason| self.no_worker(&reason))?,
        }
        match lock(&self.state).plugins.get(&name).map(|plugin| plugin.standing.clone()) {
            Some(Standing::Failed(reason)) => Err(Refusal::Failed { what: "plugin", name, reason }),
            Some(Standing::Skipped) => {
                let reason = "it names no class in UCS_PLUGIN".to_owned();
                Err(Refusal::Failed { what: "plugin", name, reason })
            }
            _ => Ok(()),
        }
    }

    /// Stops it (S4-18).
    pub(super) fn unload(self: &Arc<Self>, name: &str) -> Result<(), Refusal> {
        let _only = lock(&self.administration);
        let name = self.name_of(name);
        let (standing, worker) = {
            let state = lock(&self.state);
            let plugin = state.plugins.get(&name).ok_or_else(|| files::missing(&name))?;
            (plugin.standing.clone(), state.worker.clone())
        };
        if let (Standing::Loaded(_), Some(worker)) = (&standing, worker) {
            let leftovers = match self.settings.leftovers {
                Leftovers::Keep => "keep",
                Leftovers::Drop => "drop",
            };
            let body = json!({ "do": "unload", "name": name, "leftovers": leftovers });
            let limit = self.settings.start;
            if let Err(trouble) = self.ask(&worker, Question { body, plugin: &name, limit }) {
                let reason = trouble.words(limit);
                self.say(Weight::Error, &name, &format!("stopped by force: {reason}"));
            }
        }
        self.reports.forget(&name);
        let mut state = lock(&self.state);
        state.plugins.remove(&name);
        state.lost.retain(|one| one.plugin != name);
        drop(state);
        self.say(Weight::Info, &name, "unloaded");
        Ok(())
    }

    /// A plugin is named by its file, with or without `.py`; a loaded one by its class too.
    fn name_of(&self, given: &str) -> String {
        let plain = given.strip_suffix(".py").unwrap_or(given);
        let state = lock(&self.state);
        let by_class = state.plugins.iter().find(
            |(_, plugin)| matches!(&plugin.standing, Standing::Loaded(class) if class == plain),
        );
        match by_class {
            Some((name, _)) if !state.plugins.contains_key(plain) => name.clone(),
            _ => plain.to_owned(),
        }
    }

    /// Every plugin, those of the folder that are not loaded too.
    pub(super) fn list(&self) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, String> = files::names(&self.folder)
            .into_iter()
            .map(|name| (name, "not loaded".into()))
            .collect();
        let state = lock(&self.state);
        all.extend(
            state.plugins.iter().map(|(name, one)| (name.clone(), one.standing.to_string())),
        );
        all.into_iter().collect()
    }

    /// Asks; a plugin that overruns its limit is the end of the worker.
    pub(super) fn ask(
        self: &Arc<Self>,
        worker: &Arc<Worker>,
        question: Question<'_>,
    ) -> Result<Value, Trouble> {
        let keeper = Arc::clone(self);
        self.ask_serving(worker, question, &mut |nested| keeper.serve(nested))
    }

    /// The same, with an own answer to the calls of that plugin.
    pub(super) fn ask_serving(
        self: &Arc<Self>,
        worker: &Arc<Worker>,
        question: Question<'_>,
        serve: &mut super::worker::Serve<'_>,
    ) -> Result<Value, Trouble> {
        let plugin = question.plugin.to_owned();
        let answer = worker.ask(question, serve);
        if matches!(answer, Err(Trouble::Overrun)) {
            self.end_by(worker, plugin);
        }
        answer
    }

    /// The plugin overran: the caller has his answer, the worker ends.
    fn end_by(self: &Arc<Self>, worker: &Arc<Worker>, plugin: String) {
        if !worker.doom() {
            return;
        }
        self.take_down(worker);
        let (keeper, worker) = (Arc::clone(self), Arc::clone(worker));
        std::thread::spawn(move || {
            let stalled = if worker.answers(PING) { Stalled::No } else { Stalled::Yes };
            lock(&keeper.state).plugins.entry(plugin).or_default().overran = Some(stalled);
            worker.kill();
        });
    }

    /// Calls no longer find it; what its plugins had registered is remembered.
    fn take_down(&self, worker: &Arc<Worker>) {
        let mut state = lock(&self.state);
        if state.worker.as_ref().is_some_and(|known| Arc::ptr_eq(known, worker)) {
            state.take_down();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// What is registered there. Where a worker is on its way, it is waited for, at most `limit`.
    pub(super) fn registered(&self, kind: Kind, keys: &[&str], limit: Duration) -> Found {
        let until = Instant::now() + limit;
        let mut state = lock(&self.state);
        loop {
            if state.worker.as_ref().is_some_and(|worker| worker.is_doomed()) {
                state.take_down();
            }
            let lost =
                state.lost.iter().find(|one| one.kind == kind && keys.contains(&one.key.as_str()));
            if let Some(worker) = &state.worker {
                if let Some(lost) = lost.filter(|_| kind == Kind::Middleware) {
                    return Found::Lost(lost.plugin.clone());
                }
                let found = worker.registered(kind, keys);
                return if found.is_empty() {
                    Found::Nobody
                } else {
                    Found::Here(Arc::clone(worker), found)
                };
            }
            let Some(lost) = lost else { return Found::Nobody };
            let left = until.saturating_duration_since(Instant::now());
            let comes =
                state.down.as_ref().is_some_and(|down| down.next.is_none_or(|at| at < until));
            if left.is_zero() || !comes {
                return Found::Lost(lost.plugin.clone());
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts the worker again whenever it died; until [`Self::leave`].
    pub(super) fn keep(self: &Arc<Self>) {
        while self.wait_until_down() {
            let _only = lock(&self.administration);
            let is_down = lock(&self.state).down.is_some();
            if let (true, Err(reason)) = (is_down, self.bring_up()) {
                self.say(Weight::Error, "", &format!("can't start the worker again: {reason}"));
                lock(&self.state).put_off(&self.settings);
            }
        }
    }

    /// False: it is time to leave.
    fn wait_until_down(&self) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.is_leaving {
                return false;
            }
            let now = Instant::now();
            let next = state.down.as_ref().and_then(|down| down.next);
            state = match next {
                Some(next) if next <= now => return true,
                Some(next) => {
                    let waited = self.changed.wait_timeout(state, next - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Stops every plugin and the worker.
    pub(super) fn leave(self: &Arc<Self>) {
        let worker = {
            let mut state = lock(&self.state);
            state.is_leaving = true;
            state.down = None;
            state.worker.take()
        };
        self.changed.notify_all();
        let Some(worker) = worker else { return };
        let body = json!({ "do": "stop" });
        let limit = self.settings.start;
        let keeper = Arc::clone(self);
        let stopped =
            worker.ask(Question { body, plugin: "", limit }, &mut |nested| keeper.serve(nested));
        worker.doom();
        worker.finish(if stopped.is_ok() { PING } else { Duration::ZERO });
    }

    /// A plugin is about to see these secrets: for a minute no line of any plugin shows them.
    pub(super) fn hide(&self, mask: Mask) {
        let mut masks = lock(&self.masks);
        masks.retain(|(since, _)| since.elapsed() < HIDDEN);
        masks.truncate(HIDDEN_MOST - 1);
        masks.push_front((Instant::now(), mask));
    }

    /// A line, or several, about a plugin.
    pub(super) fn say(&self, weight: Weight, plugin: &str, text: &str) {
        let head =
            if plugin.is_empty() { "plugins".to_owned() } else { format!("plugin {plugin}") };
        let masks = lock(&self.masks);
        let masks: Vec<_> = masks.iter().map(|(_, mask)| mask.clone()).collect();
        let text = masks.iter().fold(text.to_owned(), |text, mask| mask.apply(&text));
        for line in text.trim_end().lines() {
            self.server.log(weight, &format!("{head}: {line}"));
        }
    }
}

impl Outside for Keeper {
    fn serve(&self, nested: &Nested) -> Result<Value, Told> {
        serving::serve(self.server.as_ref(), nested)
    }

    fn log(&self, weight: &str, plugin: &str, text: &str) {
        let weight = match weight {
            "error" => Weight::Error,
            "warn" => Weight::Warn,
            "info" => Weight::Info,
            "dbug" => Weight::Dbug,
            _ => Weight::Dev,
        };
        self.say(weight, plugin, text);
    }

    fn ended(&self, worker: &Arc<Worker>, end: &End) {
        worker.doom();
        self.take_down(worker);
        let mut state = lock(&self.state);
        if state.is_leaving {
            return;
        }
        let name = state.blame(worker, &self.folder);
        worker.blame(name.clone());
        let words = match &name {
            Some(name) => format!("the worker ended ({end:?}) because of plugin {name}"),
            None => format!("the worker ended ({end:?}), nobody can tell by which plugin"),
        };
        let left_out = name.filter(|name| state.charge(name, &self.settings));
        if state.dying.as_ref().is_some_and(|dying| Arc::ptr_eq(dying, worker)) {
            state.dying = None;
            state.put_off(&self.settings);
        }
        drop(state);
        self.say(Weight::Error, "", &format!("{words}\n{}", dump_of(&worker.stderr_tail())));
        if let Some(name) = left_out {
            let text =
                "left out: it made an end of the worker too often; `plugins.load` brings it back";
            self.say(Weight::Error, &name, text);
            self.reports.note(&name, &Standing::LeftOut);
        }
        self.changed.notify_all();
    }
}

impl State {
    /// What a plugin has registered since is no longer lost.
    fn forget_found(&mut self) {
        let Self { lost, plugins, .. } = self;
        lost.retain(|one| {
            let standing = plugins.get(&one.plugin).map(|plugin| &plugin.standing);
            !matches!(standing, Some(Standing::Loaded(_) | Standing::Skipped))
        });
    }

    fn take_down(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        self.lost.extend(worker.all_registered());
        self.dying = Some(worker);
        self.down = Some(Down { next: None });
    }

    fn wanted(&self) -> Vec<String> {
        let wanted =
            |plugin: &Plugin| matches!(plugin.standing, Standing::Wanted | Standing::Loaded(_));
        self.plugins.iter().filter(|(_, one)| wanted(one)).map(|(name, _)| name.clone()).collect()
    }

    fn blame(&mut self, worker: &Worker, folder: &std::path::Path) -> Option<String> {
        let overran = self
            .plugins
            .iter_mut()
            .find_map(|(name, one)| one.overran.take().map(|stalled| (name.clone(), stalled)));
        let stderr = worker.stderr_tail();
        let asked = worker.left_waiting();
        culprit(&Traces {
            overran: overran.as_ref().map(|(name, stalled)| (name.as_str(), *stalled)),
            stderr: &stderr,
            asked: asked.iter().map(String::as_str).collect(),
            loaded: self.plugins.keys().map(String::as_str).collect(),
            folder,
        })
    }

    /// One more end of the worker by this plugin; true: it is left out from now on.
    fn charge(&mut self, name: &str, settings: &Plugins) -> bool {
        let plugin = self.plugins.entry(name.to_owned()).or_default();
        plugin.ends(Instant::now(), settings.kill_window);
        let is_out = plugin.count_ends() >= settings.kills as usize;
        if is_out {
            plugin.standing = Standing::LeftOut;
        }
        is_out
    }

    /// When the worker is started again: at once if it had lived, else later and later.
    fn put_off(&mut self, settings: &Plugins) {
        let lived = self.started.take().is_some_and(|at| at.elapsed() >= settings.restart_most);
        self.deaths_in_a_row = if lived { 0 } else { self.deaths_in_a_row.saturating_add(1) };
        let factor = 1_u32 << self.deaths_in_a_row.saturating_sub(2).min(16);
        let pause = match self.deaths_in_a_row {
            0 | 1 => Duration::ZERO,
            _ => (settings.restart_first * factor).min(settings.restart_most),
        };
        self.down = Some(Down { next: Some(Instant::now() + pause) });
    }
}

impl Raised {
    /// `InvalidDataInput: …` or the last line of the backtrace.
    pub(super) fn words(&self) -> String {
        if self.kind == "unexpected" {
            return last_line(&self.trace).to_owned();
        }
        format!("{}: {}", self.kind, super::tagged::plain(&self.value))
    }
}

impl Trouble {
    /// Why there is no answer, in words.
    pub(super) fn words(&self, limit: Duration) -> String {
        match self {
            Self::Gone => "it is no longer registered".to_owned(),
            Self::Overrun => format!("it took longer than {} s", limit.as_secs_f64()),
            Self::Ended => "the worker ended".to_owned(),
            Self::Raised(raised) => raised.words(),
        }
    }

    /// The backtrace, or nothing.
    pub(super) fn trace(&self) -> &str {
        match self {
            Self::Raised(raised) => &raised.trace,
            Self::Gone | Self::Overrun | Self::Ended => "",
        }
    }
}

/// Reads the script from stdin and nothing beyond it.
const BOOTSTRAP: &str = "import os,sys
n,s=int(sys.argv[1]),b''
while len(s)<n:
    c=os.read(0,n-len(s))
    if not c:sys.exit(0)
    s+=c
exec(compile(s,'<gatepost plugins>','exec'))";

/// Names of events that plugins may know by a constant.
fn events() -> Vec<&'static str> {
    let functions = crate::Platform::functions();
    functions.flat_map(|function| function.events).copied().filter(|id| id.contains('.')).collect()
}

/// The interpreter that the settings name, else the first `python3` of the path of programs.
fn python(config: &Config) -> PathBuf {
    if !config.plugins.python.is_empty() {
        return PathBuf::from(&config.plugins.python);
    }
    let folders = config.gate.path.split(':').map(PathBuf::from);
    let mut found = folders.map(|folder| folder.join("python3"));
    found.find(|path| path.is_file()).unwrap_or_else(|| "/usr/bin/python3".into())
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}

/// The part of stderr that says how it ended: the last 4 KiB.
fn dump_of(stderr: &str) -> &str {
    const SHOWN: usize = 4 << 10;
    let from = (stderr.len().saturating_sub(SHOWN)..=stderr.len())
        .find(|at| stderr.is_char_boundary(*at))
        .unwrap_or_default();
    &stderr[from..]
}
