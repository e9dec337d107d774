//! The root: finding or creating it, trying whether it can be written.

use super::{Locks, Medium, medium};
use crate::error::{Error, Result};
use crate::store::system::at;
use crate::threads::fork::ForkMutex;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(target_os = "linux")]
use rustix::fs::OFlags;
use rustix::fs::{self, AtFlags, Mode};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, Weak};

/// Links that lead to one another end somewhere, or are given up.
const MOST_LINKS: usize = 40;

/// An open root, with what was found out about it.
#[derive(Debug)]
pub(crate) struct Root {
    folder: Arc<OwnedFd>,
    medium: Medium,
    /// Empty until it is asked for.
    session: OnceLock<Arc<str>>,
    place: Arc<u64>,
    /// `None` until they are asked for; then those that there are, if any.
    locks: ForkMutex<Option<Option<Locks>>>,
}

/// Device and inode, which no other folder has as long as this one is open.
type Id = (u64, u64);

/// A folder that is open in this process, by one descriptor for all its roots: where that is closed, another folder may
/// get the inode.
struct OpenRoot {
    number: Weak<u64>,
    path: PathBuf,
    folder: Weak<OwnedFd>,
}

static KNOWN: LazyLock<ForkMutex<HashMap<Id, OpenRoot>>> = LazyLock::new(ForkMutex::default);

impl Root {
    /// What is open as `folder`, instead of one that was `removed`.
    pub(crate) fn new(folder: OwnedFd, path: &Path, removed: Option<&Self>) -> Result<Self> {
        let stat = fs::fstat(&folder).map_err(|errno| Error::io("stat", path, errno))?;
        // The width of a device's number differs by platform.
        #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
        let id = (stat.st_dev as u64, stat.st_ino);
        let medium = Medium::of(&folder, &stat, path)?;
        let (folder, place) = place(id, path, folder, removed);
        Ok(Self { folder, medium, session: OnceLock::new(), place, locks: ForkMutex::default() })
    }

    pub(crate) fn medium(&self) -> Medium {
        self.medium
    }

    pub(super) fn folder(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.folder)
    }

    /// The boot and the mount that this root is of.
    pub(crate) fn session(&self) -> Arc<str> {
        Arc::clone(self.session.get_or_init(|| medium::session(&self.folder).into()))
    }

    pub(crate) fn place(&self) -> u64 {
        *self.place
    }

    /// The locks that were opened here; `None` if that is still to be done, or has to be done again: somebody may have
    /// removed everything in the root.
    pub(crate) fn locks(&self) -> Option<Option<Locks>> {
        self.locks.lock().clone().filter(|known| known.as_ref().is_none_or(Locks::is_linked))
    }

    pub(crate) fn keep_locks(&self, locks: Option<Locks>) -> Option<Locks> {
        *self.locks.lock() = Some(locks.clone());
        locks
    }

    /// Whether it has no name left, so that nothing can be made in it any more. A folder that was moved has one.
    pub(super) fn is_removed(&self) -> bool {
        is_removed(&self.folder)
    }
}

fn is_removed(folder: &OwnedFd) -> bool {
    match fs::fstat(folder) {
        Ok(stat) => stat.st_nlink == 0,
        Err(errno) => errno == Errno::STALE,
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// The descriptor of a folder, and its number: its own, or that of the removed one whose place it takes, which some store
/// may still have open. Threads that compute something for that one are waited for, too.
fn place(id: Id, path: &Path, folder: OwnedFd, removed: Option<&Root>) -> (Arc<OwnedFd>, Arc<u64>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut known = KNOWN.lock();
    if let Some(same) = known.get(&id).and_then(|known| known.folder.upgrade().zip(known.number.upgrade())) {
        return same;
    }
    known.retain(|_, known| known.folder.strong_count() > 0);
    let is_before = |known: &&OpenRoot| known.path == path && known.folder.upgrade().is_some_and(|it| is_removed(&it));
    let before = || known.values().find(is_before).and_then(|known| known.number.upgrade());
    let number = removed.map(|removed| Arc::clone(&removed.place)).or_else(before);
    let number = number.unwrap_or_else(|| Arc::new(NEXT.fetch_add(1, Ordering::Relaxed)));
    let folder = Arc::new(folder);
    known.insert(
        id,
        OpenRoot { number: Arc::downgrade(&number), path: path.to_owned(), folder: Arc::downgrade(&folder) },
    );
    (folder, number)
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::invalid("the path of a cache folder is empty"));
    }
    std::path::absolute(path).map_err(|error| Error::io("find the absolute path of", path, error))
}

pub(crate) fn open(path: &Path) -> Result<OwnedFd> {
    fs::open(path, at::LIST, Mode::empty()).map_err(|errno| Error::io("open cache folder", path, errno))
}

pub(crate) fn is_missing(error: &Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Creates the root and what is missing above it; returns the folders that gained an entry by that.
pub(crate) fn create(path: &Path) -> Result<(OwnedFd, Vec<PathBuf>)> {
    if path.is_symlink() {
        let dangling = io::Error::new(io::ErrorKind::NotFound, "it is a symbolic link to nothing");
        return Err(Error::io("open cache folder", path, dangling));
    }
    create_at(path)
}

/// Creates a folder and what is missing above it; returns the folders that gained an entry by that.
pub(super) fn create_at(path: &Path) -> Result<(OwnedFd, Vec<PathBuf>)> {
    let missing = path.ancestors().take_while(|ancestor| !ancestor.exists());
    let grown = missing.filter_map(Path::parent).map(Path::to_owned).collect();
    std::fs::create_dir_all(path).map_err(|error| Error::io("create cache folder", path, error))?;
    Ok((open(path)?, grown))
}

/// Tries: permission bits say nothing to root, nor about a read-only mount. A file without a name leaves no trace.
#[cfg(target_os = "linux")]
pub(crate) fn can_write(root: impl AsFd) -> bool {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match fs::openat(&root, ".", flags, at::mode(0o600)) {
        Ok(_) => true,
        Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) => false,
        // Some file systems have no files without a name; a full disk is found by each put.
        Err(_) => has_access(root),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn can_write(root: impl AsFd) -> bool {
    has_access(root)
}

/// The kernel's own answer, which knows read-only mounts.
fn has_access(root: impl AsFd) -> bool {
    fs::accessat(root, ".", fs::Access::WRITE_OK | fs::Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Where a chain of links leads that ends at nothing.
pub(super) fn destination(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(link) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(link);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that no file system has.
    const DEVICE: u64 = u64::MAX;

    #[test]
    fn a_folder_that_gets_the_inode_of_another_has_a_number_of_its_own() {
        let above = tempfile::tempdir().unwrap();
        let (path, other) = (above.path().join("cache"), above.path().join("other"));
        let made = |path: &Path| {
            std::fs::create_dir_all(path).unwrap();
            open(path).unwrap()
        };
        let (folder, number) = place((DEVICE, 5), &path, made(&path), None);
        let again = place((DEVICE, 5), &path, made(&path), None);
        assert!(Arc::ptr_eq(&folder, &again.0) && number == again.1, "one descriptor for one folder");
        std::fs::remove_dir(&path).unwrap();
        let (_in_its_place, its_number) = place((DEVICE, 9), &path, made(&path), None);
        assert_eq!(number, its_number);
        drop((folder, again.0));
        let (_other, other_number) = place((DEVICE, 5), &other, made(&other), None);
        assert_ne!(other_number, its_number);
    }
}
