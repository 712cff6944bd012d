//! Services: what was ordered, and the tasks that open, suspend, resume, change and close it (001).

use crate::function::Function;

/// Its functions.
pub(crate) static FUNCTIONS: &[Function] = &[];
