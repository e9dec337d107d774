//! What single flight takes of the system: threads, time. The model checker puts its own in place (`tests/model/`).

pub(crate) use std::sync::{Condvar, LazyLock, MutexGuard, PoisonError};
pub(crate) use std::thread::{ThreadId, current, sleep};
pub(crate) use std::time::Instant;

pub(crate) use crate::threads::fork::ForkMutex;

/// Whether this thread may have to run jobs of others while it waits.
pub(crate) fn is_worker() -> bool {
    rayon::current_thread_index().is_some()
}
