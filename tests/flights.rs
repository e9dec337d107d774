//! One key, one computation: among threads, among processes, and without a deadlock.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::{Memory, cache};
use rayon::prelude::*;

mod unstored;

use crate::support::{child, children, fresh, in_child};

#[test]
fn threads_that_need_one_key_compute_it_once() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn slow(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(200));
        Array1::from_elem(n, 1.0)
    }
    let (_folder, memory) = fresh();
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(memory.eval(slow::call(30_000)).sum(), 30_000.0);
            });
        }
    });
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (7, 1));
}

#[cache]
fn logged(folder: &str) -> u32 {
    let name = format!("{folder}/{}.ran", std::process::id());
    std::fs::write(name, b"").unwrap();
    thread::sleep(Duration::from_millis(500));
    5
}

#[test]
fn processes_that_need_one_key_compute_it_once() {
    const NAME: &str = "flights::processes_that_need_one_key_compute_it_once";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(format!("{folder}/cache")).unwrap();
        assert_eq!(memory.eval(logged::call(&folder)), 5);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    children(4, NAME, &[("FOLDER", path)]);
    let ran = std::fs::read_dir(path)
        .unwrap()
        .filter(|item| item.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".ran"));
    assert_eq!(ran.count(), 1);
}

#[test]
fn whoever_waits_for_a_process_that_is_killed_computes() {
    const NAME: &str = "flights::whoever_waits_for_a_process_that_is_killed_computes";
    #[cache(ignore(seconds, folder))]
    fn sleeps(seconds: u64, folder: &str) -> u32 {
        std::fs::write(format!("{folder}/started"), b"").unwrap();
        thread::sleep(Duration::from_secs(seconds));
        6
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        Memory::open(format!("{folder}/cache")).unwrap().eval(sleeps::call(600, &folder));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut holder = child(NAME, &[("FOLDER", path)]).spawn().unwrap();
    while !folder.path().join("started").exists() {
        thread::sleep(Duration::from_millis(5));
    }
    let memory = Memory::open(format!("{path}/cache")).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| memory.eval(sleeps::call(0, path)));
        thread::sleep(Duration::from_millis(200));
        assert!(!waits.is_finished(), "it waits while the holder lives");
        holder.kill().unwrap();
        assert_eq!(waits.join().unwrap(), 6);
    });
    holder.wait().unwrap();
}

/// Returns once the other process has come this far, too.
fn meet(folder: &str, me: &str, other: &str) {
    std::fs::write(format!("{folder}/{me}"), b"").unwrap();
    while !std::path::Path::new(&format!("{folder}/{other}")).exists() {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn processes_that_wait_for_each_other_compute() {
    const NAME: &str = "flights::processes_that_wait_for_each_other_compute";
    #[cache(ignore(folder, outer))]
    fn hen(folder: &str, outer: bool) -> u32 {
        if !outer {
            return 1;
        }
        meet(folder, "hen", "egg");
        egg(folder, false)
    }
    #[cache(ignore(folder, outer))]
    fn egg(folder: &str, outer: bool) -> u32 {
        if !outer {
            return 1;
        }
        meet(folder, "egg", "hen");
        hen(folder, false)
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(format!("{folder}/cache")).unwrap();
        let value = match std::env::var("ROLE").unwrap().as_str() {
            "hen" => memory.eval(hen::call(&folder, true)),
            _ => memory.eval(egg::call(&folder, true)),
        };
        assert_eq!(value, 1);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut children = ["hen", "egg"].map(|role| child(NAME, &[("FOLDER", path), ("ROLE", role)]).spawn().unwrap());
    let begin = Instant::now();
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        if begin.elapsed() > Duration::from_secs(60) {
            children.iter_mut().for_each(|child| child.kill().unwrap());
            panic!("they wait for each other");
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
}

#[test]
fn a_bounded_wait_ends_and_computes() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn slow() -> u8 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(400));
        1
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).wait(Duration::from_millis(20)).open().unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(memory.eval(slow::call()), 1));
        }
    });
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

#[test]
fn an_error_frees_those_that_wait() {
    #[cache]
    fn fails(_n: u8) -> Result<u8, String> {
        thread::sleep(Duration::from_millis(20));
        Err("on purpose".to_owned())
    }
    let (_folder, memory) = fresh();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(memory.eval(fails::call(1)).is_err()));
        }
    });
    assert_eq!(memory.stats().misses(), 4);
}

#[test]
fn recursion_and_nesting_do_not_wait_for_themselves() {
    #[cache]
    fn fibonacci(n: u64) -> u64 {
        if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(fibonacci::call(50)), 12_586_269_025);
    assert_eq!(memory.stats().misses(), 51);
}

#[test]
fn a_key_within_itself_is_computed_and_not_waited_for() {
    #[cache(ignore(depth))]
    fn same_key(depth: u32) -> u32 {
        if depth == 0 { 0 } else { same_key(depth - 1) + 1 }
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(same_key::call(1)), 1);
}

/// A worker that waits inside a flight may have stolen the very job that the flight waits for.
#[test]
fn work_stealing_inside_a_flight_does_not_lock_up() {
    #[cache]
    fn leaf(n: usize) -> usize {
        thread::sleep(Duration::from_millis(1));
        n
    }
    #[cache(depends(leaf))]
    fn branch(memory: &Share, n: usize) -> usize {
        (0..16).into_par_iter().map(|i| memory.0.eval(leaf::call((n + i) % 8))).sum()
    }
    /// A memory as an argument counts for nothing.
    struct Share(Memory);
    impl ndcache::ContentHash for Share {
        fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
            hasher.unit();
        }
    }
    let (_folder, memory) = fresh();
    let share = Share(memory.clone());
    let begin = Instant::now();
    let total: usize = (0..24_usize).into_par_iter().map(|n| memory.eval(branch::call(&share, n % 4))).sum();
    assert_eq!(total, 24 * 56);
    assert!(begin.elapsed() < Duration::from_secs(60), "no worker waits for long");
}

/// How often a flight that lasts for `time` releases a worker: when it is 1, 2, 4 … seconds old.
fn releases(time: Duration) -> usize {
    (0..).take_while(|n| Duration::from_secs(1 << n) <= time).count()
}

#[cache]
fn counted_by_files(folder: &str) -> u32 {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::SeqCst);
    std::fs::write(format!("{folder}/{}-{run}.ran", std::process::id()), b"").unwrap();
    thread::sleep(Duration::from_millis(1_500));
    7
}

/// Each process has eight workers of rayon; together they compute as often as the workers of one process.
#[test]
fn workers_of_several_processes_compute_a_slow_key_as_often_as_those_of_one() {
    const NAME: &str = "flights::workers_of_several_processes_compute_a_slow_key_as_often_as_those_of_one";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(format!("{folder}/cache")).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
        pool.broadcast(|_| assert_eq!(memory.eval(counted_by_files::call(&folder)), 7));
        return;
    }
    for processes in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let begin = Instant::now();
        children(processes, NAME, &[("FOLDER", path)]);
        let most = 1 + releases(begin.elapsed());
        let names = std::fs::read_dir(path).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
        let ran = names.filter(|name| name.ends_with(".ran")).count();
        assert!((1..=most).contains(&ran), "{processes} processes: {ran} computations, {most} at most");
    }
}

/// How often threads have gone to sleep, as the kernel counts it.
#[cfg(target_os = "linux")]
fn sleeps(threads: &[std::path::PathBuf]) -> u64 {
    let of = |thread: &std::path::PathBuf| {
        let status = std::fs::read_to_string(thread.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    threads.iter().map(of).sum()
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_wait_for_one_key_are_not_woken_by_others() {
    const WAITING: usize = 50;
    static GATE: Barrier = Barrier::new(2);
    #[cache]
    fn slow() -> u8 {
        GATE.wait();
        1
    }
    #[cache]
    fn quick(n: usize) -> usize {
        n
    }
    let (_folder, memory) = fresh();
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..=WAITING {
            let (memory, sender) = (&memory, sender.clone());
            scope.spawn(move || {
                sender
                    .send(std::path::Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap()))
                    .unwrap();
                assert_eq!(memory.eval(slow::call()), 1);
            });
        }
        let threads: Vec<_> = receiver.iter().take(WAITING + 1).collect();
        let mut before = sleeps(&threads);
        loop {
            thread::sleep(Duration::from_millis(300));
            let now = sleeps(&threads);
            if now == before {
                break;
            }
            before = now;
        }
        for n in 0..100 {
            assert_eq!(memory.eval(quick::call(n)), n);
        }
        let woken = sleeps(&threads) - before;
        GATE.wait();
        // Each may have woken once a minute, to say that it still waits.
        assert!(woken <= 2 * WAITING as u64, "{woken} times for 100 other keys");
    });
    assert_eq!(memory.stats().misses(), 101);
}
