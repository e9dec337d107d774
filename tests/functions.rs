//! Keys of functions: which code, name, type or place makes another entry, and which doesn't.

mod traits;

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::explain::Reason;
use ndcache::{Call, Memory, cache};

use crate::support::fresh;

/// The key of a call, as the name of its record.
fn key<A, R>(memory: &Memory, call: Call<A, R>) -> String {
    let mut calls = Vec::new();
    memory.eval(call);
    for entry in memory.entries() {
        calls.push(entry.unwrap().key().to_string());
    }
    memory.clear().unwrap();
    assert_eq!(calls.len(), 1, "one call, one entry");
    calls.remove(0)
}

/// Asserts that no two of these calls share a key.
macro_rules! distinct {
    ($($call:expr),+ $(,)?) => {{
        let (_folder, memory) = fresh();
        let keys = [$(key(&memory, $call)),+];
        for (i, one) in keys.iter().enumerate() {
            for (j, other) in keys.iter().enumerate().take(i) {
                assert_ne!(one, other, "calls {j} and {i} of {} share a key", stringify!($($call),+));
            }
        }
    }};
}

/// Asserts that all of these calls share one key.
macro_rules! same {
    ($($call:expr),+ $(,)?) => {{
        let (_folder, memory) = fresh();
        let keys = [$(key(&memory, $call)),+];
        assert!(keys.iter().all(|key| *key == keys[0]), "{} have keys {keys:?}", stringify!($($call),+));
    }};
}

mod before {
    #[ndcache::cache(name = "edited")]
    pub(super) fn edited(n: u64) -> u64 {
        n + 1
    }
}

mod after {
    #[ndcache::cache(name = "edited")]
    pub(super) fn edited(n: u64) -> u64 {
        n + 2
    }
}

#[rustfmt::skip]
mod reformatted {
    /// Has a line of documentation.
    #[allow(unused_parens)]
    #[ndcache::cache(name = "edited")]
    pub(crate)   fn edited ( n : u64 , ) ->
        u64 { // and a comment
        n   +   1 /* more */
    }
}

#[test]
fn code_that_changed_and_changed_back_hits_the_old_entry() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(before::edited::call(1)), 2);
    assert_eq!(memory.explain(&after::edited::call(1)).reason(), Reason::Code(vec!["code changed".to_owned()]));
    assert_eq!(memory.eval(after::edited::call(1)), 3);
    assert_eq!(memory.explain(&before::edited::call(1)).reason(), Reason::Hit);
    assert_eq!(memory.eval(before::edited::call(1)), 2);
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 2));
}

#[test]
fn layout_comments_docs_lints_and_visibility_keep_the_key() {
    same!(before::edited::call(1), reformatted::edited::call(1));
}

mod first_scope {
    pub(super) fn call() -> ndcache::Call<impl Sized, u8> {
        #[ndcache::cache]
        fn inner() -> u8 {
            1
        }
        inner::call()
    }
}

mod second_scope {
    pub(super) fn call() -> ndcache::Call<impl Sized, u8> {
        #[ndcache::cache]
        fn inner() -> u8 {
            1
        }
        inner::call()
    }
}

#[test]
fn functions_of_one_name_and_text_nested_in_two_functions_have_keys_of_their_own() {
    distinct!(first_scope::call(), second_scope::call());
}

struct Small;
struct Large;

impl Small {
    const K: u64 = 1;

    #[cache(method)]
    fn scaled(n: u64) -> u64 {
        n * Self::K
    }
}

impl Large {
    const K: u64 = 1000;

    #[cache(method)]
    fn scaled(n: u64) -> u64 {
        n * Self::K
    }
}

#[test]
fn methods_of_one_text_in_two_types_have_keys_of_their_own() {
    distinct!(Small::scaled_call(2), Large::scaled_call(2));
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(Small::scaled_call(2)), 2);
    assert_eq!(memory.eval(Large::scaled_call(2)), 2000);
}

#[derive(serde::Serialize)]
struct Unit<const N: u64>;

impl<const N: u64> Unit<N> {
    #[cache]
    fn times(&self, n: u64) -> u64 {
        n * N
    }
}

#[test]
fn a_method_of_a_generic_type_counts_the_type() {
    distinct!(Unit::<2>.times_call(3), Unit::<4>.times_call(3));
}

mod generic {
    use ndcache::ContentHash;

    #[ndcache::cache]
    pub(super) fn width<T: ContentHash + Default>() -> u64 {
        size_of::<T>() as u64
    }

    #[ndcache::cache]
    pub(super) fn times<const N: u64>(n: u64) -> u64 {
        n * N
    }

    #[ndcache::cache]
    pub(super) fn shown(value: impl ContentHash + std::fmt::Display) -> String {
        value.to_string()
    }
}

#[test]
fn type_const_and_hidden_type_arguments_count() {
    distinct!(generic::width::call::<u8>(), generic::width::call::<u16>());
    distinct!(generic::times::call::<2>(3), generic::times::call::<3>(3));
    distinct!(generic::shown::call(1_u8), generic::shown::call(1_u16), generic::shown::call("1"));
}

#[cache]
fn first_set<S: ndarray::DataMut<Elem = f64>>(mut x: ndarray::ArrayBase<S, Ix1>, to: f64) -> f64 {
    std::mem::replace(&mut x[0], to)
}

#[test]
fn what_a_type_parameter_lends_mutably_is_changed_by_every_call() {
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        let mut x = array![1.0, 2.0];
        assert_eq!(memory.eval(first_set::call(x.view_mut(), 7.0)), 1.0);
        assert_eq!(x, array![7.0, 2.0]);
    }
    let mut x = array![1.0, 2.0];
    let reason = memory.explain(&first_set::call(x.view_mut(), 7.0)).reason();
    assert!(matches!(&reason, Reason::Bypassed(why) if why.contains("`S`")), "{reason:?}");
    let owned = || first_set::call(array![1.0, 2.0], 7.0);
    assert_eq!(memory.eval(owned()), 1.0);
    assert!(memory.contains(&owned()), "what is given away is nobody else's to see");
}

mod helpers {
    pub(super) mod plain {
        #[ndcache::code]
        fn offset() -> u64 {
            1
        }

        #[ndcache::cache(name = "with helper", depends(offset))]
        pub(crate) fn with_helper(n: u64) -> u64 {
            n + offset()
        }
    }

    pub(super) mod changed {
        #[ndcache::code]
        fn offset() -> u64 {
            2
        }

        #[ndcache::cache(name = "with helper", depends(offset))]
        pub(crate) fn with_helper(n: u64) -> u64 {
            n + offset()
        }
    }
}

#[test]
fn a_changed_helper_that_is_named_changes_the_key() {
    distinct!(helpers::plain::with_helper::call(1), helpers::changed::with_helper::call(1));
}

mod circle {
    #[ndcache::cache(depends(odd))]
    pub(super) fn even(n: u32) -> bool {
        n == 0 || odd(n - 1)
    }

    #[ndcache::cache(depends(even))]
    pub(super) fn odd(n: u32) -> bool {
        n != 0 && even(n - 1)
    }
}

#[test]
fn functions_may_depend_on_each_other() {
    let (_folder, memory) = fresh();
    assert!(memory.eval(circle::even::call(10)));
    assert_eq!(memory.stats().misses(), 11);
    assert!(!memory.eval(circle::odd::call(10)));
    distinct!(circle::even::call(0), circle::odd::call(0));
}

mod versions {
    #[ndcache::cache(name = "versioned", version = 1)]
    pub(super) fn one() -> u8 {
        0
    }

    #[ndcache::cache(name = "versioned", version = 2)]
    pub(super) fn two() -> u8 {
        0
    }

    #[ndcache::cache(name = "only version", code = "version", version = 1)]
    pub(super) fn free(n: u8) -> u8 {
        n
    }

    #[ndcache::cache(name = "only version", code = "version", version = 1)]
    pub(super) fn freely_changed(n: u8) -> u8 {
        n + 1 - 1
    }

    #[ndcache::cache(code = "build")]
    pub(super) fn built(n: u8) -> u8 {
        n
    }

    #[ndcache::cache(code = "body")]
    pub(super) fn bare(n: u8) -> u8 {
        n
    }
}

#[test]
fn what_counts_as_code_can_be_chosen() {
    distinct!(versions::one::call(), versions::two::call());
    same!(versions::free::call(1), versions::freely_changed::call(1));
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!((memory.eval(versions::built::call(1)), memory.eval(versions::bare::call(1))), (1, 1));
    }
    assert_eq!(memory.stats().hits(), 2);
}

#[test]
fn a_salt_enters_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let salted = |salt: &str| Memory::builder(folder.path()).salt(salt).open().unwrap();
    salted("a").eval(before::edited::call(1));
    assert!(salted("a").contains(&before::edited::call(1)));
    assert!(!salted("b").contains(&before::edited::call(1)));
}

#[cache(ignore(verbose))]
fn quiet(n: u64, verbose: bool) -> u64 {
    n + u64::from(verbose)
}

#[test]
fn an_ignored_argument_does_not_count() {
    same!(quiet::call(1, false), quiet::call(1, true));
}

/// ndarray's `Debug` leaves out the middle of a large array; caches that are keyed by text return wrong results then.
#[test]
fn one_element_in_the_middle_of_a_large_array_counts() {
    #[cache]
    fn total(x: &ArrayRef2<f64>) -> f64 {
        x.sum()
    }

    let zeros = Array2::<f64>::zeros((300, 300));
    let mut one = zeros.clone();
    one[[150, 150]] = 1.0;
    assert_eq!(format!("{zeros:?}"), format!("{one:?}"), "the premise: both print alike");
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(total::call(&zeros)), 0.0);
    assert_eq!(memory.eval(total::call(&one)), 1.0);
}

#[test]
fn a_closure_in_which_a_function_stands_has_no_name_of_its_own() {
    let make = || {
        #[cache]
        fn hidden() -> u8 {
            7
        }
        hidden::call()
    };
    let (_folder, memory) = fresh();
    let call = make();
    assert!(matches!(memory.explain(&call).reason(), Reason::Bypassed(_)));
    assert_eq!(memory.eval(call), 7);
    assert_eq!(memory.entries().count(), 0);
    assert_eq!(memory.stats().by_reason()["bypassed"], 1);
}

#[test]
fn an_argument_that_fails_to_serialize_bypasses_the_cache() {
    struct Refuses;
    impl serde::Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("on purpose"))
        }
    }
    #[cache]
    fn seven(_refuses: &Refuses) -> u8 {
        7
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(seven::call(&Refuses)), 7);
    let error = memory.try_eval(seven::call(&Refuses)).unwrap_err().to_string();
    assert!(error.contains("on purpose") && error.contains("`_refuses`") && error.contains("seven"), "{error}");
    assert_eq!(memory.entries().count(), 0);
}

#[test]
fn calls_of_functions_without_the_attribute_and_of_named_closures_are_cached() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn foreign(n: u64) -> u64 {
        RUNS.fetch_add(1, Ordering::Relaxed);
        n * n
    }
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!(memory.eval(ndcache::call!(foreign(5))), 25);
        assert_eq!(memory.eval(ndcache::call!(foreign(5), version = 1)), 25);
    }
    assert_eq!(RUNS.load(Ordering::Relaxed), 2, "a version makes another key");

    let (a, k) = (array![1.0, 2.0], 3.0);
    let a = &a;
    for _ in 0..2 {
        let scaled = memory.eval(ndcache::call!("scaled", |a, k| {
            RUNS.fetch_add(1, Ordering::Relaxed);
            a * k
        }));
        assert_eq!(scaled, array![3.0, 6.0]);
    }
    assert_eq!(RUNS.load(Ordering::Relaxed), 3);
}

#[test]
fn a_function_of_a_trait_is_cached_for_each_type_under_whichever_path() {
    trait Scale {
        fn scale(&self) -> u64;
    }
    impl Scale for u32 {
        fn scale(&self) -> u64 {
            2 * u64::from(*self)
        }
    }
    impl Scale for u64 {
        fn scale(&self) -> u64 {
            3 * self
        }
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(ndcache::call!(<u32 as Scale>::scale(&5), version = 1)), 10);
    assert!(memory.contains(&ndcache::call!(u32::scale(&5), version = 1)));
    assert_eq!(memory.eval(ndcache::call!(u64::scale(&5), version = 1)), 15);
    assert_eq!((memory.stats().misses(), memory.stats().faults()), (2, 0));
}

/// A function in a struct that derefs to it, so that it is called like one.
struct Behind(fn(u64) -> u64);

impl std::ops::Deref for Behind {
    type Target = fn(u64) -> u64;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

static DOUBLED: Behind = Behind(|n| 2 * n);
static TRIPLED: std::sync::LazyLock<Box<dyn Fn(u64) -> u64 + Send + Sync>> =
    std::sync::LazyLock::new(|| Box::new(|n| 3 * n));
static FOURFOLD: std::sync::LazyLock<Box<dyn Fn(u64) -> u64 + Send + Sync>> =
    std::sync::LazyLock::new(|| Box::new(|n| 4 * n));

#[test]
fn functions_behind_values_of_one_type_do_not_share_a_name() {
    const NEGATED: Behind = Behind(|n| !n);
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(ndcache::call!(DOUBLED(5), version = 1)), 10);
    assert_eq!(memory.eval(ndcache::call!(NEGATED(5), version = 1)), !5);
    assert_eq!(memory.eval(ndcache::call!(TRIPLED(5), version = 1)), 15);
    assert_eq!(memory.eval(ndcache::call!(FOURFOLD(5), version = 1)), 20);
    let reason = memory.explain(&ndcache::call!(DOUBLED(5), version = 1)).reason();
    assert!(matches!(&reason, Reason::Bypassed(why) if why.contains("Behind")), "{reason:?}");
}
