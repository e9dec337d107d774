//! What this process counts in one cache folder, and when that is written down.
//!
//! All memories that this process has of a folder share one [`Run`]. A repeated hit does nothing here: it raises the
//! one counter that it raises anyway. Whatever else is counted comes from calls that read a record or compute.
//!
//! Lines are written when the last memory of the folder goes, when a thread ends that has counted in it, after a miss if
//! the last line is a second old, and otherwise once a minute, by a hit that looks at its file anyway. What a kill takes
//! is that minute.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, MutexGuard, Weak};
use std::time::{Duration, Instant, SystemTime};

use crate::digest::{Digest, DigestHash};
use crate::key::Key;
use crate::stats::counts::Counters;
use crate::stats::history::activity::{Activity, Period};
use crate::stats::history::line::{self, LogLine};
use crate::stats::history::log;
use crate::store::{Disk, nonce};
use crate::threads::fork::{ForkMutex, Process};

/// After a miss nothing is written that soon after the last line.
const AFTER_A_MISS: Duration = Duration::from_secs(1);

/// Hits alone are written down that often.
const AMONG_HITS: Duration = Duration::from_secs(60);

/// The most keys that are remembered as hit; a first hit of a further one counts as a repeat.
const KEYS_MAX: usize = 1 << 20;

/// The runs of this process, by the number of their folder.
static RUNS: LazyLock<ForkMutex<Runs>> = LazyLock::new(ForkMutex::default);

type Runs = BTreeMap<u64, Weak<Run>>;

/// What this process counts in one cache folder.
pub(crate) struct Run {
    me: Weak<Self>,
    state: ForkMutex<RunState>,
    begin: Instant,
    /// When the last line was written, in milliseconds since the beginning.
    written: AtomicU64,
    /// Nothing is counted any more, as it can't be written.
    off: AtomicBool,
}

struct RunState {
    /// A forked child counts for itself.
    process: Process,
    /// 16 hex digits.
    name: String,
    /// The disk of the memory that was opened last; `None` in a child that was forked while this was in use.
    disk: Option<Arc<Disk>>,
    from: SystemTime,
    seen: HashSet<Digest, DigestHash>,
    /// What no line has yet, but for repeats and faults.
    pending: BTreeMap<&'static str, Activity>,
    /// The counters of the memories that are open.
    counters: Vec<Weak<Counters>>,
    /// What the memories that are closed had counted.
    closed: BTreeMap<String, Totals>,
    /// What was written down, or wasn't this process's.
    done: BTreeMap<String, Totals>,
}

/// Hits and faults, as a memory counts them from its beginning on.
#[derive(Clone, Copy, Default)]
struct Totals {
    hits: u64,
    faults: u64,
}

/// A call that was loaded for the first time in a run.
pub(crate) struct FirstHit {
    pub(crate) saved: Duration,
    pub(crate) hashing: Duration,
    pub(crate) loading: Duration,
    pub(crate) bytes: u64,
}

/// A call that was computed.
pub(crate) struct Miss<'a> {
    pub(crate) reason: &'static str,
    pub(crate) explanation: &'a str,
    pub(crate) spent: Duration,
    pub(crate) hashing: Duration,
    pub(crate) storing: Duration,
    /// 0 if it wasn't stored.
    pub(crate) bytes: u64,
}

impl Run {
    /// Joins the run of `disk`'s folder for a memory that counts by `counters`.
    pub(crate) fn join(disk: &Arc<Disk>, counters: &Arc<Counters>) -> Arc<Self> {
        let run = Self::of(disk.place());
        write_at_end_of_thread(&run.me, true);
        if let Some(mut state) = run.state() {
            state.disk = Some(Arc::clone(disk));
            state.counters.push(Arc::downgrade(counters));
        }
        run
    }

    /// The run of the folder with this number; begins one if there is none.
    fn of(place: u64) -> Arc<Self> {
        let mut runs = RUNS.lock();
        runs.get(&place).and_then(Weak::upgrade).unwrap_or_else(|| {
            let run = Arc::new_cyclic(Self::new);
            runs.retain(|_, run| run.strong_count() > 0);
            runs.insert(place, Arc::downgrade(&run));
            run
        })
    }

    fn new(me: &Weak<Self>) -> Self {
        Self {
            me: Weak::clone(me),
            state: ForkMutex::default(),
            begin: Instant::now(),
            written: AtomicU64::new(0),
            off: AtomicBool::new(false),
        }
    }

    /// Counts a hit of an entry that was read, if it is the first of its key in this run, and says whether it is.
    pub(crate) fn first_hit(&self, function: &'static str, key: Key, hit: impl FnOnce() -> FirstHit) -> bool {
        let Some(mut state) = self.state() else { return true };
        if state.seen.len() >= KEYS_MAX || !state.seen.insert(key.digest()) {
            return false;
        }
        let FirstHit { saved, hashing, loading, bytes } = hit();
        let activity = state.pending.entry(function).or_default();
        activity.hits += 1;
        activity.saved = activity.saved.saturating_add(saved);
        activity.hashing += hashing;
        activity.loading += loading;
        activity.loaded = activity.loaded.saturating_add(bytes);
        drop(state);
        write_at_end_of_thread(&self.me, false);
        true
    }

    /// Counts a call whose value came from a tier.
    pub(crate) fn fetched(&self, function: &'static str) {
        let Some(mut state) = self.state() else { return };
        state.pending.entry(function).or_default().fetched += 1;
        drop(state);
        write_at_end_of_thread(&self.me, false);
    }

    /// Counts a call that was computed.
    pub(crate) fn miss(&self, function: &'static str, miss: &Miss<'_>) {
        let Some(mut state) = self.state() else { return };
        let activity = state.pending.entry(function).or_default();
        activity.misses += 1;
        activity.spent += miss.spent;
        activity.hashing += miss.hashing;
        activity.storing += miss.storing;
        activity.stored = activity.stored.saturating_add(miss.bytes);
        match activity.reasons.get_mut(miss.reason) {
            Some(count) => *count += 1,
            None => drop(activity.reasons.insert(miss.reason.to_owned(), 1)),
        }
        activity.last_miss = Some(miss.explanation.to_owned());
        drop(state);
        write_at_end_of_thread(&self.me, false);
        self.write_if_older(AFTER_A_MISS);
    }

    /// How many computations of this function no line has yet.
    pub(crate) fn unwritten_misses(&self, function: &str) -> u64 {
        self.state().and_then(|state| state.pending.get(function).map(|activity| activity.misses)).unwrap_or(0)
    }

    /// Writes down what was counted, if nothing was for a minute.
    pub(crate) fn look(&self) {
        self.write_if_older(AMONG_HITS);
    }

    /// Takes over what a memory has counted that is being closed.
    pub(crate) fn leave(&self, counters: &Arc<Counters>) {
        let Some(mut state) = self.state() else { return };
        state.counters.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(counters)));
        let closed = &mut state.closed;
        add_totals(closed, counters);
    }

    /// Forgets what no line has yet.
    pub(crate) fn forget(&self) {
        if let Some(mut state) = self.state() {
            state.take();
        }
    }

    /// Writes down what was counted since the last line.
    pub(crate) fn write(&self) {
        let Some(mut state) = self.state() else { return };
        self.written.store(self.age(), Ordering::Relaxed);
        let (Some(period), Some(disk)) = (state.take(), state.disk.clone()) else { return };
        drop(state);
        for line in line::encode(&LogLine::Counts(period)) {
            if let Err(error) = log::append(&disk, &line) {
                tracing::debug!(%error, "calls aren't counted");
                self.off.store(!is_passing(&error), Ordering::Relaxed);
                return;
            }
        }
    }

    fn write_if_older(&self, age: Duration) {
        if self.age().saturating_sub(self.written.load(Ordering::Relaxed)) >= age.as_millis() as u64 {
            self.write();
        }
    }

    /// Milliseconds since the beginning.
    fn age(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> Option<MutexGuard<'_, RunState>> {
        if self.off.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.state.lock();
        if !state.process.is_current() {
            state.begin_as_child();
        }
        Some(state)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.write();
    }
}

/// Whether another attempt may succeed: where the folder is gone, or the disk is full.
fn is_passing(error: &crate::error::Error) -> bool {
    use std::io::ErrorKind::{NotFound, QuotaExceeded, StorageFull};
    error.io_error().is_some_and(|error| matches!(error.kind(), NotFound | StorageFull | QuotaExceeded))
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            process: Process::current(),
            name: nonce(),
            disk: None,
            from: SystemTime::now(),
            seen: HashSet::default(),
            pending: BTreeMap::new(),
            counters: Vec::new(),
            closed: BTreeMap::new(),
            done: BTreeMap::new(),
        }
    }
}

impl RunState {
    /// What the parent hasn't written down yet is the parent's.
    fn begin_as_child(&mut self) {
        self.take();
        self.seen.clear();
        (self.process, self.name) = (Process::current(), nonce());
    }

    /// What no line has yet; `None` if that is nothing.
    fn take(&mut self) -> Option<Period> {
        let mut functions: BTreeMap<String, Activity> = BTreeMap::new();
        let mut totals = self.closed.clone();
        self.counters.retain(|counters| counters.upgrade().is_some_and(|counters| add_totals(&mut totals, &counters)));
        for (function, total) in totals {
            let first = self.pending.get(&*function).map_or(0, |activity| activity.hits);
            let done = self.done.entry(function.clone()).or_default();
            let (hits, faults) = (total.hits.saturating_sub(done.hits), total.faults.saturating_sub(done.faults));
            // A hit is noted here before the counter is raised: then it counts as done, and the next line has it.
            let repeats = hits.saturating_sub(first);
            *done = Totals { hits: done.hits + first + repeats, faults: done.faults + faults };
            functions.insert(function, Activity { repeats, faults, ..Activity::default() });
        }
        for (function, activity) in std::mem::take(&mut self.pending) {
            functions.entry(function.to_owned()).or_default().add(&activity);
        }
        functions.retain(|_, activity| !activity.is_empty());
        let (from, to) = (self.from, SystemTime::now());
        self.from = to;
        let period = Period { run: Some(self.name.clone()), host: log::host(), from, to, functions };
        (!period.functions.is_empty()).then_some(period)
    }
}

/// Adds what a memory has counted so far.
fn add_totals(totals: &mut BTreeMap<String, Totals>, counters: &Counters) -> bool {
    counters.each_total(|function, hits, faults| {
        if !totals.contains_key(function) {
            totals.insert(function.to_owned(), Totals::default());
        }
        let total = totals.get_mut(function).expect("inserted above");
        total.hits += hits;
        total.faults += faults;
    });
    true
}

/// The runs that this thread has counted in, which are written down when it ends.
struct AtEnd(RefCell<Vec<Counting>>);

struct Counting {
    run: Weak<Run>,
    /// Whether the thread has opened a memory, and so may be the last one: other threads write once a second at most.
    always: bool,
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(RefCell::new(Vec::new())) };
}

/// A global memory is never dropped, and the end of the main thread is the end of the program.
fn write_at_end_of_thread(run: &Weak<Run>, opened: bool) {
    // Once the thread's variables are gone, it is too late to write at its end.
    let _ = AT_END.try_with(|end| {
        let Ok(mut runs) = end.0.try_borrow_mut() else { return };
        match runs.iter_mut().find(|known| known.run.ptr_eq(run)) {
            Some(known) => known.always |= opened,
            None => {
                runs.retain(|known| known.run.strong_count() > 0);
                runs.push(Counting { run: Weak::clone(run), always: opened });
            }
        }
    });
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        for Counting { run, always } in self.0.take() {
            match run.upgrade() {
                Some(run) if always => run.write(),
                Some(run) => run.write_if_older(AFTER_A_MISS),
                None => {}
            }
        }
    }
}
