//! One computation per key, among threads and processes.

use std::time::{Duration, Instant};

use super::Inner;
use super::flight::{self, Clearance, Flight, REPORT};
use super::lookup::{Missing, Site};
use crate::key::Key;
use crate::planted;
use crate::store::LockedKey;

/// How a thread may go on that has found nothing.
pub(super) enum Clear {
    /// Somebody may have finished since it looked. With a lead nobody else computes the key, and it may.
    LookAgain(Option<Lead>),
    /// It computes beside somebody else.
    Alone,
}

/// Holds the key in this process and, where the system has locks, in all of them.
pub(super) struct Lead {
    _key: Option<LockedKey>,
    // After the lock: a thread that is woken by the flight finds the lock free.
    _flight: Flight,
}

impl Inner {
    pub(super) fn request(&self, site: &Site, missing: &Missing) -> Clear {
        match flight::request(self.place, site.key(), self.settings.wait) {
            Clearance::Landed => Clear::LookAgain(None),
            Clearance::Alone => Clear::Alone,
            Clearance::Leads(flight) => {
                let key = self.lock_key(site, missing);
                Clear::LookAgain(Some(Lead { _key: key, _flight: flight }))
            }
        }
    }

    /// Waits until no other process computes the key; goes on without a lock where there is none to be had.
    fn lock_key(&self, site: &Site, missing: &Missing) -> Option<LockedKey> {
        self.locks.as_ref()?;
        let record = || self.disk.stat(&site.record()).ok().flatten();
        // What is there and no good doesn't end the wait; what takes its place does.
        let stale = if matches!(missing, Missing::Expired(_) | Missing::Damaged(_)) { record() } else { None };
        self.wait_for_lock(site.key(), || record().is_some_and(|stat| Some(stat) != stale))
    }

    /// Waits for the lock of `key`, unless what it is for is done meanwhile: an orphaned lock must not delay that.
    pub(super) fn wait_for_lock(&self, key: Key, is_done: impl Fn() -> bool) -> Option<LockedKey> {
        let locks = self.locks.as_ref()?;
        let limit = flight::patience(self.settings.wait);
        let begin = Instant::now();
        let (mut pause, mut report) = (Duration::from_millis(1), REPORT);
        loop {
            match locks.try_lock(key.digest().to_bytes()) {
                Ok(Some(locked)) => return Some(locked),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "going on without a lock");
                    return None;
                }
            }
            let waited = begin.elapsed();
            let is_done = || is_done() && !planted::is("no look beside a held lock");
            if limit.is_some_and(|limit| waited >= limit) || is_done() {
                return None;
            }
            if waited >= report {
                tracing::warn!(%key, seconds = waited.as_secs(), "still waiting for another process");
                report += REPORT;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Memory;
    use crate::digest::Digest;
    use crate::store::Locks;

    /// A child that its killed parent has forked may hold one for hours.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_that_nobody_frees_does_not_delay_what_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::builder(folder.path()).wait(Duration::from_secs(5)).open().unwrap();
        let inner = memory.0.as_ref().unwrap();
        let key = Key::from_digest(Digest::from_bytes([7; 16]));
        // Another open file stands for another process.
        let other = Locks::open(&inner.disk).unwrap();
        let held = other.try_lock(key.digest().to_bytes()).unwrap();
        assert!(held.is_some());
        let begin = Instant::now();
        let is_done = || begin.elapsed() > Duration::from_millis(20);
        assert!(inner.wait_for_lock(key, is_done).is_none());
        assert!(begin.elapsed() < Duration::from_secs(4), "it waited for the lock");
        drop(held);
        assert!(inner.wait_for_lock(key, || false).is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_waited_for_a_lock_looks_before_it_computes() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        #[ndcache::cache]
        fn counted() -> u8 {
            RUNS.fetch_add(1, Ordering::SeqCst);
            1
        }
        let folder = tempfile::tempdir().unwrap();
        let patient = Memory::builder(folder.path()).wait(Duration::from_secs(20)).open().unwrap();
        let hasty = Memory::builder(folder.path()).wait(Duration::ZERO).open().unwrap();
        let inner = patient.0.as_ref().unwrap();
        let key = inner.site(&counted::call()).unwrap().key();
        let other = Locks::open(&inner.disk).unwrap();
        let held = other.try_lock(key.digest().to_bytes()).unwrap();
        assert!(held.is_some());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| patient.eval(counted::call()));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!waits.is_finished(), "it waits for the lock");
            assert_eq!(hasty.eval(counted::call()), 1);
            assert_eq!(waits.join().unwrap(), 1);
        });
        assert_eq!((RUNS.load(Ordering::SeqCst), patient.stats().hits()), (1, 1));
    }
}
