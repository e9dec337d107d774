//! Staged outputs: many at once, swept while they are filled, rechecked.

use std::cell::Cell;
use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::{Mapped1, Memory, cache, zeros};

use crate::support::{files, fresh};

thread_local! {
    /// Whether the last staged array of this thread was a file.
    static IN_A_FILE: Cell<bool> = const { Cell::new(false) };
}

#[cache]
fn staged(n: usize) -> Mapped1<f64> {
    let mut x = zeros::<f64, _>(40_000);
    IN_A_FILE.set(x.is_mapped());
    x.iter_mut().enumerate().for_each(|(i, x)| *x = (i + n) as f64);
    x.into()
}

// A recheck writes a file as large as the result, and removes it again.
#[test]
fn a_recheck_of_a_staged_result_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).recheck(1.0).open().unwrap();
    memory.eval(staged::call(1));
    assert!(IN_A_FILE.replace(false), "stored");
    memory.eval(staged::call(1));
    assert!(!IN_A_FILE.get(), "rechecked");
}

// Holds already: the first thread takes the file over, the others copy it, and each entry is right.
#[test]
fn threads_that_store_one_staged_array_at_once_each_store_it_whole() {
    #[cache(ignore(x))]
    fn pass(n: usize, x: Mapped1<f64>) -> Mapped1<f64> {
        let _ = n;
        x
    }
    #[cache]
    fn spread(n: usize) -> Mapped1<f64> {
        let mut x = zeros::<f64, _>(40_000);
        x.fill(n as f64);
        let x: Mapped1<f64> = x.into();
        let memory = MEMORY.get().unwrap();
        thread::scope(|scope| {
            for at in 0..8 {
                let x = x.clone();
                scope.spawn(move || memory.eval(pass::call(10 * n + at, x)));
            }
        });
        x
    }
    static MEMORY: std::sync::OnceLock<Memory> = std::sync::OnceLock::new();
    let (folder, memory) = fresh();
    MEMORY.set(memory.clone()).unwrap();
    for n in 0..10 {
        memory.eval(spread::call(n));
        let again = Memory::open(folder.path()).unwrap();
        assert!(again.eval(spread::call(n)).iter().all(|&x| x == n as f64));
        for at in 0..8 {
            let empty = || Mapped1::from(Array1::zeros(0));
            assert!(again.eval(pass::call(10 * n + at, empty())).iter().all(|&x| x == n as f64));
        }
    }
    assert_eq!(files(folder.path(), ".npy").len(), 90);
    assert_eq!(memory.stats().faults(), 0);
}

// Holds already: a file that is swept while it is filled, as it is after a day, costs a copy.
#[test]
fn an_array_that_is_swept_while_it_is_filled_is_stored_all_the_same() {
    #[cache]
    fn slow(n: usize) -> Mapped1<f64> {
        let mut x = zeros::<f64, _>(40_000);
        let (folder, memory) = PLACE.get().unwrap();
        let old = SystemTime::now() - Duration::from_secs(25 * 3600);
        let file = files(folder, ".npy").pop().unwrap();
        fs::File::open(&file).unwrap().set_modified(old).unwrap();
        memory.reduce_size(ndcache::Limits::default()).unwrap();
        memory.verify(ndcache::verify::Repair::Remove).unwrap();
        x.fill(n as f64);
        x.into()
    }
    static PLACE: std::sync::OnceLock<(std::path::PathBuf, Memory)> = std::sync::OnceLock::new();
    let (folder, memory) = fresh();
    PLACE.set((folder.path().to_owned(), memory.clone())).unwrap();
    assert!(memory.eval(slow::call(3)).iter().all(|&x| x == 3.0));
    let again = Memory::open(folder.path()).unwrap();
    assert!(again.contains(&slow::call(3)));
    assert!(again.eval(slow::call(3)).iter().all(|&x| x == 3.0));
    assert_eq!(files(folder.path(), ".npy").len(), 1);
}
