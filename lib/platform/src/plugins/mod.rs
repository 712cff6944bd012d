//! Plugins: Python files in `plugins/`, in a watched worker process (004, extensions 2).
//!
//! Hooks and callbacks fail open: what a plugin does wrong is logged and the call goes on. Middleware fails
//! closed: without its consent the function is not called. A plugin that overruns its limit, crashes or
//! breaks the protocol ends the worker, which is started again at once; who does that too often is left out.

mod arguments;
mod blame;
mod files;
pub(crate) mod functions;
mod keeper;
mod middleware;
mod outbox;
pub(crate) mod reports;
mod serving;
mod standing;
mod tagged;
#[cfg(test)]
mod tests;
mod worker;

use crate::answer::Answer;
use crate::call::{Call, Place, Run};
use crate::events::AGENT_STATUS;
use crate::refusal::Refusal;
use config::{Config, Root};
use keeper::{Found, Keeper};
use notice::{Fields, UserId};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;
use worker::{Kind, Question, Registration, Trouble, Worker, lock};

/// Events that wait for slow callbacks; more are dropped, with a line.
const EVENTS_WAITING: usize = 10_000;

/// A staff user with his live status, as plugins see him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) user: UserId,
    pub(crate) username: String,
    pub(crate) displayname: String,
    /// 0 OFFLINE, 1 READY, 2 AUX (extensions 2.3).
    pub(crate) status: i64,
    pub(crate) reason: String,
}

/// A past fact, told to plugins after the commit, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// `EVENT_AGENT_STATUS`: the agent as he now is.
    AgentStatus(Agent),
    /// Any event of the platform: its id, its object, its data.
    Platform { events_id: String, object_id: String, data: Value },
}

impl Event {
    fn key(&self) -> &str {
        match self {
            Self::AgentStatus(_) => AGENT_STATUS,
            Self::Platform { events_id, .. } => events_id,
        }
    }

    /// The arguments of a callback (S4-12).
    fn args(&self) -> Value {
        match self {
            Self::AgentStatus(agent) => json!([
                serving::of_agent(agent),
                { "status": agent.status, "reason": agent.reason },
            ]),
            Self::Platform { object_id, data, .. } => {
                let id = object_id.parse::<i64>().map_or_else(|_| json!(object_id), Value::from);
                json!([id, data])
            }
        }
    }
}

/// How a line of a plugin is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Error,
    Warn,
    Info,
    Dbug,
    Dev,
}

/// What the worker may call back, at any time, from any thread.
pub(crate) trait Server: Send + Sync {
    /// `ucs.agents.getAgents()`.
    fn agents(&self) -> Result<Vec<Agent>, Refusal>;
    /// `ucs.tree.getUsers(field)`: the text of that column by id.
    fn users(&self, field: &str) -> Result<Vec<(UserId, String)>, Refusal>;
    /// `ucs.shared`: the value (tagged JSON); None: never set.
    fn shared(&self, id: &str) -> Result<Option<Value>, Refusal>;
    /// `ucs.log.*`.
    fn log(&self, weight: Weight, text: &str);
    /// A call of a function: it enters at step 1 like any client. `sid` names a session.
    fn call(&self, sid: Option<&str>, function: &str, params: &Fields) -> Result<Answer, Refusal>;
}

/// The host of all plugins. Dropped, it tells them what has happened until then, stops them, and ends the worker.
pub(crate) struct PluginHost {
    keeper: Arc<Keeper>,
    is_running: AtomicBool,
    is_closed: AtomicBool,
    running: Mutex<Option<Running>>,
}

/// The two threads of a host whose worker was started.
struct Running {
    events: SyncSender<Event>,
    threads: [JoinHandle<()>; 2],
}

/// The rest of the chain: the next middleware or the function itself, with these parameters.
pub(crate) type Inner<'a> = dyn FnMut(&Fields) -> Result<Answer, Refusal> + 'a;

impl PluginHost {
    /// Starts the worker if there are plugins. None: `plugins.enabled = false`. A refusal: there are plugins
    /// and no worker for them; then there is no call.
    pub(crate) fn start(
        root: &Root,
        config: &Config,
        server: Arc<dyn Server>,
    ) -> Result<Option<Arc<Self>>, Refusal> {
        if !config.plugins.enabled {
            return Ok(None);
        }
        let keeper = Arc::new(Keeper::new(root, config, server));
        let (is_running, is_closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let host = Self { keeper, is_running, is_closed, running: Mutex::default() };
        if host.keeper.start()? {
            host.run();
        }
        Ok(Some(Arc::new(host)))
    }

    /// Loads a plugin; one that is loaded is stopped and loaded again.
    pub(crate) fn load(&self, name: &str) -> Result<(), Refusal> {
        self.keeper.load(name)?;
        self.run();
        Ok(())
    }

    /// Stops a plugin.
    pub(crate) fn unload(&self, name: &str) -> Result<(), Refusal> {
        self.keeper.unload(name)
    }

    /// Plugins by name: and whether each is loaded, or why not.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        self.keeper.list()
    }

    /// Callbacks, asynchronously, in the order of the events.
    pub(crate) fn emit(&self, event: &Event) {
        if !self.is_running() {
            return;
        }
        let events = lock(&self.running).as_ref().map(|running| running.events.clone());
        let is_taken = events.is_none_or(|events| events.try_send(event.clone()).is_ok());
        if !is_taken {
            let text = format!("{}: too many events wait for callbacks; not told", event.key());
            self.keeper.say(Weight::Error, "", &text);
        }
    }

    /// Asks the status hook: what the agent is to be switched to. A refusal blocks it; all else fails open.
    pub(crate) fn status_hook(
        &self,
        agent: &Agent,
        (status, reason): (i64, &str),
        journal: &mut Vec<Run>,
    ) -> Result<(i64, String), Refusal> {
        let asked = || json!([serving::of_agent(agent), status, reason]);
        let answer = self.hook((Kind::Status, ""), &asked, journal)?;
        let pair = answer.as_ref().and_then(|value| value.get("$t"));
        let changed =
            pair.and_then(|pair| Some((pair.get(0)?.as_i64()?, pair.get(1)?.as_str()?.to_owned())));
        Ok(changed.unwrap_or_else(|| (status, reason.to_owned())))
    }

    /// Asks the hook of shared data: what is stored instead of `new`.
    pub(crate) fn shared_hook(
        &self,
        id: &str,
        (old, new): (&Value, &Value),
        journal: &mut Vec<Run>,
    ) -> Result<Value, Refusal> {
        let asked = || json!([id, old, new]);
        let answer = self.hook((Kind::Shared, id), &asked, journal)?;
        Ok(answer.unwrap_or_else(|| new.clone()))
    }

    /// Step 3: the chain of middleware around the rest of the call.
    pub(crate) fn around(
        &self,
        call: &Call,
        journal: &mut Vec<Run>,
        inner: &mut Inner<'_>,
    ) -> Result<Answer, Refusal> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(Refusal::Conflict {
                operation: format!("call `{}`", call.function.name),
                reason: "the plugins are being stopped".to_owned(),
            });
        }
        if !self.is_running() {
            return inner(&call.params);
        }
        middleware::around(&self.keeper, call, journal, inner)
    }

    /// Tells plugins what has happened until now, stops them, and ends the worker. Nothing is asked of it after.
    pub(crate) fn close(&self) {
        self.is_running.store(false, Ordering::Relaxed);
        self.is_closed.store(true, Ordering::Relaxed);
        let Some(Running { events, threads }) = lock(&self.running).take() else { return };
        let [teller, keeper] = threads;
        drop(events);
        join(teller);
        self.keeper.leave();
        join(keeper);
    }

    /// The hook's answer; None: nobody has one, or it failed open.
    fn hook(
        &self,
        place: (Kind, &str),
        args: &dyn Fn() -> Value,
        journal: &mut Vec<Run>,
    ) -> Result<Option<Value>, Refusal> {
        if !self.is_running() {
            return Ok(None);
        }
        let (kind, key) = place;
        let limit = self.keeper.settings.hook;
        let began = Instant::now();
        let (plugin, answer) = match self.keeper.registered(kind, &[key], limit) {
            Found::Nobody => return Ok(None),
            Found::Lost(plugin) => (plugin, Err(Trouble::Ended)),
            Found::Here(worker, found) => {
                let Some(one) = found.into_iter().next() else { return Ok(None) };
                let answer = run(&self.keeper, &worker, (&one, args()), limit);
                (one.plugin, answer)
            }
        };
        let (outcome, output) = match &answer {
            Ok(_) => ("ok", String::new()),
            Err(Trouble::Gone) => return Ok(None),
            Err(Trouble::Raised(raised)) if raised.kind == "ProcessingError" => {
                ("refused", raised.words())
            }
            Err(trouble) => ("failed open", trouble.words(limit)),
        };
        journal.push(Run {
            place: Place::Hook,
            name: plugin.clone(),
            outcome: outcome.to_owned(),
            took: began.elapsed(),
            output: output.clone(),
        });
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::Raised(raised)) if outcome == "refused" => {
                Err(middleware::refusal_of(&plugin, &raised))
            }
            Err(trouble) => {
                let text = format!("its hook failed, the change is made as requested: {output}");
                self.keeper.say(Weight::Error, &plugin, &format!("{text}\n{}", trouble.trace()));
                Ok(None)
            }
        }
    }

    fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Starts the two threads, once.
    fn run(&self) {
        let mut running = lock(&self.running);
        if running.is_some() {
            return;
        }
        let (events, waiting) = sync_channel(EVENTS_WAITING);
        let (teller, keeper) = (Arc::clone(&self.keeper), Arc::clone(&self.keeper));
        let threads = [
            std::thread::spawn(move || tell(&teller, &waiting)),
            std::thread::spawn(move || keeper.keep()),
        ];
        *running = Some(Running { events, threads });
        self.is_running.store(true, Ordering::Relaxed);
    }
}

impl Drop for PluginHost {
    fn drop(&mut self) {
        self.close();
    }
}

/// Waits for a thread, unless it is this one: the last call of all may have been a plugin's.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() {
        // One that panicked has nothing left to tell.
        let _ = thread.join();
    }
}

/// Runs callbacks, one after the other, until there are no more events and nobody who makes them.
fn tell(keeper: &Arc<Keeper>, events: &Receiver<Event>) {
    for event in events {
        let limit = keeper.settings.callback;
        let Found::Here(worker, found) = keeper.registered(Kind::Callback, &[event.key()], limit)
        else {
            continue;
        };
        for one in found {
            match run(keeper, &worker, (&one, event.args()), limit) {
                Ok(_) | Err(Trouble::Gone) => {}
                Err(trouble) => {
                    let reason = trouble.words(limit);
                    let text = format!("its callback of {} failed: {reason}", event.key());
                    keeper.say(Weight::Error, &one.plugin, &format!("{text}\n{}", trouble.trace()));
                }
            }
        }
    }
}

/// Runs one registration of a plugin.
fn run(
    keeper: &Arc<Keeper>,
    worker: &Arc<Worker>,
    (one, args): (&Registration, Value),
    limit: std::time::Duration,
) -> Result<Value, Trouble> {
    let body = json!({ "do": "run", "registration": one.number, "args": args });
    keeper.ask(worker, Question { body, plugin: &one.plugin, limit })
}
