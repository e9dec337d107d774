//! Methods of traits, cached by an attribute on their `impl` and one on themselves.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndcache::{ContentHash, cache};

use crate::support::fresh;

static RUNS: AtomicUsize = AtomicUsize::new(0);

mod model {
    /// This trait isn't imported where it is implemented.
    pub(super) trait Model {
        type Output;
        const SCALE: f64;

        fn fit(&self, x: f64) -> Self::Output;
        fn seeded(seed: u64) -> u64;
        fn name(&self) -> String {
            "a model".to_owned()
        }
    }
}

#[derive(ContentHash)]
struct Ridge {
    alpha: f64,
}

#[cache]
impl model::Model for Ridge {
    type Output = f64;
    const SCALE: f64 = 2.0;

    /// Counts its runs.
    #[cache]
    fn fit(&self, x: f64) -> Self::Output {
        RUNS.fetch_add(1, Ordering::Relaxed);
        x * self.alpha * Self::SCALE + Self::seeded(1) as f64
    }

    #[cache(version = 3)]
    fn seeded(seed: u64) -> u64 {
        seed + 10
    }

    fn name(&self) -> String {
        "ridge".to_owned()
    }
}

#[derive(ContentHash)]
struct Pair<T>(T, T);

#[ndcache::cache]
impl<T: ContentHash + Copy + Into<f64>> model::Model for Pair<T>
where
    T: PartialOrd,
{
    type Output = Vec<f64>;
    const SCALE: f64 = 1.0;

    #[ndcache::cache]
    fn fit(&self, x: f64) -> Vec<f64> {
        let (mut low, mut high) = (self.0, self.1);
        if high < low {
            (low, high) = (high, low);
        }
        vec![low.into() * x, high.into() * x]
    }

    fn seeded(seed: u64) -> u64 {
        seed
    }
}

#[test]
fn a_method_of_a_trait_is_cached_by_its_impl() {
    use model::Model as _;

    let (_folder, memory) = fresh();
    let ridge = Ridge { alpha: 0.5 };
    let runs = || RUNS.swap(0, Ordering::Relaxed);
    assert_eq!((memory.eval(ridge.fit_call(3.0)), runs()), (14.0, 1));
    assert_eq!((memory.eval(ridge.fit_call(3.0)), runs()), (14.0, 0));
    assert_eq!((memory.eval(Ridge { alpha: 1.0 }.fit_call(3.0)), runs()), (17.0, 1));
    // By the trait, as any code calls it: without a memory it runs, with one it hits.
    let model: &dyn Fn(f64) -> f64 = &|x| ridge.fit(x);
    assert_eq!((model(3.0), runs()), (14.0, 1));
    assert_eq!((memory.with(|| model(3.0)), runs()), (14.0, 0));
    assert_eq!((ridge.fit_compute(3.0), runs()), (14.0, 1));
    assert_eq!((ridge.name(), Ridge::seeded(2)), ("ridge".to_owned(), 12));
    assert_eq!(memory.eval(Ridge::seeded_call(2)), 12);
    assert!(memory.contains(&Ridge::seeded_call(2)));
}

fn by_trait<M: model::Model>(model: &M, x: f64) -> M::Output {
    model.fit(x)
}

#[test]
fn generic_types_that_implement_a_trait_have_a_key_for_each_parameter() {
    let (_folder, memory) = fresh();
    assert_eq!(memory.with(|| by_trait(&Pair(2.0_f32, 1.0), 2.0)), [2.0, 4.0]);
    assert_eq!(memory.with(|| by_trait(&Pair(2_u8, 1), 2.0)), [2.0, 4.0]);
    assert_eq!(memory.entries().count(), 2);
    assert!(memory.contains(&Pair(2_u8, 1).fit_call(2.0)));
    assert!(!memory.contains(&Pair(2_u16, 1).fit_call(2.0)));
}

#[derive(ContentHash)]
struct Mean(f64);

trait Model {
    fn fit(&self, x: f64) -> f64;
}

trait Baseline {
    fn fit(&self, x: f64) -> f64;
}

#[cache]
impl Model for Mean {
    #[cache]
    fn fit(&self, x: f64) -> f64 {
        x * self.0
    }
}

#[cache]
impl Baseline for Mean {
    #[cache(handle = baseline)]
    fn fit(&self, x: f64) -> f64 {
        x + self.0
    }
}

#[test]
fn two_traits_of_one_type_have_methods_of_one_name_by_a_handle() {
    let (_folder, memory) = fresh();
    let mean = Mean(0.5);
    assert_eq!(memory.eval(mean.baseline_call(3.0)), 3.5);
    assert_eq!((memory.contains(&mean.fit_call(3.0)), memory.contains(&mean.baseline_call(3.0))), (false, true));
    assert_eq!(memory.with(|| (Baseline::fit(&mean, 3.0), Model::fit(&mean, 3.0))), (3.5, 1.5));
    assert_eq!((memory.entries().count(), mean.baseline_compute(1.0)), (2, 1.5));
    let [baseline, fit] = [Mean::baseline_function(), Mean::fit_function()].map(|function| function.path());
    assert!(baseline.ends_with("Mean::baseline") && fit.ends_with("Mean::fit"), "{baseline}, {fit}");
}
