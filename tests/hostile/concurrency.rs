//! Threads, processes and destructors: lost values, hangs, and writes that must not be.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Compression, Mapped1, Mapped2, Memory, Mode, cache, digest};
use rayon::prelude::*;

use crate::support::fork::in_a_fork;
use crate::support::{child, files, fresh, in_child, newer, snapshot};

#[cache]
fn ramp(n: usize, k: u64) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i as u64 ^ k) as f64)
}

// ---- destructors of thread locals

#[cache]
fn tripled(x: u64) -> u64 {
    3 * x
}

struct Last(Cell<u64>);

impl Drop for Last {
    fn drop(&mut self) {
        println!("tripled in a destructor: {}", tripled(self.0.get()));
    }
}

thread_local! {
    static LAST: Last = const { Last(Cell::new(5)) };
}

#[test]
fn a_cached_function_runs_in_the_destructor_of_a_thread_local() {
    const NAME: &str = "hostile::concurrency::a_cached_function_runs_in_the_destructor_of_a_thread_local";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        Memory::open(folder).unwrap().set_global().unwrap();
        thread::spawn(|| {
            LAST.with(|last| last.0.set(7));
            assert_eq!(tripled(1), 3);
        })
        .join()
        .unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("in a destructor: 21"), "{text}");
}

// ---- writes that must not be

fn with_newer_entry() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
    let (folder, memory) = fresh();
    memory.eval(tripled::call(5));
    let record = memory.entry(&tripled::call(5)).unwrap().unwrap().path().to_owned();
    let bytes = newer(&fs::read(&record).unwrap());
    fs::write(&record, &bytes).unwrap();
    assert!(matches!(memory.explain(&tripled::call(5)).reason(), Reason::Newer(_)));
    (folder, record, bytes)
}

#[test]
fn a_refresh_leaves_an_entry_of_a_newer_version_alone() {
    let (folder, record, bytes) = with_newer_entry();
    let memory = Memory::open(folder.path()).unwrap();
    assert_eq!(memory.refresh(tripled::call(5)), 15);
    assert_eq!(fs::read(&record).unwrap(), bytes);
}

#[test]
fn the_mode_refresh_leaves_an_entry_of_a_newer_version_alone() {
    let (folder, record, bytes) = with_newer_entry();
    let memory = Memory::builder(folder.path()).mode(Mode::Refresh).open().unwrap();
    assert_eq!(memory.eval(tripled::call(5)), 15);
    assert_eq!(fs::read(&record).unwrap(), bytes);
}

#[test]
fn reading_only_writes_nothing_whatever_is_asked() {
    let (folder, memory) = fresh();
    memory.eval(ramp::call(40_000, 1));
    let array = files(folder.path(), ".npy").remove(0);
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&array, fs::Permissions::from_mode(0o644)).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(100_000);
    let record = files(folder.path(), ".record").remove(0);
    fs::File::options().write(true).open(&record).unwrap().set_modified(old).unwrap();
    let before = snapshot(folder.path());
    let (hit, miss) = (|| ramp::call(40_000, 1), || ramp::call(40_000, 2));
    assert!(memory.contains(&hit()) && !memory.contains(&miss()));
    let _ = (memory.explain(&hit()), memory.explain(&miss()), memory.entry(&hit()), memory.entries().count());
    assert_eq!(snapshot(folder.path()), before, "questions");
    let memory = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    for call in [hit(), miss()] {
        drop(memory.mmap(call));
    }
    drop((memory.eval(hit()), memory.refresh(hit()), memory.mmap_cow(hit()), memory.eval(miss())));
    assert!(memory.clear().is_err() && memory.remove(&hit()).is_err());
    assert_eq!(snapshot(folder.path()), before, "read-only");
}

// ---- races

/// `HOSTILE=10` makes the races ten times as long.
fn rounds(usual: u64) -> u64 {
    std::env::var("HOSTILE").map_or(usual, |times| usual * times.parse::<u64>().unwrap())
}

#[cache]
fn many(n: usize) -> Vec<Array1<f64>> {
    (0..n).map(|i| Array1::from_elem(1_000, i as f64)).collect()
}

#[test]
fn a_reader_beside_a_refresh_finds_no_damage() {
    let (_folder, memory) = fresh();
    memory.eval(many::call(20));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds(200) {
                memory.refresh(many::call(20));
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            assert_eq!(memory.eval(many::call(20))[7][3], 7.0);
        }
    });
    assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
}

#[test]
fn looking_beside_a_refresh_finds_the_entry_each_time() {
    let (folder, memory) = fresh();
    memory.eval(many::call(20));
    let writer = Memory::open(folder.path()).unwrap();
    thread::scope(|scope| {
        let writes = scope.spawn(|| (0..rounds(20)).for_each(|_| drop(writer.refresh(many::call(20)))));
        while !writes.is_finished() {
            assert!(memory.contains(&many::call(20)));
            assert_eq!(memory.explain(&many::call(20)).reason(), Reason::Hit);
        }
    });
}

#[test]
fn a_clear_beside_puts_is_no_fault_and_leaves_no_half_entry() {
    let (_folder, memory) = fresh();
    let done = AtomicBool::new(false);
    let (mut failed, mut half) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let clears = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                memory.clear().unwrap();
            }
        });
        for k in 0..rounds(3_000) {
            failed.extend(memory.try_eval(ramp::call(3_000, k)).err().map(|error| error.to_string()));
            if let Reason::Damaged(why) = memory.explain(&ramp::call(3_000, k)).reason() {
                // It has to be seen twice: a concurrent `clear` may just be between a record and its array.
                if memory.explain(&ramp::call(3_000, k)).reason() == Reason::Damaged(why.clone()) {
                    half.push(why);
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        clears.join().unwrap();
    });
    println!("failed: {} {:?}", failed.len(), failed.first());
    println!("half entries: {} {:?}", half.len(), half.first());
    assert!(failed.is_empty() && half.is_empty(), "{} failed, {} half", failed.len(), half.len());
}

#[test]
fn digests_of_mapped_arrays_are_never_those_of_earlier_ones() {
    let plain: Vec<_> = (0..8_u64).map(|k| digest(&ramp::compute(512, k))).collect();
    thread::scope(|scope| {
        for seed in 0..4_u64 {
            let plain = &plain;
            scope.spawn(move || {
                let mut kept = Vec::new();
                for round in 0..3_000_u64 {
                    let k = (round * 7 + seed) % 8;
                    let mapped = Mapped1::from(ramp::compute(512, k));
                    assert_eq!(mapped.digest(), plain[k as usize]);
                    // Most arrays are dropped here, so that the next one, of other content, may get their memory.
                    if round % 3 == 0 {
                        kept.push(mapped.clone());
                    }
                    drop(mapped);
                    let array = ramp::compute(512, (k + 1) % 8);
                    assert_eq!(digest(&array), plain[((k + 1) % 8) as usize]);
                    if kept.len() > 5 {
                        kept.remove(0);
                    }
                }
            });
        }
    });
}

#[test]
fn views_of_a_mapped_array_have_digests_of_their_own() {
    let square = Array2::from_shape_fn((32, 32), |(i, j)| (i * 100 + j) as f64);
    let mapped = Mapped2::from(square.clone());
    let _ = mapped.digest();
    assert_eq!(digest(&mapped.t()), digest(&square.t().to_owned()));
    assert_eq!(digest(&mapped.view().into_shape_with_order((1024,)).unwrap()), digest(&square.flatten().to_owned()));
    assert_eq!(digest(&mapped.slice(s![.., ..16])), digest(&square.slice(s![.., ..16]).to_owned()));
    assert_eq!(digest(&mapped.slice(s![..;-1, ..])), digest(&square.slice(s![..;-1, ..]).to_owned()));
    let row = Mapped2::from(Array2::from_shape_fn((1, 32), |(_, j)| j as f64));
    let _ = row.digest();
    let column = row.view().reversed_axes();
    assert_eq!(digest(&column), digest(&column.to_owned()));
    assert_eq!(digest(&row.broadcast((4, 32)).unwrap()), digest(&row.broadcast((4, 32)).unwrap().to_owned()));
    assert_ne!(digest(&mapped), digest(&mapped.t()));
}

// ---- flights

/// Everything that a cached function may do to its own memory while it runs.
#[test]
fn a_function_may_turn_on_its_own_memory() {
    struct Share(Memory);
    impl ndcache::ContentHash for Share {
        fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
            hasher.unit();
        }
    }
    #[cache(ignore(depth))]
    fn turns(share: &Share, what: u8, depth: u8) -> Array1<f64> {
        let memory = &share.0;
        if depth > 0 {
            match what {
                0 => {
                    memory.clear().unwrap();
                }
                1 => drop(memory.refresh(turns::call(share, what, depth - 1))),
                2 => drop(memory.remove(&turns::call(share, what, depth - 1)).unwrap()),
                3 => drop(memory.eval(turns::call(share, what, depth - 1))),
                4 => memory.with(|| drop(turns(share, what, depth - 1))),
                5 => {
                    memory.clear_function(turns::function()).unwrap();
                }
                6 => drop(memory.mmap(turns::call(share, what, depth - 1))),
                _ => {
                    let other = Memory::open(memory.location().unwrap()).unwrap();
                    drop(other.eval(turns::call(share, what, depth - 1)));
                }
            }
        }
        Array1::from_elem(30_000, f64::from(what))
    }
    let (_folder, memory) = fresh();
    let share = Share(memory.clone());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for what in 0..8 {
            let value = share.0.eval(turns::call(&share, what, 2));
            sender.send(value == turns::compute(&share, what, 0)).unwrap();
        }
    });
    for what in 0..8 {
        assert!(receiver.recv_timeout(Duration::from_secs(20)).expect("it hangs"), "{what}");
    }
    drop(memory);
}

#[test]
fn a_memory_opened_after_its_folder_was_renamed_does_not_wait_for_itself() {
    struct Share(Memory);
    impl ndcache::ContentHash for Share {
        fn content_hash(&self, hasher: &mut ndcache::hash::ContentHasher) {
            hasher.unit();
        }
    }
    #[cache(ignore(inner))]
    fn nested(share: &Share, inner: bool) -> u64 {
        if inner { share.0.eval(nested::call(share, false)) } else { 1 }
    }
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let first = Memory::open(&old).unwrap();
    fs::rename(&old, &new).unwrap();
    let second = Share(Memory::open(&new).unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(first.eval(nested::call(&second, true))));
    assert_eq!(receiver.recv_timeout(Duration::from_secs(10)).expect("it hangs"), 1);
}

#[test]
fn panics_and_recursion_among_threads_and_workers_end() {
    #[cache(ignore(fails))]
    fn shaky(n: u64, fails: bool) -> u64 {
        thread::sleep(Duration::from_millis(1));
        assert!(!fails, "on purpose");
        n
    }
    #[cache(depends(shaky))]
    fn sum(n: u64) -> u64 {
        if n == 0 { 0 } else { sum(n - 1) + shaky(n, false) }
    }
    let (_folder, memory) = fresh();
    let begin = Instant::now();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for t in 0..4_u64 {
            let (memory, start) = (&memory, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..20 {
                    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        memory.eval(shaky::call(n, (n + t) % 2 == 0))
                    }));
                    assert!(failed.is_err() || failed.is_ok_and(|value| value == n));
                    assert_eq!(memory.eval(sum::call(n)), n * (n + 1) / 2);
                }
            });
        }
        let total: u64 = (0..64_u64).into_par_iter().map(|n| memory.eval(sum::call(n % 30))).sum();
        assert_eq!(total, (0..64_u64).map(|n| (n % 30) * (n % 30 + 1) / 2).sum::<u64>());
    });
    assert!(begin.elapsed() < Duration::from_secs(60));
}

// ---- nesting

#[cache(depends(tripled))]
fn sextupled(x: u64) -> u64 {
    2 * tripled(x)
}

#[test]
fn a_disabled_memory_stores_nothing_of_nested_calls_either() {
    let (folder, outer) = fresh();
    let before = snapshot(folder.path());
    assert_eq!(outer.with(|| Memory::disabled().eval(sextupled::call(2))), 12);
    assert_eq!(snapshot(folder.path()), before);
}

#[cache]
fn depth(n: u64) -> u64 {
    if n == 0 { 0 } else { depth(n - 1) + 1 }
}

/// A cached call takes about 5 KiB of stack in a debug build: recursion through
/// the cache is for dozens of levels, not thousands.
#[test]
fn two_hundred_cached_calls_inside_each_other_fit_the_stack_of_a_thread() {
    let (_folder, memory) = fresh();
    let body = move || memory.with(|| depth(200));
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(body).unwrap();
    assert_eq!(thread.join().unwrap(), 200);
}

/// Python's `multiprocessing` does this: one thread computes while another forks.
#[test]
fn a_forked_child_does_not_wait_for_a_thread_that_it_does_not_have() {
    const NAME: &str = "hostile::concurrency::a_forked_child_does_not_wait_for_a_thread_that_it_does_not_have";
    #[cache(ignore(millis))]
    fn slow(millis: u64) -> u64 {
        thread::sleep(Duration::from_millis(millis));
        4
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        let other = memory.clone();
        // The process ends before the function does, so that nothing is stored.
        thread::spawn(move || other.eval(slow::call(3_600_000)));
        thread::sleep(Duration::from_millis(200));
        // The child takes no lock that another thread held: they all have been asleep for long.
        std::process::exit(in_a_fork(|| memory.eval(slow::call(0)) == 4));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs");
}

#[test]
fn a_forked_child_hashes_without_the_threads_of_its_parent() {
    const NAME: &str = "hostile::concurrency::a_forked_child_hashes_without_the_threads_of_its_parent";
    if in_child(NAME, "PART").is_some() {
        let bytes = Arc::new(Array1::from_shape_fn(32 << 20, |i| (i % 251) as u8));
        // From here on the process has helper threads.
        let expected = digest(&*bytes);
        let fork = || in_a_fork(|| (0..3).all(|_| digest(&*bytes) == expected));
        let rested = fork();
        let busy = Arc::clone(&bytes);
        thread::spawn(move || {
            loop {
                let _ = digest(&*busy);
            }
        });
        let failed = (0..5).map(|_| fork()).find(|&code| code != 0);
        std::process::exit(failed.unwrap_or(rested));
    }
    let output = child(NAME, &[("PART", "1")]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "3: it hangs");
}

// ---- a pool whose threads wait for the caller

#[cache]
fn sum_of_bytes(bytes: &ArrayRef1<u8>) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

#[cache]
fn many_ones(n: usize) -> Array1<u8> {
    Array1::from_elem(n, 1)
}

#[cache(compress = Compression::Gzip(1))]
fn many_twos(n: usize) -> Array1<u8> {
    Array1::from_elem(n, 2)
}

// A thread hashes, stores and reads large arrays while it holds a lock that every worker of rayon waits for.
#[test]
fn a_pool_whose_workers_wait_for_the_caller_does_not_hold_it_up() {
    const NAME: &str = "hostile::concurrency::a_pool_whose_workers_wait_for_the_caller_does_not_hold_it_up";
    if in_child(NAME, "PART").is_none() {
        let mut running = child(NAME, &[("PART", "1")]).spawn().unwrap();
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = running.try_wait().unwrap() {
                break Some(status);
            }
            if begin.elapsed() > Duration::from_secs(30) {
                running.kill().unwrap();
                running.wait().unwrap();
                break None;
            }
            thread::sleep(Duration::from_millis(20));
        };
        assert!(status.expect("it stands").success());
        return;
    }
    let (_folder, memory) = fresh();
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock().unwrap();
    for _ in 0..rayon::current_num_threads() {
        let gate = Arc::clone(&gate);
        rayon::spawn(move || drop(gate.lock()));
    }
    thread::sleep(Duration::from_millis(200));
    let bytes = Array1::from_elem(16 << 20, 1_u8);
    for _ in 0..2 {
        assert_eq!(memory.eval(sum_of_bytes::call(&bytes)), 16 << 20);
        assert_eq!(memory.eval(many_ones::call(16 << 20)), bytes);
        assert_eq!(memory.eval(many_twos::call(16 << 20)), &bytes * 2);
    }
    assert_eq!(memory.stats().hits(), 3);
    drop(held);
}
