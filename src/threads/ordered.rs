//! What several threads make, handed over in order by the one that asked.

use std::collections::BTreeMap;
use std::iter::Enumerate;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::threads::lock;
use crate::threads::pool::together;
use crate::threads::share::at_most;

/// Makes something of each part, and hands it to `out` on this thread and in their order, while others make the next
/// ones; at most `threads` in all, each of which uses its scratch again and again. For each thread there are at most
/// `ahead` parts that have begun and weren't handed over.
///
/// # Errors
/// Returns the first error of `make` or `out`.
pub(crate) fn ordered<P, S, T: Send, E: Send>(
    threads: usize,
    ahead: usize,
    parts: impl Iterator<Item = P> + Send,
    scratch: impl Fn() -> S + Sync,
    make: impl Fn(&mut S, P) -> Result<T, E> + Sync,
    mut out: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = at_most(threads);
    let belt = Belt::of(parts, threads * ahead);
    let help = || {
        let _end = StopOnDrop(&belt);
        let mut own = None;
        while let Some((n, part)) = belt.take() {
            belt.put(n, make(own.get_or_insert_with(&scratch), part));
        }
    };
    let lead = || {
        let _end = StopOnDrop(&belt);
        let mut own = None;
        loop {
            match belt.turn() {
                OutputTurn::HandOver(made) => out(made?)?,
                OutputTurn::Make(n, part) => belt.put(n, make(own.get_or_insert_with(&scratch), part)),
                OutputTurn::End => return Ok(()),
            }
        }
    };
    together(threads - 1, help, lead)
}

/// The parts that are begun, made and handed over; threads that have nothing to do wait for a change of them.
struct Belt<I: Iterator, R> {
    state: Mutex<OrderedState<I, R>>,
    changed: Condvar,
    /// The most parts that may be begun and not yet handed over.
    most: usize,
}

struct OrderedState<I: Iterator, R> {
    /// `None` when no further item is begun.
    rest: Option<Enumerate<I>>,
    begun: usize,
    handed_over: usize,
    made: BTreeMap<usize, R>,
    /// A thread that had begun a part has panicked.
    lost: bool,
}

/// What the one that asked does next.
enum OutputTurn<P, R> {
    HandOver(R),
    Make(usize, P),
    End,
}

impl<I: Iterator, R> Belt<I, R> {
    fn of(parts: I, most: usize) -> Self {
        let rest = Some(parts.enumerate());
        let state = OrderedState { rest, begun: 0, handed_over: 0, made: BTreeMap::new(), lost: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), most }
    }

    /// The next part, when there is room for it; `None` when there is none.
    fn take(&self) -> Option<(usize, I::Item)> {
        let full = |state: &mut OrderedState<I, R>| state.rest.is_some() && state.is_full(self.most);
        let state = self.changed.wait_while(lock(&self.state), full);
        state.unwrap_or_else(PoisonError::into_inner).next(self.most)
    }

    fn turn(&self) -> OutputTurn<I::Item, R> {
        let mut state = lock(&self.state);
        loop {
            let next = state.handed_over;
            if let Some(made) = state.made.remove(&next) {
                state.handed_over += 1;
                self.changed.notify_all();
                return OutputTurn::HandOver(made);
            }
            if let Some((n, part)) = state.next(self.most) {
                return OutputTurn::Make(n, part);
            }
            if state.lost || state.begun == state.handed_over {
                return OutputTurn::End;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, n: usize, made: R) {
        lock(&self.state).made.insert(n, made);
        self.changed.notify_all();
    }
}

impl<I: Iterator, R> OrderedState<I, R> {
    fn is_full(&self, most: usize) -> bool {
        self.begun - self.handed_over >= most
    }

    fn next(&mut self, most: usize) -> Option<(usize, I::Item)> {
        if self.is_full(most) {
            return None;
        }
        let next = self.rest.as_mut()?.next();
        match next {
            Some(_) => self.begun += 1,
            None => self.rest = None,
        }
        next
    }
}

/// A thread that leaves, at the end, with an error or in a panic, keeps all others from beginning another part.
struct StopOnDrop<'a, I: Iterator, R>(&'a Belt<I, R>);

impl<I: Iterator, R> Drop for StopOnDrop<'_, I, R> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.rest = None;
        state.lost |= thread::panicking();
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_is_made_is_handed_over_in_order_and_never_far_ahead() {
        for (count, threads) in [(0, 2), (1, 2), (200, 1), (200, 2), (200, 5)] {
            let over = AtomicUsize::new(0);
            let mut handed = Vec::new();
            let make = |last: &mut Option<usize>, n: usize| {
                assert!(last.is_none_or(|last| last < n));
                *last = Some(n);
                // The part that is being handed over isn't counted any more.
                assert!(n <= over.load(Ordering::SeqCst) + threads * 3, "{n} of {threads} threads");
                Ok::<_, ()>(n)
            };
            let out = |n| {
                handed.push(n);
                over.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            assert_eq!(ordered(threads, 3, 0..count, || None, make, out), Ok(()));
            assert_eq!(handed, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_of_either_ends_it() {
        for threads in [1, 3] {
            let make = |(): &mut (), n: usize| if n == 7 { Err("made") } else { Ok(n) };
            let mut handed = 0;
            let out = |n| {
                handed = n;
                Ok(())
            };
            assert_eq!(ordered(threads, 2, 0..1000, || (), make, out), Err("made"));
            assert_eq!(handed, 6);
            let out = |n| if n == 5 { Err("handed over") } else { Ok(()) };
            assert_eq!(ordered(threads, 2, 0..1000, || (), make, out), Err("handed over"));
        }
    }

    #[test]
    fn a_panic_of_either_passes() {
        for threads in [1, 3] {
            let make = |(): &mut (), n: usize| if n == 7 { panic!("on purpose") } else { Ok::<_, ()>(n) };
            let panics = || ordered(threads, 2, 0..1000, || (), make, |_| Ok(()));
            assert!(std::panic::catch_unwind(panics).is_err());
            let make = |(): &mut (), n: usize| Ok::<_, ()>(n);
            let panics =
                || ordered(threads, 2, 0..1000, || (), make, |n| if n == 5 { panic!("on purpose") } else { Ok(()) });
            assert!(std::panic::catch_unwind(panics).is_err());
        }
    }
}
