//! People and what they do live: sessions, accounts, agents, shared data.

use crate::function::Function;

/// The table.
pub(super) static FUNCTIONS: &[Function] = &[];
