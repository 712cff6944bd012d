//! Plugins: Python files in `plugins/`, in a watched worker process (004).

use crate::answer::Answer;
use crate::call::{Call, Run};
use crate::refusal::Refusal;
use config::{Config, Root};
use notice::{Fields, UserId};
use serde_json::Value;
use std::sync::Arc;

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

/// How a line of a plugin is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
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

/// The host of all plugins.
#[derive(Debug)]
pub(crate) struct PluginHost {}

/// The rest of the chain: the next middleware or the function itself, with these parameters.
pub(crate) type Inner<'a> = dyn FnMut(&Fields) -> Result<Answer, Refusal> + 'a;

impl PluginHost {
    /// Starts the worker if there are plugins; None: there are none.
    #[expect(clippy::unnecessary_wraps, reason = "nothing can be started yet")]
    pub(crate) fn start(
        _root: &Root,
        _config: &Config,
        _server: Arc<dyn Server>,
    ) -> Result<Option<Arc<Self>>, Refusal> {
        Ok(None)
    }

    #[expect(clippy::unused_self, reason = "nothing can be started yet")]
    /// Loads a plugin; one that is loaded is stopped and loaded again.
    pub(crate) fn load(&self, name: &str) -> Result<(), Refusal> {
        Err(no_plugin(name))
    }

    /// Stops a plugin.
    #[expect(clippy::unused_self, reason = "nothing can be started yet")]
    pub(crate) fn unload(&self, name: &str) -> Result<(), Refusal> {
        Err(no_plugin(name))
    }

    /// Plugins by name: and whether each is loaded, or why not.
    #[expect(clippy::unused_self, reason = "nothing can be started yet")]
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Callbacks, asynchronously.
    #[expect(clippy::unused_self, reason = "nothing can be started yet")]
    pub(crate) fn emit(&self, _event: &Event) {}

    /// Asks the status hook: what the agent is to be switched to. A refusal blocks it; all else fails open.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "no hook yet")]
    pub(crate) fn status_hook(
        &self,
        _agent: &Agent,
        (status, reason): (i64, &str),
        _journal: &mut Vec<Run>,
    ) -> Result<(i64, String), Refusal> {
        Ok((status, reason.to_owned()))
    }

    /// Asks the hook of shared data: what is stored instead of `new`.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "no hook yet")]
    pub(crate) fn shared_hook(
        &self,
        _id: &str,
        (_old, new): (&Value, &Value),
        _journal: &mut Vec<Run>,
    ) -> Result<Value, Refusal> {
        Ok(new.clone())
    }

    /// Step 3: the chain of middleware around the rest of the call.
    #[expect(clippy::unused_self, reason = "no middleware yet")]
    pub(crate) fn around(
        &self,
        call: &Call,
        _journal: &mut Vec<Run>,
        inner: &mut Inner<'_>,
    ) -> Result<Answer, Refusal> {
        inner(&call.params)
    }
}

fn no_plugin(name: &str) -> Refusal {
    Refusal::NotFound {
        noun: "plugin",
        value: name.to_owned(),
        remedy: "`gatepost plugin list` shows them".to_owned(),
    }
}
