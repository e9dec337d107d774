//! Array files: `.npy`, plain and encoded.
//!
//! * `npy`, `npy_header`: NumPy's format; `gzip`: the same compressed, written and read in parallel.
//!
//! A codec is a file here that implements [`ArrayCodec`], a place in [`CODECS`] with a [`Compression`] that asks for it,
//! and its name in `record/mod.rs`, by which a record with a codec of a later version is recognised. `payload/tests/codecs.rs`
//! then tests it on elements of 1, 8 and 16 bytes. One that treats dtypes differently finds the dtype in the header, by
//! `npy_header::parse`, and needs a test of its own for each.

pub(crate) mod gzip;
pub(crate) mod npy;
pub(crate) mod npy_header;

use std::fs::File;
use std::path::PathBuf;

use gzip::Gzip;

use crate::digest::{ArrayMeta, Digest};
use crate::error::Result;
use crate::map::Spare;

/// How the bytes of an array lie in its file, where that isn't the plain `.npy`.
pub(crate) trait ArrayCodec: Sync {
    /// What records call it, and what the names of its files end with.
    ///
    /// It ends with `npy` only if `np.load` reads the file, and with `npy.gz` only if it does so through gzip: Python's
    /// `ndcache.read` goes by that.
    fn name(&self) -> &'static str;

    /// Hands what the file consists of to `out`, piece by piece and in order.
    ///
    /// # Errors
    /// Returns the first error of `out`.
    fn encode(&self, array: &Plain<'_>, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Written>;

    /// Opens a file, which may be anyone's: nothing that it claims is believed before it is there.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` that names the file when it isn't such a one.
    fn decode(&self, file: EncodedFile<'_>) -> Result<Box<dyn EncodedArray>>;
}

/// An array as a plain `.npy` would have it.
pub(crate) struct Plain<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) data: &'a [u8],
    /// Whether its leaves are to be hashed on the way.
    pub(crate) hashed: bool,
}

/// What was written of an array.
pub(crate) struct Written {
    /// The length of the file, in bytes.
    pub(crate) length: u64,
    /// The digests of its leaves, if they were asked for.
    pub(crate) leaves: Vec<Digest>,
}

/// An encoded file, and what its record says of it.
pub(crate) struct EncodedFile<'a> {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    /// Where the elements begin in the plain `.npy`.
    pub(crate) offset: u64,
    pub(crate) meta: &'a ArrayMeta,
}

/// The elements of an encoded file, from the first to the last.
pub(crate) trait EncodedArray {
    /// Fills `out` with the next elements: whole leaves, or all that remain.
    ///
    /// # Errors
    /// Returns an error that names the file when it can't be read, or doesn't become the bytes that it should.
    fn fill<'a>(&mut self, out: Spare<'a>) -> Result<&'a mut [u8]>;

    /// Whether the elements, all of which have been filled in, are those of the array with the digest `expected`.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` that names the file when they aren't.
    fn finish(self: Box<Self>, expected: Digest) -> Result<()>;

    /// Whether the elements are those of the array with the digest `expected`; in little memory.
    ///
    /// # Errors
    /// Returns the errors of [`fill`](Self::fill) and [`finish`](Self::finish).
    fn verify(self: Box<Self>, expected: Digest) -> Result<()>;
}

/// All codecs but the plain one.
pub(crate) const CODECS: [&dyn ArrayCodec; 1] = [&Gzip { level: 0 }];

/// The codec that records call so; `None` for the plain one.
pub(crate) fn codec_named(name: &str) -> Option<&'static dyn ArrayCodec> {
    CODECS.into_iter().find(|codec| codec.name() == name)
}

/// How the arrays of a result are stored.
///
/// Compression isn't part of a key: an entry is found and read whatever its compression.
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
    /// Plain `.npy`, which can be memory-mapped.
    #[default]
    None,
    /// `.npy.gz`, which Python reads by `np.load(gzip.open(path))`; the level is from 0, which compresses nothing, to
    /// 9.
    ///
    /// Arrays are compressed and decompressed by as many threads as there are cores, or as `RAYON_NUM_THREADS` says.
    /// A compressed array can't be mapped: the same type then holds a copy in memory, which
    /// [`Stats::by_copy`](crate::stats::Stats::by_copy) counts.
    Gzip(u32),
}

impl Compression {
    /// What encodes the files; `None` where they are plain.
    pub(crate) fn codec(self) -> Option<Box<dyn ArrayCodec>> {
        match self {
            Self::None => None,
            Self::Gzip(level) => Some(Box::new(Gzip { level })),
        }
    }

    /// # Errors
    /// Returns an error when there is no such level.
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Gzip(level) => Gzip { level }.check(),
        }
    }
}
