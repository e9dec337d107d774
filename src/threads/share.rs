//! Work on many parts that several threads share.

use std::sync::{Mutex, PoisonError};

use crate::threads::lock;
use crate::threads::pool::{most_threads, together};

/// What `make` makes of each part, in their order; by this thread and others, at most `threads` in all, each of which
/// uses its scratch again and again. After an error nobody begins another part.
///
/// The library's own [`pool`](super::pool) does so: the workers of rayon's global pool may be busy for hours, or wait
/// for something that the caller holds, and the pool is the program's to size. On a worker of any pool by that alone:
/// its siblings are busy with the caller's own work. Where nobody is free, the caller makes all.
pub(crate) fn shared<P, S, T: Send, E: Send>(
    threads: usize,
    parts: impl Iterator<Item = P> + Send,
    scratch: impl Fn() -> S + Sync,
    make: impl Fn(&mut S, P) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let parts = Mutex::new(Some(parts.enumerate()));
    let next = || lock(&parts).as_mut()?.next();
    let share = || {
        let mut made = Vec::new();
        // A thread that comes when all is done needs no scratch.
        let Some(mut part) = next() else { return Ok(made) };
        let mut scratch = scratch();
        loop {
            let (n, each) = part;
            match make(&mut scratch, each) {
                Ok(one) => made.push((n, one)),
                Err(error) => {
                    *lock(&parts) = None;
                    return Err(error);
                }
            }
            match next() {
                Some(another) => part = another,
                None => return Ok(made),
            }
        }
    };
    let shares = Mutex::new(Vec::new());
    let work = || {
        let share = share();
        lock(&shares).push(share);
    };
    together(at_most(threads) - 1, work, work);
    let shares = shares.into_inner().unwrap_or_else(PoisonError::into_inner);
    let shares = shares.into_iter().collect::<Result<Vec<_>, E>>()?;
    let mut made: Vec<_> = shares.into_iter().flatten().collect();
    made.sort_unstable_by_key(|(n, _)| *n);
    Ok(made.into_iter().map(|(_, one)| one).collect())
}

/// How many threads may work together: the caller alone on a worker of a pool of rayon's.
pub(crate) fn at_most(threads: usize) -> usize {
    if threads < 2 || rayon::current_thread_index().is_some() { 1 } else { threads.min(most_threads()) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn parts_come_in_their_order_and_each_is_made_once() {
        for (count, threads) in [(0, 4), (1, 1), (5, 0), (1000, 3)] {
            let made = AtomicUsize::new(0);
            let make = |last: &mut Option<usize>, n: usize| {
                assert!(last.is_none_or(|last| last < n));
                *last = Some(n);
                made.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(n)
            };
            assert_eq!(shared(threads, 0..count, || None, make), Ok((0..count).collect()));
            assert_eq!(made.into_inner(), count);
        }
    }

    #[test]
    fn after_an_error_no_other_part_is_begun() {
        let begun = AtomicUsize::new(0);
        let make = |(): &mut (), n: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            if n == 3 { Err(n) } else { Ok(()) }
        };
        assert_eq!(shared(1, 0..1000, || (), make), Err(3));
        assert_eq!(begun.into_inner(), 4);
    }

    #[test]
    fn a_panic_passes() {
        let make = |(): &mut (), n: usize| if n == 5 { panic!("on purpose") } else { Ok::<_, ()>(()) };
        let caught = std::panic::catch_unwind(|| shared(2, 0..10, || (), make));
        assert!(caught.is_err());
    }
}
