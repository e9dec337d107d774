//! What a seed decides: sizes, shapes, orders and numbers of arrays, names, and what is stored beforehand.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ndcache::{Memory, MemoryBuilder};

/// Numbers of elements of an `f64` array that is mapped: from just below that from which arrays are mapped to more than
/// a mebibyte.
const MAPPED: (usize, usize) = (17_000, 150_000);

/// The seed of this process: a child gets it as an argument.
static SEED: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// The number of elements of an array that stays inside the record, if arrays may.
    pub(crate) inside: usize,
    pub(crate) beside: (usize, usize),
    pub(crate) fortran: bool,
    pub(crate) mapped: usize,
    /// The numbers of elements of further arrays, of which there may be none.
    pub(crate) more: [Option<usize>; 3],
    pub(crate) field: usize,
    pub(crate) staged: usize,
    pub(crate) made: usize,
    pub(crate) readable: bool,
    inline: u64,
    /// Whether there is a cache folder before something is stored.
    pub(crate) before: bool,
}

/// Chooses the scene of this process.
pub(crate) fn set(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
}

pub(crate) fn scene() -> Scene {
    let seed = SEED.load(Ordering::Relaxed);
    let mut dice = seed;
    let mut below = |count: usize| crate::draw(&mut dice) % count;
    // Small sizes are as likely as large ones.
    let mut between = |(least, most): (usize, usize)| {
        let doublings = (most / least).ilog2() as usize;
        let size = least << below(doublings + 1);
        (size + below(size)).min(most)
    };
    let (mapped, field, staged) = (between(MAPPED), between(MAPPED), between(MAPPED));
    let (made, more) = (between((1, 100_000)), [(); 3].map(|()| between((1, 60_000))));
    let (rows, columns) = (between((4, 64)), between((150, 1000)));
    Scene {
        seed,
        inside: 1 + below(16),
        beside: (rows, columns),
        fortran: below(2) == 0,
        mapped,
        more: more.map(|len| (below(2) == 0).then_some(len)),
        field,
        staged,
        made,
        readable: below(3) == 0,
        inline: [0, 4096, 4096, 20_000][below(4)],
        before: below(4) > 0,
    }
}

impl Scene {
    /// A memory with keys and names of its own.
    pub(crate) fn builder(self, folder: &Path) -> MemoryBuilder {
        Memory::builder(folder).salt(self.seed).readable(self.readable).inline(self.inline)
    }
}
