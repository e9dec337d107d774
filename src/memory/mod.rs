//! Where the rooms meet: a memory looks calls up, computes what is missing, and stores it.
//!
//! * `call`: a call and its arguments, of which `rounding` counts some by multiples of a step, and `lent` refuses
//!   some; `ambient`: which memory a function goes through.
//! * `builder`: settings, which `settings` reads back; `eval`: the way of a call through the cache, in the `shape` that
//!   was asked for.
//! * `frame`: the cached calls inside others; `flight`: one computation per key in a process; `lead`: in all of them,
//!   for a call that is `wanted`; `sync`: what both take of the system.
//! * `hot`: entries that were found, by the `clock`, of which a thread has the smallest in its `pocket`.
//! * `lookup` and `put`: entries from and to the disk, their files `readable` or not, their `leaves` hashed by two;
//!   `staged`: arrays that are made there; `upkeep`: removing them, and `listing` all.
//! * `limits`: how much there may be; `shards`: where it lies, and `survey`: all of it; `evict` and `sweep`: what goes,
//!   and `keeper`: by itself; `verify`: whether all of it is whole.
//! * `shelve` and `kept`: references to results; `commit`: results that are edited.
//! * `recheck`: hits that are computed again, to find functions that aren't pure; `guarded`: where panics end; `lineage`:
//!   what went into a result.
//! * `options` and `expiry`: what functions and memory say about how, and how long, a result is kept.
//! * `slots`: what `make` remembers.
//! * `explain`: why a call hits or misses; `verbose`: what is said of it, and `progress` of work that lasts; `entry`,
//!   `stats`: what there is, and what happened.

mod ambient;
pub(crate) mod arguments;
mod builder;
pub(crate) mod call;
mod clock;
mod commit;
mod entry;
mod eval;
mod evict;
mod expiry;
mod explain;
mod flight;
mod frame;
mod guarded;
mod hot;
mod keeper;
mod kept;
mod lead;
mod leaves;
pub(crate) mod lent;
mod limits;
mod lineage;
mod listing;
mod lookup;
mod options;
mod pocket;
#[cfg(feature = "progress")]
mod progress;
mod put;
mod readable;
mod recheck;
pub(crate) mod rounding;
mod settings;
mod shape;
mod shards;
mod shelve;
mod slots;
mod staged;
mod stats;
mod survey;
mod sweep;
mod sync;
#[cfg(test)]
mod tests;
mod upkeep;
mod verbose;
mod verify;
mod wanted;

pub use ambient::ambient;
pub use builder::{Builder, MapPolicy, Mode, Settings, Verify};
pub use call::Call;
pub use entry::Entry;
pub use expiry::expires_after;
pub use explain::{Difference, Explanation, Reason};
pub use limits::{Evict, Evicted, Limits};
pub use lineage::{Lineage, Link};
pub use options::Options;
pub use shelve::Shelved;
pub(crate) use slots::{Ran, SlotName, Slots, Stale};
pub use staged::zeros;
pub use stats::{Counts, Stats};
pub use verify::{Problem, Repair, Report};

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evict::Evictor;
use flight::Place;
use hot::Table;
use keeper::Keeper;
use recheck::Sampler;
use stats::Counters;

use crate::digest::Digest;
use crate::error::Result;
use crate::key::Key;
use crate::payload::Compression;
use crate::store::{Disk, Locks};

/// A cache folder: looks calls up in it, computes what is missing, and stores the results.
///
/// Cheap to clone; the clones share one folder, its settings and its counters. Many memories, in many processes, may
/// share a folder.
///
/// What was hit is remembered, up to some megabytes a thread: the same hit again takes no system call. What another
/// process removes, refreshes or edits is seen after at most a second, what this memory does at once.
///
/// ```
/// use ndarray::Array1;
/// use ndcache::{Memory, cache};
/// # let folder = tempfile::tempdir().unwrap();
///
/// #[cache]
/// fn hamming(n: usize) -> Array1<f64> {
///     Array1::from_shape_fn(n, |i| 0.54 - 0.46 * (std::f64::consts::TAU * i as f64 / (n - 1) as f64).cos())
/// }
///
/// let memory = Memory::open(folder.path())?;
/// let computed = memory.eval(hamming::call(3)); // computed and stored
/// let loaded = memory.eval(hamming::call(3)); // loaded
/// assert_eq!(computed, loaded);
/// assert_eq!(memory.stats().hits(), 1);
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct Memory(
    Option<Arc<Inner>>,
    /// What the builder of a memory that is off said.
    Option<Arc<Settings>>,
);

struct Inner {
    disk: Arc<Disk>,
    settings: Settings,
    /// By which the memories of one process that share the folder find each other's flights.
    place: Place,
    locks: Option<Locks>,
    counters: Counters,
    hot: Arc<Table>,
    /// Whether the settings let a thread carry results in its pocket.
    may_carry: bool,
    /// Keys that `Mode::Refresh` has computed.
    refreshed: Mutex<HashSet<Key>>,
    /// Array files whose bytes this memory has verified.
    verified: Mutex<HashSet<String>>,
    /// Functions, with their code, that have missed: after its first miss a function is known.
    outlined: Mutex<HashSet<(&'static str, Digest)>>,
    /// Pairs of functions that were warned about: a cached call inside another that doesn't name it.
    unnamed: Mutex<HashSet<(usize, usize)>>,
    sampler: Sampler,
    evictor: Arc<Evictor>,
    /// Where there are limits to keep.
    keeper: Option<Keeper>,
}

impl Inner {
    fn new(disk: Disk, settings: Settings) -> Self {
        #[cfg(feature = "progress")]
        progress::install();
        let place = std::fs::metadata(disk.path()).map_or((0, 0), |folder| (folder.dev(), folder.ino()));
        let local = !disk.medium().network;
        let writes = settings.mode <= Mode::Refresh;
        let locks = (local && writes).then(|| Locks::open(&disk)).flatten();
        let disk = Arc::new(disk);
        let hot = Arc::new(Table::new());
        let evictor = Evictor::new(Arc::clone(&disk), locks.clone(), settings.evict, Arc::clone(&hot));
        let evictor = Arc::new(evictor);
        let keeper = (writes && settings.limits.is_any()).then(|| Keeper::new(Arc::clone(&evictor), settings.limits));
        Self {
            place,
            locks,
            disk,
            may_carry: settings.validate.is_none() && settings.expires.is_none(),
            settings,
            counters: Counters::default(),
            hot,
            refreshed: Mutex::default(),
            verified: Mutex::default(),
            outlined: Mutex::default(),
            unnamed: Mutex::default(),
            sampler: Sampler::default(),
            evictor,
            keeper,
        }
    }

    fn writes(&self) -> bool {
        self.settings.mode <= Mode::Refresh
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// Opens the cache folder `folder`, and creates it if it isn't there.
    ///
    /// No environment variable is looked at; [`Memory::from_env`] does that. A folder that can't be written to opens
    /// as [`Mode::ReadOnly`], with a warning.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be made, or isn't a folder.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::builder(folder).open()
    }

    /// Opens the cache folder that the environment names, else `folder`.
    ///
    /// `NDCACHE_DIR` replaces the folder. `NDCACHE_MODE` is `read-write`, `read-only`, `refresh` or `off`.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be made or isn't one, or when `NDCACHE_MODE` is not a mode.
    pub fn from_env(folder: impl AsRef<Path>) -> Result<Self> {
        Self::builder(folder).env().open()
    }

    /// The settings of a memory in `folder`, to be opened.
    pub fn builder(folder: impl AsRef<Path>) -> Builder {
        Builder::new(folder.as_ref())
    }

    /// A memory that never looks up nor stores: every function just runs.
    #[must_use]
    pub fn disabled() -> Self {
        Self(None, None)
    }

    /// The cache folder; `None` if the memory is disabled.
    #[must_use]
    pub fn location(&self) -> Option<&Path> {
        self.0.as_ref().map(|inner| inner.disk.path())
    }

    /// Whether the memory looks up and stores.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.as_ref().map_or(Mode::Off, |inner| inner.settings.mode)
    }

    /// How the memory stores arrays.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.0.as_ref().map_or(Compression::None, |inner| inner.settings.compression)
    }

    /// How often the memory hit, missed and failed so far, all clones together.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.as_ref().map_or_else(Stats::default, |inner| inner.counters.snapshot())
    }

    fn place(&self) -> Cow<'_, str> {
        self.location().map_or("disabled".into(), Path::to_string_lossy)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({}, {:?})", self.place(), self.mode())
    }
}
