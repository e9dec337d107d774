//! Eight lanes in two vectors of 256 bits.

use std::arch::x86_64::*;

use bytemuck::cast;

use super::End;
use super::memory::prefetch;
use super::secret::{LAST, PRIME32_1, SCRAMBLE, key, nth};
use super::{Block, Lanes, Stripe};

/// What says that the processor has AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    #[inline(always)]
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// The lanes after whole blocks, and after the end if it is there; with `PREFETCH` for blocks in memory.
    #[inline(always)]
    #[allow(unsafe_code)] // A call of what was compiled for such a processor.
    pub(super) fn accumulate<const PREFETCH: bool>(
        self,
        lanes: &Lanes,
        blocks: &[Block],
        end: Option<End<'_>>,
    ) -> Lanes {
        // SAFETY: An `Avx2` is made by `detect` alone, which has found AVX2.
        unsafe { accumulate::<PREFETCH>(lanes, blocks, end) }
    }
}

#[target_feature(enable = "avx2")]
fn accumulate<const PREFETCH: bool>(lanes: &Lanes, blocks: &[Block], end: Option<End<'_>>) -> Lanes {
    let mut halves: Halves = cast(*lanes);
    for block in blocks {
        let (stripes, _) = block.as_chunks();
        let mut sums = Sums { words: [_mm256_setzero_si256(); 2], products: halves };
        for (stripe, n) in stripes.iter().zip(0..16) {
            if PREFETCH {
                prefetch(stripe);
            }
            add(&mut sums, stripe, key(nth(n)));
        }
        halves = scrambled(summed(sums));
    }
    if let Some(End { stripes, last }) = end {
        let mut sums = Sums { words: [_mm256_setzero_si256(); 2], products: halves };
        for (stripe, n) in stripes.iter().zip(0..16) {
            add(&mut sums, stripe, key(nth(n)));
        }
        add(&mut sums, last, key(LAST));
        halves = summed(sums);
    }
    cast(halves)
}

/// Lanes 0 to 3, and 4 to 7.
type Halves = [__m256i; 2];

/// Sums over stripes, for each lane.
struct Sums {
    /// The words, each of which belongs to the lane beside it.
    words: Halves,
    /// The lane as it was before, and the products.
    products: Halves,
}

#[target_feature(enable = "avx2")]
#[inline]
fn add(sums: &mut Sums, stripe: &Stripe, key: &Stripe) {
    let (words, key): (Halves, Halves) = (cast(*stripe), cast(*key));
    for half in 0..2 {
        let keyed = _mm256_xor_si256(words[half], key[half]);
        let product = _mm256_mul_epu32(keyed, _mm256_srli_epi64::<32>(keyed));
        sums.products[half] = _mm256_add_epi64(sums.products[half], product);
        sums.words[half] = _mm256_add_epi64(sums.words[half], words[half]);
    }
}

/// The lanes, once the words have changed sides.
#[target_feature(enable = "avx2")]
#[inline]
fn summed(sums: Sums) -> Halves {
    let [low, high] = sums.words;
    [
        _mm256_add_epi64(sums.products[0], _mm256_shuffle_epi32::<0b01_00_11_10>(low)),
        _mm256_add_epi64(sums.products[1], _mm256_shuffle_epi32::<0b01_00_11_10>(high)),
    ]
}

/// The lanes after a block: XOR of themselves, their upper bits and a key, times a prime of 32 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn scrambled(mut halves: Halves) -> Halves {
    let prime = _mm256_set1_epi64x(i64::from(PRIME32_1));
    let keys: Halves = cast(*key(SCRAMBLE));
    for (half, key) in halves.iter_mut().zip(keys) {
        let keyed = _mm256_xor_si256(_mm256_xor_si256(*half, _mm256_srli_epi64::<47>(*half)), key);
        let high = _mm256_mul_epu32(_mm256_srli_epi64::<32>(keyed), prime);
        *half = _mm256_add_epi64(_mm256_mul_epu32(keyed, prime), _mm256_slli_epi64::<32>(high));
    }
    halves
}
