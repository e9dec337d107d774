//! The live read-only arrays whose digest is known, found by where they are.
//!
//! A digest per array, kept while the array lives, makes an argument's digest a matter of nanoseconds whatever its
//! size. It is sound because the bytes of a registered array can't change, and because it is taken out of the table
//! before its bytes go: an array found here *is* the one that was registered, though its owner is unknown.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, LockResult, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};

use ndarray::{ArrayRef, Dimension};

use crate::digest::arrays::element::Element;
use crate::digest::value::Digest;
use crate::threads::fork::Process;

/// What is known about the content of one array; shared by all that refer to it.
pub(crate) struct Known {
    /// What a record says, which this process hasn't seen for itself.
    claim: Option<Digest>,
    /// What this process computed from the bytes.
    truth: OnceLock<Digest>,
}

impl Known {
    /// Nothing yet: the first to ask for the digest computes it.
    pub(crate) fn unknown() -> Self {
        Self { claim: None, truth: OnceLock::new() }
    }

    /// A record's word: good for a lookup, not for storing anything under it.
    pub(crate) fn claimed(digest: Digest) -> Self {
        Self { claim: Some(digest), truth: OnceLock::new() }
    }

    /// This process hashed the bytes itself.
    pub(crate) fn verified(digest: Digest) -> Self {
        Self { claim: None, truth: OnceLock::from(digest) }
    }

    /// The digest: the one that was computed, else the one that is claimed.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.truth.get().copied().or(self.claim)
    }

    /// Whether this process has hashed the bytes.
    pub(crate) fn is_verified(&self) -> bool {
        self.truth.get().is_some()
    }

    /// Notes the digest that this process computed from the bytes. False when the record claimed another.
    pub(crate) fn verify(&self, computed: Digest) -> bool {
        // The bytes don't change, so whoever came first noted the same; and nobody waits here while someone hashes.
        let truth = *self.truth.get_or_init(|| computed);
        truth == computed && self.claim.is_none_or(|claim| claim == truth)
    }

    /// The digest, and whether it is only claimed. A `strict` caller takes no claim: for it the bytes are hashed.
    pub(crate) fn resolve(&self, strict: bool, hash: impl FnOnce() -> Digest) -> (Digest, bool) {
        match (self.truth.get(), self.claim) {
            (Some(&truth), _) => (truth, false),
            (None, Some(claim)) if !strict => (claim, true),
            _ => {
                let computed = hash();
                self.verify(computed);
                (computed, false)
            }
        }
    }
}

/// One array in the table; dropping it takes the array out, which must happen before its bytes go.
pub(crate) struct Registration(Arc<KnownArray>);

struct KnownArray {
    /// The bytes are still there.
    live: AtomicBool,
    address: usize,
    element: TypeId,
    shape: Box<[usize]>,
    strides: Box<[isize]>,
    known: Arc<Known>,
}

impl KnownArray {
    fn is_of<A: Element, D: Dimension>(&self, array: &ArrayRef<A, D>) -> bool {
        self.address == array.as_ptr().addr() && self.covers(array)
    }

    fn covers<A: Element, D: Dimension>(&self, array: &ArrayRef<A, D>) -> bool {
        self.live.load(Ordering::Acquire)
            && self.element == TypeId::of::<A>()
            && *self.shape == *array.shape()
            && *self.strides == *array.strides()
    }
}

/// The live arrays by address, of which each may have several: a file may be mapped, and registered, more than once.
type KnownArrays = HashMap<usize, Vec<Arc<KnownArray>>, BuildHasherDefault<AddressHasher>>;

/// An address, spread over all bits by one multiplication: each mapped argument of each call is looked up here, and
/// nobody chooses addresses to make that slow.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_usize(&mut self, address: usize) {
        self.write_u64(address as u64);
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How often the table has changed; written to while its lock is held.
static CHANGES: AtomicU64 = AtomicU64::new(0);

static TABLE: RwLock<KnownArrays> = RwLock::new(HashMap::with_hasher(BuildHasherDefault::new()));

/// How many arrays are in the table: without any, which is so in most programs, nobody needs its lock.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// How often the lock is asked for before the process is.
const SPINS: usize = 200;

// Nothing panics while it holds the lock, but for a failed allocation; the table is whole at every step.
//
// A forked child may have been copied while another thread held the lock, which it never gives back there: `None`.
fn read() -> Option<RwLockReadGuard<'static, KnownArrays>> {
    acquire(|| TABLE.try_read(), || TABLE.read())
}

fn write() -> Option<RwLockWriteGuard<'static, KnownArrays>> {
    acquire(|| TABLE.try_write(), || TABLE.write())
}

fn acquire<T>(attempt: impl Fn() -> TryLockResult<T>, wait: impl FnOnce() -> LockResult<T>) -> Option<T> {
    for _ in 0..SPINS {
        match attempt() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    let is_fork = !PROCESS.get_or_init(Process::current).is_current();
    if is_fork { None } else { Some(wait().unwrap_or_else(PoisonError::into_inner)) }
}

/// The process that has registered first.
static PROCESS: OnceLock<Process> = OnceLock::new();

impl Registration {
    /// Enters an array whose bytes stay where they are, and as they are, until the registration is dropped.
    ///
    /// `None` for an empty array: it has no bytes, so its address is nobody's.
    pub(crate) fn new<A: Element, D: Dimension>(array: &ArrayRef<A, D>, known: Arc<Known>) -> Option<Self> {
        if array.is_empty() {
            return None;
        }
        PROCESS.get_or_init(Process::current);
        let entry = Arc::new(KnownArray {
            live: AtomicBool::new(true),
            address: array.as_ptr().addr(),
            element: TypeId::of::<A>(),
            shape: array.shape().into(),
            strides: array.strides().into(),
            known,
        });
        let mut table = write()?;
        table.entry(entry.address).or_default().push(Arc::clone(&entry));
        CHANGES.fetch_add(1, Ordering::Release);
        LIVE.fetch_add(1, Ordering::Relaxed);
        Some(Self(entry))
    }

    /// Whether the registration is that of this array, and what it knows is `known`.
    pub(crate) fn is_of<A: Element, D: Dimension>(&self, array: &ArrayRef<A, D>, known: &Arc<Known>) -> bool {
        Arc::ptr_eq(&self.0.known, known) && self.0.is_of(array)
    }
}

#[cfg(test)]
impl Registration {
    fn known(&self) -> &Arc<Known> {
        &self.0.known
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Even if the table can't be locked, the entry itself says that its array is gone.
        self.0.live.store(false, Ordering::Release);
        LIVE.fetch_sub(1, Ordering::Relaxed);
        let Some(mut table) = write() else { return };
        CHANGES.fetch_add(1, Ordering::Release);
        if let Some(entries) = table.get_mut(&self.0.address) {
            entries.retain(|entry| !Arc::ptr_eq(entry, &self.0));
            if entries.is_empty() {
                table.remove(&self.0.address);
            }
        }
    }
}

/// What is known about the array that this one covers exactly; of several, the one that was verified.
#[inline]
pub(crate) fn lookup<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Option<Arc<Known>> {
    if is_unknown(array) { None } else { look_up(array) }
}

#[inline(never)]
fn look_up<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Option<Arc<Known>> {
    let table = read()?;
    best(&table, array).map(|(entry, _)| Arc::clone(&entry.known))
}

/// Its digest, if it is known or claimed.
#[inline]
pub(crate) fn known_digest<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Option<Digest> {
    if is_unknown(array) {
        return None;
    }
    recent::digest(array).or_else(|| look_up_digest(array))
}

#[inline(never)]
fn look_up_digest<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Option<Digest> {
    let table = read()?;
    let (entry, is_only) = best(&table, array)?;
    if is_only {
        // As long as the lock is held, nothing changes.
        recent::note(entry, CHANGES.load(Ordering::Acquire));
    }
    entry.known.digest()
}

/// Whether no table is needed to know that nothing is known.
#[inline]
fn is_unknown<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> bool {
    // A thread that was handed a registered array sees that it was counted.
    array.is_empty() || LIVE.load(Ordering::Relaxed) == 0
}

/// One of the arrays at this place, a verified one if there is one, and whether there is no other.
fn best<'a, A: Element, D: Dimension>(
    table: &'a KnownArrays,
    array: &ArrayRef<A, D>,
) -> Option<(&'a Arc<KnownArray>, bool)> {
    let here = table.get(&array.as_ptr().addr())?;
    let covering = || here.iter().filter(|entry| entry.covers(array));
    let best = covering().find(|entry| entry.known.is_verified()).or_else(|| covering().next())?;
    Some((best, here.len() == 1))
}

mod recent;
#[cfg(test)]
mod tests;
