//! How an entry is removed: its record first, then what the record names, so that no reader finds a record whose files are
//! gone.

use crate::entry::archive::Archive;
use crate::entry::site::Site;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::store::Disk;

impl Archive {
    /// Removes the entry at `site`, and says whether its record was there. `record` is what was read of it: `None` where it
    /// can't be read, whose files are garbage for a sweep. Arrays that are mapped keep their bytes.
    pub(crate) fn remove(&self, site: &Site, record: Option<&Record>) -> Result<bool> {
        let files = record.into_iter().flat_map(Record::files).map(|file| site.file(file));
        remove(&self.disk, &site.record(), files, || self.forget(site.key()), left_behind)
    }

    /// Removes the files of a record that is no longer there.
    pub(super) fn remove_files(&self, site: &Site, record: &Record) {
        remove_files(&self.disk, record.files().map(|file| site.file(file)), left_behind);
    }
}

/// Removes the record of this name and then `files`, unless somebody else has removed the record: then the files are theirs
/// to remove. Says whether it was there.
///
/// `forget` is called in any case, once the record may be gone: an error doesn't say that it is still there. `left` is called
/// with each file that can't be removed.
pub(crate) fn remove(
    disk: &Disk,
    record: &str,
    files: impl IntoIterator<Item = String>,
    forget: impl FnOnce(),
    left: impl FnMut(&str, Error),
) -> Result<bool> {
    let removed = disk.remove(record);
    forget();
    let removed = removed?;
    if removed {
        remove_files(disk, files, left);
    }
    Ok(removed)
}

fn remove_files(disk: &Disk, files: impl IntoIterator<Item = String>, mut left: impl FnMut(&str, Error)) {
    for file in files {
        if let Err(error) = disk.remove(&file) {
            left(&file, error);
        }
    }
}

/// Logs that a file stays, which is garbage for a sweep.
pub(crate) fn left_behind(_: &str, error: Error) {
    tracing::debug!(%error, "left behind");
}
