//! Which function a call belongs to, and which code it has.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Memory, cache, call};

use crate::support::fresh;

/// The function before the edit.
mod old {
    #[ndcache::cache(name = "failures: edited")]
    pub(super) fn edited(n: u64) -> String {
        format!("old {n}")
    }
}

/// The function after the edit.
mod new {
    #[ndcache::cache(name = "failures: edited")]
    pub(super) fn edited(n: u64) -> String {
        format!("new {n}")
    }
}

/// joblib: the second folder never learnt the function's code, and served results of the old code after an edit.
#[test]
fn a_function_cached_in_two_folders_is_stale_in_neither() {
    let folders = [fresh(), fresh()];
    for (_, memory) in &folders {
        for n in 0..3 {
            assert_eq!(memory.eval(old::edited::call(n)), format!("old {n}"));
        }
    }
    for (folder, _) in &folders {
        let memory = Memory::open(folder.path()).unwrap();
        for n in 0..3 {
            assert_eq!(memory.explain(&new::edited::call(n)).reason().name(), "code");
            assert_eq!(memory.eval(new::edited::call(n)), format!("new {n}"));
        }
    }
}

/// joblib: with the file of the function's code lost, the first call noticed the edit and all others were stale.
#[test]
fn whatever_file_is_lost_no_result_of_other_code_is_served() {
    let entries = |memory: &Memory| memory.entries().map(|entry| entry.unwrap()).collect::<Vec<_>>();
    for lost in 0..3 {
        let (_folder, memory) = fresh();
        for n in 0..3 {
            memory.eval(old::edited::call(n));
        }
        std::fs::remove_file(entries(&memory)[lost].path()).unwrap();
        for n in 0..3 {
            assert_eq!(memory.eval(new::edited::call(n)), format!("new {n}"));
        }
        assert_eq!(entries(&memory).len(), 5, "the old results that are left are there for the old code");
    }
}

mod one {
    #[ndcache::cache]
    pub(super) fn named() -> char {
        '1'
    }
}

mod two {
    #[ndcache::cache]
    pub(super) fn named() -> char {
        '2'
    }
}

/// joblib: the second round returned TWO for both, without a warning.
#[test]
fn functions_of_one_name_never_get_each_others_results() {
    let (_folder, memory) = fresh();
    for _ in 0..3 {
        assert_eq!((memory.eval(one::named::call()), memory.eval(two::named::call())), ('1', '2'));
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (4, 2));
}

/// joblib: two lambdas of one module shared a folder, and each wiped the other's results.
#[test]
fn closures_of_one_name_and_other_text_leave_each_others_results() {
    let (_folder, memory) = fresh();
    let x = 3.0;
    for _ in 0..3 {
        assert_eq!(memory.eval(call!("lambda", |x| x + 1.0)), 4.0);
        assert_eq!(memory.eval(call!("lambda", |x| x * 2.0)), 6.0);
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (4, 2));
}

/// joblib: `make(10)(3)` and `make(1000)(3)` both returned 30, since captured values were in no key.
#[test]
fn what_a_closure_captures_counts() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn make(memory: &Memory, k: u64) -> impl Fn(u64) -> u64 {
        move |a| {
            memory.eval(call!("captures", |a, k| {
                RUNS.fetch_add(1, Ordering::SeqCst);
                a * k
            }))
        }
    }
    let (_folder, memory) = fresh();
    let (ten, thousand) = (make(&memory, 10), make(&memory, 1000));
    for _ in 0..2 {
        assert_eq!((ten(3), thousand(3)), (30, 3000));
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

fn increment(n: u64) -> u64 {
    n + 1
}

fn double(n: u64) -> u64 {
    2 * n
}

/// A decorator that keeps no name: the functions that it returns are called alike, whatever they wrap.
macro_rules! decorated {
    ($inner:path) => {{
        #[cache]
        fn wrapper(n: u64) -> u64 {
            $inner(n)
        }
        wrapper::call(5)
    }};
}

/// joblib: of two functions behind a decorator without `functools.wraps` the second returned the first's result.
#[test]
fn functions_behind_a_decorator_have_results_of_their_own() {
    let (_folder, memory) = fresh();
    // Wrapped by a macro …
    for _ in 0..2 {
        assert_eq!((memory.eval(decorated!(increment)), memory.eval(decorated!(double))), (6, 10));
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (2, 2));
    // … and by a pointer, which names no function, and so bypasses the cache.
    static FIRST: fn(u64) -> u64 = increment;
    static SECOND: fn(u64) -> u64 = double;
    for _ in 0..2 {
        assert!(matches!(memory.explain(&call!(FIRST(5))).reason(), Reason::Bypassed(_)));
        assert_eq!((memory.eval(call!(FIRST(5))), memory.eval(call!(SECOND(5)))), (6, 10));
    }
    assert_eq!(memory.entries().count(), 2);
}

/// A helper and a constant, …
mod plain {
    #[ndcache::code]
    pub(super) const GAIN: f64 = 2.0;

    #[ndcache::code]
    pub(super) fn offset(x: f64) -> f64 {
        x + 1.0
    }

    #[ndcache::cache(name = "failures: amplified", depends(GAIN, offset))]
    pub(super) fn amplified(x: f64) -> f64 {
        GAIN * offset(x)
    }
}

/// … the same with another constant, …
mod louder {
    #[ndcache::code]
    pub(super) const GAIN: f64 = 3.0;

    #[ndcache::code]
    pub(super) fn offset(x: f64) -> f64 {
        x + 1.0
    }

    #[ndcache::cache(name = "failures: amplified", depends(GAIN, offset))]
    pub(super) fn amplified(x: f64) -> f64 {
        GAIN * offset(x)
    }
}

/// … and with another helper.
mod shifted {
    #[ndcache::code]
    pub(super) const GAIN: f64 = 2.0;

    #[ndcache::code]
    pub(super) fn offset(x: f64) -> f64 {
        x + 2.0
    }

    #[ndcache::cache(name = "failures: amplified", depends(GAIN, offset))]
    pub(super) fn amplified(x: f64) -> f64 {
        GAIN * offset(x)
    }
}

/// joblib: a changed global or helper was a stale hit, by design.
#[test]
fn a_changed_helper_or_constant_that_is_named_is_never_a_stale_hit() {
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!(memory.eval(plain::amplified::call(1.0)), 4.0);
        assert_eq!(memory.eval(louder::amplified::call(1.0)), 6.0);
        assert_eq!(memory.eval(shifted::amplified::call(1.0)), 6.0);
    }
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (3, 3));
}

static COMPUTED: AtomicUsize = AtomicUsize::new(0);

/// One text of code, with an edit at `$by`.
macro_rules! version {
    ($module:ident, $by:literal) => {
        mod $module {
            use super::*;

            #[cache(name = "failures: branches")]
            #[allow(dead_code)] // Only its companion is used.
            pub(super) fn scaled(n: usize) -> Array1<f64> {
                COMPUTED.fetch_add(1, Ordering::SeqCst);
                Array1::from_elem(n, $by)
            }
        }
    };
}

version!(branch_a, 1.0);
version!(branch_b, 2.0);

/// joblib: each switch of code wiped the function's results, so that A was computed 6 times and not 3.
#[test]
fn code_that_goes_back_and_forth_is_computed_once_each() {
    let (_folder, memory) = fresh();
    for _ in 0..3 {
        for n in 1..=3 {
            assert_eq!(memory.eval(branch_a::scaled::call(n)), Array1::from_elem(n, 1.0));
        }
        for n in 1..=3 {
            assert_eq!(memory.eval(branch_b::scaled::call(n)), Array1::from_elem(n, 2.0));
        }
    }
    assert_eq!(COMPUTED.load(Ordering::SeqCst), 6);
}
