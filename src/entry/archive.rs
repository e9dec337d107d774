//! The entries of a folder, with its rules and those who hear of changes.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use crate::entry::codes_seen::CodesSeen;
use crate::entry::recent::RecentNames;
use crate::entry::rules::{MapPolicy, Rules, Sharing};
use crate::entry::site::Site;
use crate::key::Key;
use crate::record::{Producer, Record};
use crate::store::Disk;
use crate::threads::fork::ForkMutex;
use crate::threads::found_once;

/// The entries of one cache folder: finds, reads, stores and removes them.
///
/// It knows no call and no counter. What others have to hear of, it tells its [`Observer`].
pub(crate) struct Archive {
    /// The folder itself, which holds more than entries: build steps, marks, pins, queues, the log. Their rooms use it; what
    /// concerns an entry goes through the archive.
    pub(crate) disk: Arc<Disk>,
    pub(crate) rules: Rules,
    /// Array files whose bytes were verified in this process: the last ones.
    pub(super) verified: ForkMutex<RecentNames>,
    /// Codes whose parts this process has found on the disk, or has written.
    pub(super) codes: ForkMutex<CodesSeen>,
    /// How often the folder had been opened anew when what is remembered of it was last forgotten.
    pub(super) reopened: AtomicU64,
    pub(super) observer: Box<dyn Observer>,
    /// Whether it was warned of an array that can't be made read-only.
    pub(super) warned_of_mode: AtomicBool,
    /// The producer in the session in which it was first asked for.
    producer: OnceLock<Arc<Producer>>,
}

/// Hears of what an archive does.
///
/// Memories may be used after a panic of their user's code.
pub(crate) trait Observer: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The entry of `key` was replaced or removed: what was read of it before is of no use any more.
    fn changed(&self, key: Key);

    /// The folder was removed and another one opened in its place: nothing of what was read before is of any use.
    fn replaced(&self);

    /// A computed entry is about to be published that may be shared.
    fn committing(&self, site: &Site, record: &Record, sharing: Sharing);

    /// It is published, however long that took.
    fn committed(&self, site: &Site, record: &Record, sharing: Sharing);

    /// `bytes` bytes were stored.
    fn stored(&self, bytes: u64);

    /// An array that was to be mapped is copied, for this reason.
    fn copied(&self, reason: &'static str);

    /// Something that isn't of one call alone went wrong, in words.
    fn warn(&self, what: &str);

    /// The disk is full; whether something was removed, so that another attempt may succeed.
    fn make_room(&self) -> bool;
}

impl Archive {
    pub(crate) fn new(disk: Arc<Disk>, rules: Rules, observer: Box<dyn Observer>) -> Self {
        Self {
            disk,
            rules,
            verified: ForkMutex::default(),
            codes: ForkMutex::default(),
            reopened: AtomicU64::new(0),
            observer,
            warned_of_mode: AtomicBool::new(false),
            producer: OnceLock::new(),
        }
    }

    /// The producer that entries which are stored now are from.
    pub(crate) fn producer(&self) -> Arc<Producer> {
        let session = self.disk.session();
        let now = || Arc::new(Producer::current(&session));
        match found_once(&self.producer, now) {
            producer if producer.session == *session => Arc::clone(producer),
            _ => now(),
        }
    }

    /// Lets everybody forget what was read of an entry that was removed.
    pub(crate) fn forget(&self, key: Key) {
        self.observer.changed(key);
    }

    /// Tells whoever reads what a memory says of something that went wrong, once in a memory or once for a function.
    pub(crate) fn warn(&self, what: &str) {
        self.observer.warn(what);
    }

    /// Forgets which codes are on the disk, when they may have been removed.
    pub(crate) fn forget_codes(&self) {
        self.codes.lock().clear();
    }

    /// Whether another machine can change the folder.
    pub(crate) fn is_on_network(&self) -> bool {
        self.disk.medium().network
    }

    /// Why no array of this folder may be mapped; `None` where arrays may be (docs/guarantees.md, "Mapping").
    pub(crate) fn unmappable(&self) -> Option<&'static str> {
        let medium = self.disk.medium();
        if self.rules.map == MapPolicy::Never {
            Some("policy")
        } else if medium.network && !self.rules.map_network {
            Some("network")
        } else {
            medium.world_writable.then_some("world-writable")
        }
    }
}
