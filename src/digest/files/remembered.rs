//! The digests of files that this process has read.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::digest::files::stamp::{FileId, Stamp};
use crate::digest::value::Digest;
use crate::threads::fork::ForkMutex;

/// How many files are remembered: some 10 MB of memory. Beyond that all are forgotten, and read once more.
const LIMIT: usize = 65_536;

/// What each file held when its stamp was this one.
pub(crate) struct RememberedDigests(ForkMutex<HashMap<FileId, (Stamp, Digest)>>);

impl RememberedDigests {
    pub(crate) fn new() -> Self {
        Self(ForkMutex::default())
    }

    pub(crate) fn of_process() -> &'static Self {
        static PROCESS: LazyLock<RememberedDigests> = LazyLock::new(RememberedDigests::new);
        &PROCESS
    }

    pub(crate) fn get(&self, place: FileId, stamp: &Stamp) -> Option<Digest> {
        self.0.lock().get(&place).filter(|(was, _)| was == stamp).map(|(_, digest)| *digest)
    }

    /// `stamp` has to be one that no later content can have: see [`Stamp::is_settled`].
    pub(crate) fn put(&self, place: FileId, stamp: Stamp, digest: Digest) {
        let mut files = self.0.lock();
        if files.len() >= LIMIT && !files.contains_key(&place) {
            files.clear();
        }
        files.insert(place, (stamp, digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_files_is_bounded() {
        let remembered = RememberedDigests::new();
        let (stamp, digest) = (Stamp::default(), Digest::of(b"file"));
        for inode in 0..=LIMIT as u64 {
            remembered.put(FileId { device: 1, inode }, stamp, digest);
        }
        assert_eq!(remembered.0.lock().len(), 1);
        assert_eq!(remembered.get(FileId { device: 1, inode: LIMIT as u64 }, &stamp), Some(digest));
        assert_eq!(remembered.get(FileId { device: 2, inode: LIMIT as u64 }, &stamp), None);
    }
}
