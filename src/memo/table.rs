//! Remembered entries: what lookups have found, kept for the next ones, so that a repeated hit makes no system call.
//!
//! A table has one stripe per thread (threads beyond their number share), so that threads that hit the same entry write
//! to no memory in common: not to a lock, a reference count or a counter. The entries themselves are shared.
//!
//! A change of an entry through this memory raises the generation of its key, and what was read before is not used
//! any more. What others change is seen in the file's state, which is asked for once a second.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::digest::Digest;
use crate::entry::archive::Archive;
use crate::entry::read::find::{FoundEntry, Missing};
use crate::entry::site::Site;
use crate::key::{Function, Key};
use crate::memo::clock;
use crate::memo::entry::{CHECK, MemoEntry, MemoHandle, no_arrays, spin};
use crate::memo::handles::MemoHandles;
use crate::stats::counts::Counters;
use crate::stats::history::run::Run;

#[cfg(test)]
mod tests;

/// The number of stripes, and so of threads that have one of their own.
const STRIPES: usize = 16;

/// The number of generations, which all keys share: a change of one key makes the others of its generation look at
/// their files again.
const GENERATIONS: usize = 256;

/// Longer values aren't remembered: each hit reads their file, and beside that opening it takes little time.
const VALUE: usize = 256 << 10;

/// A file that was changed less than this before it was read may change again and look the same: the clock that times
/// files ticks only every 10 ms on some systems.
const SETTLED: Duration = Duration::from_millis(100);

/// [`SETTLED`] where files have times of whole seconds, as on ext3, or of two, as on FAT.
const SETTLED_COARSE: Duration = Duration::from_millis(2100);

/// What one memory remembers of the entries of an archive.
pub(crate) struct Memo {
    pub(crate) table: Arc<Table>,
    archive: Arc<Archive>,
    counters: Arc<Counters>,
    run: Option<Arc<Run>>,
}

/// The remembered entries of one memory.
pub(crate) struct Table {
    /// The table's number, which no other table of this process ever has.
    id: u64,
    stripes: [Stripe; STRIPES],
    /// One bit for each stripe: whether it has ever held something.
    used: AtomicU32,
    generations: [AtomicU64; GENERATIONS],
}

/// The entries that one thread has used last; no two stripes share a line of the processor's cache.
#[derive(Default)]
#[repr(align(128))]
struct Stripe(Mutex<MemoHandles>);

impl Memo {
    pub(crate) fn new(
        table: Arc<Table>,
        archive: Arc<Archive>,
        counters: Arc<Counters>,
        run: Option<Arc<Run>>,
    ) -> Self {
        Self { table, archive, counters, run }
    }

    /// What this thread remembers by `memo_key`, with its site and the present time; `None` if that isn't current.
    pub(crate) fn recalled(
        &self,
        memo_key: Digest,
        function: &'static Function,
    ) -> Option<(Arc<MemoHandle>, Site, u64)> {
        let handle = self.table.get(memo_key)?;
        let site = Site::new(function.folder(), handle.memo_entry.key()).remembered_by(Some(memo_key));
        let now = clock::now();
        self.is_current(&handle.memo_entry, &site, now).then_some((handle, site, now))
    }

    /// What is remembered of the entry at `site`, and the present time. If that isn't current, the error is what this
    /// thread remembers.
    pub(crate) fn remembered(
        &self,
        site: &Site,
        function: &'static str,
    ) -> Result<(Arc<MemoHandle>, u64), Option<Arc<MemoHandle>>> {
        let (table, memo_key, now) = (&self.table, site.memo_key(), clock::now());
        let is_good =
            |memo_entry: &MemoEntry| self.is_current(memo_entry, site, now) && site.suits(&memo_entry.found.record);
        match table.get(memo_key) {
            Some(handle) if is_good(&handle.memo_entry) => Ok((handle, now)),
            Some(handle) => Err(Some(handle)),
            None => {
                let memo_entry = table.elsewhere(memo_key).filter(|memo_entry| is_good(memo_entry)).ok_or(None)?;
                Ok((self.handle_of(memo_key, memo_entry, function), now))
            }
        }
    }

    /// Reads the entry at `site` from the disk, and remembers it in place of `was`, which was remembered before.
    pub(crate) fn look_up(
        &self,
        site: &Site,
        function: &'static str,
        was: Option<Arc<MemoHandle>>,
    ) -> Result<Arc<MemoHandle>, Missing> {
        let (memo_key, before) = (site.memo_key(), Before::of(&self.table, site.key()));
        let found = match self.archive.find_loadable_in_open(site, function) {
            Ok(found) => found,
            Err(missing) => {
                if was.is_some() {
                    self.table.forget(site.key());
                }
                return Err(missing);
            }
        };
        let settled = !self.archive.is_on_network() && before.is_settled(&found);
        let unchanged = was.filter(|was| was.memo_entry.found.record == found.record);
        let memo_entry = MemoEntry {
            generation: before.generation,
            settled,
            checked: AtomicU64::new(before.now),
            stamp_due: AtomicU64::new(before.now.saturating_add(clock::ticks(self.unstamped(&found, before.time)))),
            again: AtomicBool::new(unchanged.is_some()),
            arrays: unchanged.map_or_else(|| no_arrays(&found.record), |was| Arc::clone(&was.memo_entry.arrays)),
            found,
        };
        Ok(self.handle_of(memo_key, Arc::new(memo_entry), function))
    }

    /// How long the last use of a found entry needn't be stamped yet.
    fn unstamped(&self, found: &FoundEntry, now: SystemTime) -> Duration {
        self.archive.rules.stamp_interval.saturating_sub(now.duration_since(found.used).unwrap_or_default())
    }

    fn handle_of(&self, memo_key: Digest, memo_entry: Arc<MemoEntry>, function: &'static str) -> Arc<MemoHandle> {
        let tally = self.counters.tally(function, stripe());
        let handle = Arc::new(MemoHandle { memo_entry, tally });
        if handle.memo_entry.found.record.value.len() <= VALUE {
            self.table.keep(memo_key, Arc::clone(&handle));
        }
        handle
    }

    fn is_current(&self, memo_entry: &MemoEntry, site: &Site, now: u64) -> bool {
        if memo_entry.generation != self.table.generation(site.key()) {
            return false;
        }
        if now.saturating_sub(memo_entry.checked.load(Ordering::Relaxed)) >= clock::ticks(CHECK) {
            if !memo_entry.settled || !self.archive.is_record_still(site, &memo_entry.found.stat) {
                return false;
            }
            memo_entry.checked.store(now, Ordering::Relaxed);
            if let Some(run) = &self.run {
                run.look();
            }
        }
        if !memo_entry.again.load(Ordering::Relaxed) {
            memo_entry.again.store(true, Ordering::Relaxed);
        }
        true
    }

    /// Notes that a remembered entry was used, as [`Archive::stamp`] does.
    pub(crate) fn stamp_again(&self, site: &Site, memo_entry: &MemoEntry, now: u64) {
        if now >= memo_entry.stamp_due.load(Ordering::Relaxed) {
            self.archive.stamp(site, memo_entry.found.used);
            let left = self.unstamped(&memo_entry.found, SystemTime::now());
            // A stamp changes the file's state, so that the next check reads the entry again.
            let left = if left.is_zero() { self.archive.rules.stamp_interval } else { left };
            memo_entry.stamp_due.store(now.saturating_add(clock::ticks(left)), Ordering::Relaxed);
        }
    }
}

/// The generation of a key and the time, by two clocks, just before its entry was read.
struct Before {
    generation: u64,
    now: u64,
    time: SystemTime,
}

impl Before {
    fn of(table: &Table, key: Key) -> Self {
        Self { generation: table.generation(key), now: clock::now(), time: SystemTime::now() }
    }

    /// Whether every later change of the file shows in its times.
    fn is_settled(&self, found: &FoundEntry) -> bool {
        let (changed, modified) = (found.stat.changed, found.stat.modified);
        let settled = if is_whole(changed) && is_whole(modified) { SETTLED_COARSE } else { SETTLED };
        self.time.duration_since(changed.max(modified)).is_ok_and(|age| age >= settled)
    }
}

/// Whether a time is one of whole seconds, as all times of a coarse clock are.
fn is_whole(time: SystemTime) -> bool {
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0)
}

impl Table {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            stripes: std::array::from_fn(|_| Stripe::default()),
            used: AtomicU32::new(0),
            generations: [const { AtomicU64::new(0) }; GENERATIONS],
        }
    }

    /// Makes what was read of `key` so far unusable, in every thread and at once.
    pub(crate) fn forget(&self, key: Key) {
        self.generation_of(key).fetch_add(1, Ordering::AcqRel);
        // A handle whose memo key isn't the digest of its key stays until it is asked for, or others take its place.
        for stripe in self.used() {
            if let Some(mut handles) = spin(&stripe.0) {
                handles.remove(key.digest());
            }
        }
    }

    /// Makes what was read of any key so far unusable, in every thread and at once.
    pub(crate) fn clear(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::AcqRel);
        }
        for stripe in self.used() {
            drop(spin(&stripe.0).map(|mut handles| std::mem::take(&mut *handles)));
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(crate) fn generation(&self, key: Key) -> u64 {
        self.generation_of(key).load(Ordering::Acquire)
    }

    fn generation_of(&self, key: Key) -> &AtomicU64 {
        // `DigestHasher` reads the first bytes: the last one doesn't decide the place in a hash table.
        &self.generations[usize::from(key.digest().to_bytes()[15])]
    }

    #[inline]
    fn get(&self, memo_key: Digest) -> Option<Arc<MemoHandle>> {
        let at = stripe();
        let holds = self.used.load(Ordering::Relaxed) & (1 << at) != 0;
        if holds { spin(&self.stripes[at].0)?.get(memo_key).cloned() } else { None }
    }

    /// What another thread remembers by `memo_key`.
    fn elsewhere(&self, memo_key: Digest) -> Option<Arc<MemoEntry>> {
        self.used().find_map(|stripe| spin(&stripe.0)?.peek(memo_key).map(|handle| Arc::clone(&handle.memo_entry)))
    }

    fn keep(&self, memo_key: Digest, handle: Arc<MemoHandle>) {
        let at = stripe();
        if let Some(mut handles) = spin(&self.stripes[at].0) {
            self.used.fetch_or(1 << at, Ordering::Relaxed);
            handles.insert(memo_key, handle);
        }
    }

    /// Locks all stripes, like threads that hold the locks and don't go on.
    #[cfg(test)]
    pub(crate) fn held(&self) -> impl Sized {
        self.stripes.each_ref().map(|stripe| stripe.0.lock())
    }

    fn used(&self) -> impl Iterator<Item = &Stripe> {
        let mut used = self.used.load(Ordering::Relaxed);
        std::iter::from_fn(move || {
            let stripe = self.stripes.get(used.trailing_zeros() as usize)?;
            used &= used - 1;
            Some(stripe)
        })
    }
}

/// The stripe of this thread.
#[inline]
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    MINE.with(|mine| {
        mine.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
            mine.set(Some(next));
            next
        })
    })
}
