//! Results that can't be stored, and those that many want at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ndarray::prelude::*;
use ndcache::{ErrorKind, Mapped1, Memory, cache};
use serde::{Deserialize, Serialize};

use crate::support::{Mount, files, fresh, warnings};

/// A value that serializes only if it is small.
#[derive(Deserialize, Debug, PartialEq, Clone)]
struct Fragile {
    parts: Vec<u64>,
}

impl Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.parts.len() > 2 {
            // It fails after a part was written, as a pickle may.
            use serde::ser::SerializeStruct;
            let mut fields = serializer.serialize_struct("Fragile", 1)?;
            fields.serialize_field("parts", &self.parts[..1])?;
            return Err(serde::ser::Error::custom("too many parts"));
        }
        #[derive(Serialize)]
        struct Fragile<'a> {
            parts: &'a [u64],
        }
        Fragile { parts: &self.parts }.serialize(serializer)
    }
}

/// joblib: the truncated file was kept as the result, said to be there, raised from `get`, and warned at every call.
#[test]
fn a_result_that_can_not_be_stored_is_returned_is_not_there_and_is_told_once() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn parts(n: u64) -> Fragile {
        RUNS.fetch_add(1, Ordering::SeqCst);
        Fragile { parts: (0..n).collect() }
    }
    let (folder, memory) = fresh();
    let warned = warnings(|| {
        for run in 1..=3 {
            assert_eq!(memory.eval(parts::call(5)).parts.len(), 5);
            assert!(!memory.contains(&parts::call(5)));
            assert_eq!(RUNS.load(Ordering::SeqCst), run);
        }
    });
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("too many parts") && warned[0].contains("Fragile"), "{warned:?}");
    let error = memory.shelve(parts::call(5)).unwrap_err();
    assert!(error.to_string().contains("too many parts"), "{error}");
    assert_eq!((memory.entries().count(), files(folder.path(), ".msgpack").len()), (0, 0));
    // A result that can be stored is stored.
    assert_eq!(memory.eval(parts::call(2)), memory.eval(parts::call(2)));
    assert!(memory.contains(&parts::call(2)));
}

/// joblib: with `mmap_mode="r"` a full disk raised `KeyError` out of the call, after the work was done.
#[test]
fn a_full_disk_costs_no_result_mapped_or_not() {
    const N: usize = 40_000;
    #[cache]
    fn ramp(n: usize) -> Array1<f64> {
        Array1::from_shape_fn(n, |i| i as f64)
    }
    #[cache]
    fn mapped_ramp(n: usize) -> Mapped1<f64> {
        ramp::compute(n).into()
    }
    let Some(small) = Mount::tmpfs("size=200k") else { return };
    let memory = Memory::open(small.path().join("cache")).unwrap();
    let expected = ramp::compute(N);
    let warned = warnings(|| {
        assert_eq!(memory.mmap(ramp::call(N)), expected);
        assert_eq!(memory.mmap_cow(ramp::call(N)), expected);
        assert_eq!(memory.eval(ramp::call(N)), expected);
        assert_eq!(memory.shelve(ramp::call(N)).unwrap().mmap(&memory).unwrap(), expected);
        for _ in 0..2 {
            let mapped = memory.eval(mapped_ramp::call(N));
            assert!(!mapped.is_mapped());
            assert_eq!(mapped, expected);
        }
    });
    assert_eq!(warned.len(), 2, "once for each function: {warned:?}");
    assert_eq!(memory.stats().faults(), 6);
    assert_eq!(memory.mmap_mut(ramp::call(N)).unwrap_err().kind(), ErrorKind::Io);
    assert!(!memory.contains(&ramp::call(N)) && files(small.path(), ".npy").is_empty());
}

/// joblib: five that wanted one result computed it five times.
#[test]
fn many_that_want_one_result_compute_it_once_whatever_memory_they_have() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn slow(n: usize) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(100));
        Array1::from_elem(n, 1.0)
    }
    let (folder, memory) = fresh();
    let start = Barrier::new(5);
    thread::scope(|scope| {
        for caller in 0..5 {
            let memory = if caller % 2 == 0 { memory.clone() } else { Memory::open(folder.path()).unwrap() };
            let start = &start;
            scope.spawn(move || {
                start.wait();
                assert_eq!(memory.eval(slow::call(20_000)), Array1::from_elem(20_000, 1.0));
            });
        }
    });
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}
