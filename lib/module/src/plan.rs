//! What a turn asks the database for: read in one snapshot, decided by [`crate::choose`].

use crate::choose::{Head, Offer, Rounds, Wish, gateways_of};
use crate::desk::{Desk, RouteKind, limits_of, own_limits, route_limits};
use crate::idle::Lull;
use crate::rules::{Outlet, Rules, Way};
use crate::standing::{Probe, Usable, usable};
use notice::{GatewayId, HandlerId, ModuleName, Ms, ProcessingId, Route};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::{
    Ceiling, Demand, Direction, Gateway, GatewayState, Pool, Processing, Snapshot, StoreError,
    Worker,
};

/// What is known of the programs in `gate/`.
pub trait GateBook: Send + Sync {
    /// What this gate can do; None: it is not there, or does not answer.
    fn abilities(&self, gate: &str) -> Option<Abilities>;
    /// True while a gate that was asked for its abilities has neither said them nor failed to: until then nothing is
    /// claimed for it, so that who prepares messages never waits for that.
    fn is_silent(&self, gate: &str) -> bool;
}

/// What a gate can do, as far as the drain asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// How a held gateway is probed: by `check_connection` where the gate has it.
    pub probe: Probe,
    /// How many may run at once when the gateway does not say: 1, or more with the feature `parallel`.
    pub concurrency: u32,
    /// And never more than so many, whatever the gateway says: what a gate in serve mode takes.
    pub most: u32,
}

/// The state of things at the begin of a turn.
pub(crate) struct View {
    pub(crate) gateways: Vec<Arc<Gateway>>,
    pub(crate) states: HashMap<GatewayId, GatewayState>,
    /// Routes with ready rows, and whose rows they are.
    pub(crate) routes: Vec<(ModuleName, Route)>,
    /// Those of the module's own that have something urgent.
    pub(crate) urgent: HashSet<Route>,
    /// What ready rows that may have been sent are bound to.
    pub(crate) bound: Vec<(ModuleName, GatewayId)>,
    /// Operations at once on each route of a server.
    pub(crate) servers: HashMap<Route, u32>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) lease_owners: Vec<String>,
    pub(crate) next_due: Option<Ms>,
    /// Whether events wait that nobody was told of; never where the module tells nobody.
    pub(crate) untold: Untold,
    /// What the database says of the pause.
    pub(crate) pause: Pause,
}

/// Whether there are events that nobody was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Untold {
    /// There are.
    Some,
    /// There are none.
    #[default]
    None,
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
        let processings = match rules.processing {
            Some(_) => snapshot.processings()?,
            None => Vec::new(),
        };
        let modules = modules(rules, &processings);
        let mut routes = Vec::new();
        let mut bound = Vec::new();
        for module in modules {
            let of = |route| (module.clone(), route);
            routes.extend(snapshot.ready_routes(&module, forced_only)?.into_iter().map(of));
            let of = |gateway| (module.clone(), gateway);
            bound.extend(snapshot.bound_gateways(&module, forced_only)?.into_iter().map(of));
        }
        Ok(Self {
            gateways: snapshot.gateways()?.into_iter().map(Arc::new).collect(),
            states: snapshot
                .gateway_states()?
                .into_iter()
                .map(|state| (state.gateway, state))
                .collect(),
            urgent: match rules.way {
                Way::Gateways | Way::GatewaysElseModule => {
                    let urgent = snapshot.urgent_routes(&rules.module)?.into_iter();
                    urgent.map(|urgent| urgent.route).collect()
                }
                Way::Module | Way::Routes => HashSet::new(),
            },
            routes,
            bound,
            servers: processings.iter().map(operations_at_once).collect(),
            workers: snapshot.workers()?,
            lease_owners: snapshot.lease_owners()?,
            next_due: snapshot.next_due()?,
            untold: match rules.processing {
                Some(_)
                    if !snapshot.untold_events(1)?.is_empty()
                        || !snapshot.unfollowed(1)?.is_empty() =>
                {
                    Untold::Some
                }
                Some(_) | None => Untold::None,
            },
            pause: if is_paused { Pause::On } else { Pause::Off },
        })
    }

    /// None: there is something to do. Any worker of this module, and any lease it has, is: it may be dead.
    pub(crate) fn lull(&self, module: &ModuleName) -> Option<Lull> {
        let prefix = format!("{module}-");
        let workers = self.workers.iter().map(|worker| &worker.owner);
        let is_idle = self.routes.is_empty()
            && self.bound.is_empty()
            && self.untold == Untold::None
            && !self.lease_owners.iter().chain(workers).any(|owner| owner.starts_with(&prefix));
        is_idle.then_some(Lull { pause: self.pause, next_due: self.next_due })
    }

    /// What stands at the end of a route of a handler or server.
    fn kind(&self, route: &Route) -> RouteKind {
        let at_once = self.servers.get(route).copied();
        at_once.map_or(RouteKind::Handler, |at_once| RouteKind::Server { at_once })
    }

    /// The operations of a server are few, and its own limit holds for all workers together.
    fn ceiling(&self, route: &Route) -> Option<Ceiling> {
        let at_once = *self.servers.get(route)?;
        Some(Ceiling { route: route.clone(), at_once })
    }

    pub(crate) fn gateway(&self, id: GatewayId) -> Option<&Arc<Gateway>> {
        self.gateways.iter().find(|gateway| gateway.id == id)
    }
}

/// Whose rows are drained: the module's own, and those of configured programs in `processing/`.
fn modules(rules: &Rules, processings: &[Processing]) -> Vec<ModuleName> {
    let mut modules = vec![rules.module.clone()];
    for row in processings {
        match ModuleName::new(&row.module) {
            Ok(name) if !modules.contains(&name) => modules.push(name),
            Ok(_) | Err(_) => {}
        }
    }
    modules
}

/// A server that says nothing takes two operations at once (extensions 1.2).
fn operations_at_once(row: &Processing) -> (Route, u32) {
    const AT_ONCE: u32 = 2;
    (Route::server(row.id), row.concurrency.unwrap_or(AT_ONCE))
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

/// A gate that has not said yet what it can do is looked at again after that.
const SILENT_MS: i64 = 50;

/// Files read at once: they may be large.
const READERS: u32 = 16;

/// What [`plan`] looks at beside the view.
pub(crate) struct Desks<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) desk: &'a mut Desk,
    pub(crate) rounds: &'a mut Rounds,
    pub(crate) gates: &'a dyn GateBook,
    /// Routes with an ordered task that this turn settles: the next of its object becomes ready in it.
    pub(crate) ending: &'a [(ModuleName, Route)],
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
    let mut wanted = Vec::new();
    let mut readers = READERS.saturating_sub(desks.desk.reading);
    for (module, _) in view.routes.iter().filter(|(_, route)| route.is_unread()) {
        let count = readers.min(left);
        readers -= count;
        left -= count;
        let pool = Pool::Route(Route::unread());
        wanted.push(Wanted { module: module.clone(), pool, gateway: None, count, ceiling: None });
    }
    wanted.extend(match desks.rules.way {
        Way::Routes => by_route(view, desks, (left, now)),
        Way::Gateways | Way::GatewaysElseModule | Way::Module => {
            by_gateway(view, desks, (left, now), &mut plan)
        }
    });
    let lease_until = now.plus(desks.rules.lease_ms);
    let demand = |wanted: Wanted| Demand {
        module: wanted.module,
        pool: wanted.pool,
        gateway: wanted.gateway,
        count: wanted.count,
        forced_only: scope == Scope::ForcedOnly,
        lease_until,
        ceiling: wanted.ceiling,
    };
    wanted.retain(|wanted| wanted.count > 0);
    plan.demands = wanted.into_iter().map(demand).collect();
    plan.trials = trials(view, &plan.demands, desks.rules.way);
    plan
}

/// A demand but for what all of a turn have in common.
struct Wanted {
    module: ModuleName,
    pool: Pool,
    gateway: Option<GatewayId>,
    count: u32,
    ceiling: Option<Ceiling>,
}

/// What each gateway is to get; the module's own way too.
fn by_gateway(
    view: &View,
    desks: &mut Desks<'_>,
    (mut left, now): (u32, Ms),
    plan: &mut Plan,
) -> Vec<Wanted> {
    let module = &desks.rules.module;
    let want = |pool, gateway, count| Wanted {
        module: module.clone(),
        pool,
        gateway,
        count,
        ceiling: None,
    };
    let mut wanted = Vec::new();
    let mut offers =
        Offers { view, rules: desks.rules, gates: desks.gates, known: HashMap::new(), now };
    for (_, gateway) in &view.bound {
        let Some(offer) = offers.of(*gateway, desks.desk, plan) else { continue };
        let count = offer.room().min(left);
        left -= count;
        offers.spend(*gateway, count);
        wanted.push(want(Pool::Bound, Some(*gateway), count));
    }
    let mut wishes = Vec::new();
    let mut own_free = None;
    for (_, route) in view.routes.iter().filter(|(_, route)| !route.is_unread()) {
        if own_way(view, route, desks.rules) {
            let free = *own_free.get_or_insert_with(|| {
                let limits = own_limits(desks.rules);
                desks.desk.free(Outlet::Own, limits, now)
            });
            let count = free.min(left);
            own_free = Some(free - count);
            left -= count;
            wanted.push(want(Pool::Route(route.clone()), None, count));
            continue;
        }
        let usable: Vec<Offer> = gateways_of(route, module, &view.gateways)
            .filter_map(|gateway| offers.of(gateway.id, desks.desk, plan))
            .collect();
        let head = if view.urgent.contains(route) { Head::Urgent } else { Head::Ordinary };
        wishes.push(Wish { route: route.clone(), offers: usable, head });
    }
    let shares = desks.rounds.share(&wishes, left).into_iter();
    wanted.extend(
        shares.map(|share| want(Pool::Route(share.route), Some(share.gateway), share.count)),
    );
    wanted
}

/// What each handler and server is to get. Routes take turns at being first, so that a turn's limit keeps
/// nobody waiting for long.
fn by_route(view: &View, desks: &mut Desks<'_>, (mut left, now): (u32, Ms)) -> Vec<Wanted> {
    let own = &desks.rules.module;
    let bound = view.bound.iter().map(|(module, row)| {
        let route = if module == own {
            Route::handler(HandlerId(row.0))
        } else {
            Route::server(ProcessingId(row.0))
        };
        (module, route, Pool::Bound)
    });
    let ready = view.routes.iter().filter(|(_, route)| !route.is_unread());
    let ending = desks.ending.iter().filter(|ending| !view.routes.contains(ending));
    let by_route = ready
        .chain(ending)
        .map(|(module, route)| (module, route.clone(), Pool::Route(route.clone())));
    let mut asked: Vec<_> = bound.chain(by_route).collect();
    if !asked.is_empty() {
        desks.desk.rounds = desks.desk.rounds.wrapping_add(1);
        let first = desks.desk.rounds % asked.len();
        asked.rotate_left(first);
    }
    let workers = live_workers(view, desks.rules, now);
    let mut spent: HashMap<Route, u32> = HashMap::new();
    let mut wanted = Vec::with_capacity(asked.len());
    for (module, route, pool) in asked {
        let limits = route_limits(view.kind(&route), workers, desks.rules);
        let outlet = Outlet::Route(route.clone());
        let free = desks.desk.free(outlet, limits, now);
        let gateway = route.row();
        let ceiling = view.ceiling(&route);
        let spent = spent.entry(route).or_default();
        let count = free.saturating_sub(*spent).min(left);
        *spent += count;
        left -= count;
        wanted.push(Wanted { module: module.clone(), pool, gateway, count, ceiling });
    }
    wanted
}

/// Workers of this module that have beaten within two leases.
fn live_workers(view: &View, rules: &Rules, now: Ms) -> u32 {
    let is_live = |worker: &&Worker| {
        let name = worker.owner.strip_prefix(rules.module.as_str());
        name.is_some_and(|rest| rest.starts_with('-'))
            && now.since(worker.beat) < 2 * rules.lease_ms
    };
    u32::try_from(view.workers.iter().filter(is_live).count()).unwrap_or(1)
}

/// Gateways among the demands that are not plainly open.
fn trials(view: &View, demands: &[Demand], way: Way) -> Vec<GatewayId> {
    let closed = |id: &GatewayId| {
        view.states.get(id).is_some_and(|state| state.condition != store::Condition::Open)
    };
    let gateways = demands
        .iter()
        .filter_map(|demand| Outlet::of(way, demand.gateway, &Route::unread()).gateway());
    let mut trials: Vec<GatewayId> = gateways.filter(closed).collect();
    trials.sort_unstable();
    trials.dedup();
    trials
}

/// Whether the module sends the tasks of a route itself.
fn own_way(view: &View, route: &Route, rules: &Rules) -> bool {
    match rules.way {
        Way::Module | Way::Routes => true,
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
        let abilities = self.gates.abilities(&gateway.gate).unwrap_or(Abilities {
            probe: Probe::Task,
            concurrency: 1,
            most: 1,
        });
        if self.gates.is_silent(&gateway.gate) {
            let offer = Offer { gateway: id, usable: Usable::Closed, free: 0 };
            plan.next = [plan.next, Some(self.now.plus(SILENT_MS))].into_iter().flatten().min();
            self.known.insert(id, offer);
            return Some(offer);
        }
        let state = self.view.states.get(&id);
        let usable = usable(state, abilities.probe, self.now);
        let workers = live_workers(self.view, self.rules, self.now);
        let limits = limits_of(gateway, abilities, workers, self.rules);
        let free = desk.free(Outlet::Gateway(id), limits, self.now);
        let window = &mut desk.counter(Outlet::Gateway(id), limits, self.now).window;
        let offer = Offer { gateway: id, usable, free };
        if usable == Usable::ProbeDue {
            plan.probes.push(gateway.clone());
        }
        let waits_for = match usable {
            Usable::Open => window.next_chance(self.now),
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
}
