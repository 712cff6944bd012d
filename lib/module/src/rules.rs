//! What the drain of one module goes by: everything that is set once, at its start.

use crate::retry::RetryTable;
use crate::standing::Ladders;
use notice::{ModuleName, OnUnknown};
use store::Durability;

use crate::contact::ContactForm;

/// The rules of a drain.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whose rows are drained.
    pub module: ModuleName,
    /// The user's column with the address.
    pub contact_kind: String,
    /// How it is written.
    pub contact_form: ContactForm,
    /// The country of a phone where neither user nor project names one.
    pub country: String,
    /// How messages leave.
    pub way: Way,
    /// Delays and limits.
    pub retry: RetryTable,
    /// The module's default for unknown outcomes.
    pub on_unknown: OnUnknown,
    /// How soon gateways are probed.
    pub ladders: Ladders,
    /// Messages at once at a gateway, to begin with and at most.
    pub window: (u32, u32),
    /// How far back a claim looks for what a gateway took, milliseconds.
    pub claim_ahead_ms: i64,
    /// At most so many tasks a turn.
    pub turn_tasks: u32,
    /// Length of a lease, milliseconds.
    pub lease_ms: i64,
    /// Its age when it is extended, milliseconds.
    pub extend_ms: i64,
    /// Asked tasks fail after that, milliseconds.
    pub asked_ms: i64,
    /// So many deaths while a gate had the task make it poison.
    pub poison_crashes: u32,
    /// How far a turn's commit must have got.
    pub durability: Durability,
    /// At most so many tasks in all; None: no limit.
    pub limit: Option<u64>,
}

/// How messages leave a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through gateways only.
    Gateways,
    /// Through gateways; by the module itself where the project has no gateway row at all.
    GatewaysElseModule,
    /// By the module itself, as effects of the settling turn: exactly once.
    Module,
}
