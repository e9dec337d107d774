//! One computation per key, among threads and processes.

use std::time::{Duration, Instant};

use super::Inner;
use super::flight::{self, Clearance, Flight, REPORT};
use super::lookup::{Missing, Site};
use crate::key::Key;
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
