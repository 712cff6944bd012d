//! What a turn asks the database for: read in one snapshot, decided by [`crate::choose`].

use crate::choose::{Offer, Rounds, Share, gateways_of};
use crate::desk::{Desk, limits_of, own_limits};
use crate::rules::{Rules, Way};
use crate::standing::{Probe, Usable, usable};
use notice::{GatewayId, Ms, Route};
use std::collections::HashMap;
use std::sync::Arc;
use store::{Demand, Direction, Gateway, GatewayState, Pool, Snapshot, StoreError, Worker};

/// What is known of the programs in `gate/`.
pub trait GateBook: Send + Sync {
    /// What this gate can do; None: it is not there, or does not answer.
    fn abilities(&self, gate: &str) -> Option<Abilities>;
}

/// What a gate can do, as far as the drain asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// How a held gateway is probed: by `check_connection` where the gate has it.
    pub probe: Probe,
    /// How many may run at once when the gateway does not say: 1, or more with the feature `parallel`.
    pub concurrency: u32,
}

/// The state of things at the begin of a turn.
pub(crate) struct View {
    pub(crate) gateways: Vec<Arc<Gateway>>,
    pub(crate) states: HashMap<GatewayId, GatewayState>,
    pub(crate) routes: Vec<Route>,
    pub(crate) bound: Vec<GatewayId>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) lease_owners: Vec<String>,
    pub(crate) next_due: Option<Ms>,
    /// What the database says of the pause.
    pub(crate) pause: Pause,
}

/// Whether the queue is paused, by its `DoNothing` files or as the database knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    On,
    Off,
}

impl View {
    pub(crate) fn read(
        snapshot: &mut dyn Snapshot,
        rules: &Rules,
        scope: Scope,
    ) -> Result<Self, StoreError> {
        let forced_only = scope == Scope::ForcedOnly;
        // those that are still open count from any moment on
        let is_paused =
            snapshot.downtimes(None, Ms(i64::MAX))?.iter().any(|down| down.to.is_none());
        Ok(Self {
            gateways: snapshot.gateways()?.into_iter().map(Arc::new).collect(),
            states: snapshot
                .gateway_states()?
                .into_iter()
                .map(|state| (state.gateway, state))
                .collect(),
            routes: snapshot.ready_routes(&rules.module, forced_only)?,
            bound: snapshot.bound_gateways(&rules.module, forced_only)?,
            workers: snapshot.workers()?,
            lease_owners: snapshot.lease_owners()?,
            next_due: snapshot.next_due()?,
            pause: if is_paused { Pause::On } else { Pause::Off },
        })
    }

    pub(crate) fn gateway(&self, id: GatewayId) -> Option<&Arc<Gateway>> {
        self.gateways.iter().find(|gateway| gateway.id == id)
    }
}

/// Which rows may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All.
    All,
    /// The queue is paused.
    ForcedOnly,
}

/// What a turn wants.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) demands: Vec<Demand>,
    /// Gateways whose trial is among the demands, or whose hold by a person has run out: booked in the turn.
    pub(crate) trials: Vec<GatewayId>,
    /// Gateways whose `check_connection` is due.
    pub(crate) probes: Vec<Arc<Gateway>>,
    /// When a token or a probe makes more possible; None: only news can.
    pub(crate) next: Option<Ms>,
}

/// Files read at once: they may be large.
const READERS: u32 = 16;

/// What [`plan`] looks at beside the view.
pub(crate) struct Desks<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) desk: &'a mut Desk,
    pub(crate) rounds: &'a mut Rounds,
    pub(crate) gates: &'a dyn GateBook,
}

/// Decides what to claim, at most `room` tasks.
pub(crate) fn plan(
    view: &View,
    desks: &mut Desks<'_>,
    (scope, room): (Scope, u32),
    now: Ms,
) -> Plan {
    let mut plan = Plan::default();
    let mut left = room;
    let lease_until = now.plus(desks.rules.lease_ms);
    let demand = |pool, gateway, count: u32| Demand {
        module: desks.rules.module.clone(),
        pool,
        gateway,
        count,
        forced_only: scope == Scope::ForcedOnly,
        lease_until,
    };
    let mut demands = Vec::new();
    if view.routes.iter().any(Route::is_unread) {
        let count = READERS.saturating_sub(desks.desk.reading).min(left);
        left -= count;
        demands.push(demand(Pool::Route(Route::unread()), None, count));
    }
    let mut offers =
        Offers { view, rules: desks.rules, gates: desks.gates, known: HashMap::new(), now };
    for gateway in &view.bound {
        let Some(offer) = offers.of(*gateway, desks.desk, &mut plan) else { continue };
        let count = offer.room().min(left);
        left -= count;
        offers.spend(*gateway, count);
        demands.push(demand(Pool::Bound, Some(*gateway), count));
    }
    let mut wishes = Vec::new();
    let mut own_free = None;
    for route in view.routes.iter().filter(|route| !route.is_unread()) {
        if own_way(view, route, desks.rules) {
            let free = *own_free.get_or_insert_with(|| {
                desks.desk.counter(None, own_limits(desks.rules), now).window.free(now)
            });
            let count = free.min(left);
            own_free = Some(free - count);
            left -= count;
            demands.push(demand(Pool::Route(route.clone()), None, count));
            continue;
        }
        let usable: Vec<Offer> = gateways_of(route, &desks.rules.module, &view.gateways)
            .filter_map(|gateway| offers.of(gateway.id, desks.desk, &mut plan))
            .collect();
        wishes.push((route.clone(), usable));
    }
    for Share { route, gateway, count } in desks.rounds.share(&wishes, left) {
        demands.push(demand(Pool::Route(route), Some(gateway), count));
    }
    demands.retain(|demand| demand.count > 0);
    plan.trials = offers.trials(&demands);
    plan.demands = demands;
    plan
}

/// Whether the module sends the tasks of a route itself.
fn own_way(view: &View, route: &Route, rules: &Rules) -> bool {
    match rules.way {
        Way::Module => true,
        Way::Gateways => false,
        Way::GatewaysElseModule => !view.gateways.iter().any(|gateway| {
            gateway.module == rules.module
                && gateway.direction == Direction::Outgoing
                && (gateway.project.is_none() || gateway.project == route.project_id())
        }),
    }
}

/// What each gateway offers in this turn; asked once each.
struct Offers<'a> {
    view: &'a View,
    rules: &'a Rules,
    gates: &'a dyn GateBook,
    known: HashMap<GatewayId, Offer>,
    now: Ms,
}

impl Offers<'_> {
    fn of(&mut self, id: GatewayId, desk: &mut Desk, plan: &mut Plan) -> Option<Offer> {
        if let Some(offer) = self.known.get(&id) {
            return Some(*offer);
        }
        let gateway = self.view.gateway(id).filter(|gateway| gateway.active)?;
        let abilities = self
            .gates
            .abilities(&gateway.gate)
            .unwrap_or(Abilities { probe: Probe::Task, concurrency: 1 });
        let state = self.view.states.get(&id);
        let usable = usable(state, abilities.probe, self.now);
        let workers =
            u32::try_from(self.view.workers.iter().filter(|worker| self.is_live(worker)).count());
        let limits = limits_of(gateway, abilities.concurrency, workers.unwrap_or(1), self.rules);
        let window = &mut desk.counter(Some(id), limits, self.now).window;
        let offer = Offer { gateway: id, usable, free: window.free(self.now) };
        if usable == Usable::ProbeDue {
            plan.probes.push(gateway.clone());
        }
        let waits_for = match usable {
            Usable::Open => window.next_token(self.now),
            Usable::Closed => state.and_then(|state| state.next_probe),
            Usable::Trial | Usable::ProbeDue => None,
        };
        plan.next = [plan.next, waits_for].into_iter().flatten().min();
        self.known.insert(id, offer);
        Some(offer)
    }

    fn spend(&mut self, id: GatewayId, count: u32) {
        if let Some(offer) = self.known.get_mut(&id) {
            offer.free = offer.free.saturating_sub(count);
            if offer.usable == Usable::Trial && count > 0 {
                offer.usable = Usable::Closed;
            }
        }
    }

    /// A worker of this module that has beaten within two leases.
    fn is_live(&self, worker: &Worker) -> bool {
        let name = worker.owner.strip_prefix(self.rules.module.as_str());
        name.is_some_and(|rest| rest.starts_with('-'))
            && self.now.since(worker.beat) < 2 * self.rules.lease_ms
    }

    /// Gateways among the demands that are not plainly open.
    fn trials(&self, demands: &[Demand]) -> Vec<GatewayId> {
        let closed = |id: &GatewayId| {
            self.view.states.get(id).is_some_and(|state| state.condition != store::Condition::Open)
        };
        let mut trials: Vec<GatewayId> =
            demands.iter().filter_map(|demand| demand.gateway).filter(closed).collect();
        trials.sort_unstable();
        trials.dedup();
        trials
    }
}
