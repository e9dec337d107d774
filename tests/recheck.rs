//! Hits that are computed again, which finds functions that aren't pure.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::tier::{Access, MemoryBackend, Tier};
use ndcache::{Mapped1, Memory, Mode, cache};

use crate::support::{fresh, snapshot, warnings};

static TICKS: AtomicU64 = AtomicU64::new(0);

/// Isn't pure.
#[cache]
fn ticking(x: &ArrayRef1<f64>, by: f64) -> Array1<f64> {
    x * by + TICKS.fetch_add(1, Ordering::SeqCst) as f64
}

/// Isn't pure, and is slow enough to be worth fetching.
#[cache]
fn slow_ticking(x: &ArrayRef1<f64>, by: f64) -> Array1<f64> {
    std::thread::sleep(Duration::from_millis(800));
    x * by + TICKS.fetch_add(1, Ordering::SeqCst) as f64
}

#[cache]
fn scaled(x: &ArrayRef1<f64>, by: f64) -> Array1<f64> {
    x * by
}

fn rechecking(folder: &std::path::Path) -> Memory {
    Memory::builder(folder).recheck(1.0).open().unwrap()
}

#[test]
fn a_function_that_is_not_pure_is_found_and_its_stored_result_returned() {
    let folder = tempfile::tempdir().unwrap();
    let memory = rechecking(folder.path());
    let x = Array1::ones(2000);
    let first = memory.eval(ticking::call(&x, 2.0));
    let log = warnings(|| assert_eq!(memory.eval(ticking::call(&x, 2.0)), first));
    assert_eq!(log.len(), 1, "{log:?}");
    for part in ["ERROR", "recheck::ticking", "x=f64[2000] C, by=2.0", "its result differs", "it isn't pure"] {
        assert!(log[0].contains(part), "no `{part}` in {log:?}");
    }
    assert_eq!(memory.mmap(ticking::call(&x, 2.0)), first, "nothing was replaced");
    let stats = memory.stats();
    assert_eq!((stats.hits(), stats.rechecks(), stats.mismatches(), stats.faults()), (2, 2, 2, 0));
    assert_eq!(stats.by_function()[ticking::function().path()].mismatches, 2);
    assert_eq!(stats.foreign_mismatches(), 0, "they were computed here");
}

/// The message names the machine that computed the result, and doesn't blame the function.
#[test]
fn a_result_that_another_machine_computed_otherwise_is_told_with_its_producer_and_counted_apart() {
    let place = MemoryBackend::new();
    for told in [false, true] {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tier = Tier::new(place.clone()).access(Access::ReadWrite).host(told);
        let x = Array1::ones(2000 + usize::from(told));
        let memory = Memory::builder(one.path()).tier(tier.clone()).open().unwrap();
        memory.eval(slow_ticking::call(&x, 2.0));
        let flushed = memory.flush(Duration::from_secs(60)).unwrap();
        assert_eq!((flushed.left, flushed.failed), (0, 0));
        let memory = Memory::builder(other.path()).tier(tier).recheck(1.0).open().unwrap();
        let log = warnings(|| drop(memory.eval(slow_ticking::call(&x, 2.0))));
        assert_eq!(log.len(), 1, "{log:?}");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        for part in ["ERROR", "computed elsewhere", "its result differs", "origin=tier", "producer=ndcache ", "rustc "]
        {
            assert!(log[0].contains(part), "no `{part}` in {log:?}");
        }
        assert_eq!(log[0].contains(&format!("on host `{host}`")), told, "{log:?}");
        assert_eq!(log[0].contains("on host"), told, "{log:?}");
        let stats = memory.stats();
        assert_eq!((stats.rechecks(), stats.mismatches(), stats.foreign_mismatches()), (1, 1, 1));
        assert_eq!(stats.by_function()[slow_ticking::function().path()].foreign_mismatches, 1);
    }
}

#[test]
fn a_pure_function_passes_however_its_result_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, inline) = (rechecking(folder.path()), Memory::builder(folder.path()).inline(1 << 20).recheck(1.0));
    let inline = inline.open().unwrap();
    let x = Array1::linspace(0.0, f64::NAN, 2000);
    let log = warnings(|| {
        whole.eval(scaled::call(&x, 2.0));
        whole.eval(scaled::call(&x, 2.0));
        // The result is the same inside the record, and then in a file again.
        inline.eval(scaled::call(&x, 2.0));
        inline.refresh(scaled::call(&x, 2.0));
        whole.mmap(scaled::call(&x, 2.0));
    });
    assert_eq!(log, Vec::<String>::new());
    let (whole, inline) = (whole.stats(), inline.stats());
    assert_eq!((whole.rechecks(), whole.mismatches(), inline.rechecks(), inline.mismatches()), (2, 0, 1, 0));
}

#[test]
fn a_function_deep_inside_others_is_found_and_each_key_is_rechecked_once() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn impure() -> u64 {
        TICKS.fetch_add(1, Ordering::SeqCst)
    }
    #[cache(depends(impure))]
    fn sum(n: u64) -> u64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        if n == 0 { u64::from(impure() == u64::MAX) } else { sum(n - 1) + sum(n - 1) + 1 }
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = rechecking(folder.path());
    assert_eq!(Memory::open(folder.path()).unwrap().eval(sum::call(20)), (1 << 20) - 1);
    assert_eq!(RUNS.swap(0, Ordering::SeqCst), 21);
    assert_eq!(memory.eval(sum::call(20)), (1 << 20) - 1);
    assert_eq!(RUNS.load(Ordering::SeqCst), 21, "each once, and not 2^20 times");
    let stats = memory.stats();
    assert_eq!((stats.rechecks(), stats.mismatches()), (22, 1));
    assert_eq!(stats.by_function()[impure::function().path()].mismatches, 1);
}

#[test]
fn rechecks_write_nothing() {
    let (folder, memory) = fresh();
    let x = Array1::ones(2000);
    let first = memory.eval(ticking::call(&x, 3.0));
    let before = snapshot(folder.path());
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let memory = Memory::builder(folder.path()).mode(mode).recheck(1.0).open().unwrap();
        assert_eq!(memory.eval(ticking::call(&x, 3.0)), first);
        assert_eq!(memory.stats().mismatches(), 1);
    }
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_panic_or_an_error_in_a_recheck_is_a_difference_and_costs_no_result() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    #[cache]
    fn panics(x: u8) -> u8 {
        assert!(!FAILS.load(Ordering::SeqCst), "on purpose");
        x
    }
    #[cache]
    fn errs(x: u8) -> Result<Mapped1<u8>, String> {
        if FAILS.load(Ordering::SeqCst) { Err("on purpose".to_owned()) } else { Ok(array![x].into()) }
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = rechecking(folder.path());
    memory.eval(panics::call(1));
    memory.eval(errs::call(1)).unwrap();
    FAILS.store(true, Ordering::SeqCst);
    let log = warnings(|| {
        assert_eq!(memory.eval(panics::call(1)), 1);
        assert_eq!(memory.eval(errs::call(1)).unwrap()[0], 1);
    });
    assert!(log.len() == 2 && log[0].contains("it panicked") && log[1].contains("it returned an error"), "{log:?}");
    assert_eq!(memory.stats().mismatches(), 2);
}

#[test]
fn edited_results_are_not_rechecked() {
    let folder = tempfile::tempdir().unwrap();
    let memory = rechecking(folder.path());
    let x = Array1::ones(100);
    let mut edited = memory.mmap_mut(scaled::call(&x, 5.0)).unwrap();
    edited[0] = -1.0;
    edited.commit().unwrap();
    assert_eq!(memory.eval(scaled::call(&x, 5.0))[0], -1.0);
    assert_eq!((memory.stats().hits(), memory.stats().rechecks()), (1, 0));
}

#[test]
fn a_share_of_hits_is_rechecked() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).recheck(0.25).open().unwrap();
    let x = array![1.0];
    for _ in 0..401 {
        memory.eval(scaled::call(&x, 6.0));
    }
    let rechecks = memory.stats().rechecks();
    // The bounds are eight standard deviations away.
    assert!((30..170).contains(&rechecks), "{rechecks} of 400");
}

#[test]
fn a_share_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for rate in [-0.1, 1.5, f64::NAN] {
        let error = Memory::builder(folder.path()).recheck(rate).open().unwrap_err().to_string();
        assert_eq!(error, format!("the share of hits to recheck is {rate}, expected 0.0 to 1.0"));
    }
}
