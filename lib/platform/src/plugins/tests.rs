//! The host over a stand-in for the platform.

mod cost;
mod documents;
mod hooks;
mod hostile;
mod loading;
mod middleware;
mod pipeline;
mod samples;

use super::{Agent, Event, PluginHost, Server, Weight};
use crate::answer::Answer;
use crate::call::{Along, Call, CallId, Run};
use crate::caller::Caller;
use crate::refusal::Refusal;
use config::{Config, DEFAULTS, Root};
use notice::{Fields, Mask, Ms, UserId};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub(super) const LONG: Duration = Duration::from_secs(30);

/// What plugins call: two agents, two users, a log.
#[derive(Default)]
pub(super) struct StandIn {
    lines: Mutex<Vec<(Weight, String)>>,
    grown: Condvar,
    pub(super) agents: Mutex<Vec<Agent>>,
    pub(super) calls: Mutex<Vec<(Option<String>, String, Fields)>>,
}

impl Server for StandIn {
    fn agents(&self) -> Result<Vec<Agent>, Refusal> {
        Ok(self.agents.lock().unwrap().clone())
    }

    fn users(&self, field: &str) -> Result<Vec<(UserId, String)>, Refusal> {
        assert_eq!(field, "username");
        Ok([(0, "zero"), (2, "jana")].map(|(id, name)| (UserId(id), name.to_owned())).to_vec())
    }

    fn shared(&self, id: &str) -> Result<Option<Value>, Refusal> {
        Ok((id == "known").then(|| json!({ "$m": [[1, "one"]] })))
    }

    fn log(&self, weight: Weight, text: &str) {
        self.lines.lock().unwrap().push((weight, text.to_owned()));
        self.grown.notify_all();
    }

    fn call(&self, sid: Option<&str>, function: &str, params: &Fields) -> Result<Answer, Refusal> {
        if sid != Some("good") {
            return Err(super::files::missing("session"));
        }
        let call = (sid.map(str::to_owned), function.to_owned(), params.clone());
        self.calls.lock().unwrap().push(call);
        Ok(super::tagged::to_answer(&json!({ "id": 7 })))
    }
}

impl StandIn {
    pub(super) fn lines(&self) -> Vec<(Weight, String)> {
        self.lines.lock().unwrap().clone()
    }

    /// The first line that contains this text, once it is there.
    #[track_caller]
    pub(super) fn line(&self, text: &str) -> (Weight, String) {
        let until = Instant::now() + LONG;
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|(_, line)| line.contains(text)) {
                return line.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line `{text}` in {lines:#?}");
            lines = self.grown.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(super) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|(_, line)| line.contains(text)).count()
    }

    pub(super) fn clear(&self) {
        self.lines.lock().unwrap().clear();
    }
}

/// A ROOT with plugins.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    settings: String,
    pub(super) server: Arc<StandIn>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc", "plugins", "var"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let server = Arc::new(StandIn::default());
        let agent = |user: i64, name: &str| Agent {
            user: UserId(user),
            username: name.to_lowercase(),
            displayname: name.to_owned(),
            status: 1,
            reason: String::new(),
        };
        *server.agents.lock().unwrap() = vec![agent(2, "Jana"), agent(3, "Petr")];
        Self { folder, settings: DEFAULTS.to_owned(), server }
    }

    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        let (head, tail) = self.settings.split_once(&format!("\n{key} = ")).unwrap();
        let rest = tail.split_once('\n').unwrap().1;
        self.settings = format!("{head}\n{key} = {value}\n{rest}");
        self
    }

    pub(super) fn plugins(&self) -> std::path::PathBuf {
        self.folder.path().join("plugins")
    }

    pub(super) fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.plugins().join(name), text).unwrap();
        self
    }

    pub(super) fn copy(&self, from: &Path, name: &str) -> &Self {
        fs::copy(from.join(name), self.plugins().join(name)).unwrap();
        self
    }

    pub(super) fn try_start(&self) -> Result<Option<Arc<PluginHost>>, Refusal> {
        fs::write(self.folder.path().join("etc/gatepost.toml"), &self.settings).unwrap();
        let root = Root::at(self.folder.path()).unwrap();
        let config = Config::load(&root).unwrap();
        PluginHost::start(&root, &config, self.server.clone())
    }

    pub(super) fn start(&self) -> Arc<PluginHost> {
        self.try_start().unwrap().unwrap()
    }
}

impl PluginHost {
    /// Agent 2 is to be switched.
    pub(super) fn switch(&self, from: i64, to: (i64, &str)) -> Result<(i64, String), String> {
        let agent = Agent {
            user: UserId(2),
            username: "jana".into(),
            displayname: "Jana".into(),
            status: from,
            reason: String::new(),
        };
        self.status_hook(&agent, to, &mut Vec::new()).map_err(|refusal| refusal.to_string())
    }

    pub(super) fn set(&self, id: &str, old: &Value, new: &Value) -> Result<Value, String> {
        self.shared_hook(id, (old, new), &mut Vec::new()).map_err(|refusal| refusal.to_string())
    }

    /// The function answers with the parameters it got.
    pub(super) fn called(&self, name: &str, params: &[(&str, &str)]) -> Result<String, Refusal> {
        self.called_with(name, params, &mut Vec::new())
    }

    pub(super) fn called_with(
        &self,
        name: &str,
        params: &[(&str, &str)],
        journal: &mut Vec<Run>,
    ) -> Result<String, Refusal> {
        let answer = self.around(&call(name, params), journal, &mut |params| {
            let fields = params.iter().filter(|(name, _)| *name != "sok");
            let fields: serde_json::Map<_, _> =
                fields.map(|(name, text)| (name.to_owned(), text.into())).collect();
            Ok(super::tagged::to_answer(&Value::Object(fields)))
        });
        answer.map(|answer| answer.to_lines().trim_end().to_owned())
    }

    pub(super) fn standing(&self, name: &str) -> String {
        let found = self.list().into_iter().find(|(known, _)| known == name);
        found.map(|(_, words)| words).unwrap_or_default()
    }
}

pub(super) fn call(name: &str, params: &[(&str, &str)]) -> Call {
    Call {
        id: CallId::new(Ms(0)),
        function: crate::Platform::function(name).unwrap(),
        called_as: name.to_owned(),
        manager: "gatepost".to_owned(),
        caller: Caller::operator(),
        params: params.iter().copied().collect(),
        mask: Mask::default(),
        along: Along::Nothing,
    }
}

pub(super) fn lunch(name: &str) -> Event {
    Event::AgentStatus(Agent {
        user: UserId(2),
        username: name.to_lowercase(),
        displayname: name.to_owned(),
        status: 2,
        reason: "Oběd".to_owned(),
    })
}

/// An event of no other use.
pub(super) fn event(id: &str) -> Event {
    Event::Platform {
        events_id: id.to_owned(),
        object_id: "12".to_owned(),
        data: json!({ "a": 1 }),
    }
}
