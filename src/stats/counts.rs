//! Counters of hits, misses and faults, by function and by reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::stats::tiers::TierCounts;
use crate::threads::fork::ForkMutex;

/// How often a memory hit, missed and failed so far, from [`Memory::stats`](crate::Memory::stats).
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let memory = ndcache::Memory::open(folder.path())?;
/// memory.eval(double::call(1.0));
/// memory.eval(double::call(1.0));
/// assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 1));
/// assert_eq!(memory.stats().by_function()[double::function().path()].hits, 1);
/// # Ok::<(), ndcache::Error>(())
/// ```
///
/// It prints as a table of at most 100 columns, with a line for each function, those with the most time spent and
/// saved first, and a line for their sum; if tiers were asked, another table has a line for each of them:
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let memory = ndcache::Memory::open(folder.path())?;
/// #[ndcache::cache(name = "app::simulate")]
/// fn simulate(n: usize) -> ndarray::Array1<f64> {
///     ndarray::Array1::zeros(n)
/// }
///
/// memory.eval(simulate::call(1000));
/// memory.eval(simulate::call(1000));
/// println!("{}", memory.stats());
/// // function           hits    misses   faults      spent      saved       bytes
/// // app::simulate         1         1        0     1.6 µs     1.6 µs    15.9 KiB
/// // in all                1         1        0     1.6 µs     1.6 µs    15.9 KiB
/// # let table = memory.stats().to_string();
/// # let lines: Vec<_> = table.lines().collect();
/// # assert_eq!(lines[0], "function           hits    misses   faults      spent      saved       bytes");
/// # assert!(lines[1].starts_with("app::simulate         1         1        0 "), "{table}");
/// # assert!(lines[1].ends_with(" KiB") && lines[2].starts_with("in all   "), "{table}");
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    functions: BTreeMap<String, Counts>,
    reasons: BTreeMap<&'static str, u64>,
    copies: BTreeMap<&'static str, u64>,
    tiers: BTreeMap<String, TierCounts>,
}

/// The counts of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Calls whose value came from the cache: first hits of a key and repeats together, which a
    /// [`History`](crate::stats::History) counts separately, as `hits` and `repeats`.
    pub hits: u64,
    /// Calls whose value was computed.
    pub misses: u64,
    /// Hits whose value was fetched from a tier for this call; such a call isn't a miss.
    pub fetched: u64,
    /// Faults of the cache: a value wasn't stored, a stored one couldn't be read, or an array that should be
    /// [staged](crate::zeros()) was made in memory.
    pub faults: u64,
    /// Hits that were computed again because of [`MemoryBuilder::recheck`](crate::MemoryBuilder::recheck).
    pub rechecks: u64,
    /// Rechecks that gave another result.
    pub mismatches: u64,
    /// Mismatches whose stored result came from a tier or was imported: the reason may be the other machine, and not
    /// the function.
    pub foreign_mismatches: u64,
    /// The time that the computations took, without the cached calls inside that were computed on the same thread: their
    /// time is counted for their own functions, so that a sum counts all time once. (An entry's duration includes it.)
    pub spent: Duration,
    /// The computing time that hits saved: the time that computing the loaded results took when they were stored,
    /// each once in a process, since further hits save no further computation. A memory that may not write, or that
    /// keeps no [statistics](crate::MemoryBuilder::statistics), counts a result each time that it is read.
    pub saved: Duration,
    /// Bytes of values, with their arrays, that were stored, or loaded and counted in [`saved`](Self::saved): the sum of
    /// [`stored`](Self::stored) and [`loaded`](Self::loaded).
    pub bytes: u64,
    /// Bytes of values, with their arrays, that were computed and stored.
    pub stored: u64,
    /// Bytes of values, with their arrays, that were loaded and counted in [`saved`](Self::saved).
    pub loaded: u64,
}

impl Stats {
    /// Returns how many calls' values came from the cache: first hits of a key and repeats together, which a
    /// [`History`](crate::stats::History) counts separately, as `hits` and `repeats`.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.functions.values().map(|counts| counts.hits).sum()
    }

    /// Returns how many calls' values were computed.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.functions.values().map(|counts| counts.misses).sum()
    }

    /// Returns how often the cache failed; the value was returned nevertheless.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.functions.values().map(|counts| counts.faults).sum()
    }

    /// Returns how many hits were computed again because of
    /// [`MemoryBuilder::recheck`](crate::MemoryBuilder::recheck).
    #[must_use]
    pub fn rechecks(&self) -> u64 {
        self.functions.values().map(|counts| counts.rechecks).sum()
    }

    /// Returns how many rechecked hits gave another result: their functions aren't pure, or depend on changed code
    /// that isn't part of the key.
    #[must_use]
    pub fn mismatches(&self) -> u64 {
        self.functions.values().map(|counts| counts.mismatches).sum()
    }

    /// Returns for how many of the [`mismatches`](Self::mismatches) the stored result came from a tier or was
    /// imported: the machines may differ, for example in the last bits because of different processors.
    #[must_use]
    pub fn foreign_mismatches(&self) -> u64 {
        self.functions.values().map(|counts| counts.foreign_mismatches).sum()
    }

    /// Returns the counts of each function, by its path.
    #[must_use]
    pub fn by_function(&self) -> &BTreeMap<String, Counts> {
        &self.functions
    }

    /// Returns how many calls had each outcome, by [`Reason::name`](crate::explain::Reason::name); `target` counts
    /// the steps of [`make`](crate::Memory::make) whose target was missing or changed.
    ///
    /// Misses are explained in full only if messages at the level `info` are wanted. Otherwise a function's code is
    /// compared only with a few of its stored calls, at its first miss.
    #[must_use]
    pub fn by_reason(&self) -> &BTreeMap<&'static str, u64> {
        &self.reasons
    }

    /// Returns how many arrays should have been memory-mapped and were copied into memory instead.
    ///
    /// Files of at most 128 KiB aren't counted: reading them is faster, wherever they are.
    #[must_use]
    pub fn copies(&self) -> u64 {
        self.copies.values().sum()
    }

    /// Returns why [`copies`](Self::copies) weren't mapped: `policy`
    /// ([`MapPolicy::Never`](crate::policy::MapPolicy)), `network` (the file system), `world-writable` (the folder),
    /// `compressed` (the file), `mode` (the file has write permission, and belongs to another user); for targets of
    /// [`make`](crate::Memory::make) also `empty`, and for volumes `converted` (byte order, scaling or type) and
    /// `alignment`.
    ///
    /// ```
    /// use ndcache::{Compression, Memory};
    /// # let folder = tempfile::tempdir().unwrap();
    /// #[ndcache::cache]
    /// fn ones(n: usize) -> ndarray::Array1<f64> {
    ///     ndarray::Array1::ones(n)
    /// }
    ///
    /// let memory = Memory::builder(folder.path()).compression(Compression::Gzip(1)).open()?;
    /// assert!(!memory.mmap(ones::call(100_000)).is_mapped());
    /// assert_eq!(memory.stats().by_copy()["compressed"], 1);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn by_copy(&self) -> &BTreeMap<&'static str, u64> {
        &self.copies
    }

    /// Returns the counts of each tier that was asked, by its [`place`](crate::tier::Backend::place).
    #[must_use]
    pub fn by_tier(&self) -> &BTreeMap<String, TierCounts> {
        &self.tiers
    }
}

/// What came of computing a hit again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recheck {
    Same,
    Differs,
    /// It differs from an entry that was computed elsewhere.
    DiffersFromForeign,
}

/// The live counters behind [`Stats`].
#[derive(Default)]
pub(crate) struct Counters {
    /// All but the hits of what is remembered.
    rest: ForkMutex<Stats>,
    tallies: ForkMutex<Tallies>,
}

/// The tallies, each with its function, by the stripe and by the address and length of the function's path, so that
/// nobody has to read the path.
type Tallies = BTreeMap<(usize, usize, usize), (&'static str, Arc<Tally>)>;

/// The hits of one function in the threads of one stripe: one counter for all threads would cost each of them more than
/// the rest of a repeated hit. It has a line of the processor's cache, and that line's neighbour, for itself: by what
/// surrounds it, as aligned memory takes ten times as long to be had.
///
/// `repr(C)` keeps the counter between the two: Rust would put it behind both.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Tally {
    _before: [u64; LINES],
    hits: AtomicU64,
    /// What first hits saved, in nanoseconds; `loaded`: the bytes that they loaded.
    saved: AtomicU64,
    loaded: AtomicU64,
    _behind: [u64; LINES],
}

/// Two cache lines, in words of 64 bits.
const LINES: usize = 16;

impl Tally {
    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what a hit saved that was loaded from the disk, in nanoseconds, and its bytes.
    pub(crate) fn load(&self, saved: u64, bytes: u64) {
        self.saved.fetch_add(saved, Ordering::Relaxed);
        self.loaded.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Counters {
    /// Where the hits of this function count in the threads of this stripe.
    pub(crate) fn tally(&self, function: &'static str, stripe: usize) -> Arc<Tally> {
        let place = (stripe, function.as_ptr().addr(), function.len());
        let mut tallies = self.tallies.lock();
        let (_, tally) = tallies.entry(place).or_insert_with(|| (function, Arc::default()));
        Arc::clone(tally)
    }

    /// Counts a hit of what isn't remembered.
    pub(crate) fn hit(&self, function: &str) {
        self.count(function, "hit", |counts| counts.hits += 1);
    }

    /// Counts what a computation took, and the bytes of the value that was stored.
    pub(crate) fn computed(&self, function: &str, spent: Duration, bytes: u64) {
        let mut stats = self.rest.lock();
        let counts = stats.of(function);
        counts.spent = counts.spent.saturating_add(spent);
        counts.bytes = counts.bytes.saturating_add(bytes);
        counts.stored = counts.stored.saturating_add(bytes);
    }

    /// Counts what was saved by a build step that is up to date.
    pub(crate) fn saved(&self, function: &str, saved: Duration) {
        let mut stats = self.rest.lock();
        let counts = stats.of(function);
        counts.saved = counts.saved.saturating_add(saved);
    }

    pub(crate) fn miss(&self, function: &str, reason: &'static str) {
        self.count(function, reason, |counts| counts.misses += 1);
    }

    /// Counts a result that came from a tier; its hit is counted as any.
    pub(crate) fn fetched(&self, function: &str) {
        self.rest.lock().of(function).fetched += 1;
    }

    /// Counts a fault, and says whether it is the function's first: that one is worth a warning.
    pub(crate) fn fault(&self, function: &str) -> bool {
        let mut stats = self.rest.lock();
        let counts = stats.of(function);
        counts.faults += 1;
        counts.faults == 1
    }

    /// Counts a recheck.
    pub(crate) fn recheck(&self, function: &str, recheck: Recheck) {
        let mut stats = self.rest.lock();
        let counts = stats.of(function);
        counts.rechecks += 1;
        counts.mismatches += u64::from(recheck != Recheck::Same);
        counts.foreign_mismatches += u64::from(recheck == Recheck::DiffersFromForeign);
    }

    /// Counts an array that was to be mapped, and is copied for this reason.
    pub(crate) fn copied(&self, reason: &'static str) {
        let mut stats = self.rest.lock();
        *stats.copies.entry(reason).or_default() += 1;
    }

    /// Counts something that concerns a tier.
    pub(crate) fn tier(&self, place: &str, count: impl FnOnce(&mut TierCounts)) {
        let mut stats = self.rest.lock();
        if !stats.tiers.contains_key(place) {
            stats.tiers.insert(place.to_owned(), TierCounts::default());
        }
        count(stats.tiers.get_mut(place).expect("inserted above"));
    }

    /// Hands over the hits and faults of each function so far, in any number of pieces.
    pub(crate) fn each_total(&self, mut add: impl FnMut(&str, u64, u64)) {
        for (function, counts) in &self.rest.lock().functions {
            add(function, counts.hits, counts.faults);
        }
        for (function, tally) in self.tallies.lock().values() {
            add(function, tally.hits.load(Ordering::Relaxed), 0);
        }
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let mut stats = self.rest.lock().clone();
        for (function, tally) in self.tallies.lock().values() {
            let hits = tally.hits.load(Ordering::Relaxed);
            if hits > 0 {
                let counts = stats.of(function);
                counts.hits += hits;
                let saved = Duration::from_nanos(tally.saved.load(Ordering::Relaxed));
                counts.saved = counts.saved.saturating_add(saved);
                let loaded = tally.loaded.load(Ordering::Relaxed);
                counts.bytes = counts.bytes.saturating_add(loaded);
                counts.loaded = counts.loaded.saturating_add(loaded);
                *stats.reasons.entry("hit").or_default() += hits;
            }
        }
        stats
    }

    fn count(&self, function: &str, reason: &'static str, count: impl FnOnce(&mut Counts)) {
        let mut stats = self.rest.lock();
        count(stats.of(function));
        *stats.reasons.entry(reason).or_default() += 1;
    }
}

/// Writes `hits`, `misses`, `faults`, `rechecks`, `mismatches` and `foreign_mismatches` in all, then `functions`, `reasons`,
/// `copies` and `tiers`, each of which has its counts by name.
impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut stats = serializer.serialize_struct("Stats", 10)?;
        stats.serialize_field("hits", &self.hits())?;
        stats.serialize_field("misses", &self.misses())?;
        stats.serialize_field("faults", &self.faults())?;
        stats.serialize_field("rechecks", &self.rechecks())?;
        stats.serialize_field("mismatches", &self.mismatches())?;
        stats.serialize_field("foreign_mismatches", &self.foreign_mismatches())?;
        stats.serialize_field("functions", &self.functions)?;
        stats.serialize_field("reasons", &self.reasons)?;
        stats.serialize_field("copies", &self.copies)?;
        stats.serialize_field("tiers", &self.tiers)?;
        stats.end()
    }
}

impl Stats {
    fn of(&mut self, function: &str) -> &mut Counts {
        if !self.functions.contains_key(function) {
            self.functions.insert(function.to_owned(), Counts::default());
        }
        self.functions.get_mut(function).expect("inserted above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_two_lines_on_either_side() {
        let before = std::mem::offset_of!(Tally, hits);
        let behind = size_of::<Tally>() - before - size_of::<AtomicU64>();
        assert!(before >= 128 && behind >= 128, "{before} bytes before it, {behind} behind");
    }
}
