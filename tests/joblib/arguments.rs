//! Arguments: what counts, however it is written, and what is left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::{ContentHash, cache, digest};
use serde::Serialize;

use crate::support::fresh;

#[test]
fn a_changed_argument_that_is_ignored_hits() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache(ignore(y))]
    fn first(x: u64, y: u64) -> u64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        x.min(x + y)
    }
    let (_folder, memory) = fresh();
    for (x, y) in [(0, 1), (0, 1), (0, 2), (1, 2), (1, 1)] {
        assert_eq!(memory.eval(first::call(x, y)), x);
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

static DECORATED: AtomicUsize = AtomicUsize::new(0);

/// A function that wraps another, as a decorator does.
macro_rules! decorated {
    ($name:ident, $inner:path) => {
        #[cache(ignore(y))]
        fn $name(x: u64, y: u64) -> u64 {
            DECORATED.fetch_add(1, Ordering::SeqCst);
            $inner(x, y)
        }
    };
}

fn left(x: u64, _: u64) -> u64 {
    x
}

decorated!(wrapped, left);

#[test]
fn an_ignored_argument_of_a_decorated_function_does_not_count() {
    let (_folder, memory) = fresh();
    for (x, y) in [(0, 1), (0, 1), (0, 2), (1, 2), (1, 1)] {
        assert_eq!(memory.eval(wrapped::call(x, y)), x);
    }
    assert_eq!(DECORATED.load(Ordering::SeqCst), 2);
}

#[derive(ContentHash, Clone, Copy)]
struct Gain(f64);

impl Gain {
    #[cache]
    fn times(&self, x: f64) -> f64 {
        self.0 * x
    }
}

#[test]
fn an_argument_has_one_key_however_it_is_written() {
    const FOUR: usize = 4;
    #[cache]
    fn repeated(text: &str, n: usize) -> String {
        text.repeat(n)
    }
    let (_folder, memory) = fresh();
    assert_eq!(memory.eval(repeated::call("ab", 4)), "abababab");
    let (text, n) = (String::from("ab"), 2_u8);
    assert!(memory.contains(&repeated::call(&text, FOUR)));
    assert!(memory.contains(&repeated::call(&format!("{}{}", 'a', 'b'), usize::from(n) + 2)));
    assert_eq!(memory.with(|| repeated(&text, "four".len())), "abababab");
    assert_eq!((memory.stats().hits(), memory.stats().misses()), (1, 1));
    let gain = Gain(2.0);
    assert_eq!(memory.eval(gain.times_call(3.0)), 6.0);
    assert!(memory.contains(&Gain::times_call(&gain, 3.0)) && memory.contains(&Gain(2.0).times_call(3.0)));
}

/// What Python has keyword arguments for.
#[derive(Serialize, Clone, Copy)]
struct Settings {
    taps: usize,
    gain: f64,
    symmetric: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { taps: 8, gain: 1.0, symmetric: true }
    }
}

#[test]
fn named_settings_count_in_any_order_and_by_their_defaults() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn window(x: f64, settings: &Settings) -> f64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        x * settings.gain / settings.taps as f64 + f64::from(u8::from(settings.symmetric))
    }
    let (_folder, memory) = fresh();
    let spelled = Settings { symmetric: true, gain: 1.0, taps: 8 };
    for settings in [Settings::default(), Settings { taps: 8, ..Settings::default() }, spelled] {
        assert_eq!(memory.eval(window::call(2.0, &settings)), 1.25);
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    for other in
        [Settings { taps: 4, ..spelled }, Settings { gain: 8.0, ..spelled }, Settings { symmetric: false, ..spelled }]
    {
        assert!(!memory.contains(&window::call(2.0, &other)));
    }
}

#[test]
fn of_arguments_behind_others_some_count_and_some_are_ignored() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache(ignore(verbose, threads))]
    fn fit(x: &[f64], settings: Settings, verbose: bool, threads: usize) -> f64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        let scale = if verbose || threads > 0 { settings.gain } else { f64::NAN };
        scale * x.iter().sum::<f64>()
    }
    let (_folder, memory) = fresh();
    let settings = Settings { gain: 2.0, ..Settings::default() };
    assert_eq!(memory.eval(fit::call(&[1.0, 2.0], settings, true, 1)), 6.0);
    assert_eq!(memory.eval(fit::call(&[1.0, 2.0], settings, false, 8)), 6.0);
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    assert_eq!(memory.eval(fit::call(&[1.0, 2.0], Settings::default(), false, 8)), 3.0);
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
    let names: Vec<_> = memory.entry(&fit::call(&[1.0, 2.0], settings, true, 1)).unwrap().unwrap().arguments().to_vec();
    assert_eq!(names.iter().map(|argument| argument.name()).collect::<Vec<_>>(), ["x", "settings"]);
}

#[test]
fn a_map_of_arrays_counts_by_its_names_and_their_elements() {
    let map = |b: f64| HashMap::from([("a", array![1.0, 2.0]), ("b", array![b]), ("c", Array1::zeros(0))]);
    assert_eq!(digest(&map(3.0)), digest(&map(3.0)));
    assert_ne!(digest(&map(3.0)), digest(&map(-3.0)));
    let renamed: HashMap<_, _> =
        map(3.0).into_iter().map(|(name, x)| (if name == "b" { "d" } else { name }, x)).collect();
    assert_ne!(digest(&map(3.0)), digest(&renamed));
    let sorted: BTreeMap<_, _> = map(3.0).into_iter().collect();
    let again: BTreeMap<_, _> = map(3.0).into_iter().collect();
    assert_eq!(digest(&sorted), digest(&again));
}

#[test]
fn an_array_without_axes_is_neither_its_element_nor_an_array_of_one() {
    let digests = [digest(&arr0(1.0)), digest(&array![1.0]), digest(&array![[1.0]]), digest(&1.0)];
    for (i, one) in digests.iter().enumerate() {
        assert!(!digests[..i].contains(one), "{i}");
    }
    assert_eq!(digest(&arr0(1.0)), digest(&arr0(1.0).view()));
}
