//! An entry as the process remembers it, and what is kept of its arrays.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::digest::Known;
use crate::entry::read::arrays::{READ_RATHER, Remembered};
use crate::entry::read::find::FoundEntry;
use crate::key::Key;
use crate::map::{Mapping, WeakMapping};
use crate::memo::clock;
use crate::record::Record;
use crate::stats::counts::Tally;

/// About what an entry takes beside its value, in bytes.
pub(super) const ENTRY: u64 = 1 << 10;

/// A mebibyte of elements with its header. Longer mappings are remembered as long as somebody else has them, and don't
/// hold on to the file of an entry that is gone.
const LONGEST_MAPPING: u64 = (1 << 20) + 4096;

/// How long what another process did may stay unseen. Together with the lag of the clock it is less than a second.
pub(super) const CHECK: Duration = Duration::from_millis(950);

/// How often a lock that another thread holds is tried. In a forked child that thread may not exist.
const SPINS: usize = 200;

/// An entry in one stripe.
pub(crate) struct MemoHandle {
    pub(crate) memo_entry: Arc<MemoEntry>,
    pub(crate) tally: Arc<Tally>,
}

/// An entry, as it was read.
pub(crate) struct MemoEntry {
    pub(crate) found: FoundEntry,
    pub(super) generation: u64,
    /// Whether the state of its file tells whether it is still the same.
    pub(super) settled: bool,
    /// When it was last known to be what is on the disk.
    pub(super) checked: AtomicU64,
    pub(super) stamp_due: AtomicU64,
    /// It was hit again, and so its arrays are worth keeping.
    pub(super) again: AtomicBool,
    pub(super) arrays: Arc<[Mutex<MemoArray>]>,
}

/// What is kept of one array of an entry.
#[derive(Default)]
pub(super) enum MemoArray {
    #[default]
    Nothing,
    /// Its elements, which were verified when they were read.
    Elements(Arc<[u8]>),
    Mapping(Mapping, Arc<Known>),
    /// A mapping for as long as somebody else has it.
    Weak(WeakMapping, Arc<Known>),
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

/// The arrays of an entry of which nothing is kept yet.
pub(super) fn no_arrays(record: &Record) -> Arc<[Mutex<MemoArray>]> {
    if record.arrays.is_empty() {
        return Arc::default();
    }
    record.arrays.iter().map(|_| Mutex::default()).collect()
}

/// Locks, unless another thread holds on to it; nobody does for longer than it takes to look something up.
#[inline]
pub(super) fn spin<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..SPINS {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}
