//! The threads that help with shared work: the library's own, which sleep until there is some.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::{self, JoinHandle};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::threads::fork::Process;
use crate::threads::{found_once, lock};

/// How often the caller yields its core to the helpers, which end soon, before it sleeps until they have: being woken
/// takes longer than the last piece of work. All of these take some 20 µs (2026-11).
const YIELDS: usize = 64;

/// Runs `lead` on this thread, and `help` on as many helpers as are free, at most `others`. Returns the value of `lead`,
/// once all have returned.
///
/// A helper serves one caller at a time: nothing waits in a queue behind the work of another caller, so that a
/// caller is held up by no work but its own. Where no thread is free and none is to be had, the caller works alone.
pub(crate) fn together<T>(others: usize, help: impl Fn() + Sync, lead: impl FnOnce() -> T) -> T {
    // A caller that works alone needs no pool.
    let pool = if others > 0 { of_process() } else { None };
    match pool {
        Some(pool) => pool.together(others, help, lead),
        None => lead(),
    }
}

/// The most threads that work together, the caller among them: as many as `RAYON_NUM_THREADS` says, else as there are
/// cores.
///
/// Rayon isn't asked: the first question for the number of its threads starts its global pool, which a program can size
/// only before that.
pub(crate) fn most_threads() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *found_once(&MOST, || {
        let said = std::env::var("RAYON_NUM_THREADS").ok().and_then(|said| said.parse().ok());
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        said.filter(|&threads| threads > 0).unwrap_or_else(cores)
    })
}

/// This process's pool, empty at first.
///
/// A forked child has none of its parent's threads, and begins its own pool. `None` while another thread
/// holds the lock: in a forked child that thread may not exist, and would never free it.
fn of_process() -> Option<&'static HelperPool> {
    static POOL: Mutex<Option<(Process, &'static HelperPool)>> = Mutex::new(None);
    let mut pool = POOL.try_lock().ok()?;
    let process = Process::current();
    match *pool {
        Some((theirs, pool)) if theirs == process => Some(pool),
        _ => {
            // Ends with the process; a parent's is never dropped, since that would wait for its threads.
            let begun: &HelperPool = Box::leak(Box::new(HelperPool::of(most_threads() - 1)));
            *pool = Some((process, begun));
            Some(begun)
        }
    }
}

/// Ends the helper threads that help nobody at the moment, and waits until they have ended; the next work begins others.
///
/// It is meant for a process that is about to fork: a child has none of its parent's threads, and Python warns whoever
/// forks beside threads.
///
/// ```
/// ndcache::dynamic::end_helpers();
/// ```
pub fn end_helpers() {
    if let Some(pool) = of_process() {
        pool.end();
    }
}

/// A rayon pool of one thread: its scope is the only safe way to run a closure that borrows on a thread that lives on.
struct Helper {
    pool: ThreadPool,
    thread: JoinHandle<()>,
}

impl Helper {
    /// `None` where the system gives no thread.
    fn begin() -> Option<Self> {
        let mut thread = None;
        let pool = ThreadPoolBuilder::new().num_threads(1).spawn_handler(|helper| {
            let named = thread::Builder::new().name("ndcache-helper".to_owned());
            thread = Some(named.spawn(|| helper.run())?);
            Ok(())
        });
        Some(Self { pool: pool.build().ok()?, thread: thread? })
    }

    fn end(self) {
        drop(self.pool);
        // If its work has panicked, so has the caller that waited for it.
        let _ = self.thread.join();
    }
}

struct HelperPool {
    /// The most helpers that live at a time.
    most: usize,
    state: Mutex<PoolState>,
}

#[derive(Default)]
struct PoolState {
    /// Those that no caller has taken.
    free: Vec<Helper>,
    /// How many live, free or taken.
    alive: usize,
}

impl HelperPool {
    fn of(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn together<T>(&self, others: usize, help: impl Fn() + Sync, lead: impl FnOnce() -> T) -> T {
        let taken = self.take(others);
        let busy = AtomicUsize::new(taken.helpers.len());
        let help = || {
            let _done = JobEnd(&busy);
            help();
        };
        let lead = || {
            let led = lead();
            for _ in 0..YIELDS {
                if busy.load(Ordering::Relaxed) == 0 {
                    break;
                }
                thread::yield_now();
            }
            led
        };
        beside(&taken.helpers, &help, lead)
    }

    /// Takes helpers that are free, and begins others where these are too few: at most `wanted` together, and fewer where
    /// the system gives no thread.
    fn take(&self, wanted: usize) -> TakenHelpers<'_> {
        let mut state = lock(&self.state);
        let kept = state.free.len().saturating_sub(wanted);
        let mut helpers = state.free.split_off(kept);
        while helpers.len() < wanted && state.alive < self.most {
            let Some(helper) = Helper::begin() else { break };
            helpers.push(helper);
            state.alive += 1;
        }
        TakenHelpers { helpers, pool: self }
    }

    /// Ends those that nobody has taken.
    fn end(&self) {
        let ended = {
            let mut state = lock(&self.state);
            state.alive -= state.free.len();
            mem::take(&mut state.free)
        };
        ended.into_iter().for_each(Helper::end);
    }
}

/// Runs `help` on each helper, and `lead` on this thread. Each pool needs a scope of its own, one inside the other.
fn beside<T, L: FnOnce() -> T>(helpers: &[Helper], help: &(impl Fn() + Sync), lead: L) -> T {
    match helpers {
        [] => lead(),
        [helper, others @ ..] => helper.pool.in_place_scope(|scope| {
            scope.spawn(|_| help());
            beside(others, help, lead)
        }),
    }
}

/// Helpers of one caller, until its work returns or panics.
struct TakenHelpers<'a> {
    helpers: Vec<Helper>,
    pool: &'a HelperPool,
}

impl Drop for TakenHelpers<'_> {
    fn drop(&mut self) {
        lock(&self.pool.state).free.append(&mut mem::take(&mut self.helpers));
    }
}

/// Says that a helper has returned or panicked.
struct JobEnd<'a>(&'a AtomicUsize);

impl Drop for JobEnd<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;

    use super::*;

    /// How often a pool runs work that at most `others` threads may share with the caller.
    fn runs(pool: &HelperPool, others: usize) -> usize {
        let runs = AtomicUsize::new(0);
        let run = || {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        pool.together(others, run, run);
        runs.into_inner()
    }

    #[test]
    fn the_caller_and_as_many_as_are_free_work_together() {
        for (threads, others, expected) in [(0, 5, 1), (2, 0, 1), (2, 1, 2), (2, 2, 3), (2, 5, 3)] {
            assert_eq!(runs(&HelperPool::of(threads), others), expected, "{others} of {threads}");
        }
    }

    #[test]
    fn a_thread_begins_when_it_is_used_and_stays() {
        let pool = HelperPool::of(3);
        let alive = || lock(&pool.state).alive;
        for (others, expected) in [(0, 0), (1, 1), (1, 1), (2, 2), (1, 2), (9, 3), (9, 3)] {
            runs(&pool, others);
            assert_eq!((alive(), lock(&pool.state).free.len()), (expected, expected));
        }
    }

    #[test]
    fn threads_that_are_free_end_before_a_fork_and_others_begin_after_it() {
        let pool = HelperPool::of(3);
        assert_eq!(runs(&pool, 2), 3);
        pool.end();
        {
            let state = lock(&pool.state);
            assert_eq!((state.alive, state.free.len()), (0, 0));
        }
        assert_eq!(runs(&pool, 1), 2);
    }

    #[test]
    fn a_caller_that_finds_nobody_free_waits_for_nobody() {
        let pool = HelperPool::of(2);
        let (begun, over) = (Barrier::new(4), Barrier::new(4));
        thread::scope(|scope| {
            scope.spawn(|| {
                let stay = || {
                    begun.wait();
                    over.wait();
                };
                pool.together(2, stay, stay);
            });
            begun.wait();
            assert_eq!(runs(&pool, 2), 1);
            over.wait();
        });
        assert_eq!(lock(&pool.state).free.len(), 2);
    }

    #[test]
    fn a_helper_that_panics_is_free_again() {
        let pool = HelperPool::of(2);
        let all = Barrier::new(3);
        let panic = || {
            all.wait();
            panic!("on purpose")
        };
        assert!(catch_unwind(AssertUnwindSafe(|| pool.together(2, panic, panic))).is_err());
        assert_eq!(runs(&pool, 2), 3);
    }
}
