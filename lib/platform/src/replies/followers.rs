//! Who follows which message at this moment.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Ids of the messages that are being followed.
#[derive(Default)]
pub(crate) struct Followers(Mutex<BTreeSet<i64>>);

/// One who follows a message, until it is dropped.
pub(crate) struct Following<'a> {
    id: i64,
    all: &'a Followers,
}

impl Followers {
    /// None: another follows it.
    pub(crate) fn enter(&self, id: i64) -> Option<Following<'_>> {
        let is_first = self.ids().insert(id);
        is_first.then(|| Following { id, all: self })
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
    }
}
