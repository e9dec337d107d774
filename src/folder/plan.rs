//! Plans: which entries would be removed, so that somebody can be asked before any is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::folder::limits::Evicted;
use crate::key::Key;
use crate::store::Stat;

/// Which entries and files would be removed from a cache, and how long it would take to compute them again.
///
/// [`Memory::plan_reduce`](crate::Memory::plan_reduce) and similar methods make it. Nothing is removed, and no lock
/// is held, until [`Memory::execute`](crate::Memory::execute) is called with it. A plan takes some 150 bytes for each
/// entry in it.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use ndcache::{Limits, Memory};
///
/// #[ndcache::cache]
/// fn double(x: f64) -> f64 {
///     2.0 * x
/// }
///
/// let memory = Memory::open(folder.path())?;
/// for x in 0..5 {
///     memory.eval(double::call(f64::from(x)));
/// }
/// let plan = memory.plan_reduce(Limits::default().items(2))?;
/// assert_eq!((plan.len(), plan.total().items, memory.entries().count()), (3, 5, 5));
/// for function in plan.by_function() {
///     println!("{}: {} entries, {} bytes", function.function, function.entries, function.bytes);
/// }
/// let executed = memory.execute(&plan)?;
/// assert_eq!((executed.removed.items, executed.kept, memory.entries().count()), (3, 0, 2));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct Plan {
    /// The cache folder.
    pub(super) root: PathBuf,
    pub(super) functions: Vec<PlanFolder>,
    pub(super) items: Vec<PlanItem>,
    pub(super) garbage: Vec<Garbage>,
    /// All entries of the cache, and their bytes.
    pub(super) total: Evicted,
    pub(super) unread: Option<String>,
    /// Entries of older code that aren't superseded.
    pub(super) spared: u64,
}

/// Where the entries of a function are.
#[derive(Clone)]
pub(super) struct PlanFolder {
    /// `f/<stem>-<hash>`
    pub(super) name: String,
    /// The function's path, if a record in it could be read.
    pub(super) function: Option<String>,
}

/// An entry to be removed.
#[derive(Clone)]
pub(super) struct PlanItem {
    /// The index in `functions`.
    pub(super) function: u32,
    pub(super) key: Key,
    /// What the file system says of its record; an entry whose record has changed is left alone.
    pub(super) stat: Stat,
    pub(super) bytes: u64,
    /// Nanoseconds.
    pub(super) duration: u64,
    pub(super) reason: PlanReason,
}

/// A file that no entry needs.
#[derive(Clone)]
pub(super) struct Garbage {
    pub(super) name: String,
    pub(super) stat: Stat,
    /// The folder of the function, and the key in the file's name.
    pub(super) owner: Option<(String, Key)>,
}

/// Why an entry is in a [`Plan`]; prints as a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlanReason {
    /// It was last used longer ago than the limit allows.
    Age,
    /// The limits on bytes or entries are exceeded, and it is among the first to be evicted.
    Size,
    /// It was computed by older code, and wasn't used since the first entry of the newest code was stored.
    Superseded,
    /// Its record can't be read.
    Damaged,
    /// It was named by the user.
    Named,
}

impl fmt::Display for PlanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "unused for long",
            Self::Size => "above the limit",
            Self::Superseded => "of older code",
            Self::Damaged => "damaged",
            Self::Named => "named",
        })
    }
}

/// An entry in a [`Plan`].
#[derive(Clone, Copy)]
pub struct PlannedEntry<'a> {
    plan: &'a Plan,
    item: &'a PlanItem,
}

/// The sums of the entries of one function in a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedFunction {
    /// The function's path; the name of its folder if none of its records can be read.
    pub function: String,
    /// The number of its entries in the plan.
    pub entries: u64,
    /// The bytes of their files.
    pub bytes: u64,
    /// The time that it took to compute them.
    pub duration: Duration,
    /// When the last of them was last used.
    pub used: SystemTime,
    /// Why the first of them is in the plan.
    pub reason: PlanReason,
    /// Why they are in the plan, and how many are for each reason, in the order in which they would be removed.
    pub reasons: Vec<(PlanReason, u64)>,
}

/// What [`Memory::execute`](crate::Memory::execute) did with a [`Plan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executed {
    /// The number of entries that were removed, and the bytes of all removed files, with those that belonged to no
    /// entry.
    pub removed: Evicted,
    /// The number of entries that stayed, because they were used, replaced, edited or pinned after the plan was made.
    pub kept: u64,
    /// The number of entries that were already removed by others.
    pub gone: u64,
}

impl Plan {
    /// An empty plan for the cache at `root`, which holds `total`.
    pub(super) fn new(root: &Path, total: Evicted) -> Self {
        let root = root.to_owned();
        let (functions, items, garbage) = (Vec::new(), Vec::new(), Vec::new());
        Self { root, functions, items, garbage, total, unread: None, spared: 0 }
    }

    /// Returns the number of entries in the plan.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether the plan is empty: no entries, and no files that belong to no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.garbage.is_empty()
    }

    /// Returns the bytes of all files in the plan.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum::<u64>() + self.garbage().bytes
    }

    /// Returns the time that it took to compute the entries in the plan.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.items.iter().fold(0, |sum, item| sum.saturating_add(item.duration)))
    }

    /// Returns the files in the plan that belong to no entry, and their bytes.
    #[must_use]
    pub fn garbage(&self) -> Evicted {
        let bytes = self.garbage.iter().map(|garbage| garbage.stat.len).sum();
        Evicted { items: self.garbage.len() as u64, bytes }
    }

    /// Returns the number of all entries in the cache, and their bytes.
    #[must_use]
    pub fn total(&self) -> Evicted {
        self.total
    }

    /// Returns the error for the first thing in the cache that couldn't be read when the plan was made, if there was
    /// one; such things stay.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// Returns how many entries of older code [`plan_superseded`](crate::Memory::plan_superseded) left out: they were
    /// used since the newest code was first stored, or too recently, or are pinned or edited.
    #[must_use]
    pub fn spared(&self) -> u64 {
        self.spared
    }

    /// Returns the entries in the plan, in the order in which they would be removed.
    pub fn entries(&self) -> impl Iterator<Item = PlannedEntry<'_>> {
        self.items.iter().map(|item| PlannedEntry { plan: self, item })
    }

    /// Returns the sums for each function with entries in the plan, the one with the most bytes first.
    #[must_use]
    pub fn by_function(&self) -> Vec<PlannedFunction> {
        let mut functions = BTreeMap::new();
        for entry in self.entries() {
            let sum = functions.entry(entry.item.function).or_insert_with(|| PlannedFunction {
                function: entry.function().to_owned(),
                entries: 0,
                bytes: 0,
                duration: Duration::ZERO,
                used: SystemTime::UNIX_EPOCH,
                reason: entry.reason(),
                reasons: Vec::new(),
            });
            match sum.reasons.iter_mut().find(|(reason, _)| *reason == entry.reason()) {
                Some((_, entries)) => *entries += 1,
                None => sum.reasons.push((entry.reason(), 1)),
            }
            sum.entries += 1;
            sum.bytes += entry.bytes();
            sum.duration = sum.duration.saturating_add(entry.duration());
            sum.used = sum.used.max(entry.used());
        }
        let mut functions: Vec<_> = functions.into_values().collect();
        functions.sort_by(|a, b| (b.bytes, &a.function).cmp(&(a.bytes, &b.function)));
        functions
    }

    /// Keeps only those entries in the plan for which `goes` returns `true`.
    pub fn retain(&mut self, mut goes: impl FnMut(PlannedEntry<'_>) -> bool) {
        let items = std::mem::take(&mut self.items);
        let kept = items.into_iter().filter(|item| goes(PlannedEntry { plan: self, item })).collect();
        self.items = kept;
    }

    /// Returns the union of two plans for one cache; an entry in both keeps the reason of this one.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use std::time::Duration;
    /// use ndcache::{Limits, Memory};
    ///
    /// let memory = Memory::open(folder.path())?;
    /// let plan = memory.plan_reduce(Limits::bytes("20G")?)?.union(memory.plan_superseded(Duration::ZERO)?);
    /// assert!(plan.is_empty());
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        let known: HashSet<_> = self.items.iter().map(|item| (item.function, item.key)).collect();
        let names: HashSet<_> = self.garbage.iter().map(|garbage| garbage.name.clone()).collect();
        let places: HashMap<_, _> = (0..).zip(&self.functions).map(|(at, folder)| (&*folder.name, at)).collect();
        // Where the functions of the other one are in this one.
        let mut functions: Vec<Option<u32>> =
            other.functions.iter().map(|folder| places.get(&*folder.name).copied()).collect();
        for item in &other.items {
            let place = &mut functions[item.function as usize];
            if !place.is_some_and(|function| known.contains(&(function, item.key))) {
                let folder = &other.functions[item.function as usize];
                let function = *place.get_or_insert_with(|| self.add_function(folder.clone()));
                self.items.push(PlanItem { function, ..item.clone() });
            }
        }
        self.garbage.extend(other.garbage.into_iter().filter(|garbage| !names.contains(&garbage.name)));
        self.unread = self.unread.or(other.unread);
        self.spared += other.spared;
        self
    }

    /// Adds a function's folder to the list, and returns its index there.
    pub(super) fn add_function(&mut self, folder: PlanFolder) -> u32 {
        self.functions.push(folder);
        // Each function has a folder of its own, and a file system holds fewer of these.
        u32::try_from(self.functions.len() - 1).unwrap_or(u32::MAX)
    }

    /// The folder of an entry's function.
    pub(super) fn folder(&self, item: &PlanItem) -> &str {
        self.functions.get(item.function as usize).map_or("", |folder| &folder.name)
    }
}

impl<'a> PlannedEntry<'a> {
    /// Returns its key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.item.key
    }

    /// Returns the path of its function; the name of its folder if none of its records can be read.
    #[must_use]
    pub fn function(&self) -> &'a str {
        let folder = self.plan.functions.get(self.item.function as usize);
        folder.map_or("", |folder| folder.function.as_deref().unwrap_or_else(|| folder.name.trim_start_matches("f/")))
    }

    /// `f/<stem>-<hash>`
    pub(crate) fn folder(&self) -> &'a str {
        self.plan.folder(self.item)
    }

    /// Returns the bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.item.bytes
    }

    /// Returns how long it took to compute.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.item.duration)
    }

    /// Returns when it was last used.
    #[must_use]
    pub fn used(&self) -> SystemTime {
        self.item.stat.modified
    }

    /// Returns why it is in the plan.
    #[must_use]
    pub fn reason(&self) -> PlanReason {
        self.item.reason
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("entries", &self.len())
            .field("bytes", &self.bytes())
            .field("duration", &self.duration())
            .field("garbage", &self.garbage())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PlannedEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entry = f.debug_struct("PlannedEntry");
        entry.field("key", &self.key()).field("function", &self.function()).field("reason", &self.reason());
        entry.finish_non_exhaustive()
    }
}
