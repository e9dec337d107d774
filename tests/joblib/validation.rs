//! Asking whether a call is stored.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ndcache::cache;

use crate::support::{fresh, snapshot};

#[test]
fn a_call_is_stored_after_it_was_made_unless_the_validation_refuses_it() {
    static GOOD: AtomicBool = AtomicBool::new(true);
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache(validate = |_| GOOD.load(Ordering::SeqCst))]
    fn next(n: usize) -> usize {
        n + RUNS.fetch_add(1, Ordering::SeqCst)
    }
    let (folder, memory) = fresh();
    assert!(!memory.contains(&next::call(2)));
    assert_eq!(memory.eval(next::call(2)), 2);
    let stored = snapshot(folder.path());
    assert!(memory.contains(&next::call(2)) && !memory.contains(&next::call(5)));
    GOOD.store(false, Ordering::SeqCst);
    assert!(!memory.contains(&next::call(2)));
    GOOD.store(true, Ordering::SeqCst);
    assert!(memory.contains(&next::call(2)), "what was refused was not removed");
    assert_eq!(snapshot(folder.path()), stored);
    assert_eq!(memory.eval(next::call(2)), 2);
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}
