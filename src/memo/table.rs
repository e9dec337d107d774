//! Remembered entries: what lookups have found, kept for the next ones, so that a repeated hit makes no system call.
//!
//! A table has one stripe per thread (threads beyond their number share), so that threads that hit the same entry write
//! to no memory in common: not to a lock, a reference count or a counter. The entries themselves are shared.
//!
//! A change of an entry through this memory raises the generation of its key, and what was read before is not used
//! any more. What others change is seen in the file's state, which is asked for once a second.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, SystemTime};

use crate::digest::{Digest, Known};
use crate::entry::archive::Archive;
use crate::entry::read::arrays::{READ_RATHER, Remembered};
use crate::entry::read::find::{Found, Missing};
use crate::entry::site::Site;
use crate::key::{Function, Key};
use crate::map::{Mapping, WeakMapping};
use crate::memo::clock;
use crate::memo::handles::MemoHandles;
use crate::record::Record;
use crate::stats::counts::{Counters, Tally};
use crate::stats::history::run::Run;

#[cfg(test)]
mod tests;

/// The number of stripes, and so of threads that have one of their own.
const STRIPES: usize = 16;

/// The number of generations, which all keys share: a change of one key makes the others of its generation look at
/// their files again.
const GENERATIONS: usize = 256;

/// What a stripe may hold on to, in bytes of memory and of mapped files.
pub(super) const BYTES: u64 = 8 << 20;

/// About what an entry takes beside its value, in bytes.
pub(super) const ENTRY: u64 = 1 << 10;

/// Longer values are read at each hit, which takes longer than opening them.
const VALUE: usize = 256 << 10;

/// A mebibyte of elements with its header. Longer mappings are remembered as long as somebody else has them, and don't
/// hold on to the file of an entry that is gone.
const LONGEST_MAPPING: u64 = (1 << 20) + 4096;

/// How long what another process did may stay unseen; with what the clock lags behind less than a second.
const CHECK: Duration = Duration::from_millis(950);

/// A file that was changed so shortly before it was read may change again and look the same: by the ticks of the
/// clock that times files, 10 ms apart at most.
const SETTLED: Duration = Duration::from_millis(100);

/// [`SETTLED`] where files have times of whole seconds, as on ext3, or of two, as on FAT.
const SETTLED_COARSE: Duration = Duration::from_millis(2100);

/// How often a stripe that another thread holds is asked for. In a forked child that thread may not exist.
const SPINS: usize = 200;

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
    /// The stripes that ever held something, by their bits.
    used: AtomicU32,
    generations: [AtomicU64; GENERATIONS],
}

/// The entries that one thread has used last; no two stripes share a line of the processor's cache.
#[derive(Default)]
#[repr(align(128))]
struct Stripe(Mutex<MemoHandles>);

/// An entry in one stripe.
pub(crate) struct MemoHandle {
    pub(crate) memo_entry: Arc<MemoEntry>,
    pub(crate) tally: Arc<Tally>,
}

/// An entry, as it was read.
pub(crate) struct MemoEntry {
    pub(crate) found: Found,
    generation: u64,
    /// Whether the state of its file tells whether it is still the same.
    settled: bool,
    /// When it was last known to be what is on the disk.
    checked: AtomicU64,
    stamp_due: AtomicU64,
    /// It was hit again, and so its arrays are worth keeping.
    again: AtomicBool,
    arrays: Arc<[Mutex<MemoArray>]>,
}

/// What is kept of one array of an entry.
#[derive(Default)]
enum MemoArray {
    #[default]
    Nothing,
    /// Its elements, which were verified when they were read.
    Elements(Arc<[u8]>),
    Mapping(Mapping, Arc<Known>),
    /// A mapping for as long as somebody else has it.
    Weak(WeakMapping, Arc<Known>),
}

impl Memo {
    pub(crate) fn new(
        table: Arc<Table>,
        archive: Arc<Archive>,
        counters: Arc<Counters>,
        run: Option<Arc<Run>>,
    ) -> Self {
        Self { table, archive, counters, run }
    }

    /// What this thread remembers by `memo_key`, and what the clock says; nothing that changed since.
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

    /// What is remembered of the entry at `site`, and what the clock says; else what this thread remembers of it, though
    /// that may have changed since.
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

    /// The entry at `site` from the disk, to be remembered in place of what `was`.
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
        let settled = !self.archive.disk.medium().network && before.is_settled(&found);
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

    /// How long it still needs no stamp.
    fn unstamped(&self, found: &Found, now: SystemTime) -> Duration {
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
            if !memo_entry.settled || !self.archive.disk.is_still(&site.record(), &memo_entry.found.stat) {
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
            // Once stamped, it is read again at the next check.
            let left = if left.is_zero() { self.archive.rules.stamp_interval } else { left };
            memo_entry.stamp_due.store(now.saturating_add(clock::ticks(left)), Ordering::Relaxed);
        }
    }
}

/// What was so before an entry was read.
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
    fn is_settled(&self, found: &Found) -> bool {
        let (changed, modified) = (found.stat.changed, found.stat.modified);
        let settled = if is_whole(changed) && is_whole(modified) { SETTLED_COARSE } else { SETTLED };
        self.time.duration_since(changed.max(modified)).is_ok_and(|age| age >= settled)
    }
}

/// Whether a time is one of whole seconds, as all times of a coarse clock are.
fn is_whole(time: SystemTime) -> bool {
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0)
}

fn no_arrays(record: &Record) -> Arc<[Mutex<MemoArray>]> {
    if record.arrays.is_empty() {
        return Arc::default();
    }
    record.arrays.iter().map(|_| Mutex::default()).collect()
}

impl MemoEntry {
    pub(crate) fn key(&self) -> Key {
        Key::from_digest(self.found.record.key)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// When it was last known to be what is on the disk.
    pub(crate) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Until when it may be used without a look at the clock of another thread, at its file or its stamp.
    pub(crate) fn good_until(&self) -> u64 {
        let checked = self.checked.load(Ordering::Relaxed).saturating_add(clock::ticks(CHECK));
        checked.min(self.stamp_due.load(Ordering::Relaxed))
    }

    fn array(&self, index: u32) -> Option<MutexGuard<'_, MemoArray>> {
        spin(self.arrays.get(usize::try_from(index).ok()?)?)
    }

    pub(super) fn weight(&self) -> u64 {
        let record = &self.found.record;
        let kept = record.arrays.iter().map(|array| array.length).filter(|&length| length <= LONGEST_MAPPING);
        // The record's texts are kept as well.
        ENTRY + self.found.length + record.value.len() as u64 + kept.sum::<u64>()
    }
}

impl Remembered for MemoEntry {
    fn elements(&self, index: u32) -> Option<Arc<[u8]>> {
        match &*self.array(index)? {
            MemoArray::Elements(elements) => Some(Arc::clone(elements)),
            _ => None,
        }
    }

    /// Keeps the elements of a small array from its second hit on: the first may be its only one.
    fn keep_elements(&self, index: u32, elements: &[u8]) {
        if elements.len() as u64 <= READ_RATHER
            && self.again.load(Ordering::Relaxed)
            && let Some(mut array) = self.array(index)
        {
            *array = MemoArray::Elements(elements.into());
        }
    }

    fn mapping(&self, index: u32) -> Option<(Mapping, Arc<Known>)> {
        match &*self.array(index)? {
            MemoArray::Mapping(mapping, known) => Some((mapping.clone(), Arc::clone(known))),
            MemoArray::Weak(mapping, known) => Some((mapping.upgrade()?, Arc::clone(known))),
            _ => None,
        }
    }

    fn keep_mapping(&self, index: u32, mapping: &Mapping, known: &Arc<Known>) {
        let Some(mut array) = self.array(index) else { return };
        let kept = mapping.bytes().len() as u64 <= LONGEST_MAPPING && self.again.load(Ordering::Relaxed);
        *array = match kept {
            true => MemoArray::Mapping(mapping.clone(), Arc::clone(known)),
            false => MemoArray::Weak(mapping.downgrade(), Arc::clone(known)),
        };
    }
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
        // What is found by something else than its key stays until it is asked for, or others take its place.
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
        // A byte that no hash table's place is made of.
        &self.generations[usize::from(key.digest().to_bytes()[15])]
    }

    #[inline]
    fn get(&self, memo_key: Digest) -> Option<Arc<MemoHandle>> {
        let at = stripe();
        let holds = self.used.load(Ordering::Relaxed) & (1 << at) != 0;
        if holds { spin(&self.stripes[at].0)?.get(memo_key).cloned() } else { None }
    }

    /// What another thread has found.
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

    /// Locks all stripes, as threads would that don't go on.
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

/// Locks, unless another thread holds on to it; nobody does for longer than it takes to look something up.
#[inline]
fn spin<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..SPINS {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
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
