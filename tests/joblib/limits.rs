//! Listing, reducing and clearing, with the numbers of joblib's tests.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::policy::Evicted;
use ndcache::{Limits, Memory, cache};
use tempfile::TempDir;

use crate::support::fresh;

const HOUR: Duration = Duration::from_secs(3600);

/// A result that takes about a kilobyte.
#[cache]
fn kilobyte(n: u64) -> Array1<u64> {
    Array1::from_elem(64, n)
}

/// Ten entries, each last used as many hours ago as its number says.
fn ten() -> (TempDir, Memory) {
    let (folder, memory) = fresh();
    for n in 0..10 {
        memory.eval(kilobyte::call(n));
        used(&memory, n, HOUR * n as u32);
    }
    (folder, memory)
}

fn used(memory: &Memory, n: u64, ago: Duration) {
    let entry = memory.entry(&kilobyte::call(n)).unwrap().unwrap();
    File::open(entry.path()).unwrap().set_modified(SystemTime::now() - ago).unwrap();
}

fn left(memory: &Memory) -> Vec<u64> {
    (0..10).filter(|&n| memory.contains(&kilobyte::call(n))).collect()
}

fn bytes(memory: &Memory) -> Vec<u64> {
    memory.entries().map(|entry| entry.unwrap().bytes()).collect()
}

#[test]
fn entries_are_listed_with_their_path_their_size_and_when_they_were_used() {
    let (folder, memory) = ten();
    let mut ages = Vec::new();
    for entry in memory.entries() {
        let entry = entry.unwrap();
        assert!(entry.path().starts_with(memory.location().unwrap()));
        assert_eq!(entry.bytes(), fs::metadata(entry.path()).unwrap().len(), "small arrays are in the record");
        let age = entry.used().elapsed().unwrap();
        ages.push((age.as_secs() + 1800) / 3600);
    }
    ages.sort_unstable();
    assert_eq!(ages, (0..10).collect::<Vec<_>>());
    drop(folder);
}

#[test]
fn a_limit_of_bytes_keeps_what_was_used_last() {
    let (_folder, memory) = ten();
    let each = bytes(&memory)[0];
    assert!((600..1200).contains(&each) && bytes(&memory).iter().all(|&bytes| bytes.abs_diff(each) < 20));
    assert_eq!(memory.reduce_size(Limits::default()).unwrap(), Evicted::default(), "no limit");
    assert_eq!(memory.reduce_size(Limits::bytes("1M").unwrap()).unwrap(), Evicted::default());
    assert_eq!(left(&memory).len(), 10);
    let room_for_two = Limits { bytes: Some(2 * each + each / 2), ..Limits::default() };
    assert_eq!(memory.reduce_size(room_for_two).unwrap().items, 8);
    assert_eq!(left(&memory), [0, 1]);
    assert_eq!(memory.reduce_size(Limits::bytes("500").unwrap()).unwrap().items, 2);
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_limit_of_items_keeps_what_was_used_last() {
    let (_folder, memory) = ten();
    assert_eq!(memory.reduce_size(Limits::default().items(10)).unwrap(), Evicted::default());
    assert_eq!(memory.reduce_size(Limits::default().items(2)).unwrap().items, 8);
    assert_eq!(left(&memory), [0, 1]);
    assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 2);
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_limit_of_age_keeps_what_was_used_since() {
    let (_folder, memory) = ten();
    assert_eq!(memory.reduce_size(Limits::default().age(24 * HOUR)).unwrap(), Evicted::default());
    assert_eq!(memory.reduce_size(Limits::default().age(HOUR + HOUR / 2)).unwrap().items, 8);
    assert_eq!(left(&memory), [0, 1]);
    assert_eq!(memory.reduce_size(Limits::default().age(Duration::ZERO)).unwrap().items, 2);
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn a_cleared_memory_is_empty_and_works_on() {
    let (folder, memory) = ten();
    memory.clear().unwrap();
    assert_eq!(memory.entries().count(), 0);
    assert!(!folder.path().join("f").exists() || fs::read_dir(folder.path().join("f")).unwrap().count() == 0);
    memory.clear().unwrap();
    assert_eq!(memory.eval(kilobyte::call(1)), memory.eval(kilobyte::call(1)));
    assert_eq!(left(&memory), [1]);
}

#[test]
fn a_gitignore_that_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".gitignore");
    fs::write(&path, "only mine\n").unwrap();
    Memory::open(folder.path()).unwrap().eval(kilobyte::call(1));
    assert_eq!(fs::read_to_string(path).unwrap(), "only mine\n");
}
