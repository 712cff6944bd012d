//! Ordered objects and followers (queue 3.6).

use super::kit::owner;
use super::{Fresh, Kit, demand, task};
use crate::sqlite::Order;
use crate::{Demand, Finish, NewTask, Pool, Settlement, Worker};
use notice::{Route, State, TaskId};

fn of(object: &str) -> NewTask {
    NewTask { object: object.to_owned(), ..task() }
}

fn on(route: &str, object: &str) -> NewTask {
    NewTask { route: Route::from_column(route.to_owned()), ..of(object) }
}

fn after(followed: TaskId, new: NewTask) -> NewTask {
    NewTask { follows: Some(followed), ..new }
}

fn claim_on(kit: &mut Kit, route: &str) -> crate::Lease {
    let route = Pool::Route(Route::from_column(route.to_owned()));
    let turn = kit.turn("w1", &[], &[Demand { pool: route, ..demand(1) }]);
    turn.claimed[0].lease
}

pub(crate) fn an_object_has_one_task_at_a_time(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&of("user/5"));
    let second = kit.enqueue(&of("user/5"));
    let third = kit.enqueue(&of("user/5"));
    let other = kit.enqueue(&of("user/6"));
    let elsewhere = kit.enqueue(&on("p2", "user/5"));
    assert_eq!(kit.order(), [first.0, other.0]);
    assert_eq!(kit.state(elsewhere), Some(State::Ready));
    let route = Route::from_column("p1".to_owned());
    let live = |kit: &mut Kit, object: &str| {
        kit.look(|seen| seen.tasks_of_object(&super::mail(), &route, object))
    };
    assert_eq!(live(&mut kit, "user/5"), [first, second, third]);
    assert_eq!((live(&mut kit, "user/6"), live(&mut kit, "")), (vec![other], vec![]));
    for (id, next) in [(first, second), (second, third)] {
        let leases = kit.claim(10);
        let lease = leases.iter().find(|one| one.lease.task == id).unwrap().lease;
        assert_eq!(kit.state(next), Some(State::Waiting));
        kit.settle(lease, Settlement::Gone);
        assert_eq!(kit.state(next), Some(State::Ready));
    }
}

pub(crate) fn a_failed_or_asked_task_does_not_hold_its_object(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for number in 0..3 {
        kit.enqueue(&of(&format!("user/{}", number / 3)));
    }
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Fail);
    assert_eq!(kit.state(TaskId(2)), Some(State::Ready));
    let lease = kit.claim_one().lease;
    let until = kit.now.plus(9);
    kit.settle(lease, Settlement::Ask { until });
    assert_eq!(kit.state(TaskId(3)), Some(State::Ready));
    // Neither does it hold one that comes later.
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Gone);
    let late = kit.enqueue(&of("user/0"));
    assert_eq!(kit.state(late), Some(State::Ready));
}

pub(crate) fn a_waiting_task_keeps_its_objects_turn(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&of("o"));
    let second = kit.enqueue(&of("o"));
    let lease = kit.claim_one().lease;
    let later = kit.later(1_000);
    kit.settle(lease, later);
    assert_eq!(kit.claim(10), []);
    kit.wait(1_000);
    let again = kit.claim_one();
    assert_eq!(again.lease.task, first);
    let now = kit.now;
    kit.change(|tx| tx.release(&owner("w1"), &[again.lease], now));
    assert_eq!(kit.state(second), Some(State::Waiting));
}

pub(crate) fn who_follows_waits_for_the_first_attempt(fresh: Fresh) {
    for ends_well in [true, false] {
        let mut kit = fresh(Order::Ageing);
        let first = kit.enqueue(&on("h1", "o"));
        let second = kit.enqueue(&after(first, on("h2", "o")));
        let plain = kit.enqueue(&after(first, NewTask { object: String::new(), ..on("h3", "") }));
        assert_eq!(
            (kit.state(second), kit.state(plain)),
            (Some(State::Waiting), Some(State::Waiting))
        );
        let lease = claim_on(&mut kit, "h1");
        // Given back it has not been tried.
        kit.settle(lease, Settlement::Back);
        assert_eq!(kit.state(second), Some(State::Waiting));
        let lease = claim_on(&mut kit, "h1");
        let settlement = if ends_well { Settlement::Gone } else { kit.later(1_000) };
        kit.settle(lease, settlement);
        assert_eq!((kit.state(second), kit.state(plain)), (Some(State::Ready), Some(State::Ready)));
        // Who comes now need not wait any more.
        let late = kit.enqueue(&after(first, on("h4", "o")));
        assert_eq!(kit.state(late), Some(State::Ready));
    }
}

pub(crate) fn trouble_of_one_object_holds_nobody_else(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    // Event 1 and event 2 of one object, each for handlers h1, then h2.
    let first_h1 = kit.enqueue(&on("h1", "o"));
    let first_h2 = kit.enqueue(&after(first_h1, on("h2", "o")));
    let second_h1 = kit.enqueue(&on("h1", "o"));
    let second_h2 = kit.enqueue(&after(second_h1, on("h2", "o")));
    let lease = claim_on(&mut kit, "h1");
    let later = kit.later(60_000);
    kit.settle(lease, later);
    // h1 is in trouble: h2 goes on with both events, in their order.
    assert_eq!(kit.state(first_h2), Some(State::Ready));
    assert_eq!(kit.state(second_h1), Some(State::Waiting));
    let lease = claim_on(&mut kit, "h2");
    assert_eq!(lease.task, first_h2);
    kit.settle(lease, Settlement::Gone);
    assert_eq!(kit.state(second_h2), Some(State::Ready));
    // And a third event's task for h2 does not wait for the one behind the trouble.
    let third_h1 = kit.enqueue(&on("h1", "o"));
    let lease = claim_on(&mut kit, "h2");
    kit.settle(lease, Settlement::Gone);
    let third_h2 = kit.enqueue(&after(third_h1, on("h2", "o")));
    assert_eq!(kit.state(third_h2), Some(State::Ready));
}

pub(crate) fn a_time_of_its_own_does_not_overtake_the_object(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&of("o"));
    let timed = kit.enqueue(&NewTask { not_before: Some(kit.now.plus(10)), ..of("o") });
    kit.wait(10);
    let lease = kit.claim_one().lease;
    assert_eq!(lease.task, first);
    assert_eq!(kit.state(timed), Some(State::Waiting));
    kit.settle(lease, Settlement::Gone);
    assert_eq!(kit.state(timed), Some(State::Ready));
    // The other way round: its turn comes before its time.
    let early = kit.enqueue(&NewTask { not_before: Some(kit.now.plus(100)), ..of("o") });
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Gone);
    assert_eq!(kit.state(early), Some(State::Waiting));
    kit.wait(100);
    assert_eq!(kit.order(), [early.0]);
}

pub(crate) fn cancel_and_expiry_let_the_next_go(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&of("o"));
    let lapsing = kit.enqueue(&NewTask { expires: Some(kit.now.plus(10)), ..of("o") });
    let third = kit.enqueue(&of("o"));
    let follower = kit.enqueue(&after(lapsing, on("h2", "")));
    let now = kit.now;
    kit.change(|tx| tx.end(&[first], Finish::Cancel, "", now));
    assert_eq!(kit.state(lapsing), Some(State::Ready));
    assert_eq!(kit.state(follower), Some(State::Waiting));
    kit.wait(10);
    kit.turn("w1", &[], &[]);
    assert_eq!((kit.state(third), kit.state(follower)), (Some(State::Ready), Some(State::Ready)));
}

pub(crate) fn a_retried_task_goes_before_the_younger_ones(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&of("o"));
    let second = kit.enqueue(&of("o"));
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Fail);
    assert_eq!(kit.state(second), Some(State::Ready));
    let now = kit.now;
    kit.change(|tx| tx.retry(&[first], now));
    assert_eq!(kit.state(second), Some(State::Waiting));
    let lease = kit.claim_one().lease;
    assert_eq!(lease.task, first);
    kit.settle(lease, Settlement::Gone);
    assert_eq!(kit.order(), [second.0]);
}

pub(crate) fn a_row_deleted_by_hand_holds_nobody_for_long(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&on("h1", "o"));
    let second = kit.enqueue(&on("h1", "o"));
    let follower = kit.enqueue(&after(first, on("h2", "")));
    let worker = Worker {
        owner: "w9".to_owned(),
        host: String::new(),
        boot_id: String::new(),
        pid: 1,
        beat: kit.now,
    };
    // Nothing is deleted: nothing changes.
    kit.change(|tx| tx.add_worker(&worker));
    assert_eq!(
        (kit.state(second), kit.state(follower)),
        (Some(State::Waiting), Some(State::Waiting))
    );
    kit.delete_by_hand(first);
    kit.change(|tx| tx.add_worker(&worker));
    assert_eq!((kit.state(second), kit.state(follower)), (Some(State::Ready), Some(State::Ready)));
}
