//! References to results: small, for other threads and processes, and each for one content.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::__private::arrays_hashed;
use ndcache::hash::ContentHasher;
use ndcache::shelve::Shelved;
use ndcache::{ErrorKind, Mapped1, Memory, Mode, Payload, cache, digest};
use serde::{Deserialize, Serialize};

use crate::support::{Mount, child, fresh, in_child, snapshot, warnings};

/// Large enough for a mapped file.
const N: usize = 40_000;

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[cache]
fn pair(n: usize) -> (Array1<f64>, Vec<u32>) {
    (ramp::compute(n), (0..n as u32).collect())
}

mod by_array {
    use super::*;

    #[cache(name = "shelve: total", code = "version", version = 1)]
    pub(super) fn total(x: &ArrayRef1<f64>) -> f64 {
        x.sum()
    }
}

mod by_reference {
    use super::*;

    #[cache(name = "shelve: total", code = "version", version = 1, ignore(memory))]
    pub(super) fn total(x: &Shelved<Array1<f64>>, memory: &Memory) -> f64 {
        x.load(memory).unwrap().sum()
    }
}

#[cache(ignore(memory))]
fn first(x: &Shelved<(Array1<f64>, Vec<u32>)>, memory: &Memory) -> f64 {
    x.load(memory).unwrap().0.sum()
}

fn json<R>(shelved: &Shelved<R>) -> String {
    serde_json::to_string(shelved).unwrap()
}

#[test]
fn a_shelved_result_loads_and_maps_as_often_as_one_likes() {
    let (_folder, memory) = fresh();
    for n in [0, 10, N] {
        for _ in 0..2 {
            let shelved = memory.shelve(pair::call(n)).unwrap();
            assert_eq!(shelved.load(&memory).unwrap(), pair::compute(n));
            assert_eq!(shelved.clone().load(&memory).unwrap(), pair::compute(n));
            let (mapped, numbers) = shelved.mmap(&memory).unwrap();
            assert_eq!((mapped.to_owned(), numbers), pair::compute(n));
            assert_eq!(mapped.is_mapped(), n == N);
        }
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (3, 3, 0));
}

#[test]
fn a_hit_is_shelved_without_a_look_into_its_arrays() {
    #[cache]
    fn counted(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        ramp::compute(n)
    }
    let (_folder, memory) = fresh();
    memory.shelve(counted::call(N)).unwrap();
    let array = &memory.entry(&counted::call(N)).unwrap().unwrap().files()[0].clone();
    fs::set_permissions(array, Permissions::from_mode(0o000)).unwrap();
    let shelved = memory.shelve(counted::call(N)).unwrap();
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    fs::set_permissions(array, Permissions::from_mode(0o444)).unwrap();
    assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
    // A missing array is no result, so the call is computed again.
    fs::remove_file(array).unwrap();
    assert_eq!(memory.shelve(counted::call(N)).unwrap().load(&memory).unwrap(), ramp::compute(N));
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

/// A function's path as messages have it: without its package, whose name its crate has.
fn shown(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, path)| path)
}

#[test]
fn it_names_its_function_and_its_key() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    let entry = memory.entry(&ramp::call(N)).unwrap().unwrap();
    assert_eq!((shelved.function(), shelved.key()), (entry.function(), entry.key()));
    let named = format!("result `{}` of function `{}`", entry.key(), shown(entry.function()));
    assert_eq!(shelved.to_string(), named);
    assert_eq!(format!("{shelved:?}"), format!("Shelved({named})"));
    let metadata = shelved.metadata(&memory).unwrap().unwrap();
    assert_eq!((metadata.path(), metadata.created()), (entry.path(), entry.created()));
}

#[test]
fn another_process_loads_what_was_shelved() {
    const NAME: &str = "shelve::another_process_loads_what_was_shelved";
    if let Some(text) = in_child(NAME, "SHELVED") {
        let memory = Memory::open(in_child(NAME, "FOLDER").unwrap()).unwrap();
        let shelved: Shelved<Array1<f64>> = serde_json::from_str(&text).unwrap();
        assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
        assert_eq!(shelved.mmap(&memory).unwrap(), ramp::compute(N));
        assert!(shelved.metadata(&memory).unwrap().is_some());
        // A digest that the reference was received with finds stored results; it is verified before anything is stored
        // by it.
        let before = arrays_hashed();
        assert!(memory.contains(&by_array::total::call(&shelved.mmap(&memory).unwrap())));
        assert_eq!(memory.eval(by_reference::total::call(&shelved, &memory)), ramp::compute(N).sum());
        assert_eq!(arrays_hashed(), before);
        assert!(shelved.remove(&memory).unwrap());
        return;
    }
    let (folder, memory) = fresh();
    memory.eval(by_array::total::call(&ramp::compute(N)));
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    let text = json(&shelved);
    assert!(text.len() < 300, "{text}");
    let variables = [("SHELVED", text.as_str()), ("FOLDER", folder.path().to_str().unwrap())];
    assert!(child(NAME, &variables).status().unwrap().success());
    assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Changed);
    assert!(shelved.metadata(&memory).unwrap().is_none());
    assert!(!shelved.remove(&memory).unwrap());
}

#[test]
fn every_format_of_serde_carries_it() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(pair::call(10)).unwrap();
    let packed = rmp_serde::to_vec(&shelved).unwrap();
    let named = rmp_serde::to_vec_named(&shelved).unwrap();
    for bytes in [packed, named] {
        let shelved: Shelved<(Array1<f64>, Vec<u32>)> = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(shelved.load(&memory).unwrap(), pair::compute(10));
    }
    let shelved: Shelved<(Array1<f64>, Vec<u32>)> = serde_json::from_str(&json(&shelved)).unwrap();
    assert_eq!(shelved.load(&memory).unwrap(), pair::compute(10));
}

#[test]
fn a_result_that_was_replaced_or_removed_has_changed() {
    #[cache]
    fn next(n: usize) -> Array1<f64> {
        ramp::compute(n) + RUNS.fetch_add(1, Ordering::SeqCst) as f64
    }
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    for n in [10, N] {
        let (folder, memory) = fresh();
        let shelved = memory.shelve(next::call(n)).unwrap();
        let received: Shelved<Array1<f64>> = serde_json::from_str(&json(&shelved)).unwrap();
        memory.refresh(next::call(n));
        let files = snapshot(folder.path());
        for shelved in [&shelved, &received] {
            for error in [
                shelved.load(&memory).unwrap_err(),
                shelved.mmap(&memory).unwrap_err(),
                shelved.remove(&memory).unwrap_err(),
                shelved.metadata(&memory).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
                let named = error.to_string().contains(shown(shelved.function()))
                    && error.to_string().contains(&shelved.key().to_string());
                assert!(named, "{error}");
            }
        }
        assert_eq!(snapshot(folder.path()), files, "the other content stays");
        memory.remove(&next::call(n)).unwrap();
        assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Changed);
    }
}

#[test]
fn a_result_that_was_replaced_by_the_same_content_is_the_same() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    memory.refresh(ramp::call(N));
    assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
    let mut edited = memory.mmap_mut(ramp::call(N)).unwrap();
    edited[0] = 9.0;
    edited.commit().unwrap();
    assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Changed);
    edited[0] = 0.0;
    edited.commit().unwrap();
    assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
}

#[test]
fn replacing_the_same_content_disturbs_no_reader() {
    let (folder, memory) = fresh();
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    let other = Memory::open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (0..50).for_each(|_| drop(other.refresh(ramp::call(N)))));
        while !writer.is_finished() {
            assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
        }
    });
}

#[test]
fn damage_is_told_from_change() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    flip_last_byte(&memory);
    let error = shelved.load(&memory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains(".npy") && error.to_string().contains(shown(shelved.function())), "{error}");
    let entry = memory.entry(&ramp::call(N)).unwrap().unwrap();
    fs::write(entry.path(), b"not a record").unwrap();
    assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Damaged);
    assert!(shelved.remove(&memory).unwrap(), "what can't be used can be removed");
}

fn flip_last_byte(memory: &Memory) {
    let path = memory.entry(&ramp::call(N)).unwrap().unwrap().files()[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
}

/// A type that isn't `Clone`, and can be stored in no other format.
#[derive(Debug, PartialEq, Payload)]
struct Model {
    weights: Array2<f64>,
    names: Vec<String>,
}

#[cache]
fn model(n: usize) -> Model {
    Model { weights: Array2::ones((n, 2)), names: vec!["a".into(); n] }
}

fn keeps_its_value(memory: &Memory) {
    let shelved = memory.shelve(model::call(1000)).unwrap();
    for memory in [memory, &Memory::disabled()] {
        assert_eq!(shelved.load(memory).unwrap(), model::compute(1000));
        assert_eq!(shelved.clone().load(memory).unwrap(), model::compute(1000));
        assert!(!shelved.remove(memory).unwrap());
        assert!(shelved.metadata(memory).unwrap().is_none());
    }
    assert_eq!(memory.shelve(pair::call(N)).unwrap().mmap(memory).unwrap().0, ramp::compute(N));
    let error = serde_json::to_string(&shelved).unwrap_err().to_string();
    assert!(error.contains(shown(shelved.function())) && error.contains("isn't stored"), "{error}");
}

#[test]
fn without_an_entry_it_keeps_the_value() {
    keeps_its_value(&Memory::disabled());
    let (folder, memory) = fresh();
    let before = snapshot(folder.path());
    let read_only = Memory::builder(folder.path()).mode(Mode::ReadOnly).open().unwrap();
    keeps_its_value(&read_only);
    assert_eq!(snapshot(folder.path()), before);
    let stored = memory.shelve(model::call(1000)).unwrap();
    assert_eq!(stored.key(), read_only.shelve(model::call(1000)).unwrap().key());
    json(&read_only.shelve(model::call(1000)).unwrap());
}

#[test]
fn a_full_disk_costs_no_shelved_result() {
    let Some(small) = Mount::tmpfs("size=200k") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    let warned = warnings(|| {
        let shelved = memory.shelve(ramp::call(N)).unwrap();
        assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(N));
    });
    assert_eq!((warned.len(), memory.stats().faults()), (1, 1), "{warned:?}");
}

#[test]
fn a_call_without_a_key_is_kept_too() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("on purpose"))
        }
    }
    #[cache]
    fn bypassed(_x: &Refuses, n: usize) -> Array1<f64> {
        ramp::compute(n)
    }
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(bypassed::call(&Refuses, 10)).unwrap();
    assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(10));
    assert_eq!(shelved.key(), memory.shelve(bypassed::call(&Refuses, 10)).unwrap().key());
    assert_ne!(shelved.key(), memory.shelve(bypassed::call(&Refuses, 11)).unwrap().key());
    assert_eq!(memory.stats().faults(), 3);
}

#[test]
fn an_err_that_is_not_cached_can_not_be_shelved() {
    #[cache]
    fn fails(n: usize) -> Result<Array1<f64>, String> {
        if n > 0 { Ok(ramp::compute(n)) } else { Err("on purpose".to_owned()) }
    }
    #[cache(cache_err)]
    fn fails_for_good() -> Result<Array1<f64>, String> {
        Err("on purpose".to_owned())
    }
    let (_folder, memory) = fresh();
    let error = memory.shelve(fails::call(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("fails"), "{error}");
    let shelved = memory.shelve(fails_for_good::call()).unwrap();
    assert_eq!(shelved.load(&memory).unwrap().unwrap_err(), "on purpose");
    assert_eq!(shelved.mmap(&memory).unwrap().unwrap_err(), "on purpose");
    // The name of the reference's type has no `Err`, and whoever receives the reference need not know that.
    let text = json(&memory.shelve(fails::call(10)).unwrap());
    let received: Shelved<Result<Array1<f64>, String>> = serde_json::from_str(&text).unwrap();
    assert_eq!(received.load(&memory).unwrap().unwrap(), ramp::compute(10));
}

#[test]
fn hostile_references_are_refused_or_find_nothing() {
    let (folder, memory) = fresh();
    let good: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&json(&memory.shelve(ramp::call(N)).unwrap())).unwrap();
    let outside = folder.path().join("outside.record");
    fs::write(&outside, b"not ours").unwrap();
    let changed = |field: &str, value: &str| {
        let mut all = good.clone();
        all.insert(field.to_owned(), value.into());
        serde_json::from_value::<Shelved<Array1<f64>>>(serde_json::to_value(all).unwrap())
    };
    let long = "x".repeat(70_000);
    for (field, value) in [
        ("function", ""),
        ("function", "a\0b"),
        ("function", "a\nb"),
        ("function", &long),
        ("result", "f32[1]"),
        ("result", ""),
        ("result", &long),
        ("result", "Result<f64[1]>"),
        ("key", "../../outside"),
        ("key", ""),
        ("content", "00"),
        ("array", "/etc/passwd"),
    ] {
        assert!(changed(field, value).is_err(), "{field}: {value:?}");
    }
    let zeros = "0".repeat(32);
    let paths = ["../../..", "/etc/passwd", "f/../../outside", "..", ".", "a/b/../c"];
    for path in paths.map(|path| changed("function", path)).into_iter().chain([
        changed("key", &zeros),
        changed("content", &zeros),
        changed("array", &zeros),
    ]) {
        let shelved = path.unwrap();
        assert_eq!(shelved.load(&memory).unwrap_err().kind(), ErrorKind::Changed, "{shelved}");
        assert!(!shelved.remove(&memory).is_ok_and(|removed| removed), "{shelved}");
    }
    for text in ["{}", "[]", "null", "7", "\"result\"", "{\"function\": 7}"] {
        assert!(serde_json::from_str::<Shelved<f64>>(text).is_err(), "{text}");
    }
    for length in 0..64 {
        assert!(rmp_serde::from_slice::<Shelved<f64>>(&vec![0xdd; length]).is_err());
    }
    assert_eq!(fs::read(outside).unwrap(), b"not ours");
}

#[test]
fn a_shelved_array_counts_as_the_array() {
    let (_folder, memory) = fresh();
    for n in [0, 10, N] {
        let array = ramp::compute(n);
        for shelved in [
            memory.shelve(ramp::call(n)).unwrap(),
            memory.shelve(ramp::call(n)).unwrap(),
            Memory::disabled().shelve(ramp::call(n)).unwrap(),
        ] {
            assert_eq!(digest(&shelved), digest(&array));
            assert_eq!(digest(&(&shelved, 1)), digest(&(&array, 1)));
        }
    }
    let pair = memory.shelve(pair::call(N)).unwrap();
    assert_ne!(digest(&pair), digest(&ramp::compute(N)));
    assert_eq!(digest(&pair), digest(&pair.clone()));
    assert_ne!(digest(&pair), digest(&memory.shelve(pair::call(N + 1)).unwrap()));
}

#[test]
fn a_shelved_array_hits_the_entry_of_the_array_without_being_read() {
    const NAME: &str = "shelve::a_shelved_array_hits_the_entry_of_the_array_without_being_read";
    if in_child(NAME, "NDCACHE_TEST_CHILD").is_none() {
        // In a process of its own, where no other test hashes anything.
        assert!(child(NAME, &[]).status().unwrap().success());
        return;
    }
    let (folder, memory) = fresh();
    let sum = memory.eval(by_array::total::call(&memory.eval(ramp::call(N))));
    let memory = Memory::open(folder.path()).unwrap();
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    // The array's file is removed: reading it would fail.
    fs::remove_file(&memory.entry(&ramp::call(N)).unwrap().unwrap().files()[0]).unwrap();
    let before = arrays_hashed();
    assert_eq!(memory.eval(by_reference::total::call(&shelved, &memory)), sum);
    assert_eq!(arrays_hashed(), before);
    assert_eq!((memory.stats().hits(), memory.stats().misses(), memory.stats().faults()), (2, 0, 0));
}

#[test]
fn what_was_computed_from_a_shelved_result_is_stored() {
    let (folder, memory) = fresh();
    // Stored by this process; found by it; told to it by another.
    let made = memory.shelve(ramp::call(N)).unwrap();
    let found = Memory::open(folder.path()).unwrap().shelve(ramp::call(N)).unwrap();
    let told: Shelved<Array1<f64>> = serde_json::from_str(&json(&made)).unwrap();
    for shelved in [made, found, told] {
        assert_eq!(memory.try_eval(by_reference::total::call(&shelved, &memory)).unwrap(), ramp::compute(N).sum());
        assert!(memory.contains(&by_array::total::call(&ramp::compute(N))));
        memory.remove(&by_array::total::call(&ramp::compute(N))).unwrap();
    }
    let pair = memory.shelve(pair::call(N)).unwrap();
    assert_eq!(memory.try_eval(first::call(&pair, &memory)).unwrap(), ramp::compute(N).sum());
    assert!(memory.contains(&first::call(&pair, &memory)));
    assert_eq!(memory.stats().faults(), 0);
}

#[test]
fn nothing_is_stored_under_a_digest_that_can_not_be_verified() {
    let (folder, memory) = fresh();
    let told: Shelved<Array1<f64>> = serde_json::from_str(&json(&memory.shelve(ramp::call(N)).unwrap())).unwrap();
    let elsewhere = fresh();
    let (_, other) = &elsewhere;
    assert_eq!(other.eval(by_reference::total::call(&told, &memory)), ramp::compute(N).sum());
    assert_eq!((other.stats().faults(), other.entries().count()), (1, 0), "it has no such entry");
    let error = other.try_eval(by_reference::total::call(&told, &memory)).unwrap_err().to_string();
    assert!(error.contains("argument `x`") && error.contains(shown(told.function())), "{error}");

    let mut hasher = ContentHasher::new();
    ndcache::ContentHash::content_hash(&told, &mut hasher);
    assert!(hasher.try_finish().unwrap_err().to_string().contains("can't be verified without a memory"));
    assert_ne!(digest(&told), digest(&told), "a digest that equals no other");

    let memory = Memory::open(folder.path()).unwrap();
    let found = memory.shelve(ramp::call(N)).unwrap();
    flip_last_byte(&memory);
    #[cache]
    fn constant(x: &Shelved<Array1<f64>>) -> String {
        x.to_string()
    }
    memory.eval(constant::call(&found));
    assert_eq!(memory.stats().faults(), 1);
    assert!(!memory.contains(&constant::call(&found)));
}

#[test]
fn it_is_send_and_sync_and_may_be_stored_itself() {
    fn is_send_and_sync<T: Send + Sync + 'static>() {}
    is_send_and_sync::<Shelved<Array1<f64>>>();
    // The type of the result is neither.
    is_send_and_sync::<Shelved<std::rc::Rc<f64>>>();

    #[derive(Serialize, Deserialize)]
    struct Job {
        input: Shelved<Mapped1<f64>>,
    }
    #[cache]
    fn mapped(n: usize) -> Mapped1<f64> {
        ramp::compute(n).into()
    }
    let (_folder, memory) = fresh();
    let job = Job { input: memory.shelve(mapped::call(N)).unwrap() };
    let job: Job = serde_json::from_str(&serde_json::to_string(&job).unwrap()).unwrap();
    let mapped = std::thread::spawn(move || job.input.load(&memory).unwrap()).join().unwrap();
    assert!(mapped.is_mapped());
}
