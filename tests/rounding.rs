//! `round(x = …)`: small numerical errors make no other argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::prelude::*;
use ndcache::{Mapped1, cache};

use crate::support::fresh;

const STEP: f64 = 1e-6;

#[test]
fn an_argument_that_is_nearly_the_same_hits() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache(round(x = 1e-6, scale = STEP))]
    fn total(x: &ArrayRef2<f64>, scale: f32, n: usize) -> f64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        x.sum() * f64::from(scale) + n as f64
    }
    let (_folder, memory) = fresh();
    let x = Array2::from_shape_fn((40, 30), |(i, j)| (i * j) as f64 * 0.1);
    let first = memory.eval(total::call(&x, 0.5, 1));
    // A hit may differ from what would be computed: it is the first one's result.
    assert_eq!(memory.eval(total::call(&(&x + 1e-9), 0.5 + 1e-7, 1)), first);
    assert_ne!(total::compute(&(&x + 1e-9), 0.5 + 1e-7, 1), first);
    assert_eq!(memory.eval(total::call(&x.mapv(|x| if x == 0.0 { -0.0 } else { x }), 0.5, 1)), first);
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
    assert!(!memory.contains(&total::call(&(&x + 1e-5), 0.5, 1)));
    assert!(!memory.contains(&total::call(&x, 0.5001, 1)));
    assert!(!memory.contains(&total::call(&x, 0.5, 2)), "what isn't named counts in full");
    assert!(!memory.contains(&total::call(&x.t(), 0.5, 1)));
}

#[test]
fn every_float_argument_can_be_rounded() {
    #[cache(round(a = 0.1, b = 0.1, c = 0.1, d = 0.1, e = 0.1, f = 0.1, g = 0.1, h = 0.1))]
    #[allow(clippy::too_many_arguments)]
    fn all(
        a: f32,
        b: &f64,
        c: Option<f64>,
        d: Vec<f32>,
        e: &[f64],
        f: Array1<f64>,
        g: &Mapped1<f64>,
        h: Option<&ArrayRef1<f32>>,
    ) -> f64 {
        let h = h.map_or(0.0, |h| f64::from(h.sum()));
        f64::from(a) + b + c.unwrap_or(0.0) + f64::from(d[0]) + e[0] + f[0] + g[0] + h
    }
    let (_folder, memory) = fresh();
    let call = |y: f64| {
        let (x, array, mapped) = (y as f32, array![y as f32], Mapped1::from(array![y]));
        let it = (y, [y], mapped, array);
        memory.eval(all::call(x, &it.0, Some(y), vec![x], &it.1, array![y], &it.2, Some(&it.3)));
        memory.stats().misses()
    };
    assert_eq!([call(1.0), call(1.01), call(0.99), call(1.1)], [1, 1, 1, 2]);
}

#[test]
fn generic_functions_round_arrays_of_any_storage() {
    #[cache(round(x = 0.5))]
    fn sum<S: ndarray::Data<Elem = f64>>(x: &ArrayBase<S, Ix1>) -> f64 {
        x.sum()
    }
    let (_folder, memory) = fresh();
    let x = array![1.0, 2.0];
    memory.eval(sum::call(&x));
    assert!(memory.contains(&sum::call(&array![1.1, 2.1])));
    assert!(!memory.contains(&sum::call(&array![1.0, 2.5])));
}

mod plain {
    #[ndcache::cache(name = "rounding: twice", code = "version", version = 1)]
    pub(super) fn twice(x: f64) -> f64 {
        2.0 * x
    }
}

mod fine {
    #[ndcache::cache(name = "rounding: twice", code = "version", version = 1, round(x = 1e-9))]
    pub(super) fn twice(x: f64) -> f64 {
        2.0 * x
    }
}

mod coarse {
    #[ndcache::cache(name = "rounding: twice", code = "version", version = 1, round(x = 1e-3))]
    pub(super) fn twice(x: f64) -> f64 {
        2.0 * x
    }
}

#[test]
fn with_another_step_and_without_one_the_same_argument_has_another_key() {
    let (_folder, memory) = fresh();
    memory.eval(plain::twice::call(1.0));
    assert!(!memory.contains(&fine::twice::call(1.0)));
    memory.eval(fine::twice::call(1.0));
    assert!(!memory.contains(&coarse::twice::call(1.0)));
    memory.eval(coarse::twice::call(1.0));
    assert_eq!(memory.entries().count(), 3);
}

#[test]
fn a_number_too_large_for_its_step_counts_by_itself() {
    let (_folder, memory) = fresh();
    for x in [1e300, 1e300_f64.next_up(), 1e200] {
        assert_eq!(memory.eval(fine::twice::call(x)), 2.0 * x);
        assert!(memory.contains(&fine::twice::call(x)));
    }
    assert_eq!((memory.stats().misses(), memory.entries().count()), (3, 3));
}

#[test]
fn methods_round_their_arguments_and_shared_ones() {
    struct Filter;
    impl Filter {
        #[cache(method, round(x = 0.5))]
        fn first(x: Arc<Array1<f64>>) -> f64 {
            x[0]
        }
    }
    let (_folder, memory) = fresh();
    memory.eval(Filter::first_call(Arc::new(array![1.0])));
    assert!(memory.contains(&Filter::first_call(Arc::new(array![1.2]))));
    assert_eq!(memory.with(|| Filter::first(Arc::new(array![1.2]))), 1.0);
}
