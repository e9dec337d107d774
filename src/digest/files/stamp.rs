//! What the file system says of a file without reading it.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};

/// No file system's times are coarser than this (that of FAT has steps of 2 s).
pub(crate) const CLOCK_STEP: Duration = Duration::from_secs(2);

/// Size and times of a file. It changes with the file, unless two changes fall into one step of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    /// Seconds since 1970 and nanoseconds.
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

/// Which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a change from `now` on will show: both times are past by more than a step of any clock.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let past = |(seconds, nanoseconds): (i64, i64)| {
            let since = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
            let time = since.and_then(|(s, ns)| SystemTime::UNIX_EPOCH.checked_add(Duration::new(s, ns)));
            // Times before 1970 are past; those that no clock shows are not.
            time.map_or(seconds < 0, |time| now.duration_since(time).is_ok_and(|age| age > CLOCK_STEP))
        };
        past(self.modified) && past(self.changed)
    }
}

/// The stamp of a regular file and which one it is; links are followed.
pub(crate) fn stat(path: &Path) -> Result<(Stamp, FileId)> {
    of_regular(fs::metadata(path), path)
}

/// The stamp and the identity of a file that is open, whatever its path leads to now.
pub(crate) fn status(file: &File, path: &Path) -> Result<(Stamp, FileId)> {
    of_regular(file.metadata(), path)
}

fn of_regular(metadata: std::io::Result<Metadata>, path: &Path) -> Result<(Stamp, FileId)> {
    let metadata = metadata.map_err(|error| Error::io("open", path, error))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "is a folder" } else { "is no regular file" };
        return Err(Error::invalid(format!("`{}` {what}, expected a regular file", path.display())));
    }
    Ok((Stamp::of(&metadata), FileId { device: metadata.dev(), inode: metadata.ino() }))
}

/// The path as seen from the current folder of now: a function may run, and a file be looked at again, after that has changed.
pub(crate) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The name of a file, for texts, which contain no path of this machine.
pub(crate) fn file_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(path.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_settle_after_two_seconds_and_those_of_the_future_never() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let stamp = |modified, changed| Stamp { len: 0, modified: (modified, 0), changed: (changed, 0) };
        assert!(stamp(997, 997).is_settled(now));
        assert!(!stamp(998, 997).is_settled(now));
        assert!(!stamp(997, 999).is_settled(now));
        assert!(!stamp(2000, 900).is_settled(now));
        assert!(stamp(-5, 900).is_settled(now));
    }
}
