//! What is to be sent to the tiers of one memory, noted just before an entry is published; `queue` has the notes of one
//! tier.

pub(super) mod queue;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, SystemTime};

use crate::entry::rules::Sharing;
use crate::entry::site::Site;
use crate::record::{Record, nanoseconds_since_1970};
use crate::stats::counts::Counters;
use crate::stats::printer::Printer;
use crate::store::{Disk, FileKind};
use crate::threads::fork::ForkMutex;
use crate::tier::place::{Place, queue_folder};
use crate::tier::{Tier, Trouble};
use queue::{Job, Queue};

/// Results that expire sooner aren't fetched, and aren't put there.
const EXPIRES_SOON: Duration = Duration::from_secs(60);

/// An entry is noted before it is published. If it isn't there, the sender waits for it that long; a writer that publishes
/// it later notes it once more.
pub(super) const EARLY: Duration = Duration::from_secs(10);

/// The age from which on a sender may have given up an entry that wasn't published. Half of its limit, for clocks that
/// run differently.
const LATE: Duration = Duration::from_secs(EARLY.as_secs() / 2);

/// The tiers of a memory, with the queues of those that it may write.
pub(crate) struct Outbox {
    disk: Arc<Disk>,
    pub(crate) places: Vec<Place>,
    /// The folders of their queues.
    folders: Vec<QueueFolder>,
    /// The thread that sends.
    pub(super) sender: ForkMutex<Option<Thread>>,
    /// Something was added since it was last asked.
    added: AtomicBool,
    /// How many results have gone since the last flush.
    sent: AtomicU64,
    warned: OnceLock<()>,
}

/// The folder of the queue of one tier and this user.
struct QueueFolder {
    path: String,
    /// It is there, and this user's alone.
    is_private: bool,
    /// Results are put into it.
    sends: bool,
}

impl Outbox {
    /// Makes the folders of queues, unless the memory `writes` nothing.
    pub(crate) fn new(
        disk: &Arc<Disk>,
        tiers: Vec<Tier>,
        counters: &Arc<Counters>,
        printer: Printer,
        writes: bool,
    ) -> Self {
        // Whoever may write anywhere in the folder would have this user send what isn't this user's.
        let keeps = writes && !disk.medium().world_writable;
        if writes && let Err(error) = disk.make_folder("t/x") {
            let what = "what is removed may come back from a tier";
            tracing::warn!(%error, "{what}");
            printer.warn(&format!("{what}: {error}"));
        }
        let mut folders = Vec::new();
        let places = tiers.into_iter().map(|tier| {
            let place = Place::new(tier, Arc::clone(counters), printer);
            let path = queue_folder(&place.id);
            let made = if keeps { disk.make_private(&path) } else { disk.is_private(&path) };
            let is_private = made.unwrap_or(false) && !disk.medium().world_writable;
            let place = if is_private { place.with_circuit(disk, &path) } else { place };
            if place.writes() && writes && !is_private {
                let what = "nothing is sent there: the cache folder is anybody's to write to";
                tracing::warn!(tier = place.name, "{what}");
                printer.warn(&format!("tier `{}`: {what}", place.name));
            }
            folders.push(QueueFolder { path, is_private, sends: is_private && writes && place.writes() });
            place
        });
        let places = places.collect();
        Self {
            disk: Arc::clone(disk),
            places,
            folders,
            sender: ForkMutex::default(),
            added: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            warned: OnceLock::new(),
        }
    }

    /// Notes an entry that is about to be published.
    pub(crate) fn add(&self, site: &Site, record: &Record, sharing: Sharing) {
        if record.edited || expires_soon(record) {
            return;
        }
        let job = Job::new(site, record.created, sharing == Sharing::Replace);
        let mut added = false;
        for (place, queue) in self.queues() {
            if Duration::from_nanos(record.duration) < place.tier.min_duration {
                continue;
            }
            match queue.add(&job) {
                Ok(()) => added = true,
                Err(error) if self.warned.set(()).is_ok() => {
                    tracing::warn!(tier = place.name, %error, "results aren't sent there");
                    place.printer.warn(&format!("tier `{}`: results aren't sent there: {error}", place.name));
                }
                Err(error) => tracing::debug!(tier = place.name, %error, "a result isn't sent there"),
            }
        }
        if added && !self.added.swap(true, Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Notes an entry once more if so much time has passed since it was first noted that a sender may have given it up
    /// before it was published: on a slow disk, in a stopped process, on a sleeping machine.
    pub(crate) fn add_if_late(&self, site: &Site, record: &Record, sharing: Sharing) {
        let made = SystemTime::UNIX_EPOCH + Duration::from_nanos(record.created);
        // If the clock was set back, the time is unknown.
        if SystemTime::now().duration_since(made).map_or(true, |took| took >= LATE) {
            self.add(site, record, sharing);
        }
    }

    /// The tiers that results are sent to, with their queues.
    pub(in crate::tier) fn queues(&self) -> impl Iterator<Item = (&Place, Queue<'_>)> {
        let all = self.places.iter().zip(&self.folders).filter(|(_, folder)| folder.sends);
        all.map(|(place, folder)| (place, Queue { disk: &self.disk, folder: &folder.path }))
    }

    /// How many results of this user are to be sent to each tier, whether or not this memory sends any.
    pub(in crate::tier) fn queued(&self) -> impl Iterator<Item = (&Place, u64)> {
        let len = |folder: &QueueFolder| match folder.is_private {
            true => Queue { disk: &self.disk, folder: &folder.path }.len(),
            false => 0,
        };
        self.places.iter().zip(&self.folders).map(move |(place, folder)| (place, len(folder)))
    }

    /// How many results of this user are to be sent to places that no tier of this memory is: of another share, say.
    pub(crate) fn queued_elsewhere(&self) -> u64 {
        let own = queue_folder("");
        let own = own.rsplit('/').next().unwrap_or_default();
        let ids = self.disk.list("t").unwrap_or_default().into_iter().filter(|item| item.kind == FileKind::Folder);
        let others = ids.map(|item| format!("t/{}/{own}", item.name));
        let others = others.filter(|path| !self.folders.iter().any(|folder| folder.path == *path));
        let private = others.filter(|path| self.disk.is_private(path).unwrap_or(false));
        private.map(|path| Queue { disk: &self.disk, folder: &path }.len()).sum()
    }

    /// Why nothing is sent to tiers that may be written.
    pub(in crate::tier) fn withheld(&self) -> Vec<Trouble> {
        let withheld = self.places.iter().zip(&self.folders).filter(|(place, folder)| place.writes() && !folder.sends);
        let folder = self.disk.path().display().to_string();
        let trouble = |place: &Place| {
            let (cause, remedy) = match self.disk.medium().world_writable {
                true => ("which anybody may write to", format!("`chmod o-w {folder}`")),
                false => ("in which the queue isn't this user's alone", "look at the folder `t` in it".to_owned()),
            };
            let cause = format!("nothing is sent from `{folder}`, {cause}");
            Trouble { remedy, ..Trouble::of_object(&place.name, "denied", cause) }
        };
        withheld.map(|(place, _)| trouble(place)).collect()
    }

    /// Whether something was added since this was last asked.
    pub(super) fn was_added(&self) -> bool {
        self.added.swap(false, Ordering::Relaxed)
    }

    /// A result has gone to its tier, or was there.
    pub(super) fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// How many have gone since this was last asked.
    pub(super) fn take_sent(&self) -> u64 {
        self.sent.swap(0, Ordering::SeqCst)
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

/// Whether a call made inside it expires within a minute.
pub(super) fn expires_soon(record: &Record) -> bool {
    let soon = SystemTime::now() + EXPIRES_SOON;
    record.expires.is_some_and(|at| at < nanoseconds_since_1970(soon))
}
