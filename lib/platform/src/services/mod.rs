//! Services: what was ordered, and the tasks that open, suspend, resume, change and close it (001).

mod operation;
mod rows;
mod servers;
mod task;

pub use operation::ServiceOperation;
pub use task::{ServiceCall, ServiceTask, ServiceTurn, service_call};

use crate::function::Function;

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[];
