//! What is counted of calls over time, and the history that a folder has of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::digest::Digest;

/// The longest name that is written down, in bytes; a longer one is cut.
pub(super) const NAME_MAX: usize = 200;

/// What calls did in some period: how many hit and missed, and how much time they took and saved.
///
/// Times are those of whole calls on the machines that made them; bytes are those of values with their arrays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// First hits: for each run of a program and each key the first call that hit. Each saved a computation.
    pub hits: u64,
    /// Further hits of a key in the same run.
    pub repeats: u64,
    /// First hits whose value was fetched from a tier for them.
    pub fetched: u64,
    /// Calls whose value was computed.
    pub misses: u64,
    /// Faults of the cache; the value was returned nevertheless.
    pub faults: u64,
    /// The time that computing the results of the first hits took when they were stored.
    pub saved: Duration,
    /// The time that the computations of the misses took, without the cached calls inside that were computed on the same
    /// thread: their time is counted for their own functions, so that a sum counts all time once.
    pub spent: Duration,
    /// The time for hashing arguments, of first hits and misses.
    pub hashing: Duration,
    /// The time for loading, of first hits.
    pub loading: Duration,
    /// The time for storing.
    pub storing: Duration,
    /// Bytes that first hits loaded or mapped.
    pub loaded: u64,
    /// Bytes that were stored.
    pub stored: u64,
    /// How many misses had each reason, by [`Reason::name`](crate::explain::Reason::name). Approximate, because a
    /// miss is compared with few stored calls if no messages are wanted.
    pub reasons: BTreeMap<String, u64>,
    /// The reason of the last miss, in at most 120 characters.
    pub last_miss: Option<String>,
}

impl Activity {
    /// Adds the counts of `other`, which is later.
    pub fn add(&mut self, other: &Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.repeats = self.repeats.saturating_add(other.repeats);
        self.fetched = self.fetched.saturating_add(other.fetched);
        self.misses = self.misses.saturating_add(other.misses);
        self.faults = self.faults.saturating_add(other.faults);
        self.saved = self.saved.saturating_add(other.saved);
        self.spent = self.spent.saturating_add(other.spent);
        self.hashing = self.hashing.saturating_add(other.hashing);
        self.loading = self.loading.saturating_add(other.loading);
        self.storing = self.storing.saturating_add(other.storing);
        self.loaded = self.loaded.saturating_add(other.loaded);
        self.stored = self.stored.saturating_add(other.stored);
        for (reason, count) in &other.reasons {
            let sum = self.reasons.entry(reason.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        if other.last_miss.is_some() {
            self.last_miss.clone_from(&other.last_miss);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What one process did in some period with a cache folder, or what several did on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Period {
    /// 16 hex digits that are the same for all periods of a process; `None` if several periods were folded into one.
    pub run: Option<String>,
    /// The machine's name; empty if several periods were folded into one.
    pub host: String,
    /// When the counting began.
    pub from: SystemTime,
    /// When the counts were written.
    pub to: SystemTime,
    /// The counts of each function, by its path as [`History::logged_name`] returns it.
    pub functions: BTreeMap<String, Activity>,
}

/// The recorded counts of calls that used a cache folder, from [`Memory::history`](crate::Memory::history).
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let memory = ndcache::Memory::open(folder.path())?;
/// (0..3).for_each(|_| assert_eq!(memory.eval(double::call(1.0)), 2.0));
/// drop(memory); // the last memory of a folder writes down what was counted
///
/// let history = ndcache::Memory::open(folder.path())?.history(None)?;
/// let total = history.total();
/// assert_eq!((total.misses, total.hits, total.repeats), (1, 1, 1));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub(super) periods: Vec<Period>,
    pub(super) unread: u64,
}

impl History {
    /// Returns the periods, ordered by their ends.
    #[must_use]
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// Returns how many lines were skipped: torn by a kill, damaged, or of a newer version.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Returns when the first period began; `None` if nothing was recorded.
    #[must_use]
    pub fn begin(&self) -> Option<SystemTime> {
        self.periods.iter().map(|period| period.from).min()
    }

    /// Returns the sum over all functions and periods.
    #[must_use]
    pub fn total(&self) -> Activity {
        let mut total = Activity::default();
        self.each(|_, _, activity| total.add(activity));
        total
    }

    /// Returns the name under which the calls of the function with this path are counted: the path, or if it has more
    /// than 200 bytes its beginning, followed by `~` and 16 digits of its digest.
    ///
    /// ```
    /// use ndcache::stats::History;
    ///
    /// assert_eq!(History::logged_name("app::fit"), "app::fit");
    /// let long = "fit::".repeat(100);
    /// assert_eq!(History::logged_name(&long).len(), 200);
    /// assert_ne!(History::logged_name(&long), History::logged_name(&long[5..]));
    /// ```
    #[must_use]
    pub fn logged_name(path: &str) -> Cow<'_, str> {
        if path.len() <= NAME_MAX {
            return path.into();
        }
        let digits = &Digest::of(path.as_bytes()).to_string()[..16];
        format!("{}~{digits}", cut_to(path, NAME_MAX - 17)).into()
    }

    /// Returns the sums over all periods, by the function's path as [`logged_name`](Self::logged_name) returns it.
    #[must_use]
    pub fn by_function(&self) -> BTreeMap<String, Activity> {
        self.grouped(|_, function| Some(function.to_owned()))
    }

    /// Returns the sums over all functions, by the run of a program; without folded periods.
    #[must_use]
    pub fn by_run(&self) -> BTreeMap<String, Activity> {
        self.grouped(|period, _| period.run.clone())
    }

    /// Returns the sums over all functions, by the machine's name; without folded periods.
    #[must_use]
    pub fn by_host(&self) -> BTreeMap<String, Activity> {
        self.grouped(|period, _| Some(period.host.clone()).filter(|host| !host.is_empty()))
    }

    fn grouped(&self, group: impl Fn(&Period, &str) -> Option<String>) -> BTreeMap<String, Activity> {
        let mut groups = BTreeMap::<String, Activity>::new();
        self.each(|period, function, activity| {
            if let Some(group) = group(period, function) {
                groups.entry(group).or_default().add(activity);
            }
        });
        groups
    }

    fn each(&self, mut see: impl FnMut(&Period, &str, &Activity)) {
        for period in &self.periods {
            period.functions.iter().for_each(|(function, activity)| see(period, function, activity));
        }
    }
}

/// The beginning of a name, of at most that many bytes.
pub(super) fn cut_to(name: &str, most: usize) -> &str {
    let end = (0..=most.min(name.len())).rev().find(|&at| name.is_char_boundary(at));
    &name[..end.unwrap_or(0)]
}
