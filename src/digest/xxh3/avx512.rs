//! Eight lanes in one vector of 512 bits.

use std::arch::x86_64::*;

use bytemuck::cast;

use super::End;
use super::memory::prefetch;
use super::secret::{LAST, PRIME32_1, SCRAMBLE, key, nth};
use super::{Block, Lanes, Stripe};

/// What says that the processor has AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// `None` on the processors with AVX-512 before VBMI2, too: they slow their clock down for such vectors.
    #[inline(always)]
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi2");
        found.then_some(Self(()))
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
        // SAFETY: An `Avx512` is made by `detect` alone, which has found AVX-512F.
        unsafe { accumulate::<PREFETCH>(lanes, blocks, end) }
    }
}

#[target_feature(enable = "avx512f")]
fn accumulate<const PREFETCH: bool>(lanes: &Lanes, blocks: &[Block], end: Option<End<'_>>) -> Lanes {
    let mut vector: __m512i = cast(*lanes);
    for block in blocks {
        let (stripes, _) = block.as_chunks();
        let mut sums = Sums { words: _mm512_setzero_si512(), products: vector };
        // All sixteen keys stay in registers from block to block, unless it prefetches.
        for (stripe, n) in stripes.iter().zip(0..16) {
            if PREFETCH {
                prefetch(stripe);
            }
            add(&mut sums, stripe, key(nth(n)));
        }
        vector = scrambled(summed(sums));
    }
    if let Some(End { stripes, last }) = end {
        let mut sums = Sums { words: _mm512_setzero_si512(), products: vector };
        for (stripe, n) in stripes.iter().zip(0..16) {
            add(&mut sums, stripe, key(nth(n)));
        }
        add(&mut sums, last, key(LAST));
        vector = summed(sums);
    }
    cast(vector)
}

/// Sums over stripes, for each lane.
struct Sums {
    /// The words, each of which belongs to the lane beside it.
    words: __m512i,
    /// The lane as it was before, and the products.
    products: __m512i,
}

#[target_feature(enable = "avx512f")]
#[inline]
fn add(sums: &mut Sums, stripe: &Stripe, key: &Stripe) {
    let words = cast(*stripe);
    let keyed = _mm512_xor_si512(words, cast(*key));
    let product = _mm512_mul_epu32(keyed, _mm512_srli_epi64::<32>(keyed));
    sums.products = _mm512_add_epi64(sums.products, product);
    sums.words = _mm512_add_epi64(sums.words, words);
}

/// The lanes, once the words have changed sides.
#[target_feature(enable = "avx512f")]
#[inline]
fn summed(sums: Sums) -> __m512i {
    _mm512_add_epi64(sums.products, _mm512_shuffle_epi32::<0b01_00_11_10>(sums.words))
}

/// The lanes after a block: XOR of themselves, their upper bits and a key, times a prime of 32 bits.
#[target_feature(enable = "avx512f")]
#[inline]
fn scrambled(lanes: __m512i) -> __m512i {
    const XOR_OF_THREE: i32 = 0x96;
    let keyed = _mm512_ternarylogic_epi64::<XOR_OF_THREE>(lanes, _mm512_srli_epi64::<47>(lanes), cast(*key(SCRAMBLE)));
    let prime = _mm512_set1_epi64(i64::from(PRIME32_1));
    let high = _mm512_mul_epu32(_mm512_srli_epi64::<32>(keyed), prime);
    _mm512_add_epi64(_mm512_mul_epu32(keyed, prime), _mm512_slli_epi64::<32>(high))
}
