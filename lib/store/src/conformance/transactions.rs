//! One transaction, one view, one wake-up (queue 2, 3.9).

use super::{Fresh, task};
use crate::sqlite::Order;
use crate::{Durability, Result, StoreError, Woken};
use std::time::Duration;

pub(crate) fn an_error_rolls_everything_back(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let now = kit.now;
    let refused = kit.try_change(|tx| -> Result<()> {
        tx.enqueue(&[task()], now)?;
        tx.set_setting("x", "1")?;
        Err(StoreError::Refused { operation: "test", reason: "mine".to_owned() })
    });
    assert_eq!(refused.unwrap_err().to_string(), "can't test: mine");
    assert_eq!(kit.order(), []);
    assert_eq!(kit.look(|seen| seen.setting("x")), None);
    // A refused statement inside does not spoil what the closure goes on to do.
    kit.change(|tx| {
        tx.add_user_column("not a name").unwrap_err();
        tx.set_setting("x", "2")
    });
    assert_eq!(kit.look(|seen| seen.setting("x")).as_deref(), Some("2"));
}

pub(crate) fn a_waiting_worker_is_woken(fresh: Fresh) {
    let mut kit = fresh(Order::Ageing);
    let mut waker = kit.store.waker().unwrap();
    let now = kit.now;
    crate::write(&mut *kit.other, Durability::Power, |tx| tx.enqueue(&[task()], now)).unwrap();
    kit.other.wake();
    assert_eq!(waker.wait(Duration::from_secs(20)), Woken::News);
    assert_eq!(kit.order(), [1]);
}
