//! What a plan may look at.

use crate::call::{Along, Run};
use crate::installation::Installation;
use crate::refusal::Refusal;
use crate::registry::Registry;
use config::{Config, Root};
use notice::{Clock, Mask, Ms};
use std::sync::Arc;
use store::{Snapshot, Store};

/// The world as a planner sees it: it reads, and starts programs; it never writes to the database.
pub(crate) struct Context<'a> {
    pub(crate) root: &'a Root,
    pub(crate) config: &'a Config,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) store: &'a mut dyn Store,
    /// How programs are started.
    pub(crate) starter: &'a host::Caller,
    /// What stands in `notify/` and `gate/`.
    pub(crate) programs: &'a host::Programs,
    /// Everything that doors to this installation share.
    pub(crate) installation: &'a Arc<Installation>,
    /// The registry this call began with; None outside a call.
    pub(crate) registry: Option<Arc<Registry>>,
    /// Runs of hooks while planning.
    pub(crate) journal: Vec<Run>,
    /// Secrets that this call knows: added as they are met.
    pub(crate) mask: Mask,
    /// What the transaction does beside what is asked.
    pub(crate) along: Along,
}

impl Context<'_> {
    /// Reads one consistent view; closed again before a program is started.
    pub(crate) fn read<T>(
        &mut self,
        look: impl FnMut(&mut dyn Snapshot) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        store::read(self.store, look)
    }

    /// Now.
    pub(crate) fn now(&self) -> Ms {
        self.clock.now()
    }
}
