//! Locks on ranges of bytes that belong to an open file, for which `rustix` has no safe function.
//!
//! It lies in `src/map/` as what else is `unsafe`, and is a room of its own below all others: `store` needs it.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;

/// What a lock keeps from others.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum LockKind {
    Read,
    Write,
    Unlock,
}

/// A lock of another open file.
pub(crate) struct FoundLock {
    pub(crate) kind: LockKind,
    pub(crate) offset: i64,
}

/// Locks these bytes for this open file, or gives them back; an error if another open file has them.
#[cfg(target_os = "linux")]
pub(crate) fn set(file: &File, kind: LockKind, offset: i64, length: i64) -> std::io::Result<()> {
    control(file, libc::F_OFD_SETLK, kind, offset, length).map(drop)
}

/// A lock on these bytes that another open file has, and that excludes one of this kind: any excludes a write lock, and
/// only a write lock excludes a read lock.
#[cfg(target_os = "linux")]
pub(crate) fn find(file: &File, kind: LockKind, offset: i64, length: i64) -> std::io::Result<Option<FoundLock>> {
    let found = control(file, libc::F_OFD_GETLK, kind, offset, length)?;
    let kind = match i32::from(found.l_type) {
        libc::F_UNLCK => return Ok(None),
        libc::F_RDLCK => LockKind::Read,
        _ => LockKind::Write,
    };
    Ok(Some(FoundLock { kind, offset: found.l_start }))
}

#[cfg(target_os = "linux")]
fn control(file: &File, command: i32, kind: LockKind, offset: i64, length: i64) -> std::io::Result<libc::flock64> {
    let kind = match kind {
        LockKind::Read => libc::F_RDLCK,
        LockKind::Write => libc::F_WRLCK,
        LockKind::Unlock => libc::F_UNLCK,
    };
    let mut range = libc::flock64 {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset,
        l_len: length,
        // Locks of open files demand it.
        l_pid: 0,
    };
    // SAFETY: `F_OFD_SETLK` reads a `flock64` through its argument, and `F_OFD_GETLK` writes it as well; it is one of
    // ours that outlives the call. The descriptor is open, being borrowed from a `File`. Neither call nor lock touches
    // other memory of this process.
    #[allow(unsafe_code)]
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut range) };
    if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(range) }
}

/// Opens the file once more in the place of its descriptor, for reading and writing: this process has no part any more in
/// the locks of the open file that stood there.
#[cfg(target_os = "linux")]
pub(crate) fn open_anew(file: &File) -> std::io::Result<()> {
    let opened = File::options().read(true).write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    // SAFETY: `dup3` takes numbers and touches no memory. Both descriptors are open, being borrowed from `File`s. The second
    // stays open: in one step it stands for the other file, which is the same one.
    #[allow(unsafe_code)]
    let result = unsafe { libc::dup3(opened.as_raw_fd(), file.as_raw_fd(), libc::O_CLOEXEC) };
    if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn open_anew(_: &File) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set(_: &File, _: LockKind, _: i64, _: i64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn find(_: &File, _: LockKind, _: i64, _: i64) -> std::io::Result<Option<FoundLock>> {
    Err(std::io::ErrorKind::Unsupported.into())
}
