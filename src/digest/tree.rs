//! Digests of buffers: XXH3-128 of at most 1 MiB, above that of the leaves' digests.
//!
//! A buffer longer than [`LEAF`] has the digest of the concatenated digests of its leaves. So leaves can be hashed by
//! many threads, or one by one while they are written or read, and the digest depends on neither.

use std::convert::Infallible;
use std::ops::Range;

use xxhash_rust::xxh3::Xxh3Default;

use crate::digest::progress::Work;
use crate::digest::value::Digest;
use crate::digest::xxh3::{self, Stream};
use crate::threads::share::shared;

/// The length of a leaf, in bytes: small enough to stay in a core's cache between hashing and writing it.
pub(crate) const LEAF: usize = 1 << 20;

/// Up to here one thread is as fast as several, which have to wake first; by the leaves in `benches/hash.rs`.
const SERIAL: u64 = 4 << 20;

/// Below this many bytes, those that have to be gathered are hashed on one thread: gathering takes several times as long
/// as hashing.
pub(crate) const SERIAL_GATHERED: u64 = 2 << 20;

/// The XXH3-128 digest of some bytes, whatever their number.
#[inline]
pub(crate) fn leaf(bytes: &[u8]) -> Digest {
    Digest::from_xxh3(xxh3::hash(bytes))
}

/// Makes the digests of leaves of `total` bytes that are in memory, the same as [`leaf`] does.
pub(crate) fn leaf_of(total: usize) -> impl Fn(&[u8]) -> Digest + Copy + Sync {
    let hash = xxh3::hash_of_parts(total);
    move |bytes| Digest::from_xxh3(hash(bytes))
}

/// How many bytes of a leaf are best read before they are hashed: half of it where the other half would push it out of
/// the core's cache, together with what it is copied from. The table is in `docs/design.md`.
pub(crate) fn piece_of_leaf() -> usize {
    if xxh3::prefetching_pays() { LEAF / 2 } else { LEAF }
}

/// The digest of a buffer whose leaves have these digests.
///
/// A buffer of at most one leaf has that leaf's digest; an empty one has one leaf, or none.
pub(crate) fn combine(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => leaf(&[]),
        [only] => *only,
        _ => {
            let mut root = Xxh3Default::new();
            leaves.iter().for_each(|leaf| root.update(&leaf.to_bytes()));
            Digest::from_xxh3(root.digest128())
        }
    }
}

/// The digest of a buffer; in parallel when it is long.
#[inline]
pub(crate) fn tree(bytes: &[u8]) -> Digest {
    if bytes.len() <= LEAF { leaf(bytes) } else { branches(bytes) }
}

fn branches(bytes: &[u8]) -> Digest {
    let leaf = leaf_of(bytes.len());
    let nth = |(): &mut (), n: usize| leaf(&bytes[n * LEAF..bytes.len().min((n + 1) * LEAF)]);
    combine(&leaves(bytes.len() as u64, SERIAL, || (), nth))
}

/// The digests of all leaves of `total` bytes; `nth` makes each, with scratch that a thread uses again and again. Up to
/// `serial` bytes one thread makes all.
pub(crate) fn leaves<S>(
    total: u64,
    serial: u64,
    scratch: impl Fn() -> S + Sync,
    nth: impl Fn(&mut S, usize) -> Digest + Sync,
) -> Vec<Digest> {
    runs(total, serial, 1, scratch, |scratch, leaf| vec![nth(scratch, leaf.start)])
}

/// The digests of all leaves of `total` bytes, as [`leaves`]; `make` makes those of `run` leaves at once, or of what is
/// left.
///
/// The one seam between serial and parallel hashing.
pub(crate) fn runs<S>(
    total: u64,
    serial: u64,
    run: usize,
    scratch: impl Fn() -> S + Sync,
    make: impl Fn(&mut S, Range<usize>) -> Vec<Digest> + Sync,
) -> Vec<Digest> {
    let count = total.div_ceil(LEAF as u64) as usize;
    let runs = count.div_ceil(run);
    let work = Work::new("hashing", total);
    let nth = |scratch: &mut S, n: usize| {
        let leaves = n * run..count.min((n + 1) * run);
        let bytes = total.min(leaves.end as u64 * LEAF as u64) - leaves.start as u64 * LEAF as u64;
        let digests = make(scratch, leaves);
        work.add(bytes);
        digests
    };
    if total <= serial {
        let mut scratch = scratch();
        return (0..runs).flat_map(|n| nth(&mut scratch, n)).collect();
    }
    // One thread for each half of what a thread hashes alone.
    let threads = usize::try_from(total / (serial / 2).max(1)).unwrap_or(usize::MAX);
    let made = shared(threads.min(runs), 0..runs, scratch, |scratch, n| Ok::<_, Infallible>(nth(scratch, n)));
    made.unwrap_or_else(|never| match never {}).into_iter().flatten().collect()
}

/// The digest of a buffer that arrives in pieces: the same as [`tree`] of the whole, in constant memory.
pub(crate) struct TreeHasher {
    /// The leaf under way, if it has come in several pieces, and its length so far: at most `LEAF`.
    leaf: Option<Stream>,
    filled: usize,
    /// Over the digests of the leaves that are done, of which the first is kept: it may be the only one.
    root: Xxh3Default,
    first: Option<Digest>,
    total: u64,
}

impl TreeHasher {
    pub(crate) fn new() -> Self {
        Self { leaf: None, filled: 0, root: Xxh3Default::new(), first: None, total: 0 }
    }

    /// How many bytes it has been given.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Takes the next bytes, in pieces of any length; fastest in multiples of [`LEAF`].
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(LEAF - self.filled));
            self.piece(piece);
            bytes = rest;
        }
    }

    /// The next bytes of the leaf under way, which they may fill but not exceed.
    fn piece(&mut self, piece: &[u8]) {
        if piece.len() == LEAF {
            return self.done(leaf(piece));
        }
        self.leaf.get_or_insert_with(Stream::new).write(piece);
        self.filled += piece.len();
        if self.filled == LEAF {
            self.close();
        }
    }

    fn close(&mut self) {
        let digest = self.leaf.take().map_or_else(|| leaf(&[]), |leaf| Digest::from_xxh3(leaf.finish()));
        self.filled = 0;
        self.done(digest);
    }

    fn done(&mut self, leaf: Digest) {
        self.first.get_or_insert(leaf);
        self.root.update(&leaf.to_bytes());
    }

    /// The digest of all bytes so far.
    pub(crate) fn finish(mut self) -> Digest {
        if self.filled > 0 || self.first.is_none() {
            self.close();
        }
        match self.first {
            Some(only) if self.total <= LEAF as u64 => only,
            _ => Digest::from_xxh3(self.root.digest128()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;
    use crate::digest::xxh3::tests::by_each_kernel;

    fn painted(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    /// The definition, word by word, by the other implementation of XXH3.
    fn naive(bytes: &[u8]) -> Digest {
        if bytes.len() <= 1_048_576 {
            return Digest::from_xxh3(xxh3_128(bytes));
        }
        let leaves = bytes.chunks(1_048_576).map(|leaf| Digest::from_xxh3(xxh3_128(leaf)).to_bytes());
        Digest::from_xxh3(xxh3_128(&leaves.collect::<Vec<_>>().concat()))
    }

    fn streamed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Digest {
        let mut hasher = TreeHasher::new();
        pieces.into_iter().for_each(|piece| hasher.push(piece));
        hasher.finish()
    }

    #[test]
    fn a_tree_is_what_its_definition_says_at_every_edge() {
        let bytes = painted(11 * LEAF + 17);
        let edges = [0, 1, 16, 17, 128, 129, 240, 241, 511, 512, LEAF - 1, LEAF, LEAF + 1, 2 * LEAF];
        for len in edges.into_iter().chain([2 * LEAF + 1, 8 * LEAF, 8 * LEAF + 1, 11 * LEAF + 17]) {
            assert_eq!(tree(&bytes[..len]), naive(&bytes[..len]), "{len} bytes");
            assert_eq!(streamed([&bytes[..len]]), naive(&bytes[..len]), "{len} bytes, streamed");
        }
    }

    #[test]
    fn a_tree_depends_on_no_thread_count() {
        let bytes = painted(10 * LEAF + 1);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| tree(&bytes)), tree(&bytes));
        }
    }

    #[test]
    fn threads_that_share_leaves_make_each_of_them_once() {
        for count in [1, 2, 3, 64, 257] {
            let made = AtomicUsize::new(0);
            let total = count as u64 * LEAF as u64 - 5;
            let digests = leaves(total, 0, Vec::new, |scratch: &mut Vec<usize>, n| {
                assert!(scratch.last().is_none_or(|&last| last < n));
                scratch.push(n);
                made.fetch_add(1, Ordering::Relaxed);
                Digest::of(&n.to_le_bytes())
            });
            let expected: Vec<_> = (0..count).map(|n: usize| Digest::of(&n.to_le_bytes())).collect();
            assert_eq!((digests, made.into_inner()), (expected, count));
        }
    }

    #[test]
    fn runs_of_leaves_are_made_once_and_come_in_their_order() {
        for (count, run, serial) in [(1, 4, 0), (4, 4, 0), (9, 4, 0), (258, 3, 0), (9, 4, u64::MAX)] {
            let total = count as u64 * LEAF as u64 - 5;
            let digests = runs(
                total,
                serial,
                run,
                || (),
                |(), leaves| {
                    assert!(leaves.len() == run || leaves.end == count);
                    leaves.map(|n| Digest::of(&n.to_le_bytes())).collect()
                },
            );
            let expected: Vec<_> = (0..count).map(|n: usize| Digest::of(&n.to_le_bytes())).collect();
            assert_eq!(digests, expected);
        }
    }

    #[test]
    fn leaves_made_one_by_one_combine_to_the_tree() {
        for len in [0, 5, LEAF, LEAF + 1, 3 * LEAF] {
            let bytes = painted(len);
            let leaves: Vec<_> = bytes.chunks(LEAF).map(leaf).collect();
            assert_eq!(combine(&leaves), tree(&bytes));
        }
    }

    #[test]
    fn each_kernel_makes_the_same_tree() {
        let bytes = painted(2 * LEAF + 777);
        by_each_kernel(|| {
            assert_eq!(tree(&bytes), naive(&bytes));
            for piece in [LEAF, LEAF + 5, 300_000] {
                assert_eq!(streamed(bytes.chunks(piece)), naive(&bytes), "by {piece}");
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pieces_of_any_length_stream_to_the_tree(
            len in prop_oneof![0..3 * LEAF + 5, Just(LEAF), Just(2 * LEAF), Just(LEAF + 1)],
            mut cuts in prop::collection::vec(0..3 * LEAF + 5, 0..8),
        ) {
            let bytes = painted(len);
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(len));
            cuts.extend([0, len]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(streamed(pieces), naive(&bytes));
        }
    }
}
