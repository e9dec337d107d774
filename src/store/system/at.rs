//! Opening below a root: one system call on Linux, component by component elsewhere, never through a symbolic link.

use crate::error::Error;
use crate::store::name::split;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, Result, retry_on_intr};
use std::path::Path;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder that is only looked up in needs no read permission on Linux.
#[cfg(target_os = "linux")]
pub(crate) const SEARCH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(crate) const SEARCH: OFlags = LIST;

/// A folder that is listed or flushed.
pub(crate) const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A blob that is read. Opening a FIFO must not wait for its writer, hence `O_NONBLOCK`; regular files ignore it.
pub(crate) const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A blob that nobody else has: never another's file, never what a link points to.
pub(crate) const CREATE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);

/// Opens `name`, a checked one, below `root`. A symbolic link anywhere on the way, at the end too, is `ELOOP`.
pub(crate) fn open(root: BorrowedFd<'_>, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    if !LACKS_OPENAT2.load(Ordering::Relaxed) {
        match open_at_once(root, name, flags, mode) {
            // Linux before 5.6.
            Err(Errno::NOSYS) => LACKS_OPENAT2.store(true, Ordering::Relaxed),
            // Sandboxes that answer so to system calls that they don't know.
            Err(Errno::PERM) => {}
            opened => return opened,
        }
    }
    open_stepwise(root, name, flags, mode)
}

/// Whether this process has seen that the system has no `openat2`.
#[cfg(target_os = "linux")]
static LACKS_OPENAT2: AtomicBool = AtomicBool::new(false);

#[cfg(target_os = "linux")]
fn open_at_once(root: BorrowedFd<'_>, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    // `O_NOFOLLOW` is left out on purpose: with it a link in a folder's place is `ENOTDIR`, without it `ELOOP`.
    //
    // `RESOLVE_BENEATH` would say nothing more: a `BlobName` has no `..` and doesn't begin at the file system's root, so
    // that only a link could lead out. It takes 0.16 µs, of 2.3.
    retry_on_intr(|| fs::openat2(root, name, flags, mode, fs::ResolveFlags::NO_SYMLINKS))
}

/// Opens a file without `openat2`: each component by itself, with `O_NOFOLLOW`.
pub(crate) fn open_stepwise(root: BorrowedFd<'_>, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let (folder, leaf) = split(name);
    let mut at: Option<OwnedFd> = None;
    for component in folder.split('/').filter(|component| !component.is_empty()) {
        at = Some(step(at.as_ref().map_or(root, AsFd::as_fd), component, SEARCH, Mode::empty())?);
    }
    step(at.as_ref().map_or(root, AsFd::as_fd), leaf, flags, mode)
}

/// Opens one component of a name.
pub(crate) fn step(folder: BorrowedFd<'_>, component: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    match retry_on_intr(|| fs::openat(folder, component, flags | OFlags::NOFOLLOW, mode)) {
        Err(Errno::NOTDIR) if is_link(folder, component) => Err(Errno::LOOP),
        opened => opened,
    }
}

fn is_link(folder: BorrowedFd<'_>, component: &str) -> bool {
    fs::statat(folder, component, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

/// Another process may take anything away at any time; that is never an error of a look-up.
pub(crate) fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::STALE)
}

/// What a failed system call means to the caller of the store.
pub(crate) fn fault(action: &str, path: &Path, errno: Errno) -> Error {
    match errno {
        Errno::LOOP => Error::damaged(format!(
            "`{}` is, or lies behind, a symbolic link; expected files and folders only",
            path.display()
        )),
        Errno::NXIO | Errno::NODEV => not_regular(path),
        _ => Error::io(action, path, errno),
    }
}

pub(crate) fn not_regular(path: &Path) -> Error {
    Error::damaged(format!("`{}` is not a regular file", path.display()))
}

/// Permission bits, as the system takes them.
#[allow(clippy::useless_conversion)] // `RawMode` has 16 bits on macOS
pub(crate) fn mode(bits: u16) -> Mode {
    Mode::from_raw_mode(bits.into())
}
