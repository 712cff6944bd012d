//! How long what has ended is kept (queue 3.10).

use notice::Ms;

/// Log rows, events, failed tasks and ended downtimes, in ms.
pub(crate) const LOG_MS: i64 = 30 * Ms::DAY;
/// Keys after the end of their task, and blobs after their last use, in ms.
pub(crate) const KEY_MS: i64 = 7 * Ms::DAY;
