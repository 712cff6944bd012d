//! What the store thread remembers between turns: what is in hand, and each gateway's window.

use crate::pipeline::LeaseTime;
use crate::plan::Abilities;
use crate::rules::{Outlet, Rules, Way};
use crate::window::{Limits, Window};
use notice::{GatewayId, ModuleName, Ms, Priority, ProjectId, Route, TaskId, UserId};
use std::collections::{HashMap, HashSet};
use store::{Claimed, Gateway, Lease};

/// A claimed task that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct InHand {
    pub(crate) lease: Lease,
    pub(crate) module: ModuleName,
    pub(crate) route: Route,
    /// Column `last_gateway`; for the log.
    pub(crate) gateway: Option<GatewayId>,
    pub(crate) outlet: Outlet,
    pub(crate) error_count: u32,
    pub(crate) attempt: u32,
    pub(crate) priority: Priority,
    pub(crate) queued: Ms,
    pub(crate) key: String,
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
    pub(crate) until: LeaseTime,
}

impl InHand {
    pub(crate) fn of(
        claimed: &Claimed,
        way: Way,
        (user, until): (Option<UserId>, LeaseTime),
    ) -> Self {
        Self {
            lease: claimed.lease,
            module: claimed.module.clone(),
            route: claimed.route.clone(),
            gateway: claimed.gateway,
            outlet: Outlet::of(way, claimed.gateway, &claimed.route),
            error_count: claimed.error_count,
            attempt: claimed.attempt,
            priority: claimed.priority,
            queued: claimed.queued,
            key: claimed.key.clone(),
            user,
            project: claimed.body.as_ref().and_then(|body| body.project),
            until,
        }
    }
}

/// One outlet in this process.
pub(crate) struct Counter {
    pub(crate) window: Window,
    /// Tasks that ended `hold` here since it was last well.
    pub(crate) held_tasks: HashSet<TaskId>,
    /// Attempts that its strikes have cost: given back if it proves unfit.
    pub(crate) strikes: Vec<Lease>,
}

/// Everything in hand.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) hand: HashMap<TaskId, InHand>,
    counters: HashMap<Outlet, Counter>,
    /// Plans so far: routes take turns at being first.
    pub(crate) rounds: usize,
    /// Files being read.
    pub(crate) reading: u32,
    /// They get nothing more.
    slow: HashSet<Outlet>,
    /// What runs before this one were asked to leave alone, until something is planned for it.
    pub(crate) rests: HashMap<Outlet, Ms>,
}

/// The module's own way takes so many at once.
const OWN_WINDOW: u32 = 100;
/// `sendmail` takes so many at once.
const OWN_PROGRAM_WINDOW: u32 = 4;

impl Desk {
    /// The counter of an outlet under its present limits.
    pub(crate) fn counter(&mut self, outlet: Outlet, limits: Limits, now: Ms) -> &mut Counter {
        let rests = &mut self.rests;
        let counter = self.counters.entry(outlet).or_insert_with_key(|outlet| {
            let mut window = Window::new(limits, now);
            if let Some(until) = rests.remove(outlet) {
                window.rest_until(until);
            }
            Counter { window, held_tasks: HashSet::new(), strikes: Vec::new() }
        });
        counter.window.set_limits(limits, now);
        counter
    }

    /// How many an outlet can take under its present limits.
    pub(crate) fn free(&mut self, outlet: Outlet, limits: Limits, now: Ms) -> u32 {
        let is_slow = self.slow.contains(&outlet);
        // asked of a slow one too: what may go per second is saved up by that
        let free = self.counter(outlet, limits, now).window.free(now);
        if is_slow { 0 } else { free }
    }

    /// Those that have something in hand get nothing more.
    pub(crate) fn mark_slow(&mut self) {
        let busy = self.counters.iter().filter(|(_, counter)| counter.window.in_hand() > 0);
        self.slow.extend(busy.map(|(outlet, _)| outlet.clone()));
    }

    /// Whether a slow one has something in hand.
    pub(crate) fn waits_for_slow(&self) -> bool {
        self.slow.iter().any(|slow| self.peek(slow).is_some_and(|known| known.window.in_hand() > 0))
    }

    /// The counter of an outlet, if anything was ever claimed for it.
    pub(crate) fn known(&mut self, outlet: &Outlet) -> Option<&mut Counter> {
        self.counters.get_mut(outlet)
    }

    /// The same, to look at.
    pub(crate) fn peek(&self, outlet: &Outlet) -> Option<&Counter> {
        self.counters.get(outlet)
    }

    /// Leases of everything in hand.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        self.hand.values().map(|task| task.lease).collect()
    }
}

/// The limits of a gateway for one of `workers`. A one-shot gate runs one at a time unless its features
/// list `parallel` or the gateway sets `concurrency` (DESIGN 3); one in serve mode has as many as its window takes,
/// and no more than the gateway sets.
pub(crate) fn limits_of(
    gateway: &Gateway,
    abilities: Abilities,
    workers: u32,
    rules: &Rules,
) -> Limits {
    let most = gateway.concurrency.map_or(abilities.concurrency, |set| set.min(rules.window.1));
    let most = most.min(abilities.most);
    Limits {
        concurrency: most.max(1),
        first: rules.window.0,
        ahead_ms: rules.claim_ahead_ms,
        rate_thousandths: gateway.rate_per_sec.map(|rate| i64::from(rate.max(1)) * 1_000),
    }
    .shared_by(workers)
}

/// The limits of a route for one of `workers`: `concurrency` at once, together. A handler that is quick is claimed
/// ahead for, as a gateway is; the operations of a server are long and few.
pub(crate) fn route_limits(route: RouteKind, workers: u32, rules: &Rules) -> Limits {
    let limits = |concurrency, ahead_ms| Limits {
        concurrency,
        first: rules.window.0,
        ahead_ms,
        rate_thousandths: None,
    };
    match route {
        RouteKind::Handler => limits(rules.at_once, rules.claim_ahead_ms).shared_by(workers),
        // the store counts what the others have claimed
        RouteKind::Server { at_once } => limits(at_once, 0),
    }
}

/// What stands at the end of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteKind {
    /// A provisioning handler.
    Handler,
    /// A server of services.
    Server {
        /// Operations at once.
        at_once: u32,
    },
}

/// The limits of the module's own way.
pub(crate) fn own_limits(rules: &Rules) -> Limits {
    let concurrency = match rules.way {
        Way::Module => OWN_WINDOW,
        Way::Gateways | Way::GatewaysElseModule | Way::Routes => OWN_PROGRAM_WINDOW,
    };
    Limits {
        concurrency,
        first: concurrency,
        ahead_ms: rules.claim_ahead_ms,
        rate_thousandths: None,
    }
}
