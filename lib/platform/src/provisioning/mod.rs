//! Provisioning handlers: scripts and URLs told of every event, by tasks in the queue (002).

use crate::function::Function;

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[];
