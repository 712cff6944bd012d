//! Not before, expiry, and what is due when (queue 3.2).

use super::{Fresh, demand, task};
use crate::sqlite::Order;
use crate::{NewTask, Settlement};
use notice::{Ms, State, UserId};

pub(crate) fn a_task_waits_for_its_time(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let at = kit.now.plus(3_600_000);
    let id = kit.enqueue(&NewTask { not_before: Some(at), ..task() });
    let past = kit.enqueue(&NewTask { not_before: Some(kit.now), ..task() });
    assert_eq!(kit.state(id), Some(State::Waiting));
    assert_eq!(kit.order(), [past.0]);
    kit.wait(3_600_000 - 1);
    assert_eq!(kit.order(), [past.0]);
    kit.wait(1);
    assert_eq!(kit.order(), [past.0, id.0]);
    assert_eq!(kit.row(id).ready, at);
    assert_eq!(kit.row(id).queued, at, "its age counts from its time");
}

pub(crate) fn an_expired_task_leaves_with_a_log_row(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let end = kit.now.plus(1_000);
    let ready = kit.enqueue(&NewTask { expires: Some(end), ..task() });
    let not_before = Some(kit.now.plus(Ms::DAY));
    let waiting = kit.enqueue(&NewTask { expires: Some(end), not_before, ..task() });
    kit.wait(999);
    assert_eq!(kit.turn("w1", &[], &[]).expired, 0);
    kit.wait(1);
    assert_eq!(kit.turn("w1", &[], &[demand(5)]), crate::Turn { expired: 2, ..Default::default() });
    assert_eq!((kit.state(ready), kit.state(waiting)), (None, None));
    let log = kit.log();
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|row| row.row.outcome == "expired" && row.row.at == end));
    assert_eq!(log[0].row.user, Some(UserId(7)));
}

pub(crate) fn what_is_being_sent_does_not_expire(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&NewTask { expires: Some(kit.now.plus(1_000)), ..task() });
    let lease = kit.claim_one().lease;
    kit.wait(5_000);
    assert_eq!(kit.turn("w1", &[], &[]).expired, 0);
    assert_eq!(kit.state(id), Some(State::Sending));
    let later = kit.later(10);
    // Put off in the turn that also expires: gone at once.
    let done = kit.done(lease, later);
    let turn = kit.turn("w1", &[done], &[]);
    assert_eq!((turn.lost.len(), turn.expired, kit.state(id)), (0, 1, None));
}

pub(crate) fn a_claim_hands_out_nothing_that_has_lapsed(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let lapsing = NewTask { expires: Some(kit.now.plus(10)), ..task() };
    let now = kit.now;
    // More than one turn takes away.
    kit.change(|tx| tx.enqueue(&vec![lapsing.clone(); 560], now));
    let fresh_one = kit.enqueue(&task());
    kit.wait(10);
    let turn = kit.turn("w1", &[], &[demand(100)]);
    let ids: Vec<_> = turn.claimed.iter().map(|one| one.lease.task).collect();
    assert_eq!((ids, turn.expired), (vec![fresh_one], 560));
    assert_eq!(kit.log().len(), 560);
}

pub(crate) fn the_next_due_moment_is_known(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let start = kit.now;
    assert_eq!(kit.look(|seen| seen.next_due()), None);
    kit.enqueue(&task());
    assert_eq!(kit.look(|seen| seen.next_due()), None);
    let lease = kit.claim_one().lease;
    assert_eq!(kit.look(|seen| seen.next_due()), Some(start.plus(60_000)));
    kit.enqueue(&NewTask { not_before: Some(start.plus(50_000)), ..task() });
    assert_eq!(kit.look(|seen| seen.next_due()), Some(start.plus(50_000)));
    kit.enqueue(&NewTask { expires: Some(start.plus(40_000)), ..task() });
    assert_eq!(kit.look(|seen| seen.next_due()), Some(start.plus(40_000)));
    kit.settle(lease, Settlement::Ask { until: start.plus(30_000) });
    assert_eq!(kit.look(|seen| seen.next_due()), Some(start.plus(30_000)));
}

pub(crate) fn a_backlog_of_due_tasks_is_moved_in_chunks(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let waiting = NewTask { not_before: Some(kit.now.plus(10)), ..task() };
    let now = kit.now;
    kit.change(|tx| tx.enqueue(&vec![waiting.clone(); 1_200], now));
    kit.wait(10);
    let promoted: Vec<u32> = (0..4).map(|_| kit.turn("w1", &[], &[]).promoted).collect();
    assert_eq!(promoted, [500, 500, 200, 0]);
}
