//! Calls that are computed anew, and results that are only looked for.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::hash::ContentHasher;
use ndcache::make::NpyFile;
use ndcache::{ContentHash, Mapped1, Memory, Mode, cache};

use crate::support::{fresh, snapshot};

static READINGS: AtomicU64 = AtomicU64::new(0);

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn a_refreshed_call_is_computed_in_every_form_and_replaces_what_is_stored() {
    #[cache]
    fn readings(n: usize) -> Array1<u64> {
        Array1::from_elem(n, next(&READINGS))
    }
    let (folder, memory) = fresh();
    let path = folder.path().join("readings.npy");
    let call = || readings::call(50_000).refresh();
    let forms: [&dyn Fn() -> u64; 7] = [
        &|| memory.eval(call())[0],
        &|| memory.try_eval(call()).unwrap()[0],
        &|| memory.refresh(readings::call(50_000))[0],
        &|| memory.mmap(call())[0],
        &|| memory.mmap_cow(call())[0],
        &|| memory.mmap_mut(call()).unwrap()[0],
        &|| memory.shelve(call()).unwrap().load(&memory).unwrap()[0],
    ];
    for round in 0..2 {
        for (position, form) in forms.into_iter().enumerate() {
            let expected = READINGS.load(Ordering::SeqCst);
            assert_eq!(form(), expected, "form {position}, round {round}");
            assert_eq!(memory.eval(readings::call(50_000))[0], expected, "stored by form {position}");
        }
    }
    let target = || NpyFile::new(&path);
    let made: Array1<u64> = memory.make(readings::call(3), target()).unwrap();
    assert_eq!(memory.make(readings::call(3), target()).unwrap(), made);
    let again: Array1<u64> = memory.make(readings::call(3).refresh(), target()).unwrap();
    assert_eq!(again[0], made[0] + 1);
    assert_eq!(memory.make(readings::call(3), target()).unwrap(), again);
}

#[test]
fn a_refreshed_call_that_was_asked_before_is_computed_all_the_same() {
    static RUNS: AtomicU64 = AtomicU64::new(0);

    #[cache]
    fn reading(x: &[u64]) -> u64 {
        x[0] + next(&RUNS)
    }
    let (_folder, memory) = fresh();
    let x = [10];
    assert_eq!(memory.eval(reading::call(&x)), 10);
    let call = reading::call(&x);
    assert!(memory.contains(&call));
    let call = call.refresh();
    assert!(!memory.contains(&call));
    assert_eq!(memory.explain(&call).reason(), Reason::Refresh);
    assert_eq!(memory.get(&call), None);
    assert_eq!(memory.entry(&call).unwrap().unwrap().key(), memory.entry(&reading::call(&x)).unwrap().unwrap().key());
    let call = call.refresh(); // twice is once
    assert_eq!(memory.eval(call), 11);
    assert_eq!(memory.eval(reading::call(&x)), 11);
    assert_eq!(memory.stats().by_reason()["refresh"], 1);
}

#[test]
fn a_refreshed_call_writes_nothing_where_the_mode_writes_nothing() {
    static RUNS: AtomicU64 = AtomicU64::new(0);

    #[cache]
    fn reading(n: u64) -> u64 {
        n + next(&RUNS)
    }
    let (folder, memory) = fresh();
    memory.eval(reading::call(0));
    let before = snapshot(folder.path());
    for mode in [Mode::ReadOnly, Mode::Off] {
        let other = Memory::builder(folder.path()).mode(mode).open().unwrap();
        let expected = RUNS.load(Ordering::SeqCst);
        assert_eq!(other.eval(reading::call(0).refresh()), expected, "{mode}");
    }
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(memory.eval(reading::call(0)), 0);
    let anew = Memory::builder(folder.path()).mode(Mode::Refresh).open().unwrap();
    let first = anew.eval(reading::call(0));
    assert_eq!(anew.eval(reading::call(0)), first);
    assert_eq!(anew.eval(reading::call(0).refresh()), first + 1, "though this memory has refreshed it already");
}

#[test]
fn only_the_call_itself_is_refreshed() {
    static INNER: AtomicU64 = AtomicU64::new(0);
    static OUTER: AtomicU64 = AtomicU64::new(0);

    #[cache]
    fn inner() -> u64 {
        next(&INNER)
    }
    #[cache(depends(inner))]
    fn outer() -> u64 {
        next(&OUTER);
        inner()
    }
    let (_folder, memory) = fresh();
    assert_eq!((memory.eval(outer::call()), memory.eval(outer::call().refresh())), (0, 0));
    assert_eq!((INNER.load(Ordering::SeqCst), OUTER.load(Ordering::SeqCst)), (1, 2));
}

/// An argument that counts how often it is hashed.
struct Hashed;

static HASHES: AtomicU64 = AtomicU64::new(0);

impl ContentHash for Hashed {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        next(&HASHES);
        hasher.u64(1);
    }
}

#[test]
fn refreshing_hashes_no_argument_by_itself() {
    #[cache]
    fn constant(_x: &Hashed) -> u8 {
        7
    }
    let call = constant::call(&Hashed).refresh();
    assert_eq!(Memory::disabled().eval(call), 7);
    assert_eq!(HASHES.load(Ordering::SeqCst), 0);
}

#[cfg(debug_assertions)]
#[test]
fn a_refreshed_call_that_changes_its_argument_is_not_stored() {
    use std::cell::Cell;

    #[cache(name = "bumped")]
    fn bumped(x: &Interior) -> u64 {
        x.0.set(x.0.get() + 1);
        x.0.get()
    }
    struct Interior(Cell<u64>);
    impl ContentHash for Interior {
        fn content_hash(&self, hasher: &mut ContentHasher) {
            hasher.u64(self.0.get());
        }
    }
    let (_folder, memory) = fresh();
    let x = Interior(Cell::new(0));
    assert!(memory.try_eval(bumped::call(&x).refresh()).is_err());
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_look_finds_what_is_stored_and_computes_nothing() {
    static RUNS: AtomicU64 = AtomicU64::new(0);

    #[cache]
    fn table(n: usize) -> Array1<f64> {
        next(&RUNS);
        Array1::from_elem(n, 0.5)
    }
    #[cache]
    fn mapped(n: usize) -> Mapped1<f64> {
        next(&RUNS);
        Array1::from_elem(n, 0.5).into()
    }
    let (folder, memory) = fresh();
    let before = snapshot(folder.path());
    assert_eq!(memory.get(&table::call(9)), None);
    assert!(memory.get(&mapped::call(90_000)).is_none());
    assert_eq!((snapshot(folder.path()), memory.stats()), (before, ndcache::stats::Stats::default()));
    assert_eq!(RUNS.load(Ordering::SeqCst), 0);
    memory.eval(table::call(9));
    memory.eval(mapped::call(90_000));
    for _ in 0..3 {
        assert_eq!(memory.get(&table::call(9)).unwrap(), Array1::from_elem(9, 0.5));
        assert!(memory.get(&mapped::call(90_000)).unwrap().is_mapped());
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
    assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (6, 2, 0));
    let reader = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    assert!(reader.get(&table::call(9)).is_some());
    for (mode, found) in [(Mode::Refresh, false), (Mode::Off, false)] {
        let other = Memory::builder(folder.path()).mode(mode).open().unwrap();
        assert_eq!(other.get(&table::call(9)).is_some(), found, "{mode}");
    }
    let anew = Memory::builder(folder.path()).mode(Mode::Refresh).open().unwrap();
    anew.eval(table::call(9));
    assert!(anew.get(&table::call(9)).is_some(), "this memory has refreshed it");
    assert_eq!(Memory::disabled().get(&table::call(9)), None);
    memory.remove(&table::call(9)).unwrap();
    assert_eq!(memory.get(&table::call(9)), None);
}

#[test]
fn a_look_takes_nothing_that_is_no_longer_good() {
    #[cache]
    fn table(n: usize) -> Array1<f64> {
        Array1::from_elem(n, 0.5)
    }
    let (folder, memory) = fresh();
    memory.eval(table::call(5000));
    let expired = Memory::builder(folder.path()).expires(Duration::ZERO).open().unwrap();
    assert_eq!(expired.get(&table::call(5000)), None);
    let refused = Memory::builder(folder.path()).validate(|_| false).open().unwrap();
    assert_eq!(refused.get(&table::call(5000)), None);
    let file = memory.entry(&table::call(5000)).unwrap().unwrap().files()[0].clone();
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let before = snapshot(folder.path());
    assert_eq!(Memory::open(folder.path()).unwrap().get(&table::call(5000)), None);
    assert_eq!(snapshot(folder.path()), before, "a look deletes nothing");
}

#[test]
fn a_look_waits_for_nobody() {
    use std::sync::Barrier;

    static GATE: Barrier = Barrier::new(2);

    #[cache]
    fn slow(n: u64) -> u64 {
        GATE.wait();
        GATE.wait();
        n
    }
    let (_folder, memory) = fresh();
    std::thread::scope(|scope| {
        scope.spawn(|| memory.eval(slow::call(1)));
        GATE.wait();
        assert_eq!(memory.get(&slow::call(1)), None, "it is being computed");
        GATE.wait();
    });
    assert_eq!(memory.get(&slow::call(1)), Some(1));
}
