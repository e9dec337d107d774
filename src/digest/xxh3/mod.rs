//! XXH3-128 of long buffers, by the widest vectors that the processor has: 512 bits, 256 bits, or those of twox-hash.
//!
//! What XXH3 does with more than 240 bytes (seed 0, the default secret): eight *lanes* of 64 bits begin with constants.
//! Each *stripe* of 64 bytes is accumulated into them together with its *key*, 64 bytes of the secret: each lane gains
//! the product of the halves of its own word XOR its key, and the word of the lane beside it. After a *block* of sixteen
//! stripes the lanes are scrambled. At the end the last 64 bytes are accumulated once more, with a key of their own, and
//! the lanes are merged. <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md> is the definition.
//!
//! * `avx512`, `avx2`: accumulating and scrambling, the only part that takes long; `kernel`: which of them serves this
//!   processor; `memory`: whether it gains by prefetches; `stream`: bytes that come in pieces; `secret`: the constants.
//!
//! The words of neighbouring lanes are added up over a block and change sides once at its end, not with each stripe:
//! addition doesn't mind the order. That saves one instruction of six.
//!
//! # Why this is sound
//!
//! The kernels are safe code: they read arrays of a fixed length, which `bytemuck` turns into vectors, and no pointer is
//! dereferenced: that of a prefetch is a hint, which may be any number. What is `unsafe` is to call a function that was
//! compiled for instructions which a processor may lack.
//! An `Avx512` or an `Avx2` is what such a call needs: their fields are private to their files, and nothing there makes one
//! but `detect`, after it has asked the processor.

// On other processors no kernel is asked for, so parts of this module are unused.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_variables))]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
mod memory;
mod secret;
mod stream;
#[cfg(test)]
pub(super) mod tests;

pub(super) use memory::prefetching_pays;
pub(super) use stream::Stream;

use twox_hash::XxHash3_128;
use xxhash_rust::xxh3::xxh3_128;

use kernel::Kernel;
use secret::{FIRST, merge};

/// The bytes that are accumulated at once.
const STRIPE: usize = 64;

/// The bytes after which the lanes are scrambled: sixteen stripes.
const BLOCK: usize = 1024;

/// The most bytes that XXH3 hashes without lanes.
const SHORT: usize = 240;

type Lanes = [u64; 8];
type Stripe = [u8; STRIPE];
type Block = [u8; BLOCK];

/// What comes behind the last whole block.
#[derive(Clone, Copy)]
struct End<'a> {
    /// The stripes that end before the last byte: at most fifteen.
    stripes: &'a [Stripe],
    /// The last 64 bytes of all.
    last: &'a Stripe,
}

impl<'a> End<'a> {
    /// The end of `bytes`, of which `tail` follows the last whole block: some bytes, and at most a block.
    #[inline(always)]
    fn of(tail: &'a [u8], bytes: &'a [u8]) -> Self {
        let (stripes, _) = tail[..tail.len() - 1].as_chunks();
        Self { stripes, last: bytes.last_chunk().expect("more bytes than a stripe has") }
    }
}

/// The XXH3-128 hash of some bytes, whatever their number.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u128 {
    if bytes.len() <= SHORT { xxh3_128(bytes) } else { hash_long(bytes, Kernel::detect()) }
}

/// Hashes parts of `total` bytes, one after the other, to the same as [`hash`] does; faster where they are in memory.
pub(super) fn hash_of_parts(total: usize) -> impl Fn(&[u8]) -> u128 + Copy + Sync {
    let kernel = Kernel::detect_for(total);
    move |part| if part.len() <= SHORT { xxh3_128(part) } else { hash_long(part, kernel) }
}

#[inline(never)]
fn hash_long(bytes: &[u8], kernel: Option<Kernel>) -> u128 {
    match kernel {
        Some(kernel) => hash_by(kernel, bytes),
        None => otherwise(bytes),
    }
}

/// The hash of more than `SHORT` bytes.
#[inline(always)]
fn hash_by(kernel: Kernel, bytes: &[u8]) -> u128 {
    let (blocks, tail) = before_the_end(bytes);
    let lanes = kernel.accumulate(&FIRST, blocks, Some(End::of(tail, bytes)));
    merge(&lanes, bytes.len() as u64)
}

/// Without a kernel. From some hundred bytes on twox-hash is faster, as it finds AVX2 at run time: 23 against 33 ns for
/// 1 KiB, 51 against 36 GB/s for 1 MiB; below, the two are even (2026-11-20, x86-64).
#[inline(never)]
fn otherwise(bytes: &[u8]) -> u128 {
    if bytes.len() < 512 { xxh3_128(bytes) } else { XxHash3_128::oneshot(bytes) }
}

/// The blocks before the last byte, and the rest: only the [`End`] ever accumulates that byte.
fn before_the_end(bytes: &[u8]) -> (&[Block], &[u8]) {
    let (blocks, tail) = bytes.split_at(bytes.len().saturating_sub(1) / BLOCK * BLOCK);
    (blocks.as_chunks().0, tail)
}
