//! The threads that help with shared work: the library's own, which sleep until there is some.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// How often who is done offers its core to the others, which end soon, before it sleeps until they do: being woken
/// takes longer than the last leaf. Some 20 µs (2026-11).
const YIELDS: usize = 64;

/// Runs `lead` on this thread, and `help` on as many of the crew as are free, `others` at most. Returns what `lead` does
/// when all have returned.
///
/// The crew is a pool of rayon's that nobody else has, and each of it is one caller's at a time: nothing waits in its
/// queue behind the work of another caller. So who asks is held up by no work but its own.
pub(super) fn together<T>(others: usize, help: impl Fn() + Sync, lead: impl FnOnce() -> T) -> T {
    // Who works alone has nobody begun.
    let crew = if others > 0 { of_process() } else { None };
    match crew {
        Some(crew) => crew.together(others, help, lead),
        None => lead(),
    }
}

/// This process's, which begins when it is asked for; as many as make, with the caller, those of rayon's pool, whose
/// number is the user's to set.
///
/// A forked child has none of its parent's threads, and begins its own. `None` while another thread looks: in a forked
/// child that may not be there any more.
fn of_process() -> Option<&'static Crew> {
    static CREW: Mutex<Option<(u32, &'static Crew)>> = Mutex::new(None);
    let mut crew = CREW.try_lock().ok()?;
    let process = std::process::id();
    match *crew {
        Some((theirs, crew)) if theirs == process => Some(crew),
        _ => {
            // Ends with the process; a parent's is never dropped, since that would wait for its threads.
            let begun: &Crew = Box::leak(Box::new(Crew::begin(rayon::current_num_threads() - 1)));
            *crew = Some((process, begun));
            Some(begun)
        }
    }
}

struct Crew {
    /// `None` where no thread is to be had.
    pool: Option<ThreadPool>,
    /// How many of it nobody has taken.
    free: AtomicUsize,
}

impl Crew {
    fn begin(threads: usize) -> Self {
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|_| "ndcache-helper".to_owned());
        // Of no threads rayon would make as many as there are cores.
        let pool = if threads == 0 { None } else { pool.build().ok() };
        Self { free: AtomicUsize::new(if pool.is_some() { threads } else { 0 }), pool }
    }

    fn together<T>(&self, others: usize, help: impl Fn() + Sync, lead: impl FnOnce() -> T) -> T {
        let taken = self.take(others);
        let Some(pool) = self.pool.as_ref().filter(|_| taken > 0) else { return lead() };
        let busy = AtomicUsize::new(taken);
        pool.in_place_scope(|scope| {
            for _ in 0..taken {
                scope.spawn(|_| {
                    let _taken = Taken { busy: &busy, free: &self.free };
                    help();
                });
            }
            let led = lead();
            for _ in 0..YIELDS {
                if busy.load(Ordering::Relaxed) == 0 {
                    break;
                }
                thread::yield_now();
            }
            led
        })
    }

    /// Takes those that are free, `most` of them at most; returns how many.
    fn take(&self, most: usize) -> usize {
        let rest = |free: usize| Some(free.saturating_sub(most));
        let free = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).unwrap_or(0);
        free.min(most)
    }
}

/// One of the crew, until its work returns or panics.
struct Taken<'a> {
    busy: &'a AtomicUsize,
    free: &'a AtomicUsize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.free.fetch_add(1, Ordering::Relaxed);
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;

    use super::*;

    /// How often a crew of so many runs what may be done by `others`.
    fn runs(crew: &Crew, others: usize) -> usize {
        let runs = AtomicUsize::new(0);
        let run = || {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        crew.together(others, run, run);
        runs.into_inner()
    }

    #[test]
    fn the_caller_and_as_many_as_are_free_work_together() {
        for (threads, others, expected) in [(0, 5, 1), (2, 0, 1), (2, 1, 2), (2, 2, 3), (2, 5, 3)] {
            assert_eq!(runs(&Crew::begin(threads), others), expected, "{others} of {threads}");
        }
    }

    #[test]
    fn who_finds_nobody_free_waits_for_nobody() {
        let crew = Crew::begin(2);
        let (begun, over) = (Barrier::new(4), Barrier::new(4));
        thread::scope(|scope| {
            scope.spawn(|| {
                let stay = || {
                    begun.wait();
                    over.wait();
                };
                crew.together(2, stay, stay);
            });
            begun.wait();
            assert_eq!(runs(&crew, 2), 1);
            over.wait();
        });
        assert_eq!(crew.free.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn whoever_panics_is_free_again() {
        let crew = Crew::begin(2);
        let all = Barrier::new(3);
        let panic = || {
            all.wait();
            panic!("on purpose")
        };
        assert!(catch_unwind(AssertUnwindSafe(|| crew.together(2, panic, panic))).is_err());
        assert_eq!(runs(&crew, 2), 3);
    }
}
