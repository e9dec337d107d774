//! `.npy.gz`: a `.npy` as gzip members that many threads can write, and read, at once (docs/format.md, "Array files").
//!
//! The first member is the header of the `.npy`, each further one a leaf of its elements: a member inflates to where
//! it belongs, and is hashed while it is in the cache. Each says in its own header how long it is, so that a reader
//! finds the next without inflating, and without the record.

mod read;
mod write;

pub(crate) use read::Members;
pub(crate) use write::write;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::map::Spare;
use crate::payload::codecs::{ArrayCodec, EncodedArray, EncodedFile, Plain, Written};

/// The highest level of gzip.
const LEVEL_MAX: u32 = 9;

/// `.npy.gz`, from level 0, nothing is saved, to 9; reading doesn't depend on the level.
pub(crate) struct Gzip {
    pub(crate) level: u32,
}

impl Gzip {
    /// # Errors
    /// Returns an error when there is no such level.
    pub(super) fn check(&self) -> Result<()> {
        match self.level {
            0..=LEVEL_MAX => Ok(()),
            level => Err(Error::invalid(format!("compression level is {level}, expected at most {LEVEL_MAX}"))),
        }
    }
}

impl ArrayCodec for Gzip {
    fn name(&self) -> &'static str {
        "npy.gz"
    }

    fn encode(&self, array: &Plain<'_>, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Written> {
        write(array.header, array.data, self.level, array.hashed, out)
    }

    fn decode(&self, file: EncodedFile<'_>) -> Result<Box<dyn EncodedArray>> {
        let EncodedFile { file, path, length, offset, meta } = file;
        Ok(Box::new(Members::find(file, path, length, offset, meta)?))
    }
}

impl EncodedArray for Members {
    fn fill<'a>(&mut self, out: Spare<'a>) -> Result<&'a mut [u8]> {
        self.fill(out)
    }

    fn finish(self: Box<Self>, expected: Digest) -> Result<()> {
        (*self).finish(expected)
    }

    fn verify(self: Box<Self>, expected: Digest) -> Result<()> {
        (*self).verify(expected)
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
