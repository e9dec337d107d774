//! What the rooms share of threads.
//!
//! * `pool`: the library's own threads, which help with digests, reads and compression; `share`: work on many parts;
//!   `ordered`: parts that are handed over in order. Each works where no thread is to be had, too.
//! * `fork`: which process this is, and locks that a forked child doesn't wait for in vain.

pub(crate) mod fork;
pub(crate) mod ordered;
mod pool;
pub(crate) mod share;

pub use pool::end_helpers;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Locks `mutex`, also after a thread has panicked while it held it: what these locks guard is whole at every moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds a value once, or once in each of several threads that come at the same time. No thread waits for another that
/// is finding it: a forked child doesn't have that thread.
#[inline]
pub(crate) fn found_once<T>(place: &OnceLock<T>, find: impl FnOnce() -> T) -> &T {
    place.get().unwrap_or_else(|| {
        let found = find();
        place.get_or_init(|| found)
    })
}
