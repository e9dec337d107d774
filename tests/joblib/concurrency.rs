//! Several processes on one cache.

use std::fs;
use std::path::Path;

use ndarray::prelude::*;
use ndcache::verify::Repair;
use ndcache::{Memory, cache, call};

use crate::support::{child, fresh, in_child};

/// Starts the test `name` in `processes` processes at once, and waits until all have succeeded.
fn at_once(name: &str, folder: &Path, processes: usize) {
    let folder = folder.to_str().unwrap();
    let start = |part: usize| child(name, &[("FOLDER", folder), ("PART", &part.to_string())]).spawn().unwrap();
    let children: Vec<_> = (0..processes).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_named_closure_is_shared_by_worker_processes_and_by_a_later_session() {
    const NAME: &str = "joblib::concurrency::a_named_closure_is_shared_by_worker_processes_and_by_a_later_session";
    fn squares(memory: &Memory, log: &str) -> Vec<u64> {
        let square = |n: u64| {
            memory.eval(call!("logged square", |n, log| {
                fs::write(format!("{log}/{n}.{}", std::process::id()), b"").unwrap();
                n * n
            }))
        };
        (0..4).map(square).collect()
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(format!("{folder}/cache")).unwrap();
        assert_eq!(squares(&memory, &format!("{folder}/log")), [0, 1, 4, 9]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::create_dir(&log).unwrap();
    at_once(NAME, folder.path(), 2);
    at_once(NAME, folder.path(), 1);
    let memory = Memory::open(folder.path().join("cache")).unwrap();
    assert_eq!(squares(&memory, log.to_str().unwrap()), [0, 1, 4, 9]);
    assert_eq!(fs::read_dir(&log).unwrap().count(), 4, "each was computed once");
}

#[cache]
fn table(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, 100), |(i, j)| (i * j) as f64)
}

#[test]
fn processes_that_store_one_result_at_once_all_read_it_whole() {
    const NAME: &str = "joblib::concurrency::processes_that_store_one_result_at_once_all_read_it_whole";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        for round in 0..20 {
            // One process replaces the entry while the other reads it, in each way.
            let value = if round % 2 == 0 { memory.refresh(table::call(300)) } else { memory.eval(table::call(300)) };
            assert_eq!(value, table::compute(300));
            assert_eq!(memory.mmap(table::call(300)), table::compute(300));
        }
        assert_eq!(memory.stats().faults(), 0);
        return;
    }
    let (folder, memory) = fresh();
    at_once(NAME, folder.path(), 2);
    assert_eq!(memory.entries().count(), 1);
    assert_eq!(memory.eval(table::call(300)), table::compute(300));
    assert!(memory.verify(Repair::No).unwrap().is_intact());
}

#[test]
fn a_folder_without_its_entry_is_no_result_to_any_process() {
    const NAME: &str = "joblib::concurrency::a_folder_without_its_entry_is_no_result_to_any_process";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        let first = in_child(NAME, "PART").unwrap() == "0";
        for n in if first { [100, 200] } else { [200, 100] } {
            assert_eq!(memory.eval(table::call(n)), table::compute(n));
        }
        assert_eq!(memory.stats().faults(), 0);
        return;
    }
    let (folder, memory) = fresh();
    // The folders of the two entries, as a writer leaves them that ends before its commit.
    for n in [100, 200] {
        memory.eval(table::call(n));
        let entry = memory.entry(&table::call(n)).unwrap().unwrap();
        assert!(memory.remove(&table::call(n)).unwrap());
        fs::create_dir_all(entry.path().parent().unwrap()).unwrap();
        fs::write(entry.path().with_extension("0123456789abcdef.npy"), b"half").unwrap();
        assert!(!memory.contains(&table::call(n)));
    }
    at_once(NAME, folder.path(), 2);
    assert!(memory.contains(&table::call(100)) && memory.contains(&table::call(200)));
}
