//! The root: finding or creating it, trying whether it can be written, marking it as a cache.

use super::Durability;
use super::at;
use super::disk::{Disk, mode};
use crate::error::{Error, Result};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// See <https://bford.info/cachedir/>: backup programs skip a folder that holds this file.
const TAG: &str = "CACHEDIR.TAG";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache of ndcache; everything in it can be computed again.
# For information about cache directory tags see https://bford.info/cachedir/
";
const IGNORE: &str = ".gitignore";

/// What else stands in a root (docs/format.md, "Layout").
const NAMES: &[&str] = &["f", "m", "s", "t", "p", "locks"];

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::invalid("the path of a cache folder is empty"));
    }
    std::path::absolute(path).map_err(|error| Error::io("find the absolute path of", path, error))
}

pub(super) fn open(path: &Path) -> Result<OwnedFd> {
    fs::open(path, at::LIST, Mode::empty()).map_err(|errno| Error::io("open cache folder", path, errno))
}

pub(super) fn is_missing(error: &Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Creates the root and what is missing above it; returns the folders that gained an entry by that.
pub(super) fn create(path: &Path) -> Result<(OwnedFd, Vec<PathBuf>)> {
    if path.is_symlink() {
        let dangling = io::Error::new(io::ErrorKind::NotFound, "it is a symbolic link to nothing");
        return Err(Error::io("open cache folder", path, dangling));
    }
    let missing = path.ancestors().take_while(|ancestor| !ancestor.exists());
    let grown = missing.filter_map(Path::parent).map(Path::to_owned).collect();
    std::fs::create_dir_all(path).map_err(|error| Error::io("create cache folder", path, error))?;
    Ok((open(path)?, grown))
}

/// Tries: permission bits say nothing to root, nor about a read-only mount. A file without a name leaves no trace.
#[cfg(target_os = "linux")]
pub(super) fn can_write(root: impl AsFd) -> bool {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match fs::openat(&root, ".", flags, mode(0o600)) {
        Ok(_) => true,
        Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) => false,
        // Not every file system has files without a name; a full disk is a matter of each put.
        Err(_) => has_access(root),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn can_write(root: impl AsFd) -> bool {
    has_access(root)
}

/// The kernel's own answer, which knows read-only mounts.
fn has_access(root: impl AsFd) -> bool {
    fs::accessat(root, ".", fs::Access::WRITE_OK | fs::Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

impl Disk {
    /// Writes what tells people and programs what this folder is. The tag comes last: where it stands, all is written.
    pub(super) fn mark(&self, created: bool) {
        let marked = self.try_mark(created);
        if let Err(error) = marked {
            tracing::warn!("cache folder `{}` can't be tagged as a cache: {error}", self.path().display());
        }
    }

    fn try_mark(&self, created: bool) -> Result<()> {
        if !created && (self.stat(TAG)?.is_some() || !self.is_ours()?) {
            return Ok(());
        }
        if created {
            self.replace(IGNORE, b"*\n", Durability::Buffered)?;
        }
        self.replace(TAG, TAG_TEXT.as_bytes(), Durability::Buffered)
    }

    /// Nothing stands in the root but what a store puts there: true of an empty folder, too.
    fn is_ours(&self) -> Result<bool> {
        // By their beginnings, because a crash may have left a staged one.
        let ours = |name: &str| NAMES.contains(&name) || name.starts_with(TAG) || name.starts_with(IGNORE);
        Ok(self.list("")?.iter().all(|item| ours(&item.name)))
    }
}
