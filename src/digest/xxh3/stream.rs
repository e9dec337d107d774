//! Bytes that come in pieces.

use std::mem;

use twox_hash::XxHash3_128;

use super::End;
use super::kernel::Kernel;
use super::secret::{FIRST, merge};
use super::{BLOCK, Block, Lanes, STRIPE, Stripe, before_the_end, hash};

/// The hash of bytes that come in pieces of any length.
#[derive(Clone)]
pub(in crate::digest) struct Stream(State);

#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // A box would be one more allocation for each stream.
enum State {
    Blocks(Blocks),
    Twox(XxHash3_128),
}

impl Stream {
    pub(in crate::digest) fn new() -> Self {
        Self::by(Kernel::detect())
    }

    pub(super) fn by(kernel: Option<Kernel>) -> Self {
        match kernel {
            Some(kernel) => Self(State::Blocks(Blocks::new(kernel))),
            None => Self(State::Twox(XxHash3_128::new())),
        }
    }

    /// Takes the next bytes.
    pub(in crate::digest) fn write(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Blocks(blocks) => blocks.write(bytes),
            State::Twox(hash) => hash.write(bytes),
        }
    }

    /// The hash of all bytes so far.
    pub(in crate::digest) fn finish(&self) -> u128 {
        match &self.0 {
            State::Blocks(blocks) => blocks.finish(),
            State::Twox(hash) => hash.finish_128(),
        }
    }
}

/// A stream that is accumulated in whole blocks.
struct Blocks {
    kernel: Kernel,
    lanes: Lanes,
    total: u64,
    /// The bytes that aren't accumulated yet: at most a block, and at least one byte once there are any, since only the
    /// end shows which stripe is the last one. Their memory never grows.
    kept: Vec<u8>,
    /// The stripe before these, once anything is accumulated.
    before: Stripe,
}

impl Clone for Blocks {
    fn clone(&self) -> Self {
        let mut kept = Vec::with_capacity(BLOCK);
        kept.extend_from_slice(&self.kept);
        Self { kept, ..*self }
    }
}

impl Blocks {
    fn new(kernel: Kernel) -> Self {
        Self { kernel, lanes: FIRST, total: 0, kept: Vec::with_capacity(BLOCK), before: [0; STRIPE] }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let missing = BLOCK - self.kept.len();
        if bytes.len() <= missing {
            return self.kept.extend_from_slice(bytes);
        }
        if missing < BLOCK {
            bytes = self.fill(bytes.split_at(missing));
        }
        let (blocks, tail) = before_the_end(bytes);
        self.accumulate(blocks);
        self.kept.extend_from_slice(tail);
    }

    /// Accumulates what is kept with the bytes that a block lacks; returns those after them.
    fn fill<'a>(&mut self, (missing, rest): (&[u8], &'a [u8])) -> &'a [u8] {
        let mut kept = mem::take(&mut self.kept);
        kept.extend_from_slice(missing);
        self.accumulate(kept.as_chunks().0);
        kept.clear();
        self.kept = kept;
        rest
    }

    fn accumulate(&mut self, blocks: &[Block]) {
        let Some(last) = blocks.last() else { return };
        self.lanes = self.kernel.accumulate(&self.lanes, blocks, None);
        self.before.copy_from_slice(&last[BLOCK - STRIPE..]);
    }

    fn finish(&self) -> u128 {
        if self.total <= BLOCK as u64 {
            return hash(&self.kept);
        }
        let (stripes, _) = self.kept[..self.kept.len() - 1].as_chunks();
        let end = End { stripes, last: &self.last() };
        merge(&self.kernel.accumulate(&self.lanes, &[], Some(end)), self.total)
    }

    /// The last 64 bytes of all.
    fn last(&self) -> Stripe {
        if let Some(last) = self.kept.last_chunk() {
            return *last;
        }
        let mut last = self.before;
        last.rotate_left(self.kept.len());
        last[STRIPE - self.kept.len()..].copy_from_slice(&self.kept);
        last
    }
}
