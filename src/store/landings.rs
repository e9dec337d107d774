//! The keys that were computed lately without a stored result, for the processes that wait for them (docs/format.md,
//! "Layout"). A lock can't tell them: it is released alike by a process that stored nothing and by a killed one.
//!
//! Like the locks, the file only saves work. If a note is lost, the waiting processes compute one after the other.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, FileType, Mode, OFlags};

use super::access::share;
use super::name;
use crate::threads::found_once;

/// Created by the first process that waits for another one: without it no process waits, and there is none to tell.
const NAME: &str = "landings";

/// A slot for each last byte of a key holds the number of a landing, and that number xor the key's first eight bytes.
const SLOT: usize = 16;
const SLOTS: usize = 256;

#[derive(Debug)]
pub(super) struct Landings {
    root: Arc<OwnedFd>,
    file: OnceLock<File>,
}

impl Landings {
    pub(super) fn new(root: Arc<OwnedFd>) -> Self {
        Self { root, file: OnceLock::new() }
    }

    /// The number of the last landing of `key`, a new one each time; `None` if none is known. Creates the file.
    pub(super) fn last(&self, key: [u8; 16]) -> Option<u64> {
        let mut slot = [0; SLOT];
        self.file(OFlags::CREATE)?.read_exact_at(&mut slot, place(key)).ok()?;
        let (number, mixed) = (first(slot), u64::from_le_bytes(std::array::from_fn(|n| slot[8 + n])));
        // The slot may be another key's; of one that is being written, half may be read.
        (number != 0 && mixed ^ number == first(key)).then_some(number)
    }

    /// Notes that `key` was computed and no result was stored.
    pub(super) fn note(&self, key: [u8; 16]) {
        let Some(file) = self.file(OFlags::empty()) else { return };
        let number = name::random() | 1;
        let slot: Vec<u8> = [number, number ^ first(key)].into_iter().flat_map(u64::to_le_bytes).collect();
        if let Err(error) = file.write_all_at(&slot, place(key)) {
            tracing::debug!(%error, "those that wait for this result compute one after the other");
        }
    }

    fn file(&self, creates: OFlags) -> Option<&File> {
        let known = self.file.get();
        known.or_else(|| self.open(creates).map(|file| found_once(&self.file, || file)))
    }

    fn open(&self, creates: OFlags) -> Option<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | creates;
        let file = fs::openat(&self.root, NAME, flags, Mode::from_raw_mode(0o600)).ok()?;
        let stat = fs::fstat(&file).ok().filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file())?;
        share(self.root.as_fd(), &file, &stat);
        let file = File::from(file);
        if stat.st_size == 0 {
            // Allocates the block now: when there is something to note, the disk may be full.
            let _ = file.write_all_at(&[0; SLOT * SLOTS], 0);
        }
        Some(file)
    }
}

/// The first eight bytes.
fn first(bytes: [u8; 16]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|n| bytes[n]))
}

fn place(key: [u8; 16]) -> u64 {
    u64::from(key[15]) * SLOT as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Disk;

    /// Two of them, which stand for two processes.
    fn two(folder: &tempfile::TempDir) -> [Landings; 2] {
        let root = || Arc::new(File::open(folder.path()).unwrap().into());
        [Landings::new(root()), Landings::new(root())]
    }

    #[test]
    fn each_landing_of_a_key_is_told_and_none_of_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = two(&folder);
        let mut seen = vec![one.last([7; 16])];
        for _ in 0..3 {
            other.note([7; 16]);
            seen.push(one.last([7; 16]));
            assert!(!seen[..seen.len() - 1].contains(&one.last([7; 16])));
        }
        assert_eq!(seen[0], None);
        // Of a key in the same slot, and of one in another slot, nothing is known.
        let mut neighbour = [8; 16];
        neighbour[15] = 7;
        assert_eq!((one.last(neighbour), one.last([9; 16])), (None, None));
        one.note(neighbour);
        assert!(other.last(neighbour).is_some() && other.last([7; 16]).is_none());
    }

    #[test]
    fn nothing_is_made_where_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = two(&folder);
        one.note([1; 16]);
        assert!(!folder.path().join(NAME).exists());
        assert_eq!(other.last([1; 16]), None);
        assert_eq!(std::fs::metadata(folder.path().join(NAME)).unwrap().len(), 4096);
        one.note([1; 16]);
        assert!(other.last([1; 16]).is_some());
    }

    /// Whatever else stands there is neither read as a landing nor followed.
    #[test]
    fn what_is_no_file_of_landings_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, outside) = (folder.path().join(NAME), tempfile::NamedTempFile::new().unwrap());
        std::os::unix::fs::symlink(outside.path(), &path).unwrap();
        let [one, other] = two(&folder);
        assert_eq!(one.last([1; 16]), None);
        other.note([1; 16]);
        assert_eq!(outside.as_file().metadata().unwrap().len(), 0);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(one.last([1; 16]), None);
        std::fs::remove_dir(&path).unwrap();
        for bytes in [vec![], vec![1; 20], vec![255; 5000]] {
            std::fs::write(&path, &bytes).unwrap();
            let [one, other] = two(&folder);
            assert_eq!(one.last([1; 16]), None, "{} bytes", bytes.len());
            other.note([1; 16]);
            assert!(one.last([1; 16]).is_some());
        }
    }

    #[test]
    fn a_key_that_is_given_back_empty_is_told_before_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let (one, other) = (disk.open_locks().unwrap(), disk.open_locks().unwrap());
        assert_eq!(other.last_empty([1; 16]), None);
        for is_empty in [false, true] {
            let held = one.try_lock([1; 16]).unwrap().unwrap();
            held.lands_empty(is_empty);
            drop(held);
            assert_eq!(other.last_empty([1; 16]).is_some(), is_empty);
        }
        let held = one.try_lock([1; 16]).unwrap().unwrap();
        held.lands_empty(true);
        held.lands_empty(false);
        let before = other.last_empty([1; 16]);
        drop(held);
        assert_eq!(other.last_empty([1; 16]), before, "it was stored after all");
    }
}
