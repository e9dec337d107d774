//! Calls: computed once, under any settings, and each time without a memory.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Compression, Limits, Memory, Mode, cache, call};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{events, fresh, snapshot};

/// Large enough for a mapped file.
const N: usize = 40_000;

fn halves(n: usize) -> Array1<f64> {
    Array1::from_elem(n, 0.5)
}

#[test]
fn each_argument_is_computed_once_loaded_or_mapped_compressed_or_not() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn filled(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        halves(n)
    }
    for compression in [Compression::None, Compression::Gzip(1)] {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::builder(folder.path()).compression(compression).open().unwrap();
        RUNS.store(0, Ordering::SeqCst);
        let ask = |n| {
            assert_eq!(memory.with(|| filled(n)), halves(n));
            assert_eq!(memory.eval(filled::call(n)), halves(n));
            assert_eq!(memory.mmap(filled::call(n)), halves(n));
        };
        for n in [1, 1000, N, 1, 1000, N] {
            ask(n);
        }
        assert_eq!(RUNS.load(Ordering::SeqCst), 3, "{compression:?}");
        memory.clear_function(filled::function()).unwrap();
        ask(N);
        ask(N);
        assert_eq!(RUNS.load(Ordering::SeqCst), 4, "{compression:?}, cleared: once more");
        memory.clear().unwrap();
        ask(N);
        assert_eq!(RUNS.load(Ordering::SeqCst), 5, "{compression:?}, all cleared: once more");
    }
}

#[test]
fn a_memory_whose_folder_vanished_goes_on_and_caches_again() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn filled(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        halves(n)
    }
    let (folder, memory) = fresh();
    memory.eval(filled::call(N));
    fs::remove_dir_all(folder.path()).unwrap();
    for memory in [&memory, &memory, &Memory::open(folder.path()).unwrap()] {
        assert_eq!(memory.eval(filled::call(N + 1)), halves(N + 1));
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

#[test]
fn without_a_memory_every_call_runs() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn doubled(n: u64) -> u64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        2 * n
    }
    let memory = Memory::disabled();
    for run in 1..=3 {
        assert_eq!(memory.eval(doubled::call(4)), 8);
        assert_eq!(RUNS.load(Ordering::SeqCst), run);
    }
    assert_eq!((memory.location(), memory.mode()), (None, Mode::Off));
}

#[test]
fn without_a_memory_there_is_nothing_to_clear_or_reduce() {
    #[cache]
    fn one() -> u8 {
        1
    }
    let memory = Memory::disabled();
    memory.clear().unwrap();
    memory.clear_function(one::function()).unwrap();
    assert!(!memory.remove(&one::call()).unwrap());
    assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 0);
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_named_closure_is_computed_once_for_each_argument() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (_folder, memory) = fresh();
    for round in 0..3 {
        for x in [1.0, 2.0, 3.0] {
            let square = memory.eval(call!("square", |x| {
                RUNS.fetch_add(1, Ordering::SeqCst);
                x * x
            }));
            assert_eq!(square, x * x, "round {round}");
        }
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 3);
}

#[test]
fn a_function_of_others_is_computed_once_for_each_argument() {
    let (_folder, memory) = fresh();
    let x = array![1.0, 4.0, 9.0];
    let x = &x;
    for _ in 0..2 {
        assert_eq!(memory.eval(call!(f64::powi(3.0, 2))), 9.0);
        assert_eq!(memory.eval(call!("roots", |x| x.sqrt())), array![1.0, 2.0, 3.0]);
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 2));
}

#[test]
fn an_argument_that_is_bound_beforehand_counts() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn scaled(by: f64, x: f64) -> f64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        by * x
    }
    /// `scaled` with its first argument bound.
    fn bound(memory: &Memory, by: f64) -> impl Fn(f64) -> f64 {
        move |x| memory.eval(call!("bound", |by, x| scaled(by, x), version = 1))
    }
    let (_folder, memory) = fresh();
    let (double, triple) = (bound(&memory, 2.0), bound(&memory, 3.0));
    for _ in 0..3 {
        assert_eq!((double(5.0), triple(5.0)), (10.0, 15.0));
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn options_of_the_attribute_take_effect() {
    #[cache(ignore(loud), expires = Duration::ZERO)]
    fn expired(n: u64, loud: bool) -> u64 {
        n + u64::from(loud)
    }
    #[cache(mode = Mode::Off)]
    fn off(n: u64) -> u64 {
        n
    }
    #[cache(min_duration = HOUR)]
    fn cheap(n: u64) -> u64 {
        n
    }
    #[cache(validate = |_| false)]
    fn refused(n: u64) -> u64 {
        n
    }
    #[cache(skip_none)]
    fn skipped(n: u64) -> Option<u64> {
        n.checked_sub(100)
    }
    #[cache(cache_err)]
    fn kept(n: u64) -> Result<u64, String> {
        n.checked_sub(100).ok_or_else(|| "too small".to_owned())
    }
    #[cache(name = "another name")]
    fn named(n: u64) -> u64 {
        n
    }
    let (_folder, memory) = fresh();
    let reasons = |memory: &Memory| {
        [
            memory.explain(&expired::call(1, true)).reason().name(),
            memory.explain(&off::call(1)).reason().name(),
            memory.explain(&cheap::call(1)).reason().name(),
            memory.explain(&refused::call(1)).reason().name(),
            memory.explain(&skipped::call(1)).reason().name(),
            memory.explain(&kept::call(1)).reason().name(),
            memory.explain(&named::call(1)).reason().name(),
        ]
    };
    let new = "new function";
    assert_eq!(reasons(&memory), [new, "off", new, new, new, new, new]);
    assert_eq!(memory.eval(expired::call(1, false)), 1);
    assert_eq!((memory.eval(off::call(1)), memory.eval(cheap::call(1)), memory.eval(refused::call(1))), (1, 1, 1));
    assert_eq!((memory.eval(skipped::call(1)), memory.eval(named::call(1))), (None, 1));
    assert!(memory.eval(kept::call(1)).is_err());
    assert_eq!(reasons(&memory), ["expired", "off", new, "expired", new, "hit", "hit"]);
    assert_eq!(memory.entry(&named::call(1)).unwrap().unwrap().function(), "another name");
}

#[test]
fn a_function_gets_a_folder_with_its_first_result_and_what_was_lost_is_computed_again() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn filled(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        halves(n)
    }
    let (folder, memory) = fresh();
    let before = snapshot(folder.path());
    let call = filled::call(N);
    assert!(!memory.contains(&call) && call.function().path().ends_with("::filled"));
    assert_eq!(snapshot(folder.path()), before, "a function that is only named has no folder");
    memory.eval(call);
    let entry = memory.entry(&filled::call(N)).unwrap().unwrap();
    let place = entry.path().strip_prefix(memory.location().unwrap()).unwrap().to_str().unwrap();
    assert!(place.starts_with("f/") && place.contains("filled-"), "{place}");
    fs::remove_file(&entry.files()[0]).unwrap();
    for _ in 0..2 {
        assert_eq!(memory.eval(filled::call(N)), halves(N));
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

#[test]
fn a_memory_that_is_opened_again_finds_its_entries() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn filled(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        halves(n)
    }
    let (folder, memory) = fresh();
    memory.eval(filled::call(N));
    let entry = memory.entry(&filled::call(N)).unwrap().unwrap();
    drop(memory);
    let memory = Memory::open(folder.path()).unwrap();
    let again = memory.entry(&filled::call(N)).unwrap().unwrap();
    assert_eq!((again.key(), again.path(), again.files()), (entry.key(), entry.path(), entry.files()));
    assert_eq!(memory.eval(filled::call(N)), halves(N));
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refreshed_call_runs_says_what_it_was_and_hits_the_next_time() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn next(step: usize) -> usize {
        step * RUNS.fetch_add(1, Ordering::SeqCst)
    }
    let (_folder, memory) = fresh();
    assert_eq!([memory.refresh(next::call(10)), memory.refresh(next::call(10))], [0, 10]);
    assert_eq!(memory.eval(next::call(10)), 10, "what it stored is found");
    assert_eq!(memory.with(|| next(10)), 10);
    let entry = memory.entry(&next::call(10)).unwrap().unwrap();
    assert_eq!((entry.arguments()[0].name(), entry.arguments()[0].text()), ("step", "10"));
    assert!(entry.created().elapsed().unwrap() < HOUR && entry.duration() < HOUR);
}

#[test]
fn a_call_is_refreshed_without_a_memory_too() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn next(step: usize) -> usize {
        step * RUNS.fetch_add(1, Ordering::SeqCst)
    }
    let memory = Memory::disabled();
    assert_eq!([memory.refresh(next::call(10)), memory.refresh(next::call(10))], [0, 10]);
    assert!(memory.entry(&next::call(10)).unwrap().is_none());
}

#[test]
fn hits_and_misses_are_events_and_nothing_is_said_where_nobody_listens() {
    #[cache]
    fn doubled(n: u64) -> u64 {
        2 * n
    }
    let (_folder, memory) = fresh();
    let path = doubled::function().path();
    let ask = || assert_eq!((memory.eval(doubled::call(4)), memory.eval(doubled::call(4))), (8, 8));
    let all = events(LevelFilter::DEBUG, ask);
    let of = |what: &str| all.iter().filter(|line| line.contains(path) && line.contains(what)).count();
    assert_eq!((of(": miss "), of(": hit ")), (1, 1), "{all:?}");
    assert_eq!(memory.explain(&doubled::call(4)).reason(), Reason::Hit);
    memory.clear().unwrap();
    let warned = events(LevelFilter::WARN, ask);
    assert!(warned.is_empty(), "{warned:?}");
}
