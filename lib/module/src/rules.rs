//! What the drain of one module goes by: everything that is set once, at its start.

use crate::module::OwnWay;
use crate::retry::RetryTable;
use crate::standing::Ladders;
use notice::{GatewayId, ModuleName, OnUnknown, Route};
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
    /// What the module's own tasks go by.
    pub terms: Terms,
    /// The delays of a notification file that can't be read yet (`[retry.internal]`): no gateway is asked.
    pub file_retry: RetryTable,
    /// What the tasks of the programs in `processing/` go by, where the module drains them too.
    pub processing: Option<Terms>,
    /// How soon gateways are probed.
    pub ladders: Ladders,
    /// Messages at once at a gateway, to begin with and at most.
    pub window: (u32, u32),
    /// Calls of one handler at once.
    pub at_once: u32,
    /// How far back a claim looks for what a gateway took, milliseconds.
    pub claim_ahead_ms: i64,
    /// At most so many tasks a turn.
    pub turn_tasks: u32,
    /// Length of a lease, milliseconds.
    pub lease_ms: i64,
    /// Its age when it is extended, milliseconds.
    pub extend_ms: i64,
    /// So many deaths while a gate had the task make it poison.
    pub poison_crashes: u32,
    /// How far a turn's commit must have got.
    pub durability: Durability,
    /// At most so many tasks in all; None: no limit.
    pub limit: Option<u64>,
}

/// When a task is tried again, and when a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Delays and limits.
    pub retry: RetryTable,
    /// The default for unknown outcomes.
    pub on_unknown: OnUnknown,
    /// Asked tasks fail after that, milliseconds.
    pub asked_ms: i64,
}

impl Rules {
    /// The same where the module's own way is there, or is not.
    #[must_use]
    pub fn with(mut self, own_way: &OwnWay) -> Self {
        self.way = match (self.way, own_way) {
            (Way::GatewaysElseModule, OwnWay::Absent) => Way::Gateways,
            (way, OwnWay::Present | OwnWay::Absent) => way,
        };
        self
    }

    /// The terms of a task by its `modulename`.
    pub fn terms_of(&self, module: &str) -> &Terms {
        match &self.processing {
            Some(terms) if module != self.module.as_str() => terms,
            Some(_) | None => &self.terms,
        }
    }
}

/// Where a task leaves: what has a window of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outlet {
    /// The module's own way.
    Own,
    /// A gateway.
    Gateway(GatewayId),
    /// A handler or a server: its route is its alone.
    Route(Route),
}

impl Outlet {
    /// Of a claimed row. `gateway` is the column `last_gateway`, whose meaning the way decides.
    pub fn of(way: Way, gateway: Option<GatewayId>, route: &Route) -> Self {
        match (way, gateway) {
            (Way::Routes, _) => Self::Route(route.clone()),
            (_, Some(gateway)) => Self::Gateway(gateway),
            (_, None) => Self::Own,
        }
    }

    /// The gateway, if it is one.
    pub fn gateway(&self) -> Option<GatewayId> {
        match self {
            Self::Gateway(gateway) => Some(*gateway),
            Self::Own | Self::Route(_) => None,
        }
    }
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
    /// By the module itself, by a call for each task; every route has a window of its own.
    Routes,
}
