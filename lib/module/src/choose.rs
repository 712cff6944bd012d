//! Which route gets how much of which gateway (queue 2, 3.3). Pure.

use crate::standing::Usable;
use notice::{GatewayId, ModuleName, Route};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Direction, Gateway};

/// At most so many tasks a turn.
pub const TURN: u32 = 100;

/// The outgoing gateways of a route in the order they are tried: by priority, then id, as the store
/// lists them (S3-18). Without a project only those that serve every project.
pub fn gateways_of<'a>(
    route: &Route,
    module: &ModuleName,
    all: &'a [Arc<Gateway>],
) -> impl Iterator<Item = &'a Arc<Gateway>> {
    let project = route.project_id().filter(|id| id.0 != 0);
    let module = module.clone();
    all.iter().filter(move |gateway| {
        gateway.active
            && gateway.direction == Direction::Outgoing
            && gateway.module == module
            && (gateway.project.is_none() || gateway.project == project)
    })
}

/// What a gateway can take now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub gateway: GatewayId,
    /// Whether it may be used.
    pub usable: Usable,
    /// How many its window and tokens allow.
    pub free: u32,
}

impl Offer {
    /// How many tasks it takes: one for a trial.
    pub fn room(&self) -> u32 {
        match self.usable {
            Usable::Open => self.free,
            Usable::Trial => self.free.min(1),
            Usable::ProbeDue | Usable::Closed => 0,
        }
    }
}

/// So many rows of a route for that gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Whose rows.
    pub route: Route,
    /// Who gets them.
    pub gateway: GatewayId,
    /// At most so many.
    pub count: u32,
}

/// Deficit round-robin between routes that share a gateway: what a route did not get in one turn it is
/// owed in the next.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    owed: BTreeMap<Route, i64>,
}

impl Rounds {
    /// Shares the room of the gateways among the routes; `wishes` names for each ready route the gateways
    /// it may use, best first, as offers. At most `limit` tasks in all.
    pub fn share(&mut self, wishes: &[(Route, Vec<Offer>)], limit: u32) -> Vec<Share> {
        self.owed.retain(|route, _| wishes.iter().any(|(wish, _)| wish == route));
        let mut groups: BTreeMap<GatewayId, (u32, Vec<Route>)> = BTreeMap::new();
        for (route, offers) in wishes {
            if let Some(offer) = offers.iter().find(|offer| offer.room() > 0) {
                let group = groups.entry(offer.gateway).or_insert((offer.room(), Vec::new()));
                group.1.push(route.clone());
            }
        }
        let mut left = limit;
        let mut shares = Vec::new();
        for (gateway, (room, routes)) in groups {
            let room = room.min(left);
            left -= room;
            shares.extend(self.divide(gateway, room, routes));
        }
        shares
    }

    fn divide(&mut self, gateway: GatewayId, room: u32, mut routes: Vec<Route>) -> Vec<Share> {
        let count = u32::try_from(routes.len()).unwrap_or(u32::MAX).max(1);
        let each = room / count;
        let rest = (room % count) as usize;
        routes.sort_by_key(|route| std::cmp::Reverse(self.owed.get(route).copied().unwrap_or(0)));
        let mut shares = Vec::new();
        for (place, route) in routes.into_iter().enumerate() {
            let given = each + u32::from(place < rest);
            *self.owed.entry(route.clone()).or_default() +=
                i64::from(room) - i64::from(given) * i64::from(count);
            if given > 0 {
                shares.push(Share { route, gateway, count: given });
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notice::ProjectId;

    fn route(number: i64) -> Route {
        Route::project(ProjectId(number))
    }

    fn open(gateway: i64, free: u32) -> Offer {
        Offer { gateway: GatewayId(gateway), usable: Usable::Open, free }
    }

    fn gateway(id: i64, project: Option<i64>) -> Arc<Gateway> {
        Arc::new(Gateway {
            id: GatewayId(id),
            name: format!("g{id}"),
            project: project.map(ProjectId),
            module: ModuleName::new("ntsms").unwrap(),
            gate: "gwfile".into(),
            direction: Direction::Outgoing,
            active: true,
            priority: 0,
            concurrency: None,
            rate_per_sec: None,
            on_unknown: None,
            xmlparams: String::new(),
            secret: Vec::new(),
            version: 1,
        })
    }

    fn ids(route: &Route, all: &[Arc<Gateway>]) -> Vec<i64> {
        gateways_of(route, &ModuleName::new("ntsms").unwrap(), all)
            .map(|gateway| gateway.id.0)
            .collect()
    }

    // S3-18
    #[test]
    fn a_gateway_is_chosen_by_project_and_module() {
        let mut all =
            vec![gateway(1, Some(1)), gateway(2, Some(2)), gateway(3, None), gateway(4, Some(1))];
        assert_eq!(ids(&route(1), &all), [1, 3, 4]);
        assert_eq!(ids(&route(0), &all), [3]);
        Arc::make_mut(&mut all[0]).active = false;
        Arc::make_mut(&mut all[2]).module = ModuleName::new("ntemail").unwrap();
        Arc::make_mut(&mut all[3]).direction = Direction::Ingoing;
        assert_eq!(ids(&route(1), &all), Vec::<i64>::new());
    }

    #[test]
    fn the_first_usable_gateway_takes_over() {
        let held = Offer { usable: Usable::Closed, ..open(1, 9) };
        let full = open(2, 0);
        let shares = Rounds::default().share(&[(route(1), vec![held, full, open(3, 4)])], TURN);
        assert_eq!(shares, [Share { route: route(1), gateway: GatewayId(3), count: 4 }]);
    }

    #[test]
    fn none_usable_leaves_the_rows() {
        let held = Offer { usable: Usable::ProbeDue, ..open(1, 9) };
        assert!(
            Rounds::default().share(&[(route(1), vec![held]), (route(2), vec![])], TURN).is_empty()
        );
    }

    #[test]
    fn a_trial_is_one_task() {
        let trial = Offer { usable: Usable::Trial, ..open(1, 9) };
        assert_eq!(Rounds::default().share(&[(route(1), vec![trial])], TURN)[0].count, 1);
    }

    #[test]
    fn routes_that_share_a_gateway_take_turns() {
        let wishes: Vec<_> = (1..=3).map(|number| (route(number), vec![open(1, 1)])).collect();
        let mut rounds = Rounds::default();
        let mut served = BTreeMap::new();
        for _ in 0..30 {
            for share in rounds.share(&wishes, TURN) {
                *served.entry(share.route).or_insert(0) += share.count;
            }
        }
        assert_eq!(served.into_values().collect::<Vec<_>>(), [10, 10, 10]);
    }

    #[test]
    fn a_turn_has_a_limit() {
        let wishes = [(route(1), vec![open(1, 80)]), (route(2), vec![open(2, 80)])];
        let total: u32 =
            Rounds::default().share(&wishes, TURN).iter().map(|share| share.count).sum();
        assert_eq!(total, TURN);
    }
}
