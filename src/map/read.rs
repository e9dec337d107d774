//! A file's bytes read into memory and hashed in one pass.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::digest::{Digest, LEAF, combine, leaf, shared};
use crate::error::{Error, Result};

/// From here on reading is spread over threads, and huge pages are asked for: below, one core copies faster than
/// others wake up.
const LARGE: usize = 4 << 20;

/// Fills `dst` with the bytes at `offset` and gives their `tree` digest.
///
/// Each leaf is hashed right after it was read, while it is in the cache. A large `dst` is read by several threads. The
/// digest is the same.
///
/// # Errors
/// Returns an error of the kind `Damaged` when the file ends before `dst` is full, and when reading fails.
pub(crate) fn read_verified(file: &File, path: &Path, offset: u64, dst: &mut [u8]) -> Result<Digest> {
    let read = |(n, part): (usize, &mut [u8])| read_leaf(file, path, offset + (n * LEAF) as u64, part);
    if dst.len() <= LEAF {
        return read((0, dst));
    }
    if dst.len() >= LARGE {
        advise_huge_pages(dst);
    }
    let threads = dst.len() / (LARGE / 2);
    let leaves = shared(threads, dst.chunks_mut(LEAF).enumerate(), || (), |(), part| read(part))?;
    Ok(combine(&leaves))
}

/// The `tree` digest of the `len` bytes at `offset`, for a file that may not be mapped; a leaf of memory.
///
/// # Errors
/// Returns an error of the kind `Damaged` when the file ends before that, and when reading fails.
pub(crate) fn digest_file(file: &File, path: &Path, offset: u64, len: u64) -> Result<Digest> {
    let mut part = vec![0; LEAF];
    let mut leaves = Vec::new();
    for start in (0..len).step_by(LEAF) {
        let part = &mut part[..usize::try_from(len - start).unwrap_or(LEAF).min(LEAF)];
        leaves.push(read_leaf(file, path, offset + start, part)?);
    }
    Ok(combine(&leaves))
}

fn read_leaf(file: &File, path: &Path, offset: u64, part: &mut [u8]) -> Result<Digest> {
    // Retries when a signal interrupts it.
    file.read_exact_at(part, offset).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => {
            let end = offset + part.len() as u64;
            Error::damaged(format!("`{}` ends before byte {end}", path.display()))
        }
        _ => Error::io("read", path, error),
    })?;
    Ok(leaf(part))
}

/// Asks for huge pages under `dst`, which spares most page faults of the first touch. Where that fails, it is slower.
#[cfg(target_os = "linux")]
fn advise_huge_pages(dst: &mut [u8]) {
    use rustix::mm::{Advice, madvise};

    // The usual length of a huge page, and a multiple of that of any other. What is left at the ends can't be one.
    const HUGE: usize = 2 << 20;
    let start = dst.as_mut_ptr();
    let skip = start.align_offset(HUGE);
    let len = dst.len().saturating_sub(skip) / HUGE * HUGE;
    if len > 0 {
        // SAFETY: the advice is about how memory is provided; it changes neither content nor protection of any page,
        // and the pages lie within `dst`.
        let _ = unsafe { madvise(start.wrapping_add(skip).cast(), len, Advice::LinuxHugepage) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_dst: &mut [u8]) {}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::digest::tree;
    use crate::map::mapping::tests::Stored;

    fn painted(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    /// Reads all but the first `offset` bytes, and checks bytes and digest.
    fn check(bytes: &[u8], offset: usize) {
        let stored = Stored::new(bytes);
        let mut dst = vec![0; bytes.len() - offset];
        let digest = read_verified(&stored.file, &stored.path, offset as u64, &mut dst).unwrap();
        assert!(dst == bytes[offset..], "{} bytes at {offset}", dst.len());
        assert_eq!(digest, tree(&bytes[offset..]), "{} bytes at {offset}", dst.len());
    }

    #[test]
    fn bytes_and_digest_are_those_of_the_file_around_every_limit() {
        for limit in [0, LEAF, 2 * LEAF, LARGE, LARGE + LEAF] {
            for len in limit.saturating_sub(1)..=limit + 1 {
                check(&painted(len + 128), 128);
            }
        }
    }

    #[test]
    fn a_worker_of_the_pool_reads_the_same() {
        let bytes = painted(LARGE + LEAF / 2);
        rayon::scope(|scope| scope.spawn(|_| check(&bytes, 0)));
    }

    #[test]
    fn a_file_that_ends_early_is_damaged() {
        for len in [100, LEAF + 1, LARGE + 1] {
            let stored = Stored::new(&painted(len));
            let mut dst = vec![0; len];
            let error = read_verified(&stored.file, &stored.path, 1, &mut dst).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Damaged);
            assert!(error.to_string().ends_with(&format!("array.npy` ends before byte {}", len + 1)), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_path() {
        let stored = Stored::new(b"");
        let folder = File::open(stored.folder.path()).unwrap();
        let error = read_verified(&folder, stored.folder.path(), 0, &mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Io);
        assert!(error.to_string().contains(&stored.folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn huge_pages_may_be_asked_for_under_any_slice() {
        let mut bytes = painted(LARGE);
        for (start, end) in [(0, LARGE), (1, LARGE - 1), (1, 2), (0, 0), (LARGE / 2 - 1, LARGE)] {
            advise_huge_pages(&mut bytes[start..end]);
        }
        assert!(bytes == painted(LARGE));
    }
}
