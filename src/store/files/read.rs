//! Reading a blob whole.

use crate::error::{Error, Result};
use crate::store::disk::Disk;
use crate::store::files::walk::OpenFolder;
use crate::store::name::BlobName;
use crate::store::system::at;
use crate::store::system::stat::Stat;
use rustix::buffer::spare_capacity;
use rustix::fd::AsFd;
use rustix::fs::{self, Mode};
use rustix::io::Errno;
use std::fs::File;

/// A blob that was read whole.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stat: Stat,
}

impl Disk {
    /// Reads a blob of at most `cap` bytes; `None` if there is none. A longer one is damaged, and is not read.
    pub(crate) fn read(&self, name: &str, cap: u64) -> Result<Option<Blob>> {
        let name = BlobName::new(name)?;
        self.read_by(&name, cap, || self.open_with_stat(&name))
    }

    /// Reads the file of a `name` that was listed, looked up in `folder`, which is, or was, its own.
    pub(crate) fn read_in(&self, folder: &OpenFolder, name: &str, cap: u64) -> Result<Option<Blob>> {
        let name = BlobName::listed(name);
        self.read_by(&name, cap, || {
            let file = at::step(folder.as_fd(), name.leaf(), at::READ, Mode::empty())?;
            let stat = Stat::of(&fs::fstat(&file)?);
            Ok((File::from(file), stat))
        })
    }

    fn read_by(
        &self,
        name: &BlobName<'_>,
        cap: u64,
        open: impl Fn() -> rustix::io::Result<(File, Stat)>,
    ) -> Result<Option<Blob>> {
        let read = self.look_up("read", name, || {
            let (file, stat) = open()?;
            // Neither a device nor a file that is too long is read: a device may have no end, or act on being read.
            let refused = !stat.regular || stat.len > cap;
            let bytes = if refused { Vec::new() } else { read_up_to(&file, stat.len)? };
            Ok((stat, bytes))
        })?;
        let Some((stat, bytes)) = read else {
            return Ok(None);
        };
        self.expect_regular(name, &stat)?;
        self.expect_length(name, stat.len, bytes.len() as u64, cap)?;
        Ok(Some(Blob { bytes, stat }))
    }

    fn expect_length(&self, name: &BlobName<'_>, expected: u64, found: u64, cap: u64) -> Result<()> {
        let fault = match () {
            () if expected > cap => format!("has {expected} bytes, expected at most {cap}"),
            () if expected != found => "changed its length while it was read".to_owned(),
            () => return Ok(()),
        };
        Err(Error::damaged(format!("`{}` {fault}", self.path_of(name.whole).display())))
    }
}

/// Reads `len` bytes, and one more if the file has grown. Allocates no more than that, and reports what it can't get.
fn read_up_to(file: &File, len: u64) -> rustix::io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(|_| Errno::NOMEM)?;
    let size = len.checked_add(1).ok_or(Errno::NOMEM)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| Errno::NOMEM)?;
    while bytes.len() < size {
        match rustix::io::read(file, spare_capacity(&mut bytes)) {
            Ok(0) => break,
            // A regular file's short read is its end.
            Ok(_) if bytes.len() == len => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
