//! Writing: creating a blob, replacing one.

use crate::error::{Error, Result};
use crate::planted;
use crate::store::Durability;
use crate::store::disk::{Disk, ParentFolder, TRIES};
use crate::store::name::{BlobName, nonce};
use crate::store::system::at;
use crate::store::system::between::between;
use crate::store::system::limited::{LimitedFile, size_limit};
use crate::threads::fork::Process;
use rustix::fd::AsFd;
use rustix::fs::{self, AtFlags, Mode};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

impl Disk {
    /// Creates a blob under a name that is not taken; it can be read by anyone and written by its creator alone,
    /// through this one descriptor and copies of it.
    ///
    /// `expected_len` is a hint: that much is reserved, so that a full disk is found before anything is written.
    pub(crate) fn create(&self, name: &str, expected_len: u64) -> Result<NewBlob<'_>> {
        let parsed = BlobName::new(name)?;
        self.expect_writable("create", &parsed)?;
        let fault = |errno| self.fault("create", &parsed, errno);
        if expected_len > size_limit() {
            return Err(fault(Errno::FBIG));
        }
        between();
        let file = self.open_making_folders(&parsed, at::CREATE, at::mode(0o444)).map_err(fault)?;
        let blob = NewBlob {
            disk: self,
            name: name.to_owned(),
            path: self.path_of(name),
            file: LimitedFile::new(File::from(file)),
            creator: Process::current(),
            finished: false,
        };
        reserve(blob.file.file(), expected_len).map_err(fault)?;
        if planted::is("length before bytes") {
            let _ = blob.file.file().set_len(expected_len);
        }
        Ok(blob)
    }

    /// Puts `bytes` at `name`, in place of whatever blob stands there, in one step.
    ///
    /// A reader sees the old blob or the new one, whole. After an error the old one stands. That the new one survives
    /// a power cut takes [`Disk::sync_folders_of`], too.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<()> {
        let name = BlobName::new(name)?;
        self.expect_writable("replace", &name)?;
        let staged = staged_beside(&name)?;
        let fault = |errno| self.fault("replace", &name, errno);
        let path = self.path_of(name.whole);
        if planted::is("record written in place") {
            return std::fs::write(&path, bytes).map_err(|error| Error::io("write", &path, error));
        }
        let late = planted::is("rename before fsync");
        // A sweep may take the temp away, too, before it has its name.
        for _ in 0..TRIES {
            let (temp, file) = self.temp(&name, staged.clone()).map_err(fault)?;
            self.fill(file, bytes, if late { Durability::Buffered } else { durability }, &path)?;
            between();
            match temp.rename(name.leaf()) {
                Ok(()) if late => return File::open(&path).map_or(Ok(()), |f| self.flush(&f, durability, &path)),
                Ok(()) => return Ok(()),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(fault(errno)),
            }
        }
        Err(fault(Errno::NOENT))
    }

    /// Puts what `fill` writes at `name` in one step, with these permission bits; where something stands there, only if
    /// it `replaces` that. Says whether it was put.
    ///
    /// It is asked to fill the file again if a sweep takes that away meanwhile.
    pub(crate) fn put(
        &self,
        name: &str,
        bits: u16,
        replaces: bool,
        durability: Durability,
        fill: &dyn Fn(&mut dyn Write) -> io::Result<()>,
    ) -> Result<bool> {
        let name = BlobName::new(name)?;
        self.expect_writable("put", &name)?;
        let staged = staged_beside(&name)?;
        let (fault, path) = (|errno| self.fault("put", &name, errno), self.path_of(name.whole));
        for _ in 0..TRIES {
            let (stage, file) = self.temp_with(&name, staged.clone(), at::mode(bits)).map_err(fault)?;
            let mut file = LimitedFile::new(file);
            fill(&mut file).map_err(|error| Error::io("write", &path, error))?;
            self.flush(file.file(), durability, &path)?;
            between();
            match if replaces { stage.rename(name.leaf()).map(|()| true) } else { stage.link(name.leaf()) } {
                Ok(put) => return Ok(put),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(fault(errno)),
            }
        }
        Err(fault(Errno::NOENT))
    }

    /// Creates the file that is to become `name`, beside it. A sweep may take the folder away before that.
    fn temp(&self, name: &BlobName<'_>, staged: String) -> rustix::io::Result<(TempFile, File)> {
        self.temp_with(name, staged, self.medium().permissions(0o666))
    }

    fn temp_with(&self, name: &BlobName<'_>, staged: String, bits: Mode) -> rustix::io::Result<(TempFile, File)> {
        for _ in 0..TRIES {
            let folder = self.made_folder(name)?;
            match at::step(folder.as_fd(), &staged, at::CREATE, bits) {
                Ok(file) => {
                    return Ok((TempFile { folder, name: staged, renamed: false }, File::from(file)));
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::NOENT)
    }

    /// Writes, flushes and closes.
    fn fill(&self, file: File, bytes: &[u8], durability: Durability, path: &Path) -> Result<()> {
        let mut file = LimitedFile::new(file);
        write_all(&mut file, bytes, path)?;
        self.flush(file.file(), durability, path)
    }

    /// Flushes as `durability` asks, just before the file is closed.
    ///
    /// An error in flushing is final. The kernel reports it once and then takes the lost pages for written: a second
    /// `fsync` succeeds, and the file holds zeros.
    ///
    /// The last chance of a network file system to report a lost write is `close`, whose result std drops. `fsync`
    /// waits for the same writes and reports the same errors, so there it stands in for a checked `close`; on a local
    /// file system `close` has nothing to report.
    pub(crate) fn flush(&self, file: &File, durability: Durability, path: &Path) -> Result<()> {
        if planted::is("no fsync") || !(durability.syncs_files() || self.medium().network) {
            return Ok(());
        }
        match file.sync_all() {
            Err(_) if planted::is("failed fsync taken for done") => Ok(()),
            Err(_) if planted::is("fsync tried again") => file.sync_all(),
            flushed => flushed,
        }
        .map_err(|error| Error::io("flush", path, error))
    }

    /// Flushes the folders of a blob that was put in place of another, as `durability` asks.
    pub(crate) fn sync_folders_of(&self, name: &str, durability: Durability) -> Result<()> {
        if durability.syncs_folders() { self.sync_folders(&BlobName::new(name)?) } else { Ok(()) }
    }

    /// A name lasts once every folder on the way to it does.
    fn sync_folders(&self, name: &BlobName<'_>) -> Result<()> {
        let mut folder = name.folder();
        while !folder.is_empty() {
            let opened = at::open(self.root().as_fd(), folder, at::LIST, Mode::empty());
            let flushed = opened.map_err(io::Error::from).and_then(|folder| sync_folder(File::from(folder)));
            flushed.map_err(|error| Error::io("flush", &self.path_of(folder), error))?;
            folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        let root = self.root().as_fd().try_clone_to_owned().and_then(|root| sync_folder(File::from(root)));
        root.map_err(|error| Error::io("flush", self.path(), error))?;
        self.sync_parents()
    }

    /// The folders above a root that we created, once.
    fn sync_parents(&self) -> Result<()> {
        let mut unsynced = self.unsynced();
        while let Some(parent) = unsynced.last() {
            let flushed = File::open(parent).and_then(sync_folder);
            flushed.map_err(|error| Error::io("flush", parent, error))?;
            unsynced.pop();
        }
        Ok(())
    }
}

/// File systems that have nothing to flush for a folder say `EINVAL`.
fn sync_folder(folder: File) -> io::Result<()> {
    match folder.sync_all() {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        flushed => flushed,
    }
}

/// A blob in the making; dropped before it is finished, it is removed.
#[derive(Debug)]
pub(crate) struct NewBlob<'a> {
    disk: &'a Disk,
    name: String,
    path: PathBuf,
    file: LimitedFile,
    /// A child that was forked in between drops its copy of this, too, but the file is the parent's.
    creator: Process,
    finished: bool,
}

impl NewBlob<'_> {
    /// Appends.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_both(bytes, &[])
    }

    /// Appends one after the other, in one system call if the system takes them whole.
    pub(crate) fn write_both(&mut self, first: &[u8], second: &[u8]) -> Result<()> {
        between();
        let mut done = 0;
        if !second.is_empty() {
            let both = [IoSlice::new(first), IoSlice::new(second)];
            done = match self.file.write_vectored(&both) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                written => written.map_err(|error| Error::io("write", &self.path, error))?,
            };
        }
        write_all(&mut self.file, &first[done.min(first.len())..], &self.path)?;
        write_all(&mut self.file, &second[done.saturating_sub(first.len())..], &self.path)
    }

    /// For threads that write parts of the blob, within the length that was expected when it was created.
    pub(crate) fn shared(&self) -> Result<SharedBlob> {
        between();
        let file = self.file.file().try_clone().map_err(|error| Error::io("open", &self.path, error))?;
        Ok(SharedBlob { file, path: self.path.clone() })
    }

    /// Flushes as `durability` asks, closes, and keeps the blob.
    pub(crate) fn finish(mut self, durability: Durability) -> Result<()> {
        if !planted::is("length before bytes") {
            self.disk.flush(self.file.file(), durability, &self.path)?;
        }
        self.disk.sync_folders_of(&self.name, durability)?;
        self.finished = true;
        Ok(())
    }
}

/// A blob in the making, as threads see it that write parts of it. Who finishes the blob has to wait for them.
#[derive(Debug)]
pub(crate) struct SharedBlob {
    file: File,
    path: PathBuf,
}

impl SharedBlob {
    /// Writes at this offset.
    pub(crate) fn write_at(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, at).map_err(|error| Error::io("write", &self.path, error))
    }
}

impl Drop for NewBlob<'_> {
    fn drop(&mut self) {
        if !self.finished && self.creator.is_current() {
            // Best effort: what stays is garbage, and is swept with the rest.
            let _ = self.disk.remove(&self.name);
        }
    }
}

/// A staged file, removed unless it was renamed.
struct TempFile {
    folder: ParentFolder,
    name: String,
    renamed: bool,
}

impl TempFile {
    /// The commit.
    fn rename(mut self, leaf: &str) -> rustix::io::Result<()> {
        retry_on_intr(|| fs::renameat(&self.folder, &self.name, &self.folder, leaf))?;
        self.renamed = true;
        Ok(())
    }

    /// Gives it its name unless something has that, and says whether it did.
    fn link(self, leaf: &str) -> rustix::io::Result<bool> {
        match retry_on_intr(|| fs::linkat(&self.folder, &self.name, &self.folder, leaf, AtFlags::empty())) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(Errno::NOENT) => Err(Errno::NOENT),
            // A file system without second names: then whoever comes at the same moment isn't seen.
            Err(_) if fs::statat(&self.folder, leaf, AtFlags::SYMLINK_NOFOLLOW).is_ok() => Ok(false),
            Err(_) => self.rename(leaf).map(|()| true),
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// A name for the file that is to become `name`, in the same folder.
fn staged_beside(name: &BlobName<'_>) -> Result<String> {
    let staged = [name.leaf(), ".", &nonce(), ".tmp"].concat();
    BlobName::new(&staged)?;
    Ok(staged)
}

/// Loops on short writes and on `EINTR`, as std promises.
fn write_all(file: &mut LimitedFile, bytes: &[u8], path: &Path) -> Result<()> {
    match file.write_all(bytes) {
        Err(_) if planted::is("write error ignored") => Ok(()),
        written => written.map_err(|error| Error::io("write", path, error)),
    }
}

/// Reserves room without changing the file's length. A longer length would be a promise: after a power cut such a file
/// is full of zeros and looks complete.
///
/// Only too little room is an error; that a file system can't reserve is none.
#[cfg(target_os = "linux")]
fn reserve(file: &File, len: u64) -> rustix::io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match retry_on_intr(|| fs::fallocate(file, fs::FallocateFlags::KEEP_SIZE, 0, len)) {
        Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(errno),
        _ => Ok(()),
    }
}

/// macOS can reserve only what it appends to the length.
#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> rustix::io::Result<()> {
    Ok(())
}
