//! Which file `replace` put at a target's path, reported to the step that saves it.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::folder_of;

/// The file that came to a target's path.
#[derive(Debug)]
pub(super) struct PublishedTarget {
    device: u64,
    inode: u64,
    /// Open, so that no other file gets its inode.
    _file: File,
}

/// What a step waits for while its persister saves.
struct Watch {
    folder: PathBuf,
    name: OsString,
    published: Option<PublishedTarget>,
}

thread_local! {
    /// The innermost step last: a persister may make steps of its own.
    static WATCHES: RefCell<Vec<Watch>> = const { RefCell::new(Vec::new()) };
}

/// Takes the innermost watch away, in a panic too.
struct WatchGuard;

impl Drop for WatchGuard {
    fn drop(&mut self) {
        let _ = WATCHES.try_with(|watches| watches.borrow_mut().pop());
    }
}

/// Runs `save`, and tells which file this thread has put at `path` meanwhile. `path` is one of `Target`.
pub(super) fn watch<T>(path: &Path, save: impl FnOnce() -> T) -> (T, Option<PublishedTarget>) {
    let watch = Watch {
        folder: folder_of(path).to_owned(),
        name: path.file_name().unwrap_or_default().to_owned(),
        published: None,
    };
    WATCHES.with_borrow_mut(|watches| watches.push(watch));
    let _guard = WatchGuard;
    let value = save();
    (value, WATCHES.with_borrow_mut(|watches| watches.last_mut().and_then(|watch| watch.published.take())))
}

/// Whether a step waits for a file of this name.
pub(super) fn is_watched(path: &Path) -> bool {
    WATCHES.with_borrow(|watches| watches.last().is_some_and(|watch| path.file_name() == Some(&watch.name)))
}

/// Notes that `file` has come to `path`.
pub(super) fn note(path: &Path, file: File) {
    let (Ok(folder), Ok(found)) = (fs::canonicalize(folder_of(path)), file.metadata()) else { return };
    WATCHES.with_borrow_mut(|watches| {
        if let Some(watch) = watches.last_mut().filter(|watch| watch.folder == folder) {
            watch.published = Some(PublishedTarget { device: found.dev(), inode: found.ino(), _file: file });
        }
    });
}

impl PublishedTarget {
    pub(super) fn is(&self, found: &Metadata) -> bool {
        found.dev() == self.device && found.ino() == self.inode
    }
}
