//! Workers of rayon that need one key: as few computations as can be had, and no deadlock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use rayon::prelude::*;
use tempfile::TempDir;

use crate::hash::ContentHasher;
use crate::{ContentHash, Memory};

/// In place of a second, which `NDCACHE_WORKERS_PATIENCE=1000` restores.
static PATIENCE: LazyLock<Duration> = LazyLock::new(|| Duration::from_millis(number("NDCACHE_WORKERS_PATIENCE", 100)));

/// How often a worker may have been released by flights that took `time` in all: at one, two, four … patiences.
fn releases(time: Duration) -> usize {
    let ages = (0..).map(|n| *PATIENCE * (1 << n)).take_while(|age| *age <= time);
    ages.count()
}

fn impatient() -> (TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = Memory::open(folder.path()).unwrap();
    Arc::get_mut(memory.0.as_mut().unwrap()).unwrap().patience = Some(*PATIENCE);
    (folder, memory)
}

fn pool(workers: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap()
}

/// `NDCACHE_WORKERS_RUNS=1000` runs the nested programs so often.
fn runs() -> u64 {
    number("NDCACHE_WORKERS_RUNS", 4)
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| number.parse().unwrap())
}

/// A memory as an argument, which counts for nothing.
struct Share(Memory);

impl ContentHash for Share {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.unit();
    }
}

#[test]
fn workers_that_need_one_slow_key_are_released_one_at_a_time() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[ndcache::cache]
    fn slow() -> u8 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        thread::sleep(4 * *PATIENCE);
        1
    }
    let (_folder, memory) = impatient();
    let begin = Instant::now();
    pool(8).broadcast(|_| assert_eq!(memory.eval(slow::call()), 1));
    // Of four patiences: one, and those released after one, two and four. Longer where the machine is busy.
    let most = 1 + releases(begin.elapsed());
    let runs = RUNS.load(Ordering::SeqCst);
    assert!((1..=most).contains(&runs) && runs < 8, "{runs} computations, {most} at most");
}

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

#[ndcache::cache]
fn leaf(n: usize) -> usize {
    COMPUTED.fetch_add(1, Ordering::SeqCst);
    thread::sleep(Duration::from_micros(500));
    n
}

#[ndcache::cache(depends(leaf))]
fn branch(share: &Share, n: usize) -> usize {
    COMPUTED.fetch_add(1, Ordering::SeqCst);
    (0..16).into_par_iter().map(|i| share.0.eval(leaf::call((9 * n + i) % 360))).sum()
}

fn nested(share: &Share) -> usize {
    (0..160_usize).into_par_iter().map(|n| share.0.eval(branch::call(share, n % 40))).sum()
}

/// 40 keys that need 16 of 360 each, on workers that steal each other's jobs while they wait.
#[test]
fn a_nested_program_ends_and_computes_little_twice() {
    let expected: usize = (0..160).flat_map(|n| (0..16).map(move |i| (9 * (n % 40) + i) % 360)).sum();
    let pool = pool(8);
    for run in 0..runs() {
        // With a second: on a busy machine flights take longer than less.
        let folder = tempfile::tempdir().unwrap();
        let share = Share(Memory::open(folder.path()).unwrap());
        let begin = Instant::now();
        let before = COMPUTED.load(Ordering::SeqCst);
        assert_eq!(pool.install(|| nested(&share)), expected);
        let computed = COMPUTED.load(Ordering::SeqCst) - before;
        println!("run {run}: {computed} computations in {:.2} s", begin.elapsed().as_secs_f64());
        assert!((400..=420).contains(&computed), "{computed} computations");
    }
}

/// What a worker waits for lies on top of a job that the leader needs: only a release ends that.
#[test]
fn a_job_below_a_wait_is_freed_by_a_release() {
    #[ndcache::cache(ignore(outer))]
    fn needs(share: &Share, outer: bool) -> usize {
        let stolen = || share.0.eval(needs::call(share, false));
        if outer { rayon::join(|| thread::sleep(Duration::from_millis(20)), stolen).1 } else { 1 }
    }
    let pool = pool(2);
    for _ in 0..runs() {
        let (_folder, memory) = impatient();
        let share = Share(memory);
        let begin = Instant::now();
        assert_eq!(pool.install(|| share.0.eval(needs::call(&share, true))), 1);
        assert!(begin.elapsed() < Duration::from_secs(30), "the first release is enough");
    }
}
