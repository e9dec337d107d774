//! Locks between processes, one byte of one file each. They save work and never carry correctness.

use std::fs::File;
use std::sync::Arc;

use super::Disk;
use crate::error::{Error, ErrorKind, Result};

/// The file whose bytes are locked; created once, never written, never removed.
const NAME: &str = "locks";

/// The locks of a cache folder.
///
/// Linux has locks that belong to an open file, work on ranges and go with the process that holds them (`F_OFD_SETLK`,
/// 4–5 µs; measured 2026-11). Elsewhere there are none, and two processes may compute one key.
#[derive(Clone)]
pub(crate) struct Locks {
    file: Arc<File>,
}

impl Locks {
    /// The locks of `disk`; `None` where there are none to be had.
    pub(crate) fn open(disk: &Disk) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        match disk.lock_file(NAME) {
            Ok(file) => Some(Self { file: Arc::new(file) }),
            // Somebody has put something else there.
            Err(error) if error.kind() == ErrorKind::Damaged => {
                tracing::warn!(%error, "going on without locks: other processes may compute the same");
                None
            }
            Err(error) => {
                tracing::debug!(%error, "going on without locks");
                None
            }
        }
    }

    /// Locks the byte that `key` falls on; `None` while another process has it.
    pub(crate) fn try_lock(&self, key: [u8; 16]) -> Result<Option<LockedKey>> {
        let offset = offset(key);
        match set(&self.file, LockKind::Write, offset) {
            Ok(()) => Ok(Some(LockedKey { file: Arc::clone(&self.file), offset })),
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::PermissionDenied) =>
            {
                Ok(None)
            }
            Err(error) => Err(Error::io("lock a byte of", NAME.as_ref(), error)),
        }
    }
}

/// A byte that this process has locked, until it is dropped or the process ends.
pub(crate) struct LockedKey {
    file: Arc<File>,
    offset: i64,
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        if let Err(error) = set(&self.file, LockKind::Unlock, self.offset) {
            tracing::debug!(%error, "a lock stays until the process ends");
        }
    }
}

/// 62 bits of the key. Two keys that share a byte wait for each other, once in 2^31 keys at a time; nothing more.
fn offset(key: [u8; 16]) -> i64 {
    let bits = key.iter().take(8).fold(0_i64, |bits, &byte| (bits << 8) | i64::from(byte));
    bits & (i64::MAX >> 1)
}

enum LockKind {
    Write,
    Unlock,
}

#[cfg(target_os = "linux")]
fn set(file: &File, kind: LockKind, offset: i64) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;

    let kind = match kind {
        LockKind::Write => libc::F_WRLCK,
        LockKind::Unlock => libc::F_UNLCK,
    };
    let range = libc::flock64 {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset,
        l_len: 1,
        // Locks of open files demand it.
        l_pid: 0,
    };
    // SAFETY: `F_OFD_SETLK` reads a `flock64` through its argument, which points to one that outlives the call; the
    // descriptor is open, being borrowed from a `File`. Neither call nor lock touches memory of this process.
    #[allow(unsafe_code)]
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
    if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(target_os = "linux"))]
fn set(_: &File, _: LockKind, _: i64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_locked_by_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        // Two open files stand for two processes.
        let (one, other) = (Locks::open(&disk).unwrap(), Locks::open(&disk).unwrap());
        let held = one.try_lock([1; 16]).unwrap();
        assert!(held.is_some());
        assert!(other.try_lock([1; 16]).unwrap().is_none());
        assert!(other.try_lock([2; 16]).unwrap().is_some());
        drop(held);
        assert!(other.try_lock([1; 16]).unwrap().is_some());
    }
}
