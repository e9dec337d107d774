//! What is counted of calls over time, and the history that a folder has of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::stats::history::line;

/// What calls did in some time: how many hit and missed, and what that cost and saved.
///
/// Times are those of whole calls on the machines that made them; bytes are those of values with their arrays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// First hits: for each run of a program and each key the first call that was loaded. Each saved a computation.
    pub hits: u64,
    /// Hits of a key that the run had hit before.
    pub repeats: u64,
    /// First hits whose value came from a tier for them.
    pub fetched: u64,
    /// Calls that were computed.
    pub misses: u64,
    /// Times that the cache failed, and the value was returned all the same.
    pub faults: u64,
    /// What the computations of the first hits took when they were made.
    pub saved: Duration,
    /// What the computations of the misses took.
    pub spent: Duration,
    /// Time that digests of arguments took, of first hits and misses.
    pub hashing: Duration,
    /// Time that loading took, of first hits.
    pub loading: Duration,
    /// Time that storing took.
    pub storing: Duration,
    /// Bytes that first hits loaded or mapped.
    pub loaded: u64,
    /// Bytes that were stored.
    pub stored: u64,
    /// How many misses had each reason, by [`Reason::name`](crate::explain::Reason::name). About: a miss that nobody
    /// listens to is compared with few stored calls.
    pub reasons: BTreeMap<String, u64>,
    /// The last miss, in words of at most 120 characters.
    pub last_miss: Option<String>,
}

impl Activity {
    /// Adds what `other`, which came later, has counted.
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

/// What one process did in some time with a cache folder, or what several did on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Period {
    /// 16 hex digits that the periods of one process share; `None` where several were folded into one.
    pub run: Option<String>,
    /// The machine's name; empty where several were folded into one.
    pub host: String,
    /// When the counting began.
    pub from: SystemTime,
    /// When it was written down.
    pub to: SystemTime,
    /// What was counted, for each path of a function as [`History::logged_name`] gives it.
    pub functions: BTreeMap<String, Activity>,
}

/// What was written down of the calls that went through a cache folder, from
/// [`Memory::history`](crate::Memory::history).
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
    /// The periods, in the order of their ends.
    #[must_use]
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// How many lines were left out: torn by a kill, damaged, or of a newer version.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// When the first period began; `None` if nothing was written down.
    #[must_use]
    pub fn begin(&self) -> Option<SystemTime> {
        self.periods.iter().map(|period| period.from).min()
    }

    /// All functions in all periods.
    #[must_use]
    pub fn total(&self) -> Activity {
        let mut total = Activity::default();
        self.each(|_, _, activity| total.add(activity));
        total
    }

    /// The name under which the calls of the function with this path are counted: the path, or where that has more than
    /// 200 bytes its beginning, with `~` and 16 digits of its digest behind.
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
        line::logged_name(path)
    }

    /// All periods, by the function's path as [`logged_name`](Self::logged_name) gives it.
    #[must_use]
    pub fn by_function(&self) -> BTreeMap<String, Activity> {
        self.grouped(|_, function| Some(function.to_owned()))
    }

    /// All functions, by the run of a program; without those that were folded.
    #[must_use]
    pub fn by_run(&self) -> BTreeMap<String, Activity> {
        self.grouped(|period, _| period.run.clone())
    }

    /// All functions, by the machine's name; without those that were folded.
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
