//! Where the arrays of a value go, and come from: what the rooms above implement.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::{ArrayMeta, Digest, Known};
use crate::error::Result;
use crate::map::{Mapping, Spare, Stage};
use crate::payload::codecs::EncodedArray;

/// Takes the arrays that are lifted out of a value.
pub(crate) trait ArraySink {
    /// Stores one array, and returns its index in the record's table: 0, 1, 2 and so on.
    ///
    /// `bytes` are the elements in the order of memory. `known` is the array's digest (not that of its bytes alone)
    /// where this process has verified it.
    fn put(&mut self, meta: &ArrayMeta, bytes: &[u8], known: Option<Digest>) -> Result<u32>;

    /// Stores one array by taking over the file that it is already; `None` where it can't, and has to
    /// [`put`](Self::put) it. `digest` gives the array's digest.
    fn adopt(&mut self, _meta: &ArrayMeta, _stage: &Stage, _digest: &dyn Fn() -> Digest) -> Result<Option<u32>> {
        Ok(None)
    }
}

/// Has the arrays that were lifted out of a value. Its errors name the file.
pub(crate) trait ArraySource {
    /// What the record says, checked against the length of the file. An error for an index that it doesn't have.
    fn meta(&self, index: u32) -> Result<&ArrayMeta>;

    /// Reads the elements into `out`, which has their length, and verifies them.
    fn read<'a>(&self, index: u32, out: Spare<'a>) -> Result<&'a mut [u8]>;

    /// The elements of an encoded file: then they are decoded where they would be read.
    fn encoded(&self, _index: u32) -> Result<Option<Box<dyn EncodedArray>>> {
        Ok(None)
    }

    /// Maps the file. `None` when it has to be read instead.
    fn map(&self, index: u32) -> Result<Option<MappedFile>>;

    /// The file, to be mapped privately. `None` when it has to be read instead.
    fn cow(&self, index: u32) -> Result<Option<PrivateFile>>;

    /// The array's digest, as the record claims it.
    fn digest(&self, index: u32) -> Result<Digest>;

    /// Where its file is, if it has one of its own.
    fn path(&self, _index: u32) -> Option<PathBuf> {
        None
    }

    /// Where its file is, and where in it the elements begin, if it was read for no other reason than that it is small.
    fn small_file(&self, _index: u32) -> Option<(PathBuf, u64)> {
        None
    }
}

/// A file that is mapped, read-only.
pub(crate) struct MappedFile {
    pub(crate) mapping: Mapping,
    /// Where the elements begin.
    pub(crate) offset: usize,
    pub(crate) known: Arc<Known>,
}

/// A file that may be mapped, copy on write.
pub(crate) struct PrivateFile {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    /// Where the elements begin.
    pub(crate) offset: usize,
}
