//! References to results, step by step as `call_and_shelve` is tested.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use ndarray::prelude::*;
use ndcache::{ErrorKind, Memory, cache};

use crate::support::{fresh, warnings};

#[cache]
fn ramp(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| i as f64)
}

#[test]
fn a_shelved_result_is_loaded_removed_and_removed_again() {
    let (_folder, memory) = fresh();
    for (memory, stored) in [(&memory, true), (&Memory::disabled(), false)] {
        let shelved = memory.shelve(ramp::call(9)).unwrap();
        assert_eq!(shelved.load(memory).unwrap(), ramp::compute(9));
        assert_eq!(shelved.remove(memory).unwrap(), stored);
        assert!(!shelved.remove(memory).unwrap(), "removing it again is no error");
        match shelved.load(memory) {
            Err(error) => assert!(stored && error.kind() == ErrorKind::Changed, "{error}"),
            // Without an entry the reference is the only owner of the value, and keeps it.
            Ok(value) => assert!(!stored && value == ramp::compute(9)),
        }
    }
}

#[test]
fn garbage_in_an_entry_is_one_warning_to_a_call_and_an_error_to_a_reference() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(ramp::call(40_000)).unwrap();
    let entry = memory.entry(&ramp::call(40_000)).unwrap().unwrap();
    for file in [entry.path(), &entry.files()[0]] {
        fs::remove_file(file).unwrap();
        fs::write(file, b"garbage").unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o444)).unwrap();
    }
    let error = shelved.load(&memory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains(entry.path().to_str().unwrap()), "{error}");
    let warned = warnings(|| {
        for _ in 0..2 {
            assert_eq!(memory.eval(ramp::call(40_000)), ramp::compute(40_000));
        }
    });
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 2));
    assert_eq!(shelved.load(&memory).unwrap(), ramp::compute(40_000), "the same content again");
}
