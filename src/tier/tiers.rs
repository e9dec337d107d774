//! The tiers of one memory.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::entry::archive::Archive;
use crate::error::{ErrorKind, Result};
use crate::threads::fork::ForkMutex;
use crate::tier::Deadline;
use crate::tier::place::{Answer, Place};
use crate::tier::read::Told;
use crate::tier::removed::{self, Deny};
use crate::tier::write::outbox::Outbox;
use crate::tier::write::sender::Sender;

/// The tiers of one memory, and the thread that sends to them what the memory computes.
pub(crate) struct Tiers {
    core: Arc<Core>,
    sender: Sender,
    /// How long its end waits for what is left to be sent.
    wait: Duration,
    /// Goes with this.
    open: Arc<()>,
}

/// What threads share that work for the tiers of a memory.
pub(crate) struct Core {
    pub(crate) archive: Arc<Archive>,
    pub(crate) outbox: Arc<Outbox>,
    /// The most bytes of a result that is fetched.
    pub(super) room: Option<u64>,
    pub(super) told: ForkMutex<Told>,
    /// Functions whose pickled results were warned of.
    pub(super) pickled: ForkMutex<HashSet<String>>,
    /// The lists that could not be applied to the folder yet, by the ids of their tiers. The copies don't say what they say,
    /// so that it is applied later; nothing that they deny is fetched meanwhile.
    pub(super) unapplied: ForkMutex<HashMap<String, Deny>>,
    /// The tiers whose lists are too long to be read: nothing is fetched while it can't be known what was purged.
    pub(super) unknown: ForkMutex<HashSet<String>>,
    /// One renewal of the deny list at a time.
    renewing: ForkMutex<()>,
}

/// How long the deny lists of all tiers are waited for.
const DENY_WAIT: Duration = Duration::from_secs(2);

impl Tiers {
    /// The tiers of a memory whose results are put into `outbox`; its folder may hold `limit` bytes.
    pub(crate) fn new(archive: &Arc<Archive>, outbox: Arc<Outbox>, limit: Option<u64>, wait: Duration) -> Self {
        let core = Arc::new(Core {
            archive: Arc::clone(archive),
            outbox,
            room: limit.map(|limit| limit / 4),
            told: ForkMutex::default(),
            pickled: ForkMutex::default(),
            unapplied: ForkMutex::default(),
            unknown: ForkMutex::default(),
            renewing: ForkMutex::default(),
        });
        let sender = Sender::new(&core);
        let tiers = Self { core, sender, wait, open: Arc::default() };
        if !wait.is_zero() {
            flush_at_end_of_thread(&tiers.core, &tiers.open, wait);
        }
        if tiers.core.archive.rules.writes {
            tiers.core.renew_deny();
            tiers.sender.work();
        }
        tiers
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        // A forked child has no thread.
        if self.core.archive.rules.writes {
            self.sender.work();
        }
        &self.core
    }
}

impl Drop for Tiers {
    fn drop(&mut self) {
        if !self.wait.is_zero() {
            self.core.flush(self.wait);
        }
        self.sender.stop();
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(RefCell::new(Vec::new())) };
}

/// The memories that this thread has opened whose end waits for what is to be sent.
struct AtEnd(RefCell<Vec<Waiting>>);

struct Waiting {
    core: Weak<Core>,
    /// Ends with the memory, whose drop has flushed the core already; the thread that sends may hold the core for longer.
    open: Weak<()>,
    wait: Duration,
}

/// A global memory is never dropped, and the end of the main thread is the end of the program.
fn flush_at_end_of_thread(core: &Arc<Core>, open: &Arc<()>, wait: Duration) {
    // Not while the thread ends.
    let _ = AT_END.try_with(|end| {
        let Ok(mut opened) = end.0.try_borrow_mut() else { return };
        opened.retain(|waiting| waiting.open.strong_count() > 0);
        opened.push(Waiting { core: Arc::downgrade(core), open: Arc::downgrade(open), wait });
    });
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        for Waiting { core, open, wait } in self.0.take() {
            if let Some(core) = core.upgrade().filter(|_| open.strong_count() > 0) {
                core.flush(wait);
            }
        }
    }
}

impl Core {
    /// Renews the copies of what was purged from tiers that are ten minutes old, and removes that here.
    pub(crate) fn renew_deny(&self) {
        let disk = &self.archive.disk;
        let is_old = |place: &&Place| removed::age(disk, &place.id).is_none_or(|age| age >= removed::RENEWED);
        if !self.outbox.places.iter().any(|place| is_old(&place)) {
            return;
        }
        let _one = self.renewing.lock();
        let until = Deadline::after(DENY_WAIT);
        let old = self.outbox.places.iter().filter(is_old).filter(|place| place.circuit.may_ask());
        // All at once: behind one server that is silent there may be several tiers.
        let asked: Vec<_> = old.map(|place| (place, place.ask_deny_list(removed::DENY_MAX, until))).collect();
        for (place, asked) in asked {
            match place.deny_list(asked) {
                Ok((Answer::Bytes(bytes), modified)) => self.renew_copy(place, Deny::of_place(&bytes, modified)),
                Ok((Answer::Absent, _)) => self.renew_copy(place, Deny::default()),
                Ok((Answer::TooLong, _)) => {
                    tracing::warn!(
                        tier = place.name,
                        "its list of what was purged is too long: nothing is fetched from there"
                    );
                    self.unknown.lock().insert(place.id.clone());
                }
                Err(_) => {}
            }
        }
    }

    fn renew_copy(&self, place: &Place, list: Deny) {
        self.unknown.lock().remove(&place.id);
        self.put_back(place, &list);
        if let Err(error) = self.keep_deny(place, list) {
            tracing::warn!(tier = place.name, %error, "what was purged from a tier can't be removed here: it is tried again");
        }
    }

    /// Puts back what the list of a tier has lost and this folder's copy says: two purges at the same time may each have
    /// written one without the other's lines.
    fn put_back(&self, place: &Place, list: &Deny) {
        let known = Deny::read(&self.archive.disk, &place.id);
        if !place.writes() || !known.says_more_than(list) {
            return;
        }
        let mut all = list.clone();
        all.merge(known);
        let text = all.text();
        if text.len() as u64 > removed::DENY_MAX {
            return;
        }
        if let Err(fault) = place.put(removed::DENY.to_owned(), text.into_bytes(), false, DENY_WAIT) {
            tracing::debug!(tier = place.name, %fault, "what its list of purges has lost isn't put back yet");
        }
    }

    /// Removes what a tier denies now and didn't, and adds it to the copy of its list; returns how many entries went.
    ///
    /// # Errors
    ///
    /// Returns an error when one of them may still be here. Then the copy stays as old as it is, so that the next renewal
    /// tries again.
    pub(super) fn keep_deny(&self, place: &Place, list: Deny) -> Result<u64> {
        let known = match Deny::try_read(&self.archive.disk, &place.id) {
            Err(error) if error.kind() != ErrorKind::Io => Deny::default(),
            known => known?,
        };
        let mut all = known.clone();
        all.merge(list);
        let applied = all.apply(&self.archive, &known);
        match &applied {
            Ok(_) => drop(self.unapplied.lock().remove(&place.id)),
            Err(_) => drop(self.unapplied.lock().insert(place.id.clone(), all.clone())),
        }
        let removed = applied?;
        if let Err(error) = all.write(&self.archive.disk, &place.id) {
            tracing::warn!(%error, "the list of what was purged from tiers can't be kept");
        }
        // What a fetch has published before it could see the list.
        Ok(removed + all.apply(&self.archive, &known)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::tier::{MemoryBackend, Tier};

    /// The thread that sends still held a memory's tiers when it was dropped, which were flushed again then.
    #[test]
    fn a_memory_that_is_dropped_is_not_flushed_again_when_its_thread_ends() {
        let is_open =
            || AT_END.with(|end| end.0.borrow().iter().filter(|waiting| waiting.open.strong_count() > 0).count());
        let folder = tempfile::tempdir().unwrap();
        let builder = Memory::builder(folder.path()).tier(Tier::new(MemoryBackend::new()));
        let builder = builder.tier_wait(Duration::from_secs(1));
        let memory = builder.open().unwrap();
        assert_eq!(is_open(), 1);
        drop(memory);
        assert_eq!(is_open(), 0);
    }
}
