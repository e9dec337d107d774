//! The kernel that serves this processor.

use super::{Block, End, Lanes};

#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512, memory::prefetching_pays};

/// The code that accumulates, for vectors that this processor has.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// As `Avx512`, for bytes in memory, which are prefetched.
    #[cfg(target_arch = "x86_64")]
    FarAvx512(Avx512),
    /// As `Avx2`, for bytes in memory, which are prefetched.
    #[cfg(target_arch = "x86_64")]
    FarAvx2(Avx2),
}

/// The most bytes that a cache near the core holds beside others, where prefetching pays: beyond, each step of a
/// doubling from 4 to 1024 MiB is faster by 10 to 40 %; below, the prefetches take half as long again (2026-11-30, Intel
/// Xeon with 2 MiB of cache for each core).
#[cfg(target_arch = "x86_64")]
const NEAR: usize = 2 << 20;

/// The most bytes for which wide vectors are faster where nothing is prefetched: they wait for memory no less than
/// narrow ones, and longer. Of 8 MiB they are faster by 18 %, of 32 MiB by 3 %, of 1 GiB slower by 3 % (2026-11-30, AMD
/// EPYC with 32 MiB of cache).
#[cfg(target_arch = "x86_64")]
const CACHED: usize = 32 << 20;

impl Kernel {
    /// The fastest one for bytes in a cache; `None` if the processor has neither kind of vectors.
    #[inline(always)]
    pub(super) fn detect() -> Option<Self> {
        Self::chosen(|| Self::wide().or_else(Self::narrow))
    }

    /// The fastest one for the parts of `total` bytes, one after the other: where they are depends on how many they are.
    pub(super) fn detect_for(total: usize) -> Option<Self> {
        Self::chosen(|| Self::for_parts_of(total))
    }

    #[cfg(target_arch = "x86_64")]
    fn for_parts_of(total: usize) -> Option<Self> {
        let pays = prefetching_pays();
        if pays && total > NEAR {
            return Self::far();
        }
        if !pays && total > CACHED { Self::narrow() } else { Self::wide().or_else(Self::narrow) }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn for_parts_of(_total: usize) -> Option<Self> {
        None
    }

    #[cfg(target_arch = "x86_64")]
    fn far() -> Option<Self> {
        Avx512::detect().map(Self::FarAvx512).or_else(|| Avx2::detect().map(Self::FarAvx2))
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
            Self::Avx512(kernel) => kernel.accumulate::<false>(lanes, blocks, end),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(kernel) => kernel.accumulate::<false>(lanes, blocks, end),
            #[cfg(target_arch = "x86_64")]
            Self::FarAvx512(kernel) => kernel.accumulate::<true>(lanes, blocks, end),
            #[cfg(target_arch = "x86_64")]
            Self::FarAvx2(kernel) => kernel.accumulate::<true>(lanes, blocks, end),
        }
    }

    /// All that this processor can run, each with its name.
    #[cfg(all(test, target_arch = "x86_64"))]
    pub(super) fn all() -> Vec<(&'static str, Self)> {
        let (wide, narrow) = (Avx512::detect(), Avx2::detect());
        let all = [
            ("AVX-512", wide.map(Self::Avx512)),
            ("AVX2", narrow.map(Self::Avx2)),
            ("AVX-512 with prefetches", wide.map(Self::FarAvx512)),
            ("AVX2 with prefetches", narrow.map(Self::FarAvx2)),
        ];
        all.into_iter().filter_map(|(name, kernel)| Some((name, kernel?))).collect()
    }

    #[cfg(all(test, not(target_arch = "x86_64")))]
    pub(super) fn all() -> Vec<(&'static str, Self)> {
        Vec::new()
    }
}
