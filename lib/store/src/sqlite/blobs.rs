//! Blobs that were read lately, so that a mailing's notice and bundle are not read again for each task.

use crate::Hash;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes kept in each of the two halves.
const HALF_BYTES: usize = 16 * 1024 * 1024;

/// Two halves: what was used since the last turn-over, and what was used before it. Contents never change
/// under one hash, so nothing ever needs to be thrown out for being stale.
#[derive(Default)]
pub(super) struct Blobs {
    young: HashMap<Hash, Arc<[u8]>>,
    old: HashMap<Hash, Arc<[u8]>>,
    young_bytes: usize,
}

impl Blobs {
    pub(super) fn get(&mut self, hash: &Hash) -> Option<Arc<[u8]>> {
        if let Some(bytes) = self.young.get(hash) {
            return Some(Arc::clone(bytes));
        }
        let bytes = self.old.remove(hash)?;
        self.keep(*hash, Arc::clone(&bytes));
        Some(bytes)
    }

    pub(super) fn keep(&mut self, hash: Hash, bytes: Arc<[u8]>) {
        if self.young_bytes + bytes.len() > HALF_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes.len();
        self.young.insert(hash, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut blobs = Blobs::default();
        let big: Arc<[u8]> = vec![0; HALF_BYTES / 2].into();
        for number in 0..5 {
            blobs.keep(Hash([number; 32]), Arc::clone(&big));
            assert!(blobs.get(&Hash([0; 32])).is_some(), "{number}");
        }
        assert!(blobs.get(&Hash([1; 32])).is_none());
        assert!(blobs.young_bytes <= HALF_BYTES);
    }
}
