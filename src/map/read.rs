//! A file's bytes read into memory, and hashed in the same pass.

use std::fs::File;
use std::mem::MaybeUninit;
use std::path::PathBuf;

use rustix::io::{Errno, pread};

use super::spare::{Spare, filled};
use crate::digest::{Digest, LEAF, TreeHasher, combine, leaf, piece_of_leaf, shared};
use crate::error::{Error, Result};

/// The length in bytes from which on huge pages are asked for.
const HUGE: usize = 4 << 20;

/// The length in bytes up to which one core reads and hashes faster than others begin.
const SERIAL: usize = 4 << 20;

/// Fills `dst` with the bytes at `offset`; returns it with their `tree` digest.
///
/// Each leaf, or piece of one, is hashed right after it was read, while it is in the cache. A large `dst` is read by several threads. The
/// digest is the same.
///
/// # Errors
/// Returns an error of the kind `Damaged` when the file ends before `dst` is full, and when reading fails.
pub(crate) fn read_verified<'a>(
    file: &File,
    path: impl Fn() -> PathBuf + Sync,
    offset: u64,
    dst: Spare<'a>,
) -> Result<(&'a mut [u8], Digest)> {
    let dst = dst.into_inner();
    // The usual length, which takes no list.
    if dst.len() <= LEAF {
        return read_leaf(file, &path, offset, dst, piece_of_leaf());
    }
    let piece = piece_of_leaf();
    let read = |offset, part: &mut [_]| read_leaf(file, &path, offset, part, piece).map(|(_, digest)| digest);
    let (dst, leaves) = read_leaves(offset, dst, read)?;
    Ok((dst, combine(&leaves)))
}

/// Fills `part`, at most a leaf; returns it with its digest. Hashes each piece of `len` bytes before it reads the next.
fn read_leaf<'a>(
    file: &File,
    path: impl Fn() -> PathBuf,
    offset: u64,
    part: &'a mut [MaybeUninit<u8>],
    len: usize,
) -> Result<(&'a mut [u8], Digest)> {
    if part.len() <= len {
        let part = read_part(file, path, offset, part)?;
        let digest = leaf(part);
        return Ok((part, digest));
    }
    let mut hasher = TreeHasher::new();
    for (n, piece) in part.chunks_mut(len).enumerate() {
        hasher.push(read_part(file, &path, offset + (n * len) as u64, piece)?);
    }
    // SAFETY: each piece was read in full, or this isn't reached.
    Ok((unsafe { filled(part) }, hasher.finish()))
}

/// Fills `dst` with the bytes at `offset`, as [`read_verified`] does, and hashes nothing.
///
/// # Errors
/// Returns an error when [`read_verified`] does.
pub(crate) fn read_at<'a>(
    file: &File,
    path: impl Fn() -> PathBuf + Sync,
    offset: u64,
    dst: Spare<'a>,
) -> Result<&'a mut [u8]> {
    let read = |offset, part: &mut [_]| read_part(file, &path, offset, part).map(|_| ());
    read_leaves(offset, dst.into_inner(), read).map(|(dst, _)| dst)
}

/// Fills `dst` by `read`, which fills each leaf that it is given or fails; returns it with what that made of them.
fn read_leaves<T: Send>(
    offset: u64,
    dst: &mut [MaybeUninit<u8>],
    read: impl Fn(u64, &mut [MaybeUninit<u8>]) -> Result<T> + Sync,
) -> Result<(&mut [u8], Vec<T>)> {
    if dst.len() >= HUGE {
        advise_huge_pages(dst);
    }
    let threads = if dst.len() <= SERIAL { 1 } else { dst.len() / (SERIAL / 2) };
    let nth = |(): &mut (), (n, part): (usize, &mut [_])| read(offset + (n * LEAF) as u64, part);
    let made = shared(threads, dst.chunks_mut(LEAF).enumerate(), || (), nth)?;
    // SAFETY: `read` has filled each leaf, or this isn't reached.
    Ok((unsafe { filled(dst) }, made))
}

/// The `tree` digest of the `len` bytes at `offset`, for a file that may not be mapped; a leaf of memory.
///
/// # Errors
/// Returns an error of the kind `Damaged` when the file ends before that, and when reading fails.
pub(crate) fn digest_file(file: &File, path: impl Fn() -> PathBuf, offset: u64, len: u64) -> Result<Digest> {
    let mut part = Vec::with_capacity(LEAF);
    let mut leaves = Vec::new();
    for start in (0..len).step_by(LEAF) {
        let part = &mut part.spare_capacity_mut()[..usize::try_from(len - start).unwrap_or(LEAF).min(LEAF)];
        leaves.push(leaf(read_part(file, &path, offset + start, part)?));
    }
    Ok(combine(&leaves))
}

/// Fills `part`, and returns it.
fn read_part<'a>(
    file: &File,
    path: impl Fn() -> PathBuf,
    offset: u64,
    part: &'a mut [MaybeUninit<u8>],
) -> Result<&'a mut [u8]> {
    let mut done = 0;
    while done < part.len() {
        match pread(file, &mut part[done..], offset + done as u64) {
            Ok(([], _)) => {
                let end = offset + part.len() as u64;
                return Err(Error::damaged(format!("`{}` ends before byte {end}", path().display())));
            }
            Ok((read, _)) => done += read.len(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::io("read", &path(), errno)),
        }
    }
    // SAFETY: `pread` has written to the first `done` bytes, which are all.
    Ok(unsafe { filled(part) })
}

/// Asks for huge pages under `dst`, which spares most page faults of the first touch. Where that fails, it is slower.
#[cfg(target_os = "linux")]
fn advise_huge_pages(dst: &mut [MaybeUninit<u8>]) {
    use rustix::mm::{Advice, madvise};

    // The usual length of a huge page, and a multiple of that of any other. What is left at the ends can't be one.
    const PAGE: usize = 2 << 20;
    let start = dst.as_mut_ptr();
    let skip = start.align_offset(PAGE);
    let len = dst.len().saturating_sub(skip) / PAGE * PAGE;
    if len > 0 {
        // SAFETY: the advice is about how memory is provided; it changes neither content nor protection of any page,
        // and the pages lie within `dst`.
        let _ = unsafe { madvise(start.wrapping_add(skip).cast(), len, Advice::LinuxHugepage) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_dst: &mut [MaybeUninit<u8>]) {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::digest::tree;
    use crate::map::mapping::tests::StoredFile;
    use crate::map::vec_of;

    fn painted(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    fn read(file: &File, path: &Path, offset: u64, len: usize) -> Result<Vec<u8>> {
        vec_of(len, |dst| read_verified(file, || path.to_owned(), offset, dst).map(|(dst, _)| dst))
    }

    /// Reads all but the first `offset` bytes, and checks bytes and digest.
    fn check(bytes: &[u8], offset: usize) {
        let stored = StoredFile::new(bytes);
        let mut digest = None;
        let dst = vec_of::<u8>(bytes.len() - offset, |dst| {
            let (dst, found) = read_verified(&stored.file, || stored.path.clone(), offset as u64, dst)?;
            digest = Some(found);
            Ok(dst)
        });
        let dst = dst.unwrap();
        assert!(dst == bytes[offset..], "{} bytes at {offset}", dst.len());
        assert_eq!(digest.unwrap(), tree(&bytes[offset..]), "{} bytes at {offset}", dst.len());
    }

    #[test]
    fn bytes_and_digest_are_those_of_the_file_around_every_limit() {
        for limit in [0, LEAF, 2 * LEAF, HUGE, SERIAL, SERIAL + LEAF] {
            for len in limit.saturating_sub(1)..=limit + 1 {
                check(&painted(len + 128), 128);
            }
        }
    }

    #[test]
    fn a_leaf_that_is_read_in_pieces_has_its_bytes_and_its_digest() {
        let bytes = painted(LEAF + 100);
        let stored = StoredFile::new(&bytes);
        for piece in [1000, 1024, LEAF / 2, LEAF] {
            for len in
                [0, 1, piece - 1, piece, piece + 1, 2 * piece, LEAF - 1, LEAF].into_iter().filter(|&len| len <= LEAF)
            {
                let mut digest = None;
                let read = vec_of::<u8>(len, |dst| {
                    let (dst, found) = read_leaf(&stored.file, || stored.path.clone(), 100, dst.into_inner(), piece)?;
                    digest = Some(found);
                    Ok(dst)
                });
                assert!(read.unwrap() == bytes[100..100 + len], "{len} bytes in pieces of {piece}");
                assert_eq!(digest, Some(tree(&bytes[100..100 + len])), "{len} bytes in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_worker_of_the_pool_reads_the_same() {
        let bytes = painted(SERIAL + LEAF / 2);
        rayon::scope(|scope| scope.spawn(|_| check(&bytes, 0)));
    }

    #[test]
    fn a_file_that_ends_early_is_damaged() {
        for len in [100, LEAF + 1, SERIAL + 1] {
            let stored = StoredFile::new(&painted(len));
            let error = read(&stored.file, &stored.path, 1, len).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Damaged);
            assert!(error.to_string().ends_with(&format!("array.npy` ends before byte {}", len + 1)), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_names_its_path() {
        let stored = StoredFile::new(b"");
        let folder = File::open(stored.folder.path()).unwrap();
        let error = read(&folder, stored.folder.path(), 0, 8).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Io);
        assert!(error.to_string().contains(&stored.folder.path().display().to_string()), "{error}");
    }

    #[test]
    fn huge_pages_may_be_asked_for_under_any_slice() {
        let mut bytes = painted(SERIAL);
        for (start, end) in [(0, SERIAL), (1, SERIAL - 1), (1, 2), (0, 0), (SERIAL / 2 - 1, SERIAL)] {
            let dst: &mut [u8] = &mut bytes[start..end];
            // SAFETY: nothing is written to it.
            advise_huge_pages(unsafe { std::slice::from_raw_parts_mut(dst.as_mut_ptr().cast(), dst.len()) });
        }
        assert!(bytes == painted(SERIAL));
    }
}
