//! Which route gets how much of which gateway (queue 2, 3.3). Pure.

use crate::standing::Usable;
use notice::{GatewayId, ModuleName, Route};
use std::collections::{BTreeMap, BTreeSet};
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

/// What a ready route may have.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which.
    pub route: Route,
    /// The gateways it may use, best first.
    pub offers: Vec<Offer>,
    /// What its first task is.
    pub head: Head,
}

/// Whether a route has something urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// It has.
    Urgent,
    /// It has not.
    Ordinary,
}

/// Deficit round-robin between routes that share a gateway: what a route did not get in one turn it is
/// owed in the next. Every other turn begins with the routes that have something urgent, so an urgent task waits one
/// turn at most for the bulk of other routes, and who is urgent all the time gets half.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    owed: BTreeMap<Route, i64>,
    turns: usize,
}

impl Rounds {
    /// Shares the room of the gateways among the ready routes, at most `limit` tasks in all. A gateway that takes
    /// much leaves the others of a turn what they can take.
    pub fn share(&mut self, wishes: &[Wish], limit: u32) -> Vec<Share> {
        self.turns = self.turns.wrapping_add(1);
        let ready: BTreeSet<&Route> = wishes.iter().map(|wish| &wish.route).collect();
        self.owed.retain(|route, _| ready.contains(route));
        let mut groups: BTreeMap<GatewayId, (u32, Vec<&Wish>)> = BTreeMap::new();
        for wish in wishes {
            if let Some(offer) = wish.offers.iter().find(|offer| offer.room() > 0) {
                let group = groups.entry(offer.gateway).or_insert((offer.room(), Vec::new()));
                group.1.push(wish);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        if !groups.is_empty() {
            // half of the turns begin with who is urgent: of both halves each gateway gets its turn
            let first = self.turns / 2 % groups.len();
            groups.rotate_left(first);
        }
        groups.sort_by_key(|(_, (_, wishes))| !wishes.iter().any(|wish| self.begins(wish)));
        groups.truncate(limit as usize);
        groups.sort_by_key(|(_, (room, _))| *room);
        let (mut left, mut behind) = (limit, u32::try_from(groups.len()).unwrap_or(u32::MAX));
        let mut shares = Vec::new();
        for (gateway, (room, wishes)) in groups {
            let room = room.min(left.div_ceil(behind));
            left -= room;
            behind -= 1;
            shares.extend(self.divide(gateway, room, wishes));
        }
        shares
    }

    /// Whether a route is among those that this turn begins with.
    fn begins(&self, wish: &Wish) -> bool {
        wish.head == Head::Urgent && self.turns.is_multiple_of(2)
    }

    fn divide(&mut self, gateway: GatewayId, room: u32, mut wishes: Vec<&Wish>) -> Vec<Share> {
        let count = u32::try_from(wishes.len()).unwrap_or(u32::MAX).max(1);
        let each = room / count;
        let rest = (room % count) as usize;
        wishes.sort_by_key(|wish| {
            let owed = self.owed.get(&wish.route).copied().unwrap_or(0);
            std::cmp::Reverse((self.begins(wish), owed))
        });
        let mut shares = Vec::new();
        for (place, wish) in wishes.into_iter().enumerate() {
            let route = wish.route.clone();
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

    fn wish(number: i64, offers: Vec<Offer>) -> Wish {
        Wish { route: route(number), offers, head: Head::Ordinary }
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
        let shares = Rounds::default().share(&[wish(1, vec![held, full, open(3, 4)])], TURN);
        assert_eq!(shares, [Share { route: route(1), gateway: GatewayId(3), count: 4 }]);
    }

    #[test]
    fn the_first_gateway_is_full_held_or_on_trial_no_longer_than_it_is() {
        let mut rounds = Rounds::default();
        let mut chosen = |first: Offer| {
            let shares = rounds.share(&[wish(1, vec![first, open(2, 9)])], TURN);
            shares.iter().map(|share| (share.gateway.0, share.count)).collect::<Vec<_>>()
        };
        assert_eq!(chosen(open(1, 0)), [(2, 9)]);
        assert_eq!(chosen(Offer { usable: Usable::ProbeDue, ..open(1, 9) }), [(2, 9)]);
        assert_eq!(chosen(Offer { usable: Usable::Trial, ..open(1, 9) }), [(1, 1)]);
        assert_eq!(chosen(open(1, 9)), [(1, 9)]);
    }

    #[test]
    fn none_usable_leaves_the_rows() {
        let held = Offer { usable: Usable::ProbeDue, ..open(1, 9) };
        assert!(Rounds::default().share(&[wish(1, vec![held]), wish(2, vec![])], TURN).is_empty());
    }

    #[test]
    fn a_trial_is_one_task() {
        let trial = Offer { usable: Usable::Trial, ..open(1, 9) };
        assert_eq!(Rounds::default().share(&[wish(1, vec![trial])], TURN)[0].count, 1);
    }

    #[test]
    fn routes_that_share_a_gateway_take_turns() {
        let wishes: Vec<_> = (1..=3).map(|number| wish(number, vec![open(1, 1)])).collect();
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
        let wishes = [wish(1, vec![open(1, 80)]), wish(2, vec![open(2, 80)])];
        let total: u32 =
            Rounds::default().share(&wishes, TURN).iter().map(|share| share.count).sum();
        assert_eq!(total, TURN);
    }

    fn count_of(shares: &[Share], gateway: i64) -> u32 {
        shares.iter().filter(|share| share.gateway.0 == gateway).map(|share| share.count).sum()
    }

    #[test]
    fn a_gateway_that_could_take_a_whole_turn_leaves_every_other_what_it_takes() {
        let wishes: Vec<_> = [(1, 500), (2, 3), (3, 60), (4, 500)]
            .map(|(id, free)| wish(id, vec![open(id, free)]))
            .into();
        let mut rounds = Rounds::default();
        for _ in 0..5 {
            let shares = rounds.share(&wishes, TURN);
            assert_eq!([1, 2, 3, 4].map(|id| count_of(&shares, id)).iter().sum::<u32>(), TURN);
            assert_eq!(count_of(&shares, 2), 3);
            assert!([1, 3, 4].iter().all(|id| count_of(&shares, *id) >= 32), "{shares:?}");
        }
    }

    #[test]
    fn of_more_gateways_than_a_turn_has_tasks_each_gets_its_turn() {
        let wishes: Vec<_> = (1..=250).map(|id| wish(id, vec![open(id, 9)])).collect();
        let mut rounds = Rounds::default();
        let mut served = BTreeMap::new();
        for _ in 0..500 {
            for share in rounds.share(&wishes, TURN) {
                *served.entry(share.gateway).or_insert(0) += share.count;
            }
        }
        assert_eq!(served.len(), 250);
        assert!(served.values().all(|count| *count == 2 * TURN), "{served:?}");
    }

    #[test]
    fn an_urgent_task_waits_one_turn_at_most_for_the_bulk_of_other_routes() {
        let of_one_gateway = |number| wish(number, vec![open(1, 1)]);
        let of_its_own = |number| wish(number, vec![open(number, 9)]);
        let shared: Vec<_> = (1..=500).map(of_one_gateway).collect();
        let own: Vec<_> = (1..=500).map(of_its_own).collect();
        for mut wishes in [shared, own] {
            let mut rounds = Rounds::default();
            for turns in 0..20 {
                (0..turns).for_each(|_| drop(rounds.share(&wishes, TURN)));
                wishes[250].head = Head::Urgent;
                let served = [rounds.share(&wishes, TURN), rounds.share(&wishes, TURN)].concat();
                assert!(served.iter().any(|share| share.route == route(251)), "{served:?}");
                wishes[250].head = Head::Ordinary;
            }
        }
    }

    #[test]
    fn who_is_urgent_all_the_time_gets_half() {
        let mut wishes: Vec<_> = (1..=3).map(|number| wish(number, vec![open(1, 1)])).collect();
        wishes[2].head = Head::Urgent;
        let mut rounds = Rounds::default();
        let mut served = BTreeMap::new();
        for _ in 0..300 {
            for share in rounds.share(&wishes, TURN) {
                *served.entry(share.route).or_insert(0) += share.count;
            }
        }
        assert_eq!(served.into_values().collect::<Vec<_>>(), [75, 75, 150]);
    }
}
