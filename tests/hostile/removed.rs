//! A cache folder that somebody removes while it is in use: what comes later is stored again.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::make::NpyFile;
use ndcache::verify::Repair;
use ndcache::{Limits, Mapped1, Memory, Mode, cache, zeros};
use tempfile::TempDir;

use crate::support::{child, in_child, warnings};

thread_local! {
    static RUNS: Cell<usize> = const { Cell::new(0) };
    static WHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    RUNS.set(RUNS.get() + 1);
    if let Some(then) = WHILE.take() {
        then();
    }
    Array1::linspace(0.0, 1.0, n)
}

#[cache]
fn filled(n: usize) -> Mapped1<f64> {
    RUNS.set(RUNS.get() + 1);
    let mut x = zeros::<f64, _>(n);
    x.fill(2.0);
    if let Some(then) = WHILE.take() {
        then();
    }
    x.into()
}

/// Runs `body`; returns how often functions of this thread ran meanwhile.
fn runs<T>(body: impl FnOnce() -> T) -> (T, usize) {
    let before = RUNS.get();
    let value = body();
    (value, RUNS.get() - before)
}

/// A memory in `<folder>/project/cache`.
fn opened() -> (TempDir, PathBuf, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project/cache");
    let memory = Memory::open(&path).unwrap();
    (folder, path, memory)
}

/// As often as it takes: what a memory evicts beside it may make a file anew between the last removal and the folder's.
fn rm(path: &Path) {
    let removed = || Command::new("rm").arg("-rf").arg(path).stderr(Stdio::null()).status().unwrap().success();
    assert!((0..100).any(|_| removed()), "{} can't be removed", path.display());
}

/// Whether a result is stored now, and found by this memory and by another one.
fn stores(memory: &Memory, path: &Path, n: usize) {
    assert_eq!(runs(|| memory.try_eval(ramp::call(n)).unwrap()).1, 1, "computed");
    assert_eq!(runs(|| memory.try_eval(ramp::call(n)).unwrap()).1, 0, "found");
    assert!(Memory::open(path).unwrap().contains(&ramp::call(n)), "found by others");
}

#[test]
fn a_removed_folder_is_made_anew_each_time_and_told_once() {
    let (_folder, path, memory) = opened();
    stores(&memory, &path, 1000);
    for n in 1..4 {
        rm(&path);
        let told = warnings(|| {
            stores(&memory, &path, 1000 + n);
            stores(&memory, &path, 2000 + n);
        });
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("was removed while it was in use") && told[0].contains(path.to_str().unwrap()));
        assert!(path.join("CACHEDIR.TAG").exists() && path.join("locks").exists());
    }
    assert_eq!(memory.stats().faults(), 0, "{:?}", memory.stats());
    assert_eq!((memory.stats().misses(), memory.stats().hits()), (7, 7));
}

#[test]
fn what_was_removed_is_computed_and_stored_again() {
    let (_folder, path, memory) = opened();
    memory.eval(ramp::call(50_000));
    memory.eval(ramp::call(50_000));
    rm(&path);
    // Entries that are remembered are trusted for a second.
    thread::sleep(Duration::from_millis(1100));
    stores(&memory, &path, 50_000);
}

#[test]
fn parts_of_the_folder_may_be_removed_too() {
    let (_folder, path, memory) = opened();
    let part = |name: &str| path.join(name);
    memory.eval(ramp::call(3));
    let function = fs::read_dir(part("f")).unwrap().next().unwrap().unwrap().path();
    for (n, removed) in [part("f"), function, part("locks"), part("CACHEDIR.TAG")].into_iter().enumerate() {
        rm(&removed);
        stores(&memory, &path, 100 + n);
        stores(&memory, &path, 200 + n);
    }
    for item in fs::read_dir(&path).unwrap() {
        rm(&item.unwrap().path());
    }
    stores(&memory, &path, 300);
    assert!(part("locks").exists(), "which processes that come later lock");
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn a_folder_that_is_removed_while_a_result_is_computed_takes_the_result() {
    for parents in [false, true] {
        let (folder, path, memory) = opened();
        for again in [false, true] {
            let gone = if parents { folder.path().join("project") } else { path.clone() };
            let elsewhere = path.clone();
            WHILE.set(Some(Box::new(move || {
                rm(&gone);
                if again {
                    fs::create_dir_all(&elsewhere).unwrap();
                }
            })));
            assert_eq!(runs(|| memory.try_eval(ramp::call(70_000)).unwrap()).1, 1);
            assert_eq!(runs(|| memory.try_eval(ramp::call(70_000)).unwrap()).1, 0);
            assert!(Memory::open(&path).unwrap().contains(&ramp::call(70_000)));
            assert!(memory.remove(&ramp::call(70_000)).unwrap());
        }
        assert_eq!(memory.stats().faults(), 0);
    }
}

#[test]
fn staged_arrays_and_mapped_results_outlive_the_folder() {
    let (_folder, path, memory) = opened();
    let gone = path.clone();
    WHILE.set(Some(Box::new(move || rm(&gone))));
    let staged = memory.try_eval(filled::call(100_000)).unwrap();
    assert_eq!(staged.sum(), 200_000.0);
    assert!(memory.contains(&filled::call(100_000)));
    let mapped = memory.mmap(ramp::call(100_000));
    assert!(mapped.is_mapped());
    let sum = mapped.sum();
    rm(&path);
    assert_eq!((mapped.sum(), staged.sum()), (sum, 200_000.0));
    stores(&memory, &path, 100_001);
    let again = memory.eval(filled::call(100_001));
    assert!(again.is_mapped(), "staged in the new folder");
    drop((mapped, staged));
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn edits_are_committed_to_the_new_folder() {
    let (_folder, path, memory) = opened();
    let mut edited = memory.mmap_mut(ramp::call(100_000)).unwrap();
    edited[17] = 5.0;
    rm(&path);
    edited.commit().unwrap();
    assert_eq!(memory.eval(ramp::call(100_000))[17], 5.0);
    assert_eq!(Memory::open(&path).unwrap().eval(ramp::call(100_000))[17], 5.0);
}

#[test]
fn steps_are_remembered_in_the_new_folder() {
    let (folder, path, memory) = opened();
    let target = NpyFile::new(folder.path().join("a.npy"));
    let make = || runs(|| memory.make(ramp::call(1000), &target).unwrap()).1;
    assert_eq!((make(), make()), (1, 0));
    rm(&path);
    assert_eq!((make(), make()), (1, 0));
    let gone = path.clone();
    WHILE.set(Some(Box::new(move || rm(&gone))));
    fs::remove_file(folder.path().join("a.npy")).unwrap();
    assert_eq!((make(), make()), (1, 0));
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn a_folder_that_was_moved_stays_open() {
    let (folder, path, memory) = opened();
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    stores(&memory, &moved, 1000);
    assert!(!path.exists());
    Memory::open(&path).unwrap();
    stores(&memory, &moved, 1001);
    assert_eq!(Memory::open(&path).unwrap().entries().count(), 0);
}

#[test]
fn what_stands_in_its_place_is_opened_or_left_alone() {
    let (folder, path, memory) = opened();
    let other = folder.path().join("other");
    stores(&Memory::open(&other).unwrap(), &other, 1000);
    // Another cache takes its place, by its name or by a link.
    rm(&path);
    fs::rename(&other, &path).unwrap();
    assert_eq!(runs(|| memory.eval(ramp::call(1000))).1, 0);
    rm(&path);
    std::os::unix::fs::symlink(&other, &path).unwrap();
    Memory::open(&other).unwrap();
    stores(&memory, &other, 1001);
    // Only the link goes: the folder that is open keeps its name.
    rm(&path);
    stores(&memory, &other, 1002);
    assert!(!path.exists());
    rm(&other);
    // A file is nobody's cache; results are returned all the same.
    fs::write(&path, "precious").unwrap();
    let error = memory.try_eval(ramp::call(1003)).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(memory.eval(ramp::call(1003)).len(), 1003);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();
    stores(&memory, &path, 1003);
}

#[test]
fn a_memory_that_only_reads_makes_no_folder_and_follows() {
    let (_folder, path, memory) = opened();
    let reader = Memory::builder(&path).mode(Mode::ReadOnly).open().unwrap();
    memory.eval(ramp::call(5000));
    assert_eq!(runs(|| reader.eval(ramp::call(5000))).1, 0);
    rm(&path);
    assert_eq!(runs(|| reader.eval(ramp::call(5001))).1, 1);
    assert_eq!(reader.entries().count(), 0);
    assert!(!path.exists());
    memory.eval(ramp::call(5002));
    assert_eq!(runs(|| reader.eval(ramp::call(5002))).1, 0);
    assert_eq!((reader.entries().count(), reader.stats().faults()), (1, 0));
}

#[test]
fn looking_at_a_removed_folder_finds_nothing_and_makes_none() {
    let (_folder, path, memory) = opened();
    memory.eval(ramp::call(10));
    rm(&path);
    for _ in 0..2 {
        assert!(!memory.contains(&ramp::call(10)));
        assert!(memory.entry(&ramp::call(10)).unwrap().is_none());
        assert!(memory.lineage(&ramp::call(10)).unwrap().is_none());
        let told = memory.explain(&ramp::call(10)).to_string();
        assert_eq!(told, "none of its results is stored; it was computed once, in this run");
        assert_eq!(memory.entries().count(), 0);
        assert!(memory.verify(Repair::Remove).unwrap().is_intact());
        assert!(!memory.remove(&ramp::call(10)).unwrap());
        assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 0);
        memory.clear_function(ramp::function()).unwrap();
        memory.clear().unwrap();
    }
    assert!(!path.exists());
    // Another process has made the folder meanwhile.
    let other = Memory::open(&path).unwrap();
    other.eval(ramp::call(11));
    assert!(memory.contains(&ramp::call(11)));
    rm(&path);
    Memory::open(&path).unwrap().eval(ramp::call(12));
    assert_eq!(memory.entries().count(), 1);
    rm(&path);
    Memory::open(&path).unwrap().eval(ramp::call(12));
    memory.clear().unwrap();
    assert_eq!(memory.entries().count(), 0);
    assert_eq!(Memory::open(&path).unwrap().entries().count(), 0);
}

#[test]
fn limits_hold_in_the_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    let memory = Memory::builder(&path).limits(Limits::default().items(10)).open().unwrap();
    (1..=20).for_each(|n| drop(memory.eval(ramp::call(n))));
    rm(&path);
    (1..=60).for_each(|n| drop(memory.eval(ramp::call(n + 100))));
    drop(memory);
    assert!(Memory::open(&path).unwrap().entries().count() <= 12);
}

#[test]
fn threads_compute_one_key_once_whoever_opens_the_folder_anew() {
    static COMPUTED: AtomicUsize = AtomicUsize::new(0);
    static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

    #[cache]
    fn slow(n: u32) -> u32 {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        if let Some(folder) = FOLDER.lock().unwrap().take() {
            rm(&folder);
        }
        thread::sleep(Duration::from_millis(400));
        n
    }

    let (_folder, path, memory) = opened();
    // One thread computes when the folder is removed; others come later, some of them by a memory that was opened on
    // the new folder.
    *FOLDER.lock().unwrap() = Some(path.clone());
    thread::scope(|scope| {
        scope.spawn(|| memory.eval(slow::call(1)));
        thread::sleep(Duration::from_millis(100));
        for by_another in [false, true, false, true] {
            let (path, memory) = (&path, memory.clone());
            scope.spawn(move || {
                let memory = if by_another { memory.with(|| Memory::open(path).unwrap()) } else { memory };
                assert_eq!(memory.eval(slow::call(1)), 1);
            });
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 1);
    rm(&path);
    let barrier = Barrier::new(8);
    let told = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let more = warnings(|| {
                    barrier.wait();
                    assert_eq!(memory.eval(slow::call(2)), 2);
                });
                told.lock().unwrap().extend(more);
            });
        }
    });
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 2);
    assert_eq!(told.into_inner().unwrap().len(), 1);
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn processes_compute_one_key_once_in_the_new_folder() {
    #[cache]
    fn noted(log: String) -> u8 {
        use std::io::Write;
        writeln!(fs::File::options().append(true).create(true).open(&log).unwrap(), "computed").unwrap();
        thread::sleep(Duration::from_millis(700));
        7
    }

    const NAME: &str = "hostile::removed::processes_compute_one_key_once_in_the_new_folder";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let folder = PathBuf::from(folder);
        let memory = Memory::open(folder.join("cache")).unwrap();
        fs::write(folder.join(format!("ready-{}", std::process::id())), "").unwrap();
        while !folder.join("go").exists() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(memory.eval(noted::call(folder.join("log").display().to_string())), 7);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let start = || child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).spawn().unwrap();
    let children: Vec<_> = (0..3).map(|_| start()).collect();
    let ready = || {
        fs::read_dir(folder.path())
            .unwrap()
            .filter(|item| item.as_ref().unwrap().file_name().to_string_lossy().starts_with("ready-"))
    };
    while ready().count() < 3 {
        thread::sleep(Duration::from_millis(5));
    }
    rm(&folder.path().join("cache"));
    fs::write(folder.path().join("go"), "").unwrap();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "computed\n");
}

#[test]
fn nothing_is_lost_while_somebody_removes_the_folder_all_the_time() {
    let (_folder, path, memory) = opened();
    thread::scope(|scope| {
        let others: Vec<_> = (0..3)
            .map(|thread| {
                let memory = memory.clone();
                scope.spawn(move || {
                    for n in 0..150 {
                        let n = 600 + n % 7 + 10 * thread;
                        assert_eq!(memory.eval(ramp::call(n)), Array1::linspace(0.0, 1.0, n));
                        let mapped = memory.mmap(ramp::call(n + 40_000));
                        assert_eq!(mapped.len(), n + 40_000);
                        assert_eq!(mapped, Array1::linspace(0.0, 1.0, n + 40_000));
                    }
                })
            })
            .collect();
        while others.iter().any(|other| !other.is_finished()) {
            let _ = fs::remove_dir_all(&path);
        }
    });
    // Whoever removes an array before its record damages the entry, which costs no value.
    rm(&path);
    stores(&memory, &path, 5);
}
