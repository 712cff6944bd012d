//! What plugins may call back: they enter at step 1 like any client.

use crate::agents;
use crate::answer::Answer;
use crate::caller::{Caller, Level};
use crate::installation::Installation;
use crate::pipeline::Platform;
use crate::plugins::{Agent, Server, Weight};
use crate::refusal::Refusal;
use crate::sessions;
use config::Level as Gravity;
use notice::{Fields, UserId};
use serde_json::Value;
use std::sync::{Arc, Weak};
use store::UserFilter;

/// Users read at once.
const PAGE_ROWS: u32 = 1_000;

/// One for all plugins. Each question opens a store connection of its own: it may come from any thread, and a
/// call may be under way that waits for its answer.
pub(crate) struct PlatformServer {
    /// Weak: the installation holds the registry, the registry the plugins, the plugins this.
    installation: Weak<Installation>,
}

impl PlatformServer {
    /// For this installation.
    pub(crate) fn of(installation: &Arc<Installation>) -> Self {
        Self { installation: Arc::downgrade(installation) }
    }

    /// A plugin that is being started can't call yet: the registry it would be called by is not made.
    fn refuse_too_early(&self) -> Result<(), Refusal> {
        match self.installation.upgrade() {
            Some(installation) if installation.known().is_some() => Ok(()),
            _ => Err(Refusal::Conflict {
                operation: "call a function".to_owned(),
                reason: "plugins are still being loaded; call from a callback or a thread"
                    .to_owned(),
            }),
        }
    }

    fn platform(&self) -> Result<Platform, Refusal> {
        let failed = |reason: String| Refusal::Failed {
            what: "plugin",
            name: "callback".to_owned(),
            reason,
        };
        let installation = self.installation.upgrade();
        let installation = installation.ok_or_else(|| failed("the platform is gone".to_owned()))?;
        Platform::guest(installation).map_err(|error| failed(error.to_string()))
    }
}

impl Server for PlatformServer {
    fn agents(&self) -> Result<Vec<Agent>, Refusal> {
        let mut platform = self.platform()?;
        store::read(platform.store.as_mut(), agents::all)
    }

    fn users(&self, field: &str) -> Result<Vec<(UserId, String)>, Refusal> {
        let mut platform = self.platform()?;
        let column = if field == "username" { "name" } else { field };
        store::read(platform.store.as_mut(), |snapshot| {
            let mut users = Vec::new();
            let mut after = None;
            loop {
                let page = snapshot.users(&UserFilter::default(), after, PAGE_ROWS)?;
                let Some(last) = page.last() else { return Ok(users) };
                after = Some(last.id);
                let texts = page.iter().map(|user| (user.id, user.fields.text(column).to_owned()));
                users.extend(texts);
            }
        })
    }

    fn shared(&self, id: &str) -> Result<Option<Value>, Refusal> {
        let mut platform = self.platform()?;
        let text = store::read(platform.store.as_mut(), |snapshot| {
            Ok::<_, Refusal>(snapshot.shared(id)?)
        })?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn log(&self, weight: Weight, text: &str) {
        let Some(installation) = self.installation.upgrade() else { return };
        let level = match weight {
            Weight::Error => Gravity::Error,
            Weight::Warn => Gravity::Warning,
            Weight::Info => Gravity::Info,
            Weight::Dbug => Gravity::Debug,
            Weight::Dev => Gravity::Trace,
        };
        installation.outside().line(level, text);
    }

    fn call(&self, sid: Option<&str>, function: &str, params: &Fields) -> Result<Answer, Refusal> {
        self.refuse_too_early()?;
        let mut platform = self.platform()?;
        let now = platform.clock().now();
        let caller = match sid {
            Some(sid) => sessions::resume(platform.store.as_mut(), sid, now)?,
            None => Caller::new("plugin", Level::Nobody),
        };
        platform.call(function, params, &caller)
    }
}
