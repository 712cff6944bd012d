//! Order, routes and what a claim takes (queue 2, 3.3; S3-29, S3-32).

use super::kit::owner;
use super::{Fresh, Kit, demand, mail, module, task};
use crate::sqlite::Order;
use crate::{Body, Ceiling, Demand, NewTask, Pool, Settlement, TaskFilter, Urgent};
use notice::{GatewayId, Ms, Priority, Route, State, TaskId};

fn of_priority(number: i64) -> NewTask {
    NewTask { priority: Priority::new(number).unwrap(), ..task() }
}

// S3-29
pub(crate) fn an_urgent_task_overtakes_the_mailing_queued_before_it(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let bulk = vec![of_priority(0); 2_000];
    let now = kit.now;
    kit.change(|tx| tx.enqueue(&bulk, now));
    assert_eq!(kit.claim(100).len(), 100);
    kit.wait(23 * 3_600_000);
    let urgent = kit.enqueue(&of_priority(1));
    assert_eq!(kit.claim_one().lease.task, urgent);
}

pub(crate) fn a_day_of_waiting_outweighs_a_step_of_priority(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let old = kit.enqueue(&of_priority(0));
    kit.wait(Ms::DAY + 1);
    let young = kit.enqueue(&of_priority(1));
    let most_urgent = kit.enqueue(&of_priority(1_000_000));
    assert_eq!(kit.order(), [most_urgent.0, old.0, young.0]);
}

// S3-29: plain descending priority
pub(crate) fn the_strict_order_knows_no_ageing(fresh: Fresh) {
    let mut kit = fresh(Order::Strict);
    let old = kit.enqueue(&of_priority(0));
    kit.wait(300 * Ms::DAY);
    let young = kit.enqueue(&of_priority(1));
    let lowest = kit.enqueue(&of_priority(-1_000_000));
    assert_eq!(kit.order(), [young.0, old.0, lowest.0]);
}

pub(crate) fn equals_are_taken_by_age(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&task());
    let second = kit.enqueue(&task());
    kit.wait(1);
    let third = kit.enqueue(&task());
    assert_eq!(kit.order(), [first.0, second.0, third.0]);
    // Retried, the first stands behind what came meanwhile.
    let lease = kit.claim_one().lease;
    let later = kit.later(1_000);
    kit.settle(lease, later);
    kit.wait(1_000);
    assert_eq!(kit.order(), [second.0, third.0, first.0]);
}

pub(crate) fn a_claim_takes_only_its_module_and_route(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let route = |name: &str| Route::from_column(name.to_owned());
    let mine = kit.enqueue(&task());
    kit.enqueue(&NewTask { route: route("p2"), ..task() });
    kit.enqueue(&NewTask { module: module("ntsms"), ..task() });
    assert_eq!(kit.order(), [mine.0]);
    let routes = kit.look(|seen| seen.ready_routes(&mail(), false));
    assert_eq!(routes, [route("p1"), route("p2")]);
    assert_eq!(kit.look(|seen| seen.ready_routes(&module("nthandler"), false)), []);
    let claimed = kit.claim_one();
    assert_eq!((claimed.gateway, claimed.attempt), (Some(GatewayId(1)), 1));
    let row = kit.row(mine);
    assert_eq!((row.state, row.last_gateway), (State::Sending, Some(GatewayId(1))));
    assert_eq!(kit.look(|seen| seen.ready_routes(&mail(), false)), [route("p2")]);
}

pub(crate) fn a_turn_claims_at_most_a_hundred(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let now = kit.now;
    let other = NewTask { route: Route::from_column("p2".to_owned()), ..task() };
    kit.change(|tx| tx.enqueue(&vec![task(); 90], now));
    kit.change(|tx| tx.enqueue(&vec![other.clone(); 90], now));
    let second = Demand { pool: Pool::Route(other.route.clone()), ..demand(90) };
    let turn = kit.turn("w1", &[], &[demand(90), second]);
    assert_eq!(turn.claimed.len(), 100);
    assert_eq!(turn.claimed.iter().filter(|one| one.route == other.route).count(), 10);
}

// S1-26
pub(crate) fn a_ceiling_counts_what_everybody_has_claimed(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for _ in 0..5 {
        kit.enqueue(&task());
    }
    let ceiling = Some(Ceiling { route: task().route, at_once: 2 });
    let want = Demand { ceiling, ..demand(10) };
    let first = kit.turn("w1", &[], std::slice::from_ref(&want)).claimed;
    assert_eq!(first.len(), 2);
    let bound = Demand { pool: Pool::Bound, ..want.clone() };
    assert_eq!(kit.turn("w2", &[], &[want.clone(), bound]).claimed, []);
    kit.settle(first[0].lease, Settlement::Gone);
    assert_eq!(kit.turn("w2", &[], std::slice::from_ref(&want)).claimed.len(), 1);
    let elsewhere = Ceiling { route: Route::from_column("p2".to_owned()), at_once: 1 };
    let other = Demand { ceiling: Some(elsewhere), ..demand(1) };
    assert_eq!(kit.turn("w2", &[], &[other]).claimed.len(), 1, "another route's rows do not count");
}

pub(crate) fn unread_files_are_a_route_of_their_own(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    kit.enqueue(&task());
    let file = Body::File("var/notify/2026-11-22/5".to_owned());
    let id = kit.enqueue(&NewTask { body: file, route: Route::unread(), ..task() });
    let routes = kit.look(|seen| seen.ready_routes(&mail(), false));
    assert_eq!(routes[0], Route::unread());
    let unread = Demand { pool: Pool::Route(Route::unread()), gateway: None, ..demand(10) };
    let claimed = kit.turn("w1", &[], &[unread]).claimed;
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].lease.task, claimed[0].gateway, &claimed[0].body), (id, None, &None));
    assert_eq!(claimed[0].filename, "var/notify/2026-11-22/5");
}

// S3-32
pub(crate) fn while_paused_only_forced_tasks_go_out(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let plain = kit.enqueue(&of_priority(1_000));
    let forced = kit.enqueue(&NewTask { forced: true, ..task() });
    let other = Route::from_column("p2".to_owned());
    kit.enqueue(&NewTask { route: other, ..task() });
    let routes = kit.look(|seen| seen.ready_routes(&mail(), true));
    assert_eq!(routes, [Route::from_column("p1".to_owned())]);
    let paused = Demand { forced_only: true, ..demand(10) };
    let claimed = kit.turn("w1", &[], &[paused]).claimed;
    assert_eq!(claimed.iter().map(|one| one.lease.task).collect::<Vec<_>>(), [forced]);
    assert!(claimed[0].forced);
    assert_eq!(kit.claim_one().lease.task, plain);
}

pub(crate) fn what_may_have_been_sent_goes_to_its_gateway_only(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let unknown = Settlement::Wait { at: kit.now, spent: true, maybe_sent: true };
    kit.settle(lease, unknown);
    assert!(kit.row(id).maybe_sent);
    assert_eq!(kit.claim(10), []);
    assert_eq!(kit.look(|seen| seen.ready_routes(&mail(), false)), []);
    assert_eq!(kit.look(|seen| seen.bound_gateways(&mail(), false)), [GatewayId(1)]);
    assert_eq!(kit.look(|seen| seen.bound_gateways(&mail(), true)), []);
    let bound = |gateway| Demand { pool: Pool::Bound, gateway, ..demand(10) };
    assert_eq!(kit.turn("w1", &[], &[bound(Some(GatewayId(2))), bound(None)]).claimed, []);
    let claimed = kit.turn("w1", &[], &[bound(Some(GatewayId(1)))]).claimed;
    assert_eq!(claimed.len(), 1);
    assert!(claimed[0].maybe_sent);
    // Put off without a word of doubt, the doubt stays.
    let later = kit.later(0);
    kit.settle(claimed[0].lease, later);
    assert!(kit.row(id).maybe_sent);
    // Without a gateway there is none to be bound to.
    let free = kit.enqueue(&task());
    let nobody = Demand { gateway: None, ..demand(1) };
    let lease = kit.turn("w1", &[], &[nobody]).claimed[0].lease;
    let unknown = Settlement::Wait { at: kit.now, spent: true, maybe_sent: true };
    kit.settle(lease, unknown);
    assert_eq!(kit.order(), [free.0]);
}

pub(crate) fn counts_tell_where_tasks_stand(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let start = kit.now;
    for _ in 0..3 {
        kit.enqueue(&task());
        kit.wait(10);
    }
    kit.enqueue(&NewTask { route: Route::from_column("p2".to_owned()), ..task() });
    kit.enqueue(&NewTask { not_before: Some(kit.now.plus(1)), ..task() });
    kit.claim_one();
    let counts = kit.look(|seen| seen.counts());
    let seen: Vec<_> = counts
        .iter()
        .map(|count| (count.route.as_str(), count.state, count.tasks, count.oldest.since(start)))
        .collect();
    assert_eq!(
        seen,
        [
            ("p1", State::Ready, 2, 10),
            ("p1", State::Sending, 1, 0),
            ("p1", State::Waiting, 1, 30),
            ("p2", State::Ready, 1, 30),
        ]
    );
    assert_eq!(counts[0].module, "ntemail");
}

pub(crate) fn lists_filter_and_page(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for _ in 0..6 {
        kit.enqueue(&task());
        kit.wait(10);
    }
    kit.enqueue(&NewTask { module: module("ntsms"), ..task() });
    for lease in kit.claim(3).into_iter().map(|one| one.lease) {
        let mut done = kit.done(lease, Settlement::Fail);
        done.reason = format!("no {} such user", lease.task);
        kit.turn("w1", &[done], &[]);
    }
    kit.change(|tx| tx.release(&owner("w1"), &[], Ms(0)));
    let all = TaskFilter::default();
    let cases = [
        (all.clone(), None, vec![7, 6, 5, 4, 3, 2, 1]),
        (all.clone(), Some(TaskId(5)), vec![4, 3, 2, 1]),
        (TaskFilter { state: Some(State::Failed), ..all.clone() }, None, vec![3, 2, 1]),
        (TaskFilter { state: Some(State::Failed), ..all.clone() }, Some(TaskId(3)), vec![2, 1]),
        (TaskFilter { state: Some(State::Ready), ..all.clone() }, None, vec![7, 6, 5, 4]),
        (TaskFilter { state: Some(State::Asked), ..all.clone() }, None, vec![]),
        (TaskFilter { module: Some(module("ntsms")), ..all.clone() }, None, vec![7]),
        (TaskFilter { gateway: Some(GatewayId(1)), ..all.clone() }, None, vec![3, 2, 1]),
        (TaskFilter { reason: Some("no 2 such".to_owned()), ..all.clone() }, None, vec![2]),
        (
            TaskFilter { queued_before: Some(Ms(super::Kit::START.0 + 20)), ..all.clone() },
            None,
            vec![2, 1],
        ),
    ];
    for (filter, before, expected) in cases {
        let rows = kit.look(|seen| seen.tasks(&filter, before, 100));
        assert_eq!(rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), expected, "{filter:?}");
        let two = kit.look(|seen| seen.tasks(&filter, before, 2));
        assert_eq!(two, rows[..rows.len().min(2)], "{filter:?}");
    }
}

pub(crate) fn urgent_tasks_are_seen_by_their_routes(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let of = |route: &str, priority| NewTask {
        route: Route::from_column(route.to_owned()),
        priority: Priority::new(priority).unwrap(),
        ..task()
    };
    let mut expected = Vec::new();
    for (route, priority) in [("p2", 0), ("p1", 5), ("p10", 1), ("", 9), ("p1", 9), ("p2", -1)] {
        kit.wait(10);
        let id = kit.enqueue(&of(route, priority));
        if priority > 0 {
            expected.push((route, id, kit.now));
        }
    }
    let other = NewTask { module: module("ntsms"), ..of("p1", 5) };
    kit.enqueue(&other);
    // the second of p1 is more urgent, and younger
    expected.remove(3);
    expected.sort_unstable();
    let seen = |kit: &mut Kit| {
        let urgent = kit.look(|seen| seen.urgent_routes(&mail()));
        let one = |one: &Urgent| (one.route.as_str().to_owned(), one.task, one.ready);
        urgent.iter().map(one).collect::<Vec<_>>()
    };
    let owned = |(route, id, at): &(&str, TaskId, Ms)| ((*route).to_owned(), *id, *at);
    assert_eq!(seen(&mut kit), expected.iter().map(owned).collect::<Vec<_>>());
    // what is being sent waits no more
    assert_eq!(kit.claim(2).len(), 2);
    expected.retain(|(route, ..)| *route != "p1");
    assert_eq!(seen(&mut kit), expected.iter().map(owned).collect::<Vec<_>>());
}
