//! What the file system says about a blob.

use rustix::fs::FileType;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The facts of one `fstat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) len: u64,
    /// When it was modified; for a record, its last use: see `Disk::touch`.
    pub(crate) modified: SystemTime,
    /// When anything about the file changed, which nobody can set.
    pub(crate) changed: SystemTime,
    /// Permission bits only.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) dev: u64,
    /// File systems reuse it right after an unlink: never an identity by itself.
    pub(crate) ino: u64,
    pub(crate) regular: bool,
}

impl Stat {
    /// Nobody but root can open it for writing without a `chmod`.
    pub(crate) fn is_read_only(&self) -> bool {
        self.mode & 0o222 == 0
    }

    /// What stands for a file that lies elsewhere.
    pub(crate) fn elsewhere(len: u64, modified: SystemTime) -> Self {
        Self { len, modified, changed: modified, mode: 0, uid: 0, gid: 0, dev: 0, ino: 0, regular: true }
    }

    // The widths of these fields differ by platform.
    #[allow(clippy::unnecessary_cast)]
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: time(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: time(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
            mode: (stat.st_mode & 0o7777) as u16,
            uid: stat.st_uid as u32,
            gid: stat.st_gid as u32,
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
        }
    }
}

#[cfg(test)]
impl Stat {
    pub(crate) fn of_no_file() -> Self {
        Self {
            len: 0,
            modified: UNIX_EPOCH,
            changed: UNIX_EPOCH,
            mode: 0,
            uid: 0,
            gid: 0,
            dev: 0,
            ino: 0,
            regular: false,
        }
    }
}

/// 1970 for the times of a clock that runs wild: before 1970, or past what the platform can hold.
fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    u64::try_from(seconds)
        .ok()
        .and_then(|seconds| Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanoseconds)))
        .and_then(|since| UNIX_EPOCH.checked_add(since))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_range_count_as_the_epoch() {
        assert_eq!(time(-1, 0), UNIX_EPOCH);
        assert_eq!(time(i64::MAX, u64::MAX), UNIX_EPOCH);
        assert_eq!(time(1, 5), UNIX_EPOCH + Duration::new(1, 5));
    }
}
