//! What has to be known of forks: a child has its parent's memory and none of its other threads, so that a lock that one
//! of them held is never given back there, and what one of them had begun is nobody's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use crate::emptied::{self, Page};
use crate::threads::lock;

/// How long a forked child waits for a lock whose holder it doesn't know: that of a thread of its own takes the few
/// instructions between taking a lock and saying so.
const PATIENCE: Duration = Duration::from_millis(100);

/// A process, told from those that it was forked from: what is noted in memory is theirs, too.
///
/// On Linux since 4.14 it is a number on a page that the kernel empties in a forked child, so that the current one is
/// known without a system call, and a child in another namespace that has its parent's id is told from it. Elsewhere it
/// is the process's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u64);

impl Process {
    #[inline]
    pub(crate) fn current() -> Self {
        match emptied::page() {
            Some(Page { number, .. }) => match number.load(Ordering::Relaxed) {
                0 => Self::begin(number),
                number => Self(number),
            },
            None => Self(std::process::id().into()),
        }
    }

    /// The system's number of this process, asked for once.
    pub(crate) fn id() -> u32 {
        let Some(Page { id, .. }) = emptied::page() else { return std::process::id() };
        match id.load(Ordering::Relaxed) {
            0 => {
                let found = std::process::id();
                id.store(found, Ordering::Relaxed);
                found
            }
            found => found,
        }
    }

    #[inline]
    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }

    /// Gives this process a number that none of those before it had.
    #[cold]
    fn begin(of_page: &AtomicU64) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        match of_page.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Self(number),
            Err(first) => Self(first), // of another thread
        }
    }
}

/// A mutex for what a process remembers: one that another thread held when a child was forked is empty there, and free.
///
/// Such a child would wait for ever, and what it waits for may be half done. It begins with a new state instead.
#[derive(Debug)]
pub(crate) struct ForkMutex<T> {
    /// The process that made it, and so has all the threads that may hold it.
    creator: Process,
    first: Generation<T>,
}

#[derive(Debug, Default)]
struct Generation<T> {
    state: Mutex<T>,
    /// The last process, other than the creator, of which a thread held it.
    holder: AtomicU64,
    /// The last process in which it was found to be held by a thread that isn't there; `next` is used there instead.
    orphaned: AtomicU64,
    next: OnceLock<Box<Self>>,
}

impl<T: Default> Default for ForkMutex<T> {
    fn default() -> Self {
        Self { creator: Process::current(), first: Generation::default() }
    }
}

impl<T: Default> ForkMutex<T> {
    /// Locks the state, also after a thread has panicked while it held it, as [`lock`] does.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let process = Process::current();
        if process == self.creator { lock(&self.first.state) } else { self.first.lock_in_child(process) }
    }
}

impl<T: Default> Generation<T> {
    #[cold]
    fn lock_in_child(&self, process: Process) -> MutexGuard<'_, T> {
        let mut place = self;
        loop {
            if let Some(guard) = place.lock(process) {
                return guard;
            }
            place = place.next.get_or_init(Box::default);
        }
    }

    /// `None` if a thread holds it that isn't in this process.
    fn lock(&self, process: Process) -> Option<MutexGuard<'_, T>> {
        if self.orphaned.load(Ordering::Relaxed) == process.0 {
            return None;
        }
        let guard = self.wait(process);
        let last = if guard.is_some() { &self.holder } else { &self.orphaned };
        last.store(process.0, Ordering::Relaxed);
        guard
    }

    fn wait(&self, process: Process) -> Option<MutexGuard<'_, T>> {
        let begin = Instant::now();
        loop {
            match self.state.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            // A thread of this process has taken it since the fork, and so does whoever holds it now.
            if self.holder.load(Ordering::Relaxed) == process.0 {
                return Some(lock(&self.state));
            }
            if begin.elapsed() >= PATIENCE {
                return None;
            }
            thread::yield_now();
        }
    }
}

#[cfg(test)]
impl Process {
    /// One that isn't this.
    pub(crate) const OTHER: Self = Self(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<T: Default> ForkMutex<T> {
        /// A mutex of a parent process, as its child finds it.
        fn inherited() -> Self {
            Self { creator: Process::OTHER, ..Self::default() }
        }
    }

    #[test]
    fn a_process_is_the_same_on_all_its_threads() {
        let here = Process::current();
        let there = thread::scope(|scope| scope.spawn(Process::current).join().unwrap());
        assert!(here == there && here.is_current() && !Process::OTHER.is_current());
        assert_eq!([Process::id(), Process::id()], [std::process::id(); 2]);
    }

    #[test]
    fn a_lock_is_one_threads_at_a_time() {
        for mutex in [ForkMutex::<u64>::default(), ForkMutex::inherited()] {
            let count = || (0..10_000).for_each(|_| *mutex.lock() += 1);
            thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(count))));
            assert_eq!(*mutex.lock(), 40_000);
        }
    }

    #[test]
    fn a_lock_that_nobody_gives_back_is_replaced_by_one_that_all_threads_share() {
        let mutex = ForkMutex::<u64>::inherited();
        let mut place = &mutex.first;
        for n in 0..3 {
            // Locked for ever, as by a thread of the parent that this process doesn't have.
            std::mem::forget(place.state.lock());
            thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| *mutex.lock() += 1))));
            assert_eq!(*mutex.lock(), 4, "instead of state {n}");
            place = place.next.get().unwrap();
            place.holder.store(u64::MAX, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_panic_gives_a_lock_back() {
        for mutex in [ForkMutex::<u64>::default(), ForkMutex::inherited()] {
            let panics = || {
                let _held = mutex.lock();
                panic!("on purpose")
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
            assert_eq!(*mutex.lock(), 0);
        }
    }
}
