//! Arrays as arguments and results: loaded and mapped.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::shelve::Shelved;
use ndcache::{Mapped1, Memory, cache};

use crate::support::{fresh, warnings};

/// Large enough for a mapped file.
const N: usize = 40_000;

fn wave(n: usize, phase: f64) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| (i as f64 + phase).sin())
}

#[test]
fn equal_arrays_hit_and_others_miss_loaded_and_mapped() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn negated(x: &ArrayRef1<f64>) -> Array1<f64> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        -x
    }
    let (_folder, memory) = fresh();
    for phase in 0..3 {
        let x = wave(N, f64::from(phase));
        for _ in 0..3 {
            assert_eq!(memory.eval(negated::call(&x)), -&x);
            assert_eq!(memory.mmap(negated::call(&x.clone())), -&x);
            // A mapped result is as good an argument as the array that it is.
            let mapped = memory.mmap(negated::call(&x));
            assert_eq!(memory.eval(negated::call(&mapped)), x);
        }
        assert_eq!(RUNS.load(Ordering::SeqCst), 2 * (phase as usize + 1));
    }
}

#[cache]
fn ramp(n: usize) -> Mapped1<f64> {
    Array1::from_shape_fn(n, |i| i as f64).into()
}

#[test]
fn a_mapped_result_is_mapped_at_first_later_and_after_damage() {
    let (_folder, memory) = fresh();
    let expected = Array1::from_shape_fn(N, |i| i as f64);
    for _ in 0..2 {
        let mapped = memory.eval(ramp::call(N));
        assert!(mapped.is_mapped());
        assert_eq!(mapped, expected);
    }
    let file = memory.entry(&ramp::call(N)).unwrap().unwrap().files()[0].clone();
    fs::remove_file(&file).unwrap();
    fs::write(&file, b"garbage").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let warned = warnings(|| {
        for _ in 0..2 {
            let mapped = memory.eval(ramp::call(N));
            assert!(mapped.is_mapped());
            assert_eq!(mapped, expected);
        }
    });
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 2));
}

#[test]
fn a_reference_that_was_read_from_text_maps_like_the_one_that_was_written() {
    let (folder, memory) = fresh();
    let shelved = memory.shelve(ramp::call(N)).unwrap();
    let text = serde_json::to_string(&shelved).unwrap();
    let received: Shelved<Mapped1<f64>> = serde_json::from_str(&text).unwrap();
    let elsewhere = Memory::open(folder.path()).unwrap();
    for mapped in [received.load(&elsewhere).unwrap(), received.mmap(&elsewhere).unwrap()] {
        assert!(mapped.is_mapped());
        assert_eq!(mapped, ramp::compute(N));
    }
}
