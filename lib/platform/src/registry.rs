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
    pub(crate) handlers: Arc<Handlers>,
    /// None: there are no plugins.
    pub(crate) plugins: Option<Arc<PluginHost>>,
    pub(crate) notices: Arc<Notices>,
}

/// The notices that events send, and the files as they were when they were read.
pub(crate) struct Notices {
    pub(crate) list: Vec<Notice>,
    seen: Vec<notices::Seen>,
}

impl Notices {
    /// Reads `templates`; what is wrong with a file is logged and the others count.
    pub(crate) fn read(installation: &Installation) -> Self {
        // looked at first: what changes while it is read is read again
        let seen = notices::seen(&installation.root);
        let (list, wrong) = notices_of_events(&installation.root);
        for text in wrong {
            installation.outside().line(Level::Warning, &text);
        }
        Self { list, seen }
    }

    /// Whether every file is still as it was.
    pub(crate) fn are_current(&self, root: &Root) -> bool {
        self.seen == notices::seen(root)
    }
}

impl Registry {
    /// Reads `etc/xml`; takes the plugins over from the old one, else starts them. What is wrong with a file is
    /// logged and the others count; plugins without a worker are a refusal.
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
        Ok(Self { handlers: Arc::new(handlers), plugins, notices: installation.notices() })
    }

    /// The notices of events alone.
    pub(crate) fn of_notices(notices: Arc<Notices>) -> Self {
        Self { handlers: Arc::default(), plugins: None, notices }
    }

    /// The same with these notices.
    pub(crate) fn with_notices(&self, notices: Arc<Notices>) -> Self {
        Self { handlers: Arc::clone(&self.handlers), plugins: self.plugins.clone(), notices }
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
