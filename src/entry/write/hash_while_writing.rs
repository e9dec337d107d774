//! The leaves of an array that is written, hashed by two.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::digest::{Digest, LEAF, leaf_of};

/// The leaves of some bytes, each of which is hashed once, by whoever comes to it first.
///
/// One thread goes through them as fast as it can. The other one, before it writes a leaf that isn't taken, hashes it,
/// while it comes through the cache anyway: all of them as long as no core is free for the first.
pub(crate) struct LeafDigests<'a> {
    data: &'a [u8],
    /// The first one that isn't taken.
    next: AtomicUsize,
}

/// A leaf's place among the others, and its digest.
pub(crate) type Hashed = (usize, Digest);

impl<'a> LeafDigests<'a> {
    pub(crate) fn of(data: &'a [u8]) -> Self {
        Self { data, next: AtomicUsize::new(0) }
    }

    /// All that aren't taken, one after the other.
    pub(crate) fn rest(&self) -> impl Iterator<Item = Hashed> {
        // Relaxed: only the leaves have an order, and nothing that is written beside.
        std::iter::from_fn(|| self.hashed(self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// The leaf `n`, if it is the first one that isn't taken.
    pub(crate) fn take(&self, n: usize) -> Option<Hashed> {
        self.next.compare_exchange(n, n + 1, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        self.hashed(n)
    }

    /// Nobody needs those that aren't taken.
    pub(crate) fn give_up(&self) {
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
    }

    /// `None` behind the last one.
    fn hashed(&self, n: usize) -> Option<Hashed> {
        self.data.chunks(LEAF).nth(n).map(|part| (n, leaf_of(self.data.len())(part)))
    }
}

/// What was hashed by either, in the order of the leaves.
pub(crate) fn in_order(mut hashed: Vec<Hashed>) -> Vec<Digest> {
    hashed.sort_unstable_by_key(|(n, _)| *n);
    hashed.into_iter().map(|(_, digest)| digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::combine;
    use crate::digest::tree;

    #[test]
    fn each_leaf_is_hashed_once_by_either() {
        let bytes: Vec<u8> = (0..7 * LEAF + 5).map(|i| (i % 251) as u8).collect();
        for head_start in 0..=8 {
            let leaves = LeafDigests::of(&bytes);
            let mut ahead = leaves.rest();
            let mut hashed: Vec<_> = ahead.by_ref().take(head_start).collect();
            // One block more than there are leaves.
            for n in 0..9 {
                hashed.extend(leaves.take(n));
                if n == 5 {
                    hashed.extend(ahead.next());
                }
            }
            hashed.extend(ahead);
            assert_eq!(hashed.len(), 8, "{head_start} by the first");
            assert_eq!(combine(&in_order(hashed)), tree(&bytes), "{head_start} by the first");
        }
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_hashed() {
        let bytes = vec![0; 3 * LEAF];
        let leaves = LeafDigests::of(&bytes);
        assert!(leaves.take(0).is_some());
        leaves.give_up();
        assert!(leaves.take(1).is_none());
        assert_eq!(leaves.rest().count(), 0);
    }
}
