//! Who is asked and told on the way of a call: immutable, swapped as a whole; a call keeps the one it began with.

use crate::handlers::{self, Handlers};
use crate::installation::Installation;
use crate::notices::{self, Notice};
use crate::plugins::{Event, PluginHost};
use crate::refusal::Refusal;
use crate::server::PlatformServer;
use crate::{agents, events};
use config::{Level, Root};
use serde_json::Value;
use std::sync::Arc;
use store::NewEvent;

/// Event handlers, plugins, and the notices that events send. Provisioning handlers are read from
/// `provisioning_active` in the transaction that writes the event: every process acts from the same rows.
pub(crate) struct Registry {
    pub(crate) handlers: Handlers,
    /// None: there are no plugins.
    pub(crate) plugins: Option<Arc<PluginHost>>,
    pub(crate) notices: Vec<Notice>,
}

impl Registry {
    /// Reads `etc/xml` and `templates`; takes the plugins over from the old one, else starts them. What is
    /// wrong with a file is logged and the others count; plugins without a worker are a refusal.
    pub(crate) fn load(
        installation: &Arc<Installation>,
        old: Option<&Self>,
    ) -> Result<Self, Refusal> {
        let (root, config) = (&installation.root, &installation.config);
        let (handlers, lines) = Handlers::load(root, config);
        handlers::write(&lines, root, config);
        let plugins = match old.and_then(|old| old.plugins.clone()) {
            Some(plugins) => Some(plugins),
            None => PluginHost::start(root, config, Arc::new(PlatformServer::of(installation)))?,
        };
        Ok(Self { handlers, plugins, ..Self::of_notices(installation) })
    }

    /// The notices of events alone.
    pub(crate) fn of_notices(installation: &Installation) -> Self {
        let (notices, wrong) = notices_of_events(&installation.root);
        for text in wrong {
            installation.outside().line(Level::Warning, &text);
        }
        Self { handlers: Handlers::default(), plugins: None, notices }
    }

    /// Step 10: callbacks of plugins; they never hold the answer up.
    pub(crate) fn emit(&self, events: &[NewEvent]) {
        let Some(plugins) = &self.plugins else { return };
        for event in events {
            let data = serde_json::from_str(&event.data).unwrap_or(Value::Null);
            let is_status = event.events_id == events::AGENT_STATUS;
            let agent = if is_status { agents::of_data(&data) } else { None };
            let (events_id, object_id) = (event.events_id.clone(), event.object_id.clone());
            let other = || Event::Platform { events_id, object_id, data };
            plugins.emit(&agent.map_or_else(other, Event::AgentStatus));
        }
    }
}

fn notices_of_events(root: &Root) -> (Vec<Notice>, Vec<String>) {
    let mut wrong = Vec::new();
    let read = notices::names(root).into_iter().filter_map(|name| {
        notices::load(root, &name).map_err(|refusal| wrong.push(refusal.to_string())).ok()
    });
    let notices = read.filter(|notice| notice.event.is_some()).collect();
    (notices, wrong)
}
