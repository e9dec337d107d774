//! The files that a call's arguments stand for, looked at once more when the function has run: what it has read is what
//! was hashed only if they are still what they were.

use std::cell::RefCell;
use std::path::PathBuf;

use crate::digest::files::read::ReadFile;
use crate::digest::files::stamp::{FileId, Stamp, stat};
use crate::digest::value::Digest;
use crate::error::{Error, ErrorKind, Result};

/// A file as it was when an argument was made of it.
#[derive(Clone, Debug)]
pub(crate) struct SeenFile {
    pub(crate) path: PathBuf,
    pub(crate) place: FileId,
    pub(crate) stamp: Stamp,
    /// The digest of a file so young that it may change without a sign in its stamp.
    pub(crate) content: Option<Digest>,
    /// It counts by size and times, which mean something on this machine alone.
    pub(crate) by_stamp: bool,
}

thread_local! {
    /// The files in the arguments that this thread is hashing; `None` while nobody asks for them.
    static SEEN: RefCell<Option<Vec<SeenFile>>> = const { RefCell::new(None) };
}

/// Puts back, in a panic too, what an outer call had collected: hashing one call's arguments may hash those of another.
struct Outer(Option<Vec<SeenFile>>);

impl Drop for Outer {
    fn drop(&mut self) {
        let _ = SEEN.try_with(|seen| seen.replace(self.0.take()));
    }
}

/// Hashes arguments by `hash`, and returns the files among them and in them.
///
/// # Errors
/// Returns the error of `hash`.
pub(crate) fn files_seen<T>(hash: impl FnOnce() -> Result<T>) -> Result<(T, Vec<SeenFile>)> {
    let begun = SEEN.try_with(|seen| seen.replace(Some(Vec::new())));
    let _outer = Outer(begun.ok().flatten());
    let value = hash()?;
    let seen = SEEN.try_with(|seen| seen.borrow_mut().take());
    Ok((value, seen.ok().flatten().unwrap_or_default()))
}

/// Notes a file that is hashed.
pub(crate) fn see(file: impl FnOnce() -> SeenFile) {
    let _ = SEEN.try_with(|seen| {
        if let Some(seen) = &mut *seen.borrow_mut() {
            seen.push(file());
        }
    });
}

impl SeenFile {
    /// Whether the file is what it was.
    ///
    /// # Errors
    /// Returns an error of the kind `Changed` that names the file when it isn't, or can't be looked at.
    pub(crate) fn expect_unchanged(&self) -> Result<()> {
        let changed = || {
            let path = self.path.display();
            Error::new(ErrorKind::Changed, format!("file `{path}` was changed after the argument was made of it"))
        };
        let (stamp, place) = stat(&self.path).map_err(|error| changed().because(error))?;
        if (stamp, place) != (self.stamp, self.place) {
            return Err(changed());
        }
        match self.content {
            Some(content) if ReadFile::at(&self.path)?.digest != content => Err(changed()),
            _ => Ok(()),
        }
    }
}
