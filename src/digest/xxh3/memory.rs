//! How this processor reads memory that isn't in a cache, as far as the choice of a kernel depends on it.

#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::threads::found_once;

/// How far ahead of the stripe that is accumulated a prefetch asks for memory, in bytes: a page.
#[cfg(target_arch = "x86_64")]
pub(super) const AHEAD: usize = 4096;

/// Whether it pays to prefetch by instructions.
///
/// It does on Intel's processors, whose own prefetching ends with each page of 4 KiB; the whole table is in
/// `docs/design.md`. On AMD's it loses a twentieth to a half.
pub(in crate::digest) fn prefetching_pays() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static IS_INTEL: OnceLock<bool> = OnceLock::new();
        *found_once(&IS_INTEL, is_intel)
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Asks the processor for its maker's name; each processor of this architecture can be asked.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, unused_unsafe)] // Older compilers want a block that newer ones find superfluous.
fn is_intel() -> bool {
    // SAFETY: each processor with this architecture has the instruction, and the leaf 0.
    let name = unsafe { std::arch::x86_64::__cpuid(0) };
    [name.ebx, name.edx, name.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

/// Asks for the cache line that is [`AHEAD`] of this one, wherever that is: the hint neither reads nor fails.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code, unused_unsafe)] // Older compilers want a block that newer ones find superfluous.
pub(super) fn prefetch(stripe: &super::Stripe) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch may have any address, and each processor with this architecture has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(stripe.as_ptr().wrapping_add(AHEAD).cast()) }
}
