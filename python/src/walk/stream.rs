//! The bytes that a value becomes.

use ndcache::Digest;
use pyo3::Python;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The stream's first bytes, as those of any Rust value.
const DOMAIN: &[u8] = b"value:";

/// Parts whose stream has more bytes count by their digest.
pub(super) const LONG: usize = 64 * 1024;

/// The marks of the stream that Rust values have, too.
pub(super) mod tag {
    pub(crate) const END: u8 = 0x00;
    pub(crate) const BOOL: u8 = 0x02;
    pub(crate) const STR: u8 = 0x04;
    pub(crate) const BYTES: u8 = 0x05;
    pub(crate) const NONE: u8 = 0x06;
    pub(crate) const LEAF: u8 = 0x08;
    pub(crate) const I64: u8 = 0x1b;
    pub(crate) const F64: u8 = 0x22;
    pub(crate) const SEQ: u8 = 0x30;
    pub(crate) const TUPLE: u8 = 0x31;
    pub(crate) const STRUCT: u8 = 0x34;
    pub(crate) const TEXT: u8 = 0x3a;
    pub(crate) const TABLE: u8 = 0x41;
}

/// A stream that grows; parts of it can be cut off and replaced by their digest.
#[derive(Default)]
pub(super) struct Stream {
    bytes: Vec<u8>,
}

impl Stream {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn u64(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    #[inline]
    pub(super) fn tagged<const LEN: usize>(&mut self, tag: u8, bytes: [u8; LEN]) {
        self.byte(tag);
        self.raw(&bytes);
    }

    /// The length in bytes, and the bytes.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.raw(bytes);
    }

    /// Begins what only Python has.
    pub(super) fn begin(&mut self, kind: &str) {
        self.byte(tag::STRUCT);
        self.text(kind.as_bytes());
    }

    pub(super) fn end(&mut self) {
        self.byte(tag::END);
    }

    pub(super) fn leaf(&mut self, digest: Digest) {
        self.tagged(tag::LEAF, digest.to_bytes());
    }

    /// The digest of a value whose stream begins at `start` and is the last one; a long one without the interpreter's lock.
    pub(super) fn digest_from(&self, py: Python<'_>, start: usize) -> Digest {
        let bytes = &self.bytes[start..];
        // One leaf alone is that leaf.
        if let [tag::LEAF, digest @ ..] = bytes
            && let Ok(digest) = digest.try_into()
        {
            return Digest::from_bytes(digest);
        }
        if bytes.len() > LONG { py.detach(|| digest_of_stream(bytes)) } else { digest_of_stream(bytes) }
    }

    /// Takes away what begins at `start`.
    pub(super) fn cut(&mut self, start: usize) {
        self.bytes.truncate(start);
    }
}

/// The digest of a value whose stream is `head` and then `rest`, which is long.
pub(super) fn digest_of_parts(head: &[u8], rest: &[u8]) -> Digest {
    let mut hash = Xxh3::new();
    [DOMAIN, head, rest].into_iter().for_each(|part| hash.update(part));
    Digest::from_bytes(hash.digest128().to_be_bytes())
}

/// The most bytes that are read whole; of more, a sample is `BLOCKS` blocks of `BLOCK` bytes each.
pub(super) const SAMPLED: usize = 4 << 20;
const BLOCKS: usize = 512;
const BLOCK: usize = 4096;

/// The digest of `bytes`; of more than `SAMPLED`, that of blocks which are spread evenly over them, with the first and
/// the last ones.
pub(super) fn digest_of_sample(bytes: &[u8]) -> Digest {
    let mut hash = Xxh3::new();
    if bytes.len() <= SAMPLED {
        hash.update(bytes);
    } else {
        let at = |block: usize| (bytes.len() - BLOCK) / (BLOCKS - 1) * block;
        (0..BLOCKS - 1).for_each(|block| hash.update(&bytes[at(block)..][..BLOCK]));
        hash.update(&bytes[bytes.len() - BLOCK..]);
    }
    Digest::from_bytes(hash.digest128().to_be_bytes())
}

/// The digest of a value of this stream.
fn digest_of_stream(bytes: &[u8]) -> Digest {
    const SHORT: usize = 240;
    let hash = if bytes.len() + DOMAIN.len() <= SHORT {
        let mut whole = [0; SHORT];
        whole[..DOMAIN.len()].copy_from_slice(DOMAIN);
        whole[DOMAIN.len()..DOMAIN.len() + bytes.len()].copy_from_slice(bytes);
        xxh3_128(&whole[..DOMAIN.len() + bytes.len()])
    } else {
        let mut hash = Xxh3::new();
        hash.update(DOMAIN);
        hash.update(bytes);
        hash.digest128()
    };
    Digest::from_bytes(hash.to_be_bytes())
}
