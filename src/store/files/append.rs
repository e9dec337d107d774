//! Appending to a file that many processes append to.

use crate::error::{Error, Result};
use crate::store::disk::Disk;
use crate::store::name::BlobName;
use crate::store::system::at;
use crate::store::system::limited::takes;
use crate::store::system::stat::Stat;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::io::Read;

/// Each write goes to the end of the file, even while others append to it; a FIFO without a reader is `ENXIO`.
const APPEND: OFlags = OFlags::WRONLY
    .union(OFlags::APPEND)
    .union(OFlags::CREATE)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// What became of bytes that were to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    Done,
    /// The file has as many bytes as it may have, or more; nothing was written.
    Full,
}

impl Disk {
    /// Appends `bytes` to the file `name` by one `write`, unless it has `most` bytes already. The file is made if it is
    /// missing, and the folder that it is in; the root never is.
    ///
    /// # Errors
    /// Returns an error when something else than a regular file stands there, when it can't be opened or made, or when
    /// less than all was written.
    pub(crate) fn append(&self, name: &str, bytes: &[u8], most: u64) -> Result<Appended> {
        let name = BlobName::new(name)?;
        self.expect_writable("append to", &name)?;
        let fault = |errno| self.fault("append to", &name, errno);
        let file = self.open_to_append(&name).map_err(fault)?;
        let stat = Stat::of(&fs::fstat(&file).map_err(fault)?);
        self.expect_regular(&name, &stat)?;
        if stat.len >= most {
            return Ok(Appended::Full);
        }
        // The system would end the process.
        if !takes(&file, bytes.len() as u64) {
            return Err(fault(Errno::FBIG));
        }
        match retry_on_intr(|| rustix::io::write(&file, bytes)).map_err(fault)? {
            written if written == bytes.len() => Ok(Appended::Done),
            _ => Err(fault(Errno::NOSPC)),
        }
    }

    /// Reads what a file of at most `cap` bytes holds now, while others may append to it; `None` if there is none.
    ///
    /// # Errors
    /// Returns an error when something else than a regular file stands there, when it is longer, or can't be read.
    pub(crate) fn read_so_far(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>> {
        let Some((file, stat)) = self.open_file(name)? else { return Ok(None) };
        let path = self.path_of(name);
        if stat.len > cap {
            let found = stat.len;
            return Err(Error::damaged(format!("`{}` has {found} bytes, expected at most {cap}", path.display())));
        }
        let mut bytes = Vec::new();
        match file.take(stat.len).read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    fn open_to_append(&self, name: &BlobName<'_>) -> rustix::io::Result<OwnedFd> {
        let root = self.root();
        let open = || at::open(root.as_fd(), name.whole, APPEND, root.medium().permissions(0o666));
        match open() {
            Err(Errno::NOENT) if !name.folder().is_empty() => {
                match fs::mkdirat(root.as_fd(), name.folder(), root.medium().of_folders()) {
                    Ok(()) | Err(Errno::EXIST) => open(),
                    Err(errno) => Err(errno),
                }
            }
            opened => opened,
        }
    }

    /// Gives a file another name in its folder; nothing if it is gone.
    pub(crate) fn rename(&self, name: &str, leaf: &str) -> Result<()> {
        let name = BlobName::new(name)?;
        self.expect_writable("rename", &name)?;
        let renamed = self.look_up("rename", &name, || {
            let folder = self.folder(name.folder())?;
            fs::renameat(&folder, name.leaf(), &folder, leaf)
        });
        renamed.map(drop)
    }
}
