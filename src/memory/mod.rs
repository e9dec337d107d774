//! Memory and engine, which put the other rooms together: calls are looked up, computed if they miss, and stored.
//!
//! * `settings`: how a memory is set up; `scope`: where a function is called from.
//! * `eval`: the way of a call through the cache, in the `form` that was asked for; `fresh`: how long a result is good
//!   for; `turn`: what a call that misses waits for and goes through.
//! * `recheck`: hits that are computed again, to find functions that aren't pure; `guarded`: where panics end.
//! * `ask`: whether a call would hit, and why not; `upkeep`: what is done with all entries.
//! * `tiers`: what comes from tiers and goes there.
//! * `observer`: what the archive tells the others; `keyless`: memories as arguments, which are no part of a key.

mod ask;
pub(crate) mod eval;
pub(crate) mod form;
pub(crate) mod fresh;
mod guarded;
pub(crate) mod keyless;
mod observer;
mod recheck;
pub(crate) mod scope;
pub(crate) mod settings;
#[cfg(test)]
mod tests;
mod tiers;
pub(crate) mod turn;
mod upkeep;

pub use scope::ambient;
pub use settings::{MemoryBuilder, Settings, Validation};

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::call::draft::DescribeOptions;
use crate::digest::DigestHash;
use crate::entry::archive::Archive;
use crate::entry::rules::{Mode, Rules};
use crate::error::Result;
use crate::flight::Flights;
use crate::folder::auto_evict::AutoEvict;
use crate::folder::evict::Evictor;
use crate::key::Key;
use crate::memo::Memo;
use crate::memo::table::Table;
use crate::memory::observer::Listeners;
use crate::memory::recheck::Rechecks;
use crate::payload::Compression;
use crate::stats::Stats;
use crate::stats::counts::Counters;
use crate::stats::history::run::Run;
use crate::stats::printer::Printer;
use crate::stats::recorder::Recorder;
use crate::store::{Disk, Locks};
use crate::threads::fork::ForkMutex;
use crate::tier::{Outbox, Tiers};

/// A cache folder: looks up calls in it, computes missing results, and stores them.
///
/// A memory is cheap to clone; the clones share one folder, its settings and its counters. Many memories, in many
/// processes, may share a folder.
///
/// Results that were hit are remembered, up to some megabytes for each thread: hitting them again takes no system
/// call. Changes by another process are noticed within a second, changes by this memory at once.
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
    pub(crate) Option<Arc<Engine>>,
    /// What the builder of a memory that is off said.
    Option<Arc<Settings>>,
);

/// The parts of a memory: what finds and stores entries, what remembers them, what counts, and what evicts.
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    pub(crate) archive: Arc<Archive>,
    pub(crate) memo: Memo,
    pub(crate) recorder: Recorder,
    /// Whether the settings let a thread carry small results.
    may_carry: bool,
    /// Keys that `Mode::Refresh` has computed.
    pub(crate) refreshed: ForkMutex<HashSet<Key, DigestHash>>,
    rechecks: Rechecks,
    pub(crate) evictor: Arc<Evictor>,
    /// What lies behind the folder, if anything does.
    pub(crate) tiers: Option<Tiers>,
    /// For a memory that stands for another process, its number.
    #[cfg(test)]
    pub(crate) apart: Option<u64>,
    /// How long workers wait at first, where a test must not take seconds.
    #[cfg(test)]
    pub(crate) patience: Option<Duration>,
}

/// How often the last use of an entry is noted at most, where no limit on its age asks for more.
const STAMP_INTERVAL: Duration = Duration::from_secs(3600);

impl Engine {
    fn new(disk: Disk, settings: Settings) -> Self {
        #[cfg(feature = "progress")]
        crate::stats::progress::install();
        let rules = rules_of(&settings);
        if rules.writes && disk.makes() {
            disk.locks(); // opened once for all calls
        }
        let (disk, table, counters) = (Arc::new(disk), Arc::new(Table::new()), Arc::new(Counters::default()));
        let forget = Arc::clone(&table);
        let removed = Box::new(move |key| forget.forget(key));
        let evictor = Arc::new(Evictor::new(Arc::clone(&disk), settings.evict, removed));
        let limited = rules.writes && settings.limits.is_any();
        let printer = Printer::new(settings.verbose);
        let warn = Box::new(move |what: &str| printer.warn(what));
        let auto_evict = limited.then(|| AutoEvict::new(Arc::clone(&evictor), settings.limits, warn));
        let has_tiers = !settings.tiers.is_empty();
        let outbox = || Outbox::new(&disk, settings.tiers.clone(), &counters, printer, rules.writes);
        let outbox = has_tiers.then(|| Arc::new(outbox()));
        let listeners = Listeners {
            table: Arc::clone(&table),
            counters: Arc::clone(&counters),
            printer,
            auto_evict,
            outbox: outbox.clone(),
        };
        let run = (rules.writes && settings.statistics).then(|| Run::join(&disk, &counters));
        let archive = Arc::new(Archive::new(disk, rules, Box::new(listeners)));
        let tiers = outbox.map(|outbox| Tiers::new(&archive, outbox, settings.limits.bytes, settings.tier_wait));
        let options = DescribeOptions { texts: settings.texts, salt: &settings.salt };
        Self {
            memo: Memo::new(table, Arc::clone(&archive), Arc::clone(&counters), run.clone()),
            recorder: Recorder::new(Arc::clone(&archive), counters, run, printer, options),
            archive,
            may_carry: settings.validate.is_none() && settings.expires.is_none(),
            settings,
            refreshed: ForkMutex::default(),
            rechecks: Rechecks::default(),
            evictor,
            tiers,
            #[cfg(test)]
            apart: None,
            #[cfg(test)]
            patience: None,
        }
    }

    /// The flights to the keys of the folder that is open now.
    pub(crate) fn flights(&self) -> Flights<Locks> {
        #[cfg(test)]
        if let Some(process) = self.apart {
            return Flights::new((u64::MAX, process), None, None);
        }
        let disk = &self.archive.disk;
        let locks = self.writes().then(|| disk.locks()).flatten();
        let flights = Flights::new((0, disk.place()), locks, self.settings.wait);
        #[cfg(test)]
        let flights = flights.with_patience(self.patience);
        flights
    }

    /// How arguments are described.
    pub(crate) fn describe_options(&self) -> DescribeOptions<'_> {
        DescribeOptions { texts: self.settings.texts, salt: &self.settings.salt }
    }

    pub(crate) fn writes(&self) -> bool {
        self.archive.rules.writes
    }
}

/// What an archive has to know of the settings.
fn rules_of(settings: &Settings) -> Rules {
    Rules {
        writes: settings.mode <= Mode::Refresh,
        map: settings.map,
        map_network: settings.map_network,
        verify: settings.verify,
        durability: settings.durability,
        inline: settings.inline,
        stamp_interval: settings.limits.age.map_or(STAMP_INTERVAL, |limit| STAMP_INTERVAL.min(limit / 10)),
    }
}

impl Memory {
    /// Opens the cache folder `folder`, and creates it if it doesn't exist.
    ///
    /// No environment variable is read; [`Memory::from_env`] does that. A folder that can't be written to opens as
    /// [`Mode::ReadOnly`], with a warning.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be created, or isn't a folder.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::builder(folder).open()
    }

    /// Opens the cache folder that the environment names, or else `folder`.
    ///
    /// `NDCACHE_DIR` replaces the folder. `NDCACHE_MODE` is `read-write`, `read-only`, `refresh` or `off`.
    ///
    /// # Errors
    ///
    /// Returns an error when the folder can't be created or isn't a folder, or when `NDCACHE_MODE` isn't a mode.
    pub fn from_env(folder: impl AsRef<Path>) -> Result<Self> {
        Self::builder(folder).env().open()
    }

    /// Returns a builder for a memory in `folder`, to change its settings before it is opened.
    pub fn builder(folder: impl AsRef<Path>) -> MemoryBuilder {
        MemoryBuilder::new(folder.as_ref())
    }

    /// Returns a memory that neither looks up nor stores: every function simply runs.
    #[must_use]
    pub fn disabled() -> Self {
        Self(None, None)
    }

    /// Returns the cache folder, or `None` if the memory is disabled, or is for reading a folder that didn't exist.
    #[must_use]
    pub fn location(&self) -> Option<&Path> {
        self.0.as_ref().map(|engine| engine.archive.disk.path())
    }

    /// Returns the mode, which says whether the memory looks up and stores; that of the environment, if it is stricter.
    /// Without a [`location`](Self::location) every function simply runs, whatever the mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.settings().mode
    }

    /// Returns how the memory stores arrays.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.0.as_ref().map_or(Compression::None, |engine| engine.settings.compression)
    }

    /// Returns how many calls hit, missed and failed so far, for all clones together.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.as_ref().map_or_else(Stats::default, |engine| engine.recorder.counters.snapshot())
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
