//! Keys and duplicates (queue 3.4).

use super::{Fresh, task};
use crate::sqlite::Order;
use crate::{Accepted, NewTask, Retention, Settlement};
use notice::{Ms, TaskId};

fn keyed(key: &str) -> NewTask {
    NewTask { key: Some(key.to_owned()), ..task() }
}

pub(crate) fn a_repeated_key_answers_with_the_first_id(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&keyed("invoice-5/7/ntemail"));
    assert_eq!(kit.accept(&keyed("invoice-5/7/ntemail")), Accepted::Duplicate(first));
    let both = [keyed("twice/7/ntemail"), keyed("twice/7/ntemail")];
    let now = kit.now;
    let accepted = kit.change(|tx| tx.enqueue(&both, now));
    assert_eq!(accepted, [Accepted::New(TaskId(2)), Accepted::Duplicate(TaskId(2))]);
    assert_eq!(kit.order().len(), 2);
}

pub(crate) fn a_key_is_remembered_for_seven_days_past_the_end(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let first = kit.enqueue(&keyed("k/7/ntemail"));
    kit.wait(20 * Ms::DAY);
    let lease = kit.claim_one().lease;
    kit.settle(lease, Settlement::Gone);
    kit.wait(6 * Ms::DAY);
    let now = kit.now;
    kit.change(|tx| tx.prune(now, &Retention::SHIPPED));
    assert_eq!(kit.accept(&keyed("k/7/ntemail")), Accepted::Duplicate(first));
    kit.wait(2 * Ms::DAY);
    let now = kit.now;
    kit.change(|tx| tx.prune(now, &Retention::SHIPPED));
    assert_eq!(kit.accept(&keyed("k/7/ntemail")), Accepted::New(TaskId(first.0 + 1)));
}

pub(crate) fn a_task_without_a_key_has_a_stable_one(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let id = kit.enqueue(&task());
    let first = kit.claim_one();
    assert!(first.key.ends_with(&format!(":{id}")), "{}", first.key);
    assert_eq!(kit.row(id).key.as_ref(), Some(&first.key));
    assert_eq!(kit.look(|seen| seen.key_of_task(id)).as_ref(), Some(&first.key));
    assert_eq!(kit.look(|seen| seen.tasks_of_key(&first.key)), [id]);
    let later = kit.later(1_000);
    kit.settle(first.lease, later);
    kit.wait(1_000);
    let second = kit.claim_one();
    assert_eq!((second.key, second.attempt), (first.key, 2));
}

pub(crate) fn a_key_finds_the_tasks_that_begin_with_it(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    for key in ["sale/1/ntemail", "sale/2/ntemail", "sale2/1/ntemail", "sal", "sale"] {
        kit.enqueue(&keyed(key));
    }
    let mut find = |key: &str| {
        let ids = kit.look(|seen| seen.tasks_of_key(key));
        ids.into_iter().map(|id| id.0).collect::<Vec<_>>()
    };
    assert_eq!(find("sale"), [5, 2, 1]);
    assert_eq!(find("sale/1"), [1]);
    assert_eq!(find("nothing"), []);
}
