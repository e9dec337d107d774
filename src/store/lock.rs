//! Locks between processes, one byte of one file each. They save work and never carry correctness.
//!
//! Only a write lock is a holder's: it takes a descriptor that may write, and so the permission to write to the file. A
//! user who may only read can still lock for reading, on purpose, as a backup or as a file server. Such a lock keeps
//! others from the byte, and announces nothing: nobody waits for it.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

use rustix::fd::OwnedFd;

use super::holders::holder;
use super::landings::Landings;
use crate::error::{Error, ErrorKind, Result};
use crate::range_locks::{FoundLock, LockKind, find, open_anew, set};
use crate::threads::fork::{ForkMutex, Process};

/// The file whose bytes are locked; created once, never written, never removed.
pub(super) const NAME: &str = "locks";

/// The locks of a cache folder.
///
/// Linux has locks that belong to an open file, work on ranges and go with the process that holds them (`F_OFD_SETLK`,
/// 4–5 µs; measured 2026-11). Elsewhere there are none, and two processes may compute one key.
#[derive(Clone, Debug)]
pub(crate) struct Locks(Arc<LockFile>);

#[derive(Debug)]
struct LockFile {
    file: File,
    holders: ForkMutex<Holders>,
    landings: Landings,
}

/// The holder of an open file's locks. A forked child has its parent's open file, whose locks are no obstacle to it: it opens
/// the file anew before it locks anything.
#[derive(Debug, Default)]
struct Holders {
    /// The process whose open file it is.
    process: Option<Process>,
    held: HashSet<i64>,
    /// What threads of the parent held at the fork. A child doesn't wait for these: the one that forked may wait for it.
    inherited: HashSet<i64>,
}

impl LockFile {
    fn new(file: File, landings: Landings) -> Arc<Self> {
        let made = Self { file, holders: ForkMutex::default(), landings };
        made.holders.lock().process = Some(Process::current());
        Arc::new(made)
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        let mut holders = self.holders.lock();
        if holders.process != Some(Process::current()) {
            if let Err(error) = open_anew(&self.file) {
                tracing::debug!(%error, "locks go on as those of the parent: it and its children compute for themselves");
            }
            let held = std::mem::take(&mut holders.held);
            holders.inherited.extend(held);
            holders.process = Some(Process::current());
        }
        holders
    }
}

impl Locks {
    /// The locks of the folder that this file is in; `None` where there are none to be had.
    pub(super) fn of(file: Result<File>, folder: Arc<OwnedFd>) -> Option<Self> {
        match file {
            Ok(file) => Some(Self(LockFile::new(file, Landings::new(folder)))),
            // Somebody has put something else there.
            Err(error) if error.kind() == ErrorKind::Damaged => {
                tracing::warn!(%error, "going on without locks: other processes may compute the same");
                None
            }
            Err(error) => {
                tracing::debug!(%error, "going on without locks");
                None
            }
        }
    }

    /// Whether the file is still where processes that come later look for it.
    pub(super) fn is_linked(&self) -> bool {
        rustix::fs::fstat(&self.0.file).is_ok_and(|stat| stat.st_nlink > 0)
    }

    /// Locks the byte that `key` falls on; `None` while another process has it.
    pub(crate) fn try_lock(&self, key: [u8; 16]) -> Result<Option<LockedKey>> {
        let offset = offset(key);
        if !self.is_ours_to_lock(offset) {
            return Ok(Some(LockedKey { of: None }));
        }
        let locked = set(&self.0.file, LockKind::Write, offset, 1);
        let (file, is_empty) = (Arc::clone(&self.0), AtomicBool::new(false));
        let held = Held { file, key, offset, holder: Process::current(), is_empty };
        match locked {
            Ok(()) => Ok(Some(LockedKey { of: Some(held) })),
            Err(error) => {
                held.forget();
                if is_taken(&error) {
                    return self.expect_holder(offset).map(|()| None);
                }
                Err(Error::io("lock a byte of", NAME.as_ref(), error))
            }
        }
    }

    /// The number of the last time that `key` was released with nothing stored, a new one each time. For a process that
    /// waits for it.
    pub(crate) fn last_empty(&self, key: [u8; 16]) -> Option<u64> {
        self.0.landings.last(key)
    }

    /// The process that holds the byte of `key`, in words, if the system shows it. Takes milliseconds.
    pub(crate) fn holder(&self, key: [u8; 16]) -> Option<String> {
        holder(&self.0.file, NAME, offset(key))
    }

    /// Notes that a thread is about to lock the byte: a child that is forked from now on knows of it. False for one that a
    /// thread of the parent held.
    fn is_ours_to_lock(&self, offset: i64) -> bool {
        let mut holders = self.0.holders();
        let is_ours = !holders.inherited.contains(&offset);
        if is_ours {
            holders.held.insert(offset);
        }
        is_ours
    }

    /// Fails if the byte is locked for reading: such a lock isn't a holder's, and needn't end.
    fn expect_holder(&self, offset: i64) -> Result<()> {
        let found = find(&self.0.file, LockKind::Write, offset, 1);
        match found.map_err(|error| Error::io("look for a lock on", NAME.as_ref(), error))? {
            Some(FoundLock { kind: LockKind::Read, .. }) => Err(Error::unsupported(format!(
                "byte {offset} of `{NAME}` is locked for reading by another process, expected a lock for writing"
            ))),
            // The lock was released just now.
            Some(_) | None => Ok(()),
        }
    }
}

/// A byte that this process has locked, until it is dropped or the process ends.
pub(crate) struct LockedKey {
    /// `None` of one that a thread of the parent held when this process was forked.
    of: Option<Held>,
}

struct Held {
    file: Arc<LockFile>,
    key: [u8; 16],
    offset: i64,
    /// A child that was forked meanwhile has a copy of this, too: the lock is its parent's to give back.
    holder: Process,
    /// Whether waiting processes are told at its release that nothing was stored.
    is_empty: AtomicBool,
}

impl Held {
    fn forget(&self) {
        self.file.holders().held.remove(&self.offset);
    }
}

impl LockedKey {
    /// Says whether waiting processes are told, when the key is released, that nothing was stored.
    pub(crate) fn lands_empty(&self, is_empty: bool) {
        if let Some(held) = &self.of {
            held.is_empty.store(is_empty, Ordering::Relaxed);
        }
    }
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        let Some(held) = self.of.take().filter(|held| held.holder.is_current()) else { return };
        // Before the lock is free, so that the process which gets it can see it.
        if held.is_empty.load(Ordering::Relaxed) {
            held.file.landings.note(held.key);
        }
        if let Err(error) = set(&held.file.file, LockKind::Unlock, held.offset, 1) {
            tracing::debug!(%error, "a lock stays until the process ends");
        }
        held.forget();
    }
}

/// What a thread waits for, while this lives.
pub(crate) struct AnnouncedWaits(File, Process);

impl Drop for AnnouncedWaits {
    /// Closing the file would do, but for a child that was forked meanwhile: it has the file, too, and with it the locks.
    /// They are its parent's.
    fn drop(&mut self) {
        if !self.1.is_current() {
            return;
        }
        if let Err(error) = set(&self.0, LockKind::Unlock, waits(0), TO_THE_END) {
            tracing::debug!(%error, "what was announced stays until the file is closed");
        }
    }
}

/// Which key waits for which is announced by a lock, too: of the byte, above those of the keys, that the stubs of both
/// make. The kernel forgets it with the process that announced it.
impl Locks {
    /// 31 bits of the key. Two keys that share them may be taken for one, and then one more is computed.
    pub(crate) fn stub(key: [u8; 16]) -> u32 {
        key.iter().take(4).fold(0, |bits, &byte| (bits << 8) | u32::from(byte)) >> 1
    }

    /// Announces that whoever computes one of `held` waits for `awaited`.
    pub(crate) fn announce(&self, held: &[u32], awaited: u32) -> Result<AnnouncedWaits> {
        // A file that is opened once more: a process doesn't see the locks of one that it has.
        let path = format!("/proc/self/fd/{}", self.0.file.as_raw_fd());
        let opened = File::options().read(true).write(true).open(&path);
        let file = opened.map_err(|error| Error::io("open once more", path.as_ref(), error))?;
        for held in held {
            match set(&file, LockKind::Write, waits(*held) + i64::from(awaited), 1) {
                // Another process announces the same.
                Err(error) if is_taken(&error) => self.expect_holder(waits(*held) + i64::from(awaited))?,
                locked => locked.map_err(|error| Error::io("lock a byte of", NAME.as_ref(), error))?,
            }
        }
        Ok(AnnouncedWaits(file, Process::current()))
    }

    /// What those who compute `held` wait for, if that was announced, by other processes or by this one.
    pub(crate) fn waits_of(&self, held: u32) -> Result<Vec<u32>> {
        let (mut awaited, mut ranges) = (Vec::new(), vec![(0, STUBS)]);
        while let Some((start, end)) = ranges.pop().filter(|_| awaited.len() < MOST_WAITS) {
            if start >= end {
                continue;
            }
            let found = find(&self.0.file, LockKind::Read, waits(held) + start, end - start);
            let found = found.map_err(|error| Error::io("look for a lock on", NAME.as_ref(), error))?;
            // The system says one of them, in no order: the others are before it and behind it.
            if let Some(stub) = found.map(|found| found.offset - waits(held)).filter(|stub| (start..end).contains(stub))
            {
                awaited.extend(u32::try_from(stub).ok());
                ranges.extend([(start, stub), (stub + 1, end)]);
            }
        }
        Ok(awaited)
    }
}

/// What more than these wait for is not looked for.
const MOST_WAITS: usize = 64;

/// How many stubs there are.
const STUBS: i64 = 1 << 31;

/// The length of a range that has no end.
const TO_THE_END: i64 = 0;

/// The first of the bytes that announce what whoever computes `held` waits for.
fn waits(held: u32) -> i64 {
    (1 << 62) | i64::from(held) << 31
}

/// 62 bits of the key. Two keys that share a byte wait for each other, which happens once among 2^31 keys at a time and
/// does no other harm.
fn offset(key: [u8; 16]) -> i64 {
    let bits = key.iter().take(8).fold(0_i64, |bits, &byte| (bits << 8) | i64::from(byte));
    bits & (i64::MAX >> 1)
}

fn is_taken(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
impl Locks {
    /// Keeps everybody from announcing a wait, as a lock for reading does.
    pub(crate) fn read_waits(&self) -> File {
        let file = File::open(format!("/proc/self/fd/{}", self.0.file.as_raw_fd())).unwrap();
        set(&file, LockKind::Read, waits(0), TO_THE_END).unwrap();
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Disk;

    #[test]
    fn a_key_is_locked_by_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        // Two open files stand for two processes.
        let (one, other) = (disk.open_locks().unwrap(), disk.open_locks().unwrap());
        let held = one.try_lock([1; 16]).unwrap();
        assert!(held.is_some());
        assert!(other.try_lock([1; 16]).unwrap().is_none());
        assert!(other.try_lock([2; 16]).unwrap().is_some());
        drop(held);
        assert!(other.try_lock([1; 16]).unwrap().is_some());
    }

    #[test]
    fn what_a_process_waits_for_is_told_to_others_and_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let (one, other) = (disk.open_locks().unwrap(), disk.open_locks().unwrap());
        let stubs = [0, 1, 7, u32::MAX >> 1];
        let key = one.try_lock([255; 16]).unwrap();
        for awaited in stubs {
            let announced = one.announce(&stubs, awaited).unwrap();
            for held in stubs {
                assert_eq!([&one, &other].map(|locks| locks.waits_of(held).unwrap()), [[awaited], [awaited]]);
            }
            assert!(other.waits_of(2).unwrap().is_empty());
            drop(announced);
            assert!(stubs.iter().all(|&held| other.waits_of(held).unwrap().is_empty()));
        }
        assert!(key.is_some());
    }

    /// A child that is forked while its parent waits has the file that tells it, and may live for hours.
    #[test]
    fn what_a_process_waited_for_is_taken_back_from_its_children_too() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let (one, other) = (disk.open_locks().unwrap(), disk.open_locks().unwrap());
        let announced = one.announce(&[1, 2], 7).unwrap();
        // A fork shares the open file in the same way.
        let child = announced.0.try_clone().unwrap();
        drop(announced);
        assert!([1, 2].iter().all(|&held| other.waits_of(held).unwrap().is_empty()));
        drop(child);
    }

    #[test]
    fn what_several_processes_wait_for_is_told_by_each() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let locks = disk.open_locks().unwrap();
        let stubs = [4, 0, u32::MAX >> 1, 5, 9];
        let _announced = stubs.map(|awaited| locks.announce(&[1, 2], awaited).unwrap());
        let mut found = locks.waits_of(1).unwrap();
        found.sort_unstable();
        assert_eq!(found, [0, 4, 5, 9, u32::MAX >> 1]);
        assert!(locks.waits_of(0).unwrap().is_empty());
    }

    /// With a lock for reading on the whole of `locks`, of a descriptor that may do no more.
    fn read_locked(disk: &Disk) -> File {
        let file = File::open(disk.path_of(NAME)).unwrap();
        set(&file, LockKind::Read, 0, TO_THE_END).unwrap();
        file
    }

    #[test]
    fn a_lock_for_reading_is_nobodys_who_computes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let (one, other) = (disk.open_locks().unwrap(), disk.open_locks().unwrap());
        let held = one.try_lock([1; 16]).unwrap();
        let announced = one.announce(&[4], 5).unwrap();
        let reader = File::open(disk.path_of(NAME)).unwrap();
        // What is held can't be locked for reading, and what isn't can.
        assert!(set(&reader, LockKind::Read, 0, TO_THE_END).is_err());
        for free in [0, offset([2; 16]), waits(4), waits(7)] {
            set(&reader, LockKind::Read, free, 1).unwrap();
        }
        assert!(other.try_lock([1; 16]).unwrap().is_none(), "a holder's");
        assert!(other.try_lock([2; 16]).is_err() && other.try_lock([0; 16]).is_err());
        assert!(other.try_lock([3; 16]).unwrap().is_some());
        assert_eq!(other.waits_of(4).unwrap(), [5]);
        assert!(other.waits_of(7).unwrap().is_empty());
        drop((held, announced));
        assert!(other.try_lock([1; 16]).unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_announced_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let locks = disk.open_locks().unwrap();
        let reader = read_locked(&disk);
        assert!(locks.announce(&[1], 2).is_err());
        assert!(locks.waits_of(1).unwrap().is_empty());
        drop(reader);
        assert!(locks.announce(&[1], 2).is_ok());
    }
}
