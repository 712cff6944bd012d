//! The messages that are being followed at this moment.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Ids of messages in somebody's hand.
#[derive(Default)]
pub(crate) struct InHand(Mutex<BTreeSet<i64>>);

/// A message in one's own hand, until it is dropped.
pub(crate) struct Held<'a> {
    id: i64,
    all: &'a InHand,
}

impl InHand {
    /// None: it is in another's hand.
    pub(crate) fn take(&self, id: i64) -> Option<Held<'_>> {
        let is_free = self.ids().insert(id);
        is_free.then(|| Held { id, all: self })
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
    }
}
