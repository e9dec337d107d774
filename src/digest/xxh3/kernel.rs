//! The kernel that serves this processor.

use super::{Block, Lanes, Stripe};

#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// The code that accumulates, for vectors that this processor has.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

/// What comes behind the last whole block.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    /// The stripes that end before the last byte: at most fifteen.
    pub(super) stripes: &'a [Stripe],
    /// The last 64 bytes of all.
    pub(super) last: &'a Stripe,
}

impl<'a> End<'a> {
    /// The end of `bytes`, of which `tail` follows the last whole block: some bytes, and at most a block.
    #[inline(always)]
    pub(super) fn of(tail: &'a [u8], bytes: &'a [u8]) -> Self {
        let (stripes, _) = tail[..tail.len() - 1].as_chunks();
        Self { stripes, last: bytes.last_chunk().expect("more bytes than a stripe has") }
    }
}

impl Kernel {
    /// The fastest one for bytes in a cache; `None` if the processor has neither kind of vectors.
    #[inline(always)]
    pub(super) fn detect() -> Option<Self> {
        Self::chosen(|| Self::wide().or_else(Self::narrow))
    }

    /// The fastest one for bytes in memory.
    pub(super) fn detect_far() -> Option<Self> {
        Self::chosen(Self::narrow)
    }

    /// Without optimization each vector goes through memory and each instruction is a call, so that another crate is
    /// faster, which may be optimized where this one isn't.
    #[inline(always)]
    fn chosen(fastest: impl FnOnce() -> Option<Self>) -> Option<Self> {
        #[cfg(test)]
        if let Some(forced) = super::tests::forced() {
            return forced;
        }
        if cfg!(debug_assertions) { None } else { fastest() }
    }

    #[inline(always)]
    fn wide() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx512::detect().map(Self::Avx512);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    #[inline(always)]
    fn narrow() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx2::detect().map(Self::Avx2);
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// The lanes after whole blocks, and after the end if it is there.
    ///
    /// The lanes come by reference: a constant is loaded as a vector then, whereas a copy would be written in parts and
    /// read in one, for which a processor waits.
    #[inline(always)]
    pub(super) fn accumulate(self, lanes: &Lanes, blocks: &[Block], end: Option<End<'_>>) -> Lanes {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(kernel) => kernel.accumulate(lanes, blocks, end),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(kernel) => kernel.accumulate(lanes, blocks, end),
        }
    }

    /// All that this processor can run, each with its name.
    #[cfg(test)]
    pub(super) fn all() -> Vec<(&'static str, Self)> {
        let all = [("AVX-512", Self::wide()), ("AVX2", Self::narrow())];
        all.into_iter().filter_map(|(name, kernel)| Some((name, kernel?))).collect()
    }
}
