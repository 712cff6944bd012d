//! Provisioning handlers: scripts and URLs told of every event, by tasks in the queue (002).

use crate::function::Function;
use notice::Ms;
use store::{Event, Tx};

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[];

/// Writes the deliveries of an event, in the transaction that writes or tells it: one task for each handler of
/// `provisioning_active` that waits for it. Answers with how many.
#[expect(clippy::unnecessary_wraps, reason = "nobody waits for anything yet")]
pub(crate) fn fan_out(_tx: &mut dyn Tx, _event: &Event, _now: Ms) -> store::Result<u64> {
    Ok(0)
}
