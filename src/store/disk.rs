//! A store in a folder: opening it, and what concerns single blobs by name.

use super::access::share;
use super::name::BlobName;
use super::root::{self, Root};
use super::{Locks, Medium, lock};
use crate::error::{Error, Result};
use crate::store::system::at;
use crate::store::system::between::between;
use crate::store::system::stat::Stat;
use crate::threads::fork::ForkMutex;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, PoisonError, RwLock};

/// How often folders that another process sweeps away are made again before a put gives up.
pub(crate) const TRIES: usize = 100;

/// A store in a folder, held by its descriptor: renaming the folder or changing directory doesn't matter to it.
///
/// A folder that was removed is another matter: nothing can ever be put into it. Then the store goes on in the folder
/// that is at its path by now; see [`Disk::reopen`].
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) root: RwLock<Arc<Root>>,
    /// The path of the folder, at which a removed root is made anew; otherwise only for messages.
    path: PathBuf,
    writable: bool,
    /// Whether a root that was removed is made anew, and whether the cache's own root gets its tag.
    makes: bool,
    /// Held by the thread that opens another root.
    pub(crate) reopening: ForkMutex<()>,
    /// How often that was done.
    pub(crate) reopened: AtomicU64,
    /// Whether the last one was made, as none was there.
    pub(crate) made_anew: AtomicBool,
    /// Folders that gained an entry when the root was created, and were not flushed since.
    pub(crate) unsynced: ForkMutex<Vec<PathBuf>>,
}

/// A folder on the way to a blob: the root itself, or one below it.
#[derive(Debug)]
pub(crate) enum ParentFolder {
    Root(Arc<Root>),
    Below(OwnedFd),
}

impl AsFd for ParentFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => root.as_fd(),
            Self::Below(folder) => folder.as_fd(),
        }
    }
}

impl Disk {
    /// Opens the folder at `path`, created with its parents if missing; one that can't be written is opened for
    /// reading, with a warning.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let path = root::absolute(path)?;
        let (folder, grown) = match root::open(&path) {
            Err(error) if root::is_missing(&error) => root::create(&path)?,
            opened => (opened?, Vec::new()),
        };
        let writable = root::can_write(&folder);
        let disk = Self { makes: writable, ..Self::new(Root::new(folder, &path, None)?, path, writable) };
        if writable {
            disk.mark(!grown.is_empty());
        } else {
            tracing::warn!("cache folder `{}` can't be written: opened for reading only", disk.path.display());
        }
        *disk.unsynced() = grown;
        Ok(disk)
    }

    /// Opens an existing folder and never changes a thing in it, not even a stamp.
    pub(crate) fn open_read_only(path: &Path) -> Result<Self> {
        let path = root::absolute(path)?;
        Ok(Self::new(Root::new(root::open(&path)?, &path, None)?, path, false))
    }

    /// Opens an existing folder for writing; makes and tags nothing, now or later.
    ///
    /// # Errors
    /// Returns an error when there is none, and when it can't be written.
    pub(crate) fn open_existing(path: &Path) -> Result<Self> {
        let path = root::absolute(path)?;
        let folder = root::open(&path)?;
        if !root::can_write(&folder) {
            return Err(Error::io("write to cache folder", &path, Errno::ACCESS));
        }
        Ok(Self::new(Root::new(folder, &path, None)?, path, true))
    }

    fn new(root: Root, path: PathBuf, writable: bool) -> Self {
        Self {
            root: RwLock::new(Arc::new(root)),
            path,
            writable,
            makes: false,
            reopening: ForkMutex::default(),
            reopened: AtomicU64::new(0),
            made_anew: AtomicBool::new(false),
            unsynced: ForkMutex::default(),
        }
    }

    pub(crate) fn writable(&self) -> bool {
        self.writable
    }

    /// Whether a root that was removed is made anew, and one that is ours is tagged.
    pub(crate) fn makes(&self) -> bool {
        self.makes
    }

    /// Absolute, as it was when the store was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn medium(&self) -> Medium {
        self.root().medium()
    }

    /// The boot of this machine and the mount of the folder's file system. What was written in the session that still
    /// lasts has lost nothing to a power cut.
    pub(crate) fn session(&self) -> Arc<str> {
        self.root().session()
    }

    /// The number by which stores of this process know that they are in one folder; a folder that took a removed one's
    /// place keeps its number.
    pub(crate) fn place(&self) -> u64 {
        self.root().place()
    }

    /// The locks between the processes that share the folder; `None` where there are none to be had.
    pub(crate) fn locks(&self) -> Option<Locks> {
        let root = self.root();
        if !self.writable || root.medium().network {
            return None;
        }
        if let Some(known) = root.locks() {
            return known;
        }
        // Opened while nothing is held, since it may log: two threads may both open them, and the later ones stay.
        root.keep_locks(self.open_locks())
    }

    /// The locks of this folder, by a file of their own; `None` where there are none to be had.
    pub(crate) fn open_locks(&self) -> Option<Locks> {
        if cfg!(target_os = "linux") { Locks::of(self.lock_file(lock::NAME), self.root().folder()) } else { None }
    }

    /// Where `name` lies, for messages and for other programs.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        let mut path = PathBuf::with_capacity(self.path.as_os_str().len() + 1 + name.len());
        path.push(&self.path);
        path.push(name);
        path
    }

    /// Opens a blob for reading: a regular file, reached through no symbolic link.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<(File, Stat)>> {
        let name = BlobName::new(name)?;
        let Some((file, stat)) = self.look_up("open", &name, || self.open_with_stat(&name))? else {
            return Ok(None);
        };
        self.expect_regular(&name, &stat)?;
        Ok(Some((file, stat)))
    }

    /// Opens a blob for reading, whatever it is: the caller examines it before anything else.
    pub(crate) fn open_unseen(&self, name: &str) -> Result<Option<File>> {
        let name = BlobName::new(name)?;
        self.look_up("open", &name, || {
            at::open(self.root().as_fd(), name.whole, at::READ, Mode::empty()).map(File::from)
        })
    }

    /// Opens a file that processes lock; made if it is missing, never removed while a store may be open.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File> {
        let name = BlobName::new(name)?;
        self.expect_writable("lock", &name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = || self.open_making_folders(&name, flags, Mode::from_raw_mode(0o600));
        let file = open().map_err(|errno| match errno {
            Errno::ISDIR => at::not_regular(&self.path_of(name.whole)),
            errno => self.fault("lock", &name, errno),
        })?;
        let stat = fs::fstat(&file).map_err(|errno| self.fault("stat", &name, errno))?;
        self.expect_regular(&name, &Stat::of(&stat))?;
        share(self.root().as_fd(), &file, &stat);
        Ok(File::from(file))
    }

    /// What stands at `name`, links themselves included.
    pub(crate) fn stat(&self, name: &str) -> Result<Option<Stat>> {
        let name = BlobName::new(name)?;
        self.look_up("stat", &name, || {
            let stat = fs::statat(self.folder(name.folder())?, name.leaf(), AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Stat::of(&stat))
        })
    }

    /// Whether the blob of this name is still the file that was read with `stat`; one system call.
    ///
    /// What is a link now may be looked at through it. That does no harm: it would have to lead to that very file.
    pub(crate) fn is_still(&self, name: &str, stat: &Stat) -> bool {
        between();
        fs::statat(self.root(), name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|now| Stat::of(&now) == *stat)
    }

    /// Removes a blob; `false` if it was gone.
    pub(crate) fn remove(&self, name: &str) -> Result<bool> {
        let name = BlobName::new(name)?;
        self.expect_writable("remove", &name)?;
        let removed =
            self.look_up("remove", &name, || fs::unlinkat(self.folder(name.folder())?, name.leaf(), AtFlags::empty()))?;
        Ok(removed.is_some())
    }

    /// Sets the modification time of a blob to now: its stamp of last use.
    ///
    /// Both times are set although only one is wanted: `UTIME_NOW` for both is what a member of the owner's group may
    /// do; one alone takes the owner. A stamp that can't be set is no error, and one on a vanished blob neither.
    pub(crate) fn touch(&self, name: &str) -> Result<()> {
        let name = BlobName::new(name)?;
        if !self.writable {
            return Ok(());
        }
        let now = fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW };
        let times = fs::Timestamps { last_access: now, last_modification: now };
        let touched = self.look_up("stamp", &name, || {
            let folder = self.folder(name.folder())?;
            match fs::utimensat(folder, name.leaf(), &times, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::ROFS | Errno::PERM | Errno::ACCESS) => Ok(()),
                touched => touched,
            }
        });
        touched.map(drop)
    }

    /// Takes the write permissions off an open blob; `true` if it has none afterwards.
    ///
    /// This is done by descriptor and not by name, so that it is the very file that the caller has verified.
    pub(crate) fn make_read_only(&self, file: &File) -> Result<bool> {
        let action = "take the write permission off a file in";
        let error = |errno| Error::io(action, &self.path, errno);
        let stat = Stat::of(&fs::fstat(file).map_err(error)?);
        let owned = stat.uid == rustix::process::geteuid().as_raw();
        if stat.is_read_only() || !self.writable || !owned {
            return Ok(stat.is_read_only());
        }
        match fs::fchmod(file, at::mode(stat.mode & 0o555)) {
            Ok(()) | Err(Errno::PERM | Errno::ROFS | Errno::NOTSUP) => {}
            Err(errno) => return Err(error(errno)),
        }
        // Asked again because file systems without modes accept the call and ignore it.
        Ok(Stat::of(&fs::fstat(file).map_err(error)?).is_read_only())
    }
}

/// What the other files of this room build on.
impl Disk {
    pub(crate) fn root(&self) -> Arc<Root> {
        Arc::clone(&self.root.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn unsynced(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.unsynced.lock()
    }

    /// The folder of a name, to be looked up in.
    pub(crate) fn folder(&self, folder: &str) -> rustix::io::Result<ParentFolder> {
        let root = self.root();
        if folder.is_empty() {
            return Ok(ParentFolder::Root(root));
        }
        at::open(root.as_fd(), folder, at::SEARCH, Mode::empty()).map(ParentFolder::Below)
    }

    /// The folder of a name, made with its parents if missing. A sweep may take an empty one away at any time.
    pub(crate) fn made_folder(&self, name: &BlobName<'_>) -> rustix::io::Result<ParentFolder> {
        for _ in 0..TRIES {
            match self.folder(name.folder()) {
                Err(Errno::NOENT) => self.make_folders(name)?,
                opened => return opened,
            }
        }
        Err(Errno::NOENT)
    }

    /// Opens a new or existing file; its folders are made only once they are missed.
    pub(crate) fn open_making_folders(
        &self,
        name: &BlobName<'_>,
        flags: OFlags,
        mode: Mode,
    ) -> rustix::io::Result<OwnedFd> {
        for _ in 0..TRIES {
            match at::open(self.root().as_fd(), name.whole, flags, mode) {
                Err(Errno::NOENT) if !name.folder().is_empty() => self.make_folders(name)?,
                opened => return opened,
            }
        }
        Err(Errno::NOENT)
    }

    /// Makes the folders of a name, as far as nobody takes them away meanwhile: then the caller tries again.
    fn make_folders(&self, name: &BlobName<'_>) -> rustix::io::Result<()> {
        let root = self.root();
        let bits = root.medium().of_folders();
        // As a rule only the last one is missing.
        if let Some((above, last)) = name.folder().rsplit_once('/')
            && let Ok(above) = at::open(root.as_fd(), above, at::SEARCH, Mode::empty())
            && matches!(fs::mkdirat(&above, last, bits), Ok(()) | Err(Errno::EXIST))
        {
            return Ok(());
        }
        let mut at = ParentFolder::Root(Arc::clone(&root));
        for component in name.folders() {
            match fs::mkdirat(&at, component, bits) {
                Ok(()) | Err(Errno::EXIST) => {}
                // Nothing can be made in a folder that was removed: in the root no more than in one below it.
                Err(errno) if at::is_absent(errno) && matches!(at, ParentFolder::Root(_)) => {
                    return self.replace_removed(&root, errno);
                }
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(errno),
            }
            match at::step(at.as_fd(), component, at::SEARCH, Mode::empty()) {
                Ok(folder) => at = ParentFolder::Below(folder),
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    pub(crate) fn open_with_stat(&self, name: &BlobName<'_>) -> rustix::io::Result<(File, Stat)> {
        let file = at::open(self.root().as_fd(), name.whole, at::READ, Mode::empty())?;
        let stat = Stat::of(&fs::fstat(&file)?);
        Ok((File::from(file), stat))
    }

    /// `None` for what is absent. `ESTALE`, a network file system's word for a file that was replaced under us, is
    /// looked up once more.
    pub(crate) fn look_up<T>(
        &self,
        action: &str,
        name: &BlobName<'_>,
        mut attempt: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<Option<T>> {
        between();
        let found = match attempt() {
            Err(Errno::STALE) => attempt(),
            found => found,
        };
        between();
        match found {
            Ok(found) => Ok(Some(found)),
            Err(errno) if at::is_absent(errno) => Ok(None),
            Err(errno) => Err(self.fault(action, name, errno)),
        }
    }

    pub(crate) fn fault(&self, action: &str, name: &BlobName<'_>, errno: Errno) -> Error {
        at::fault(action, &self.path_of(name.whole), errno)
    }

    pub(crate) fn expect_regular(&self, name: &BlobName<'_>, stat: &Stat) -> Result<()> {
        if stat.regular { Ok(()) } else { Err(at::not_regular(&self.path_of(name.whole))) }
    }

    pub(crate) fn expect_writable(&self, action: &str, name: &BlobName<'_>) -> Result<()> {
        if self.writable { Ok(()) } else { Err(self.fault(action, name, Errno::ROFS)) }
    }
}
