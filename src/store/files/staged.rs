//! Files that are filled through a mapping, before anybody knows what will become of them.

use crate::error::{Error, Result};
use crate::store::Durability;
use crate::store::disk::Disk;
use crate::store::name::BlobName;
use crate::store::system::at;
use crate::store::system::limited::size_limit;
use crate::store::system::stat::Stat;
use crate::threads::fork::Process;
use crate::threads::lock;
use rustix::fs::{self, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

/// The flags of `at::CREATE` and the right to read, which a shared mapping that is written to needs.
const CREATE: OFlags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC);

/// A file that no record names yet. Dropped, it is removed, unless somebody took it over.
///
/// It holds a name and no descriptor, so that a program may have as many as it likes.
#[derive(Debug)]
pub(crate) struct StagedBlob {
    disk: Arc<Disk>,
    /// `None` once the file belongs to another owner, such as an entry.
    name: Mutex<Option<String>>,
    len: u64,
    /// The inode's number, which no other file has as long as this one is mapped.
    ino: u64,
    /// A child that was forked in between has a copy of this, too, but the file is the parent's.
    creator: Process,
}

impl Disk {
    /// Creates a file of `len` bytes, which begin with `head` and else are zero, to be filled through a mapping of the
    /// descriptor.
    ///
    /// Its mode has no write permission from the start. All of its blocks are allocated: on a full disk, to write to a
    /// page without one would be a signal and no error.
    ///
    /// # Errors
    /// Returns an error of the kind `Unsupported` where the file system can't promise that.
    pub(crate) fn create_staged(self: &Arc<Self>, name: &str, head: &[u8], len: u64) -> Result<(StagedBlob, File)> {
        let parsed = BlobName::new(name)?;
        self.expect_writable("create", &parsed)?;
        let fault = |errno| self.fault("create", &parsed, errno);
        if len > size_limit() {
            return Err(fault(Errno::FBIG));
        }
        let unsupported = || {
            let path = self.path_of(name);
            Error::unsupported(format!("can't stage `{}`: its file system doesn't reserve blocks", path.display()))
        };
        if !self.medium().reserves {
            return Err(unsupported());
        }
        let file = File::from(self.open_making_folders(&parsed, CREATE, at::mode(0o444)).map_err(fault)?);
        // From here on it is removed after an error.
        let mut blob = StagedBlob {
            disk: Arc::clone(self),
            name: Mutex::new(Some(name.to_owned())),
            len,
            ino: 0,
            creator: Process::current(),
        };
        blob.ino = Stat::of(&fs::fstat(&file).map_err(fault)?).ino;
        allocate(&file, len).map_err(|errno| match errno {
            Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => unsupported(),
            errno => fault(errno),
        })?;
        file.write_all_at(head, 0).map_err(|error| Error::io("write", &self.path_of(name), error))?;
        Ok((blob, file))
    }

    /// Whether both have the same root, which may have been opened twice. Open folders keep their numbers.
    fn has_root_of(&self, other: &Self) -> bool {
        let number = |disk: &Self| fs::fstat(disk.root()).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        std::ptr::eq(self, other) || number(self).is_some_and(|mine| number(other) == Some(mine))
    }
}

impl StagedBlob {
    /// Makes the file the blob `name` of `disk`, without a copy and flushed as `durability` asks.
    ///
    /// `false` when there is nothing to give: it lies in another root, was given away before, or was swept meanwhile.
    /// After an error it is still to be removed by this.
    pub(crate) fn hand_over(&self, disk: &Disk, name: &str, len: u64, durability: Durability) -> Result<bool> {
        let to = BlobName::new(name)?;
        if !self.creator.is_current() || self.len != len || !self.disk.has_root_of(disk) {
            return Ok(false);
        }
        let mut mine = lock(&self.name);
        let Some(from) = mine.clone() else { return Ok(false) };
        let Ok(Some((file, stat))) = disk.open_file(&from) else { return Ok(false) };
        if stat.ino != self.ino || stat.len != len || !stat.is_read_only() {
            return Ok(false);
        }
        let from = BlobName::new(&from)?;
        let moved = disk.made_folder(&to).and_then(|folder| {
            let before = disk.folder(from.folder())?;
            rustix::io::retry_on_intr(|| fs::renameat(&before, from.leaf(), &folder, to.leaf()))
        });
        match moved {
            Ok(()) => *mine = Some(name.to_owned()),
            Err(Errno::NOENT | Errno::XDEV) => return Ok(false),
            Err(errno) => return Err(disk.fault("rename a staged file to", &to, errno)),
        }
        disk.flush(&file, durability, &disk.path_of(name))?;
        disk.sync_folders_of(name, durability)?;
        *mine = None;
        Ok(true)
    }

    /// Takes the file back from whoever couldn't publish it as `name`.
    pub(crate) fn take_back(&self, name: &str) {
        *lock(&self.name) = Some(name.to_owned());
    }
}

impl Drop for StagedBlob {
    fn drop(&mut self) {
        // Asked first: in a forked child the thread that holds the name may not exist.
        if !self.creator.is_current() {
            return;
        }
        if let Some(name) = lock(&self.name).take() {
            // Best effort: what stays is garbage, and is swept with the rest.
            let _ = self.disk.remove(&name);
        }
    }
}

/// Gives the file its length, and a block for each byte of it.
#[cfg(target_os = "linux")]
fn allocate(file: &File, len: u64) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| fs::fallocate(file, fs::FallocateFlags::empty(), 0, len))
}

/// macOS reserves what is appended, but doesn't say that the reservation outlasts the extension.
#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> rustix::io::Result<()> {
    Err(Errno::OPNOTSUPP)
}
