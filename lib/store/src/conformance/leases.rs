//! The fence (queue 3.1).

use super::kit::owner;
use super::{Fresh, Kit, demand, task};
use crate::sqlite::Order;
use crate::{Demand, Effect, Lease, Settlement, TaskRow, Worker};
use notice::{GatewayId, State, UserId};

fn every_settlement(kit: &Kit) -> [Settlement; 7] {
    let at = kit.now.plus(1_000);
    [
        Settlement::Gone,
        Settlement::Wait { at, spent: true, maybe_sent: false },
        Settlement::Wait { at, spent: false, maybe_sent: true },
        Settlement::Back,
        Settlement::Fail,
        Settlement::Ask { until: at },
        Settlement::Ask { until: kit.now },
    ]
}

/// A task whose lease was lost: another worker has it since; the lost lease and the row.
fn lost(kit: &mut Kit) -> (Lease, TaskRow) {
    kit.enqueue(&task());
    let first = kit.claim_one().lease;
    let now = kit.now;
    kit.change(|tx| tx.release(&owner("w1"), &[first], now));
    let second = kit.turn("w2", &[], &[demand(1)]).claimed.remove(0).lease;
    assert!(second.seq > first.seq);
    (first, kit.row(first.task))
}

pub(crate) fn a_lost_lease_settles_nothing(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (lease, row) = lost(&mut kit);
    for settlement in every_settlement(&kit) {
        let turn = kit.settle(lease, settlement.clone());
        assert_eq!(turn.lost, [lease], "{settlement:?}");
        assert_eq!(kit.row(row.id), row, "{settlement:?}");
    }
    // The right number under the wrong name is as bad, and so is a row that is gone.
    let stolen = Lease { task: lease.task, seq: lease.seq + 1 };
    assert_eq!(kit.settle(stolen, Settlement::Gone).lost, [stolen]);
    let done = kit.done(stolen, Settlement::Gone);
    assert_eq!(kit.turn("w2", std::slice::from_ref(&done), &[]).lost, []);
    assert_eq!(kit.turn("w2", &[done], &[]).lost, [stolen]);
}

pub(crate) fn a_lost_lease_leaves_no_effect_and_no_log(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (lease, _) = lost(&mut kit);
    for settlement in every_settlement(&kit) {
        let mut done = kit.done(lease, settlement);
        done.effects = vec![Effect::Inbox {
            user: UserId(7),
            subject: "Hello".to_owned(),
            text: "text".to_owned(),
        }];
        kit.turn("w1", &[done], &[]);
    }
    assert_eq!(kit.look(|seen| seen.inbox(UserId(7), None, 10)), []);
    assert_eq!(kit.log(), []);
}

pub(crate) fn two_owners_never_have_one_task(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let now = kit.now;
    kit.change(|tx| tx.enqueue(&vec![task(); 50], now));
    let mut seen = std::collections::BTreeSet::new();
    for name in ["w1", "w2", "w3", "w4", "w5"].repeat(2) {
        for claimed in kit.turn(name, &[], &[demand(7)]).claimed {
            assert!(seen.insert(claimed.lease.task), "{:?} twice", claimed.lease);
        }
    }
    assert_eq!(seen.len(), 50);
}

pub(crate) fn a_lease_is_extended_only_for_its_owner(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    kit.enqueue(&task());
    kit.enqueue(&task());
    let leases: Vec<Lease> = kit.claim(2).into_iter().map(|one| one.lease).collect();
    kit.settle(leases[0], Settlement::Gone);
    let (until, now) = (kit.now.plus(120_000), kit.now);
    let ours = kit.change(|tx| tx.extend(&owner("w1"), &leases, until, now));
    assert_eq!(ours, [leases[1]]);
    assert_eq!(kit.row(leases[1].task).lease_until, Some(until));
    let theirs = kit.change(|tx| tx.extend(&owner("w2"), &leases, until.plus(1), now));
    assert_eq!(theirs, []);
    assert_eq!(kit.row(leases[1].task).lease_until, Some(until));
}

pub(crate) fn released_tasks_are_unharmed(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let before = kit.row(id);
    let lease = kit.claim_one().lease;
    let now = kit.now;
    assert_eq!(kit.change(|tx| tx.release(&owner("w2"), &[lease], now)), 0);
    assert_eq!(kit.change(|tx| tx.release(&owner("w1"), &[lease], now)), 1);
    assert_eq!(kit.row(id), TaskRow { last_gateway: Some(GatewayId(1)), ..before });
    assert_eq!(kit.change(|tx| tx.release(&owner("w1"), &[lease], now)), 0);
}

pub(crate) fn a_held_gateway_gives_attempts_back(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let lease = kit.claim_one().lease;
    let later = kit.later(60_000);
    kit.settle(lease, later);
    let (now, old) = (kit.now, Lease { seq: lease.seq - 1, ..lease });
    assert_eq!(kit.change(|tx| tx.give_back(&[old], now)), 0);
    assert_eq!(kit.change(|tx| tx.give_back(&[lease], now)), 1);
    let row = kit.row(id);
    assert_eq!((row.state, row.attempt, row.error_count), (State::Ready, 0, 0));
    assert_eq!(kit.change(|tx| tx.give_back(&[lease], now)), 0);
}

pub(crate) fn leases_are_listed_by_owner(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let now = kit.now;
    kit.change(|tx| tx.enqueue(&vec![task(); 3], now));
    let late = Demand { lease_until: now.plus(90_000), ..demand(1) };
    kit.turn("b", &[], &[late]);
    kit.turn("b", &[], &[demand(1)]);
    kit.turn("a", &[], &[Demand { gateway: None, ..demand(1) }]);
    assert_eq!(kit.look(|seen| seen.lease_owners()), ["a", "b"]);
    let leases = kit.look(|seen| seen.leases_of("b"));
    let gateway = Some(GatewayId(1));
    assert_eq!(leases.len(), 2);
    assert_eq!((leases[0].0.task.0, leases[0].1, leases[0].2), (2, now.plus(60_000), gateway));
    assert_eq!((leases[1].0.task.0, leases[1].1), (1, now.plus(90_000)));
    assert_eq!(kit.look(|seen| seen.leases_of("a"))[0].2, None);
    assert_eq!(kit.look(|seen| seen.leases_of("nobody")), []);
}

pub(crate) fn a_split_needs_its_lease(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let (lease, row) = lost(&mut kit);
    let now = kit.now;
    let parts = [task(), task()];
    assert_eq!(kit.change(|tx| tx.split(&owner("w1"), lease, &parts, now)), None);
    assert_eq!(kit.row(row.id), row);
    let ours = Lease { seq: lease.seq + 1, ..lease };
    kit.try_change(|tx| tx.split(&owner("w2"), ours, &[], now)).unwrap_err();
    assert_eq!(kit.row(row.id), row);
}

pub(crate) fn workers_come_beat_and_go(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let worker = Worker {
        owner: "w1".to_owned(),
        host: "box".to_owned(),
        boot_id: "boot".to_owned(),
        pid: 5,
        beat: kit.now,
    };
    kit.change(|tx| tx.add_worker(&worker));
    kit.wait(20_000);
    let (until, now) = (kit.now.plus(1), kit.now);
    kit.change(|tx| tx.extend(&owner("w1"), &[], until, now));
    kit.change(|tx| tx.extend(&owner("w2"), &[], until, now));
    assert_eq!(kit.look(|seen| seen.workers()), [Worker { beat: now, ..worker }]);
    kit.change(|tx| tx.remove_worker("w1"));
    assert_eq!(kit.look(|seen| seen.workers()), []);
}
