//! Each kernel against two other implementations: of any length, in any pieces, anywhere in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use proptest::prelude::*;
use twox_hash::XxHash3_128;
use xxhash_rust::xxh3::xxh3_128;

use super::kernel::Kernel;
use super::{BLOCK, SHORT, Stream, hash, hash_by, hash_of_parts};

/// What takes the place of the fastest kernel, if anything does: another kernel, or none.
static FORCED: Mutex<Option<Option<Kernel>>> = Mutex::new(None);

/// Held by the test that forces kernels. Others may hash meanwhile: the digests are the same.
static FORCING: Mutex<()> = Mutex::new(());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The choice that a test made, if it made one.
pub(super) fn forced() -> Option<Option<Kernel>> {
    *locked(&FORCED)
}

/// Runs a test by each kernel that this processor has, and by none, as the only one.
pub(in crate::digest) fn by_each_kernel(test: impl Fn()) {
    let _forcing = locked(&FORCING);
    let kernels = kernels();
    for kernel in kernels.into_iter().map(|(_, kernel)| Some(kernel)).chain([None]) {
        let _free = Freed;
        *locked(&FORCED) = Some(kernel);
        test();
    }
}

/// Forces no kernel any more, if a test fails, too.
struct Freed;

impl Drop for Freed {
    fn drop(&mut self) {
        *locked(&FORCED) = None;
    }
}

/// Those of this processor; says which ones it lacks.
fn kernels() -> Vec<(&'static str, Kernel)> {
    let kernels = Kernel::all();
    for name in ["AVX-512", "AVX2", "AVX-512 with prefetches", "AVX2 with prefetches"] {
        if kernels.iter().all(|(found, _)| *found != name) {
            println!("skipped: this processor has no {name}");
        }
    }
    kernels
}

/// Bytes that repeat in no block.
fn painted(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]).collect()
}

fn streamed<'a>(kernel: Option<Kernel>, pieces: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    let mut stream = Stream::by(kernel);
    pieces.into_iter().for_each(|piece| stream.write(piece));
    stream.finish()
}

#[test]
fn each_kernel_makes_the_hash_of_two_others_for_every_length() {
    let bytes = painted(3 * BLOCK + 200);
    for len in SHORT + 1..bytes.len() {
        let bytes = &bytes[..len];
        assert_eq!(xxh3_128(bytes), XxHash3_128::oneshot(bytes), "{len} bytes");
        for (name, kernel) in kernels() {
            assert_eq!(hash_by(kernel, bytes), xxh3_128(bytes), "{len} bytes by {name}");
        }
    }
}

#[test]
fn each_kernel_carries_in_every_lane() {
    for byte in [0, 1, 0x7f, 0x80, 0xff] {
        let bytes = vec![byte; 5 * BLOCK + 77];
        for (name, kernel) in kernels() {
            assert_eq!(hash_by(kernel, &bytes), xxh3_128(&bytes), "{byte} by {name}");
        }
    }
}

#[test]
fn few_bytes_have_the_hash_of_two_others_in_one_piece_and_in_several() {
    let bytes = painted(2 * BLOCK);
    by_each_kernel(|| {
        for len in (0..=SHORT + 20).chain([511, 512, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]) {
            let bytes = &bytes[..len];
            assert_eq!(xxh3_128(bytes), XxHash3_128::oneshot(bytes), "{len} bytes");
            let far = [len, 3 << 20, 64 << 20].map(|total| hash_of_parts(total)(bytes));
            assert_eq!((hash(bytes), far), (xxh3_128(bytes), [xxh3_128(bytes); 3]), "{len} bytes");
            for piece in [1, 63, 64, 65, BLOCK - 1, BLOCK, BLOCK + 1] {
                assert_eq!(streamed(forced().flatten(), bytes.chunks(piece)), xxh3_128(bytes), "{len}");
            }
        }
    });
}

/// The hash of what a stream was given so far leaves it as it was.
#[test]
fn a_stream_goes_on_after_its_hash_was_asked_for() {
    let bytes = painted(4 * BLOCK);
    for kernel in kernels().into_iter().map(|(_, kernel)| Some(kernel)).chain([None]) {
        let mut stream = Stream::by(kernel);
        for (n, piece) in bytes.chunks(333).enumerate() {
            stream.write(piece);
            let all = &bytes[..(n * 333 + 333).min(bytes.len())];
            assert_eq!(stream.finish(), xxh3_128(all));
            assert_eq!(stream.clone().finish(), xxh3_128(all));
        }
    }
}

/// Lengths that are few blocks, and those beside the edge of a block or a stripe.
fn lengths() -> impl Strategy<Value = usize> {
    let edge = (1..70_usize, prop_oneof![Just(64), Just(BLOCK)], 0..3_usize);
    prop_oneof![SHORT + 1..70_000, edge.prop_map(|(n, unit, beside)| (n * unit + beside).max(SHORT + 2) - 1)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_kernel_makes_the_same_hash_anywhere_in_memory(len in lengths(), at in 0..64_usize, first in 0..256_usize) {
        let bytes = painted(first + at + len);
        let mut memory = vec![0; at + len];
        memory[at..].copy_from_slice(&bytes[first + at..]);
        let bytes = &memory[at..];
        for (name, kernel) in kernels() {
            prop_assert_eq!(hash_by(kernel, bytes), xxh3_128(bytes), "by {}", name);
            prop_assert_eq!(hash_by(kernel, bytes), XxHash3_128::oneshot(bytes), "by {}", name);
        }
    }

    #[test]
    fn pieces_of_any_length_have_the_hash_of_the_whole(
        len in lengths(),
        mut cuts in prop::collection::vec(prop_oneof![0..3000_usize, 0..70_000_usize], 0..12),
    ) {
        let bytes = painted(len);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(len));
        cuts.extend([0, len]);
        cuts.sort_unstable();
        let pieces = || cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        for kernel in kernels().into_iter().map(|(_, kernel)| Some(kernel)).chain([None]) {
            prop_assert_eq!(streamed(kernel, pieces()), xxh3_128(&bytes));
        }
    }
}
