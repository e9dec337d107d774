//! The file at a target's path: where it is, and whether it is still the one that was made.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::folder_of;
use super::mapping;
use super::published::PublishedTarget;
use crate::digest::{CLOCK_STEP, Digest, FileContent, digest};
use crate::error::{Error, ErrorKind, Result};
use crate::record::TargetRecord;

/// How often a file is read, or saved, that somebody writes to or replaces meanwhile.
pub(super) const TRIES: usize = 10;

/// A path that a step's result is to be at.
#[derive(Debug)]
pub(super) struct Target {
    /// Absolute; no link leads to its folder, so that a file has one such path.
    path: PathBuf,
}

/// What distinguishes a file from another one that comes to its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileFacts {
    length: u64,
    modified: i64,
    changed: i64,
    inode: u64,
    device: u64,
}

/// What has become of a target.
#[derive(Debug)]
pub(super) enum TargetState {
    /// It is what was made.
    Same(FileFacts),
    /// Its content is what was made; if it is remembered like this, it needn't be read next time.
    SameByContent(TargetRecord, FileFacts),
    /// It isn't what was made, for this reason.
    Other(String),
}

impl Target {
    /// The target at `path`, as seen from the current folder.
    ///
    /// # Errors
    /// Returns an error when its folder isn't there, or when something else than a file is in its place.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let shown = path.display();
        let Some(name) = path.file_name() else {
            return Err(Error::invalid(format!("target `{shown}` names no file")));
        };
        let folder = folder_of(path);
        let whole = fs::canonicalize(folder).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::invalid(format!("target `{shown}`: there is no folder `{}`", folder.display()))
            }
            _ => Error::io("find the folder of target", path, error),
        })?;
        let target = Self { path: whole.join(name) };
        target.stat()?;
        Ok(target)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    pub(super) fn is_there(&self) -> bool {
        self.stat().is_ok_and(|found| found.is_some())
    }

    /// Whether a file can be put there, asked before a long computation.
    ///
    /// # Errors
    /// Returns an error when its folder can't be written to.
    pub(super) fn expect_writable(&self) -> Result<()> {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        let allowed = accessat(CWD, folder_of(&self.path), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
        allowed.map_err(|errno| Error::io("write into the folder of target", &self.path, errno))
    }

    fn stat(&self) -> Result<Option<Metadata>> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_file() => Ok(Some(found)),
            Ok(found) => {
                let kind = if found.is_dir() { "a folder" } else { "no regular file" };
                Err(Error::invalid(format!("target `{}` is {kind}, expected a file or nothing", self.path.display())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("examine target", &self.path, error)),
        }
    }

    /// How the file looks that was just saved; `None` if somebody else has replaced or removed it since, as far as
    /// that can be known.
    ///
    /// # Errors
    /// Returns an error when there is none, and never was.
    pub(super) fn saved_as(&self, published: Option<&PublishedTarget>) -> Result<Option<FileFacts>> {
        match published {
            None => self.saved().map(|found| Some(FileFacts::of(&found))),
            Some(published) => Ok(self.stat()?.filter(|found| published.is(found)).map(|found| FileFacts::of(&found))),
        }
    }

    /// Whether what stands there is the file that looked so.
    ///
    /// # Errors
    /// Returns an error when that can't be found out.
    pub(super) fn is_still(&self, before: FileFacts) -> Result<bool> {
        Ok(self.stat()?.is_some_and(|found| FileFacts::of(&found) == before))
    }

    /// Holds the file that is there open, if it may be read: no other file gets its inode meanwhile.
    pub(super) fn hold(&self) -> Option<File> {
        mapping::open(&self.path).ok().map(|(file, _)| file)
    }

    /// Whether the persister still names this file.
    ///
    /// # Errors
    /// Returns an error when it doesn't.
    pub(super) fn expect_at(&self, path: Option<&Path>) -> Result<()> {
        // Resolved as by `at`, without a look at what is there.
        let now = path.and_then(|path| Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?)));
        if now.as_ref() == Some(&self.path) {
            return Ok(());
        }
        let (was, now) = (self.path.display(), now.unwrap_or_default());
        let message = format!(
            "target `{was}` is at `{}` by now: its persister's path is relative and the current folder has changed, or \
             the path itself has",
            now.display()
        );
        Err(Error::new(ErrorKind::Other, message))
    }

    fn saved(&self) -> Result<Metadata> {
        self.stat()?.ok_or_else(|| {
            let name = self.path.display();
            Error::new(ErrorKind::Other, format!("target `{name}` wasn't saved: it isn't there"))
        })
    }

    /// What stands there now.
    ///
    /// # Errors
    /// Returns an error when nothing does, or when it can't be read.
    pub(super) fn record(&self) -> Result<(TargetRecord, FileFacts)> {
        let name = self.path.display();
        for _ in 0..TRIES {
            let seen = nanoseconds(SystemTime::now());
            let before = self.saved()?;
            let digest = digest(&FileContent::open(&self.path)?);
            let look = FileFacts::of(&before);
            if self.is_still(look)? {
                return Ok((look.record(&self.path, seen, digest), look));
            }
        }
        Err(Error::new(ErrorKind::Other, format!("target `{name}` is changed all the time")))
    }

    /// Compares what stands there with what was made; `trusted` says that no restart came in between.
    ///
    /// # Errors
    /// Returns an error when that can't be found out.
    pub(super) fn compare(&self, made: &TargetRecord, trusted: bool) -> Result<TargetState> {
        let Some(found) = self.stat()? else { return Ok(TargetState::Other("the target is missing".to_owned())) };
        let path = self.path.display();
        if found.len() != made.length {
            let what = format!("target `{path}` has {} bytes, {} were made", found.len(), made.length);
            return Ok(TargetState::Other(what));
        }
        let look = FileFacts::of(&found);
        if trusted && look.is_of(made) && is_settled(made) {
            return Ok(TargetState::Same(look));
        }
        let (now, look) = self.record()?;
        if now.digest != made.digest {
            return Ok(TargetState::Other(format!("target `{path}` holds something else than was made")));
        }
        Ok(TargetState::SameByContent(now, look))
    }
}

impl FileFacts {
    fn of(found: &Metadata) -> Self {
        Self {
            length: found.len(),
            modified: instant(found.mtime(), found.mtime_nsec()),
            changed: instant(found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            device: found.dev(),
        }
    }

    fn record(self, path: &Path, seen: u64, digest: Digest) -> TargetRecord {
        let Self { length, modified, changed, inode, device: _ } = self;
        TargetRecord { path: path.as_os_str().as_bytes().to_owned(), length, modified, changed, inode, seen, digest }
    }

    /// But for the device, whose number another start may change.
    fn is_of(self, made: &TargetRecord) -> bool {
        (self.length, self.modified, self.changed, self.inode) == (made.length, made.modified, made.changed, made.inode)
    }
}

/// Whether the file hadn't been changed for long enough when its digest was taken: by its change time, which can't be set
/// back.
fn is_settled(made: &TargetRecord) -> bool {
    i64::try_from(made.seen).is_ok_and(|seen| seen.saturating_sub(made.changed) >= CLOCK_STEP.as_nanos() as i64)
}

fn instant(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
