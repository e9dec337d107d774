//! The tiers of one memory.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::entry::archive::Archive;
use crate::tier::core::Core;
use crate::tier::outbox::Outbox;
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

impl Tiers {
    /// The tiers of a memory whose results are put into `outbox`; its folder may hold `limit` bytes.
    pub(crate) fn new(archive: &Arc<Archive>, outbox: Arc<Outbox>, limit: Option<u64>, wait: Duration) -> Self {
        let core = Arc::new(Core::new(archive, outbox, limit));
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
    static AT_END: FlushAtEnd = const { FlushAtEnd(RefCell::new(Vec::new())) };
}

/// The memories that this thread has opened whose end waits for what is to be sent.
struct FlushAtEnd(RefCell<Vec<PendingFlush>>);

/// A memory whose queued uploads are sent before its thread ends.
struct PendingFlush {
    core: Weak<Core>,
    /// Ends with the memory, whose drop has flushed the core already; the thread that sends may hold the core for longer.
    open: Weak<()>,
    wait: Duration,
}

/// A global memory is never dropped, and the end of the main thread is the end of the program.
fn flush_at_end_of_thread(core: &Arc<Core>, open: &Arc<()>, wait: Duration) {
    // Once the thread's variables are gone, it is too late to wait at its end.
    let _ = AT_END.try_with(|end| {
        let Ok(mut opened) = end.0.try_borrow_mut() else { return };
        opened.retain(|waiting| waiting.open.strong_count() > 0);
        opened.push(PendingFlush { core: Arc::downgrade(core), open: Arc::downgrade(open), wait });
    });
}

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        for PendingFlush { core, open, wait } in self.0.take() {
            if let Some(core) = core.upgrade().filter(|_| open.strong_count() > 0) {
                core.flush(wait);
            }
        }
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
