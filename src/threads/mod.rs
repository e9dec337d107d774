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

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, also after a thread has panicked while it held it: what these locks guard is whole at every moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
