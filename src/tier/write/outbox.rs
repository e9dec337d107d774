//! What is to be sent to the tiers of one memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use crate::entry::site::Site;
use crate::entry::write::put::Sharing;
use crate::record::Record;
use crate::stats::counts::Counters;
use crate::store::Disk;
use crate::threads::fork::ForkMutex;
use crate::tier::Tier;
use crate::tier::place::{Place, queue_folder};
use crate::tier::read::expires_soon;
use crate::tier::write::queue::{Job, Queue};

/// The tiers of a memory, with the queues of those that it may write.
pub(crate) struct Outbox {
    disk: Arc<Disk>,
    pub(crate) places: Vec<Place>,
    /// The folders of their queues; `None` for those to which nothing is sent.
    queues: Vec<Option<String>>,
    /// The thread that sends.
    pub(super) sender: ForkMutex<Option<Thread>>,
    /// Something was added since it was last asked.
    added: AtomicBool,
    warned: OnceLock<()>,
}

impl Outbox {
    /// Makes the folders of queues, unless the memory `writes` nothing.
    pub(crate) fn new(disk: &Arc<Disk>, tiers: Vec<Tier>, counters: &Arc<Counters>, writes: bool) -> Self {
        // Whoever may write anywhere in the folder would have this user send what isn't this user's.
        let keeps = writes && !disk.medium().world_writable;
        if writes && let Err(error) = disk.make_folder("t/x") {
            tracing::warn!(%error, "what is removed may come back from a tier");
        }
        let mut queues = Vec::new();
        let places = tiers.into_iter().map(|tier| {
            let place = Place::new(tier, Arc::clone(counters));
            let folder = queue_folder(&place.id);
            let is_private = keeps && disk.make_private(&folder).unwrap_or(false);
            let place = if is_private { place.with_circuit(disk, &folder) } else { place };
            if place.writes() && writes && !is_private {
                tracing::warn!(tier = place.name, "nothing is sent there: the cache folder is anybody's to write to");
            }
            queues.push((is_private && place.writes()).then_some(folder));
            place
        });
        let places = places.collect();
        Self {
            disk: Arc::clone(disk),
            places,
            queues,
            sender: ForkMutex::default(),
            added: AtomicBool::new(false),
            warned: OnceLock::new(),
        }
    }

    /// Notes an entry that is about to be published.
    pub(crate) fn add(&self, site: &Site, record: &Record, sharing: Sharing) {
        if record.edited || expires_soon(record) {
            return;
        }
        let job = Job::new(site, sharing == Sharing::Replace);
        let mut added = false;
        for (place, queue) in self.queues() {
            if Duration::from_nanos(record.duration) < place.tier.min_duration {
                continue;
            }
            match queue.add(&job) {
                Ok(()) => added = true,
                Err(error) if self.warned.set(()).is_ok() => {
                    tracing::warn!(tier = place.name, %error, "results aren't sent there");
                }
                Err(error) => tracing::debug!(tier = place.name, %error, "a result isn't sent there"),
            }
        }
        if added && !self.added.swap(true, Ordering::Relaxed) {
            self.wake();
        }
    }

    /// The tiers that results are sent to, with their queues.
    pub(in crate::tier) fn queues(&self) -> impl Iterator<Item = (&Place, Queue<'_>)> {
        self.places
            .iter()
            .zip(&self.queues)
            .filter_map(|(place, folder)| Some((place, Queue { disk: &self.disk, folder: folder.as_deref()? })))
    }

    /// Whether something was added since this was last asked.
    pub(super) fn was_added(&self) -> bool {
        self.added.swap(false, Ordering::Relaxed)
    }

    pub(super) fn wake(&self) {
        if let Some(sender) = &*self.sender.lock() {
            sender.unpark();
        }
    }
}

// A backend that panics isn't asked again.
impl std::panic::UnwindSafe for Outbox {}
impl std::panic::RefUnwindSafe for Outbox {}
