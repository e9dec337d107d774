//! What a tier has and isn't fetched: results that are no longer good, that are too large, and that nobody asks for.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ndarray::Array1;
use ndcache::tier::{Access, Backend, Filter, Folder, Share, Tier};
use ndcache::{Limits, Memory, MemoryBuilder, Mode, cache};
use tempfile::TempDir;

use super::proxy::Proxy;
use crate::support::{files, newer};

/// Takes long enough to be worth fetching, whatever else this machine does.
#[cache]
fn noise(n: usize, seed: u64) -> Array1<f64> {
    thread::sleep(Duration::from_millis(600));
    plain_noise(n, seed)
}

fn plain_noise(n: usize, seed: u64) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i as u64 * 7 + seed) as f64)
}

/// 80 kB.
const N: usize = 10_000;

#[cache]
fn number(n: u64) -> u64 {
    n + 1
}

fn flush(memory: &Memory) {
    let flushed = memory.flush(Duration::from_secs(600)).unwrap();
    assert_eq!((flushed.left, flushed.failed), (0, 0));
}

/// Makes a place that has the result of `noise(N, 1)`.
fn filled() -> Proxy {
    let (proxy, folder) = (Proxy::new(), TempDir::new().unwrap());
    let memory = proxy.memory(folder.path());
    memory.eval(noise::call(N, 1));
    flush(&memory);
    proxy.forget();
    proxy
}

/// A memory of another machine.
fn other(proxy: &Proxy, access: Access, set: impl FnOnce(MemoryBuilder) -> MemoryBuilder) -> (TempDir, Memory) {
    let folder = TempDir::new().unwrap();
    let tier = Tier::new(proxy.clone()).access(access).share(Share::Any);
    let memory = set(Memory::builder(folder.path()).tier(tier)).open().unwrap();
    (folder, memory)
}

/// It is computed, though the tier has it; returns how often this memory has asked for the result, and anybody for arrays.
fn expect_computed(proxy: &Proxy, memory: &Memory) -> (u64, u64) {
    let before = memory.stats().misses();
    assert!(memory.eval(noise::call(N, 1)) == plain_noise(N, 1));
    assert_eq!(memory.stats().misses(), before + 1, "{}", memory.explain(&noise::call(N, 1)));
    let asked = memory.stats().by_tier().get(&proxy.place()).map_or(0, |counts| counts.asked);
    (asked, proxy.count("get .npy"))
}

#[test]
fn what_validate_refuses_is_not_served_from_a_tier_and_costs_no_array() {
    let proxy = filled();
    let (_folder, memory) = other(&proxy, Access::ReadWrite, |memory| memory.validate(|_| false));
    for asked in 1..4 {
        assert_eq!(expect_computed(&proxy, &memory), (asked, 0));
        assert_eq!(memory.stats().by_tier()[&proxy.place()].stale, asked);
    }
    flush(&memory);
    assert!(proxy.count("put .record") >= 1, "it isn't replaced");
}

#[test]
fn what_is_removed_or_purged_while_it_is_fetched_does_not_stay() {
    let ways: [fn(&Memory); 4] = [
        |memory| assert!(!memory.remove(&noise::call(N, 1)).unwrap()),
        |memory| assert_eq!(memory.clear_function(noise::function()).unwrap().items, 0),
        |memory| assert_eq!(memory.clear().unwrap().items, 0),
        |memory| assert_eq!(memory.purge(&Filter::default()).unwrap().there, 1),
    ];
    for (n, remove) in ways.into_iter().enumerate() {
        let mut proxy = filled();
        proxy.speed = Some(200_000.0);
        let (folder, memory) = other(&proxy, Access::ReadWrite, |memory| memory);
        thread::scope(|scope| {
            let fetching = scope.spawn(|| memory.eval(noise::call(N, 1)));
            while proxy.count("get .npy") == 0 && !fetching.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            remove(&memory);
            assert!(fetching.join().unwrap() == plain_noise(N, 1));
        });
        assert_eq!((proxy.count("get .npy") > 0, memory.stats().misses()), (true, 1), "way {n}");
        let entry = Memory::open(folder.path()).unwrap().entry(&noise::call(N, 1)).unwrap().expect("what was computed");
        assert_eq!(entry.origin(), None, "way {n}");
    }
}

fn half(n: u64) -> f64 {
    n as f64 / 2.0
}

/// Its code is made of two functions, which are written down beside its results.
#[cache]
fn halved(n: u64) -> f64 {
    half(n)
}

/// A cache folder has files beside results: what codes are made of.
#[test]
fn a_cache_folder_is_pulled_and_purged_as_a_tier_without_a_trouble() {
    let (there, here) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let plain = Memory::open(there.path()).unwrap();
    (0..3).for_each(|n| assert!(plain.eval(halved::call(n)) < 2.0));
    let record = files(there.path(), ".record").remove(0);
    assert_eq!(std::fs::read_dir(record.ancestors().nth(2).unwrap().join("code")).unwrap().count(), 1);
    let tier = Tier::new(Folder::new(there.path()).unwrap()).share(Share::Any).access(Access::ReadWrite);
    let memory = Memory::builder(here.path()).tier(tier).open().unwrap();
    let pulled = memory.pull(&Filter::default()).unwrap();
    assert_eq!((pulled.moved, pulled.failed), (3, 0), "{pulled:?}");
    assert!(pulled.troubles.is_empty(), "{pulled:?}");
    let purged = memory.purge(&Filter { max_bytes: Some(1 << 20), ..Filter::default() }).unwrap();
    assert!(purged.troubles.is_empty(), "{purged:?}");
}

#[test]
fn what_has_expired_is_not_served_from_a_tier_and_costs_no_array() {
    let proxy = filled();
    thread::sleep(Duration::from_millis(1100));
    let (_folder, memory) = other(&proxy, Access::ReadWrite, |memory| memory.expires(Duration::from_secs(1)));
    assert_eq!(expect_computed(&proxy, &memory), (1, 0));
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(expect_computed(&proxy, &memory), (2, 0));
    assert_eq!(memory.stats().by_tier()[&proxy.place()].stale, 2);
}

#[test]
fn what_takes_more_than_a_quarter_of_the_limit_or_more_than_the_tier_may_give_is_not_fetched() {
    let bytes = |bytes: u64| move |memory: MemoryBuilder| memory.limits(Limits::bytes(bytes.to_string()).unwrap());
    let proxy = filled();
    let (_folder, memory) = other(&proxy, Access::ReadOnly, bytes(300_000));
    assert_eq!(expect_computed(&proxy, &memory), (1, 0));
    assert_eq!(memory.stats().by_tier()[&proxy.place()].left, 1);
    proxy.forget();
    let folder = TempDir::new().unwrap();
    let tier = Tier::new(proxy.clone()).share(Share::Any).max_bytes(80_000);
    let memory = Memory::builder(folder.path()).tier(tier).open().unwrap();
    assert_eq!(expect_computed(&proxy, &memory), (1, 0));
    assert_eq!(memory.pull(&Filter::default()).unwrap().moved, 0);
    let (_folder, memory) = other(&proxy, Access::ReadOnly, bytes(400_000));
    assert!(memory.eval(noise::call(N, 1)) == plain_noise(N, 1));
    assert_eq!(memory.stats().misses(), 0, "a quarter is enough for it");
}

#[test]
fn a_refresh_a_newer_entry_and_a_folder_that_is_only_read_ask_no_tier() {
    let proxy = filled();
    let (_folder, memory) = other(&proxy, Access::ReadWrite, |memory| memory);
    assert!(memory.refresh(noise::call(N, 1)) == plain_noise(N, 1));
    let asked = memory.stats().by_tier().get(&proxy.place()).map_or(0, |counts| counts.asked);
    assert_eq!((memory.stats().misses(), asked), (1, 0), "refresh");
    flush(&memory);
    assert_eq!(proxy.count("put .record"), 1, "what was refreshed replaces");
    let (_folder, memory) = other(&proxy, Access::ReadWrite, |memory| memory.mode(Mode::Refresh));
    assert_eq!(expect_computed(&proxy, &memory), (0, 0), "refresh as the mode");

    let (folder, memory) = other(&proxy, Access::ReadOnly, |memory| memory);
    Memory::open(folder.path()).unwrap().eval(noise::call(N, 1));
    let record = files(folder.path(), ".record").remove(0);
    let bytes = std::fs::read(&record).unwrap();
    std::fs::write(&record, newer(&bytes)).unwrap();
    assert_eq!(expect_computed(&proxy, &memory), (0, 0), "newer");
    assert_eq!(std::fs::read(&record).unwrap(), newer(&bytes), "it stays");

    let folder = TempDir::new().unwrap();
    Memory::open(folder.path()).unwrap().eval(number::call(1));
    let tier = Tier::new(proxy.clone()).share(Share::Any);
    let memory = Memory::builder(folder.path()).tier(tier).mode(Mode::ReadOnly).open().unwrap();
    assert_eq!(expect_computed(&proxy, &memory), (0, 0), "read-only");
}

/// The leader, which this call doesn't wait for, has asked the tier already.
#[test]
fn whoever_computes_alone_asks_no_tier() {
    static RUNNING: AtomicBool = AtomicBool::new(false);
    static MAY_END: AtomicBool = AtomicBool::new(false);
    static RUNS: AtomicU64 = AtomicU64::new(0);
    #[cache]
    fn held(n: u64) -> u64 {
        RUNNING.store(true, Ordering::SeqCst);
        if RUNS.fetch_add(1, Ordering::SeqCst) == 0 {
            while !MAY_END.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        n
    }
    let proxy = Proxy::new();
    let (_folder, memory) = other(&proxy, Access::ReadOnly, |memory| memory.wait(Duration::from_millis(50)));
    thread::scope(|scope| {
        scope.spawn(|| memory.eval(held::call(1)));
        while !RUNNING.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(memory.eval(held::call(1)), 1);
        MAY_END.store(true, Ordering::SeqCst);
    });
    assert_eq!((RUNS.load(Ordering::SeqCst), proxy.count("get .record")), (2, 1));
}

/// Each machine has all results in its folder, and one of the machines has sent them.
#[test]
fn of_a_thousand_results_that_are_purged_none_is_served_ten_minutes_later() {
    const RESULTS: u64 = 1000;
    let proxy = Proxy::new();
    let folders: Vec<_> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    let begin = Barrier::new(3);
    thread::scope(|scope| {
        for (nth, folder) in folders.iter().enumerate() {
            let (begin, proxy) = (&begin, &proxy);
            scope.spawn(move || {
                let memory = proxy.memory(folder.path());
                begin.wait();
                (0..RESULTS).for_each(|n| assert_eq!(memory.eval(number::call(n)), n + 1));
                if nth == 0 {
                    flush(&memory);
                }
            });
        }
    });
    let memory = proxy.memory(folders[0].path());
    let filter = Filter { function: Some(number::function().path().to_owned()), ..Filter::default() };
    let purged = memory.purge(&filter).unwrap();
    assert_eq!((purged.here, purged.there, purged.tiers), (RESULTS, RESULTS, 1));
    drop(memory);
    for folder in &folders {
        super::writing::let_ten_minutes_pass(folder.path());
        let memory = proxy.memory(folder.path());
        let served = (0..RESULTS).filter(|n| memory.contains(&number::call(*n))).count();
        assert_eq!(served, 0);
        flush(&memory);
        assert_eq!(memory.pull(&Filter::default()).unwrap().moved, 0);
        assert!(!proxy.objects.names().iter().any(|name| name.ends_with(".record")), "it was sent again");
    }
}
