//! Folders of one user's, and small files in them by which processes tell one another something.

use std::time::UNIX_EPOCH;

use crate::error::Result;
use crate::store::Durability;
use crate::store::disk::Disk;
use crate::store::name::BlobName;
use crate::store::system::at;
use crate::store::system::between::between;
use rustix::fd::AsFd;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

impl Disk {
    /// Makes a folder that only its owner may use, and the folders above it; says whether it is that: this user's, and
    /// closed to everybody else.
    pub(crate) fn make_private(&self, folder: &str) -> Result<bool> {
        let name = BlobName::new(folder)?;
        self.expect_writable("make", &name)?;
        let fault = |errno| self.fault("make", &name, errno);
        let above = self.made_folder(&name).map_err(fault)?;
        match fs::mkdirat(&above, name.leaf(), at::mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(fault(errno)),
        }
        let stat = fs::statat(&above, name.leaf(), AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
        Ok(is_own(&stat))
    }

    /// Whether a folder is there that is this user's, and closed to everybody else.
    pub(crate) fn is_private(&self, folder: &str) -> Result<bool> {
        let name = BlobName::new(folder)?;
        let stat =
            self.folder(name.folder()).and_then(|above| fs::statat(above, name.leaf(), AtFlags::SYMLINK_NOFOLLOW));
        match stat {
            Ok(stat) => Ok(is_own(&stat)),
            Err(errno) if at::is_absent(errno) => Ok(false),
            Err(errno) => Err(self.fault("stat", &name, errno)),
        }
    }

    /// Makes a folder with the folders above it, for whoever may write to the root.
    pub(crate) fn make_folder(&self, folder: &str) -> Result<()> {
        let inside = format!("{folder}/x");
        let name = BlobName::new(&inside)?;
        self.expect_writable("make", &name)?;
        self.made_folder(&name).map(drop).map_err(|errno| self.fault("make", &name, errno))
    }

    /// Leaves an empty file in a folder that is there, unless it stands there already.
    pub(crate) fn leave(&self, name: &str) -> Result<()> {
        let name = BlobName::new(name)?;
        self.expect_writable("create", &name)?;
        between();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let left = self.open_making_folders(&name, flags, at::mode(0o600));
        between();
        left.map(drop).map_err(|errno| self.fault("create", &name, errno))
    }

    /// Leaves an empty file that says by its modification time that something was done now: by this machine's clock, and
    /// to the nanosecond, as records have their times. The kernel stamps files some milliseconds late, a file server by a
    /// clock of its own.
    pub(crate) fn mark_now(&self, name: &str) -> Result<()> {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        self.replace(name, b"", Durability::Buffered)?;
        let name = BlobName::new(name)?;
        let now = fs::Timespec { tv_sec: now.as_secs().cast_signed(), tv_nsec: now.subsec_nanos().into() };
        let times = fs::Timestamps { last_access: now, last_modification: now };
        let stamped = self
            .folder(name.folder())
            .and_then(|folder| fs::utimensat(folder, name.leaf(), &times, AtFlags::SYMLINK_NOFOLLOW));
        match stamped {
            // Another user has marked it since.
            Err(Errno::PERM | Errno::NOENT) => Ok(()),
            stamped => stamped.map_err(|errno| self.fault("stamp", &name, errno)),
        }
    }

    /// Renames a file within its folder, in place of what has that name; `false` if it was gone.
    pub(crate) fn rename_within(&self, from: &str, to: &str) -> Result<bool> {
        let (from, to) = (BlobName::new(from)?, BlobName::new(to)?);
        self.expect_writable("rename", &from)?;
        let renamed = self.look_up("rename", &from, || {
            let folder = at::open(self.root().as_fd(), from.folder(), at::SEARCH, Mode::empty())?;
            retry_on_intr(|| fs::renameat(&folder, from.leaf(), &folder, to.leaf()))
        })?;
        Ok(renamed.is_some())
    }
}

fn is_own(stat: &fs::Stat) -> bool {
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    is_folder && stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o077 == 0
}
