//! One value, one key; and how a result comes back.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ndarray::prelude::*;
use ndcache::policy::MapPolicy;
use ndcache::{Mapped1, Memory, cache, digest};

use crate::support::{child, fresh, in_child};

/// joblib: equal nested values had other keys where they shared a part, because pickle writes a part once.
#[test]
fn values_that_share_their_parts_count_like_those_that_own_them() {
    #[cache]
    fn total(parts: &[(&str, Arc<Array1<f64>>)], rows: &[&[f64]]) -> f64 {
        let parts: f64 = parts.iter().map(|(_, part)| part.sum()).sum();
        parts + rows.iter().copied().flatten().sum::<f64>()
    }
    let (_folder, memory) = fresh();
    let part = Arc::new(array![1.0, 2.0]);
    let copy = Arc::new(array![1.0, 2.0]);
    let (row, row_copy) = ([3.0, 4.0], [3.0, 4.0]);
    let shared = [("a", Arc::clone(&part)), ("b", Arc::clone(&part))];
    let owned = [("a", part), ("b", copy)];
    assert_eq!(digest(&shared[..]), digest(&owned[..]));
    assert_eq!(memory.eval(total::call(&shared, &[&row, &row])), 20.0);
    assert_eq!(memory.eval(total::call(&owned, &[&row, &row_copy])), 20.0);
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 1));
}

/// joblib: a frozenset had another key in each process, and so never hit across runs.
#[test]
fn a_set_as_an_argument_hits_in_every_process() {
    const NAME: &str = "joblib::failures::keys::a_set_as_an_argument_hits_in_every_process";
    #[cache]
    fn letters(set: &HashSet<char>, nested: &[HashSet<Vec<u8>>]) -> usize {
        set.len() + nested.iter().map(HashSet::len).sum::<usize>()
    }
    let ask = |memory: &Memory| {
        let nested = HashSet::from([vec![], vec![1], vec![1, 2], vec![2, 1]]);
        assert_eq!(memory.eval(letters::call(&"abcdef".chars().collect(), &[nested, HashSet::new()])), 10);
    };
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        ask(&memory);
        assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 0));
        return;
    }
    let (folder, memory) = fresh();
    ask(&memory);
    ask(&memory);
    for _ in 0..3 {
        assert!(child(NAME, &[("FOLDER", folder.path().to_str().unwrap())]).status().unwrap().success());
    }
    assert_eq!((memory.stats().misses(), memory.entries().count()), (1, 1));
}

/// joblib: `cache(f, mmap_mode="r")` under a memory without one returned a plain array, of another key.
#[test]
fn a_call_is_mapped_where_it_says_so_and_its_key_is_that_of_the_loaded_one() {
    #[cache]
    fn ramp(n: usize) -> Array1<f64> {
        Array1::from_shape_fn(n, |i| i as f64)
    }
    #[cache]
    fn mapped_ramp(n: usize) -> Mapped1<f64> {
        ramp::compute(n).into()
    }
    let (folder, memory) = fresh();
    let loaded: Array1<f64> = memory.eval(ramp::call(40_000));
    let mapped: Mapped1<f64> = memory.mmap(ramp::call(40_000));
    assert!(mapped.is_mapped());
    assert_eq!(mapped, loaded);
    assert_eq!((memory.stats().hits(), memory.entries().count()), (1, 1), "one entry for both");
    for _ in 0..2 {
        assert!(memory.eval(mapped_ramp::call(40_000)).is_mapped(), "its type says so");
    }
    let copying = Memory::builder(folder.path()).map(MapPolicy::Never).open().unwrap();
    assert!(!copying.mmap(ramp::call(40_000)).is_mapped());
    assert_eq!((copying.stats().hits(), copying.stats().misses()), (1, 0), "the policy is no part of the key");
}

/// joblib: a `Path` named another place than a `str`, and `clear` removed every folder of the user's there.
#[test]
fn a_str_and_a_path_are_one_place_and_clearing_removes_nothing_of_the_users() {
    #[cache]
    fn ramp(n: usize) -> Array1<f64> {
        Array1::from_shape_fn(n, |i| i as f64)
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for path in ["thesis/figures", "f", "m", "joblib"].map(|name| data.join(name)) {
        fs::create_dir_all(&path).unwrap();
    }
    let mine = ["thesis/chapter.tex", "thesis/figures/one.svg", "joblib/notes.txt", "readme.txt"];
    for name in mine {
        fs::write(data.join(name), name).unwrap();
    }
    let text: &str = data.to_str().unwrap();
    let memories = [Memory::open(text), Memory::open(Path::new(text)), Memory::open(&data)].map(Result::unwrap);
    memories[0].eval(ramp::call(40_000));
    for memory in &memories {
        assert_eq!(memory.location(), memories[0].location());
        assert!(memory.contains(&ramp::call(40_000)));
    }
    memories[1].clear().unwrap();
    assert!(!memories[0].contains(&ramp::call(40_000)));
    for name in mine {
        assert_eq!(fs::read_to_string(data.join(name)).unwrap(), name);
    }
}
