//! `.npy.gz`: a `.npy` as gzip members that many threads can write, and read, at once (docs/format.md, "Array files").
//!
//! The first member is the header of the `.npy`, each further one a leaf of its elements: a member inflates to where
//! it belongs, and is hashed while it is in the cache. Each says in its own header how long it is, so that a reader
//! finds the next without inflating, and without the record.

mod read;
mod write;

pub(crate) use read::Members;
pub(crate) use write::{Written, write};

use crate::error::{Error, Result};

/// How the arrays of a result are stored.
///
/// Compression is no part of a key: an entry that was stored with one is found, and read, with any other.
///
/// ```
/// use ndcache::{Compression, Memory};
/// # let folder = tempfile::tempdir().unwrap();
///
/// let memory = Memory::builder(folder.path()).compression(Compression::Gzip(3)).open()?;
/// assert_eq!(memory.compression(), Compression::Gzip(3));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// As plain `.npy`, which can be memory-mapped.
    #[default]
    None,
    /// As `.npy.gz`, which Python reads by `np.load(gzip.open(path))`; from level 0, nothing is saved, to 9.
    ///
    /// Compressed and inflated by as many threads as there are cores, or as `RAYON_NUM_THREADS` says. A compressed array
    /// can't be mapped: where that is asked for, the same type holds a copy in memory, which
    /// [`Stats::by_copy`](crate::stats::Stats::by_copy) counts.
    Gzip(u32),
}

impl Compression {
    /// The highest level of gzip.
    const LEVEL_MAX: u32 = 9;

    /// # Errors
    /// Returns an error when there is no such level.
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::Gzip(level) if level > Self::LEVEL_MAX => Err(Error::invalid(format!(
                "compression level is {level}, expected at most {max}",
                max = Self::LEVEL_MAX
            ))),
            _ => Ok(()),
        }
    }
}

/// How every member begins: gzip, deflate, with an extra field; no time, no flags, no system; 8 bytes of extra field,
/// its one subfield `ND` of 4 bytes. These are the member's length.
const START: [u8; 16] = [0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff, 8, 0, b'N', b'D', 4, 0];

/// Before the deflated bytes.
const HEAD: usize = START.len() + 4;

/// After them: CRC-32 and length of the plain ones.
const TAIL: usize = 8;

/// Deflate can't do better than this.
const RATIO_MAX: u64 = 1032;

/// The longest member of `plain` bytes. Deflate adds 5 bytes to each stored block, and no encoder splits 1 MiB into
/// blocks as short as that allows.
const fn longest(plain: u64) -> u64 {
    2 * plain + 64
}
