//! Numbers that count by their nearest multiple of a step: small numerical errors make no other argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArrayBase, ArrayRef, ArrayView1, ArrayViewD, Data, Dimension};

use super::array::gather;
use super::content::ContentHash;
use super::element::Element;
use super::hasher::ContentHasher;
use super::meta::{array_text, memory_order};
use super::tree::{LEAF, combine, leaf, leaves};
use super::value::Digest;
use crate::error::Error;

/// What `round(x = 1e-9)` gives: the grid on which an argument counts.
#[derive(Clone, Copy, Debug)]
pub struct Step(f64);

impl Step {
    /// A step; the macro calls it in a constant, so that a bad one doesn't compile.
    ///
    /// # Panics
    /// Panics when it isn't positive and finite.
    #[must_use]
    pub const fn new(step: f64) -> Self {
        assert!(step > 0.0 && step.is_finite(), "`round` takes steps that are positive and finite");
        Self(step)
    }

    /// Feeds the value, as docs/format.md has it under "Digests".
    pub(crate) fn feed<T: Roundable + ?Sized>(self, value: &T, hasher: &mut ContentHasher) {
        hasher.begin_struct("ndcache::Rounded");
        hasher.field("step");
        hasher.f64(self.0);
        hasher.field("value");
        value.round_hash(self, hasher);
        hasher.end();
    }

    /// The number of steps; one zero and one NaN. `None` for a number that has more of them than an `f64` holds.
    fn count(self, x: f64) -> Option<f64> {
        let count = (x / self.0).round_ties_even();
        if count.is_nan() {
            return Some(f64::NAN);
        }
        // A sum with 0.0 is never -0.0.
        (count.is_finite() || x.is_infinite()).then_some(count + 0.0)
    }

    fn fault(self, x: f64) -> Error {
        Error::unsupported(format!("{x:e} can't be rounded to a multiple of {:e}: it is too large", self.0))
    }
}

/// An argument of floats, which can be rounded.
pub trait Roundable: ContentHash {
    /// Feeds the value's multiple of the step.
    fn round_hash(&self, step: Step, hasher: &mut ContentHasher);
}

trait Float: Element + Copy + Into<f64> {}

impl Float for f32 {}
impl Float for f64 {}

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl Roundable for $type {
            fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
                hasher.begin_tuple();
                hasher.str(<$type>::NAME);
                match step.count(f64::from(*self)) {
                    Some(count) => hasher.f64(count),
                    None => hasher.fail(step.fault(f64::from(*self))),
                }
                hasher.end();
            }
        }

        impl Roundable for [$type] {
            fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
                array(&ArrayView1::from(self), step, hasher);
            }
        }

        impl<D: Dimension> Roundable for ArrayRef<$type, D> {
            fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
                array(self, step, hasher);
            }
        }
    )*};
}

floats! { f32 f64 }

impl<S: Data, D: Dimension> Roundable for ArrayBase<S, D>
where
    S::Elem: ContentHash,
    ArrayRef<S::Elem, D>: Roundable,
{
    fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
        (**self).round_hash(step, hasher);
    }
}

impl<T: ContentHash> Roundable for Vec<T>
where
    [T]: Roundable,
{
    fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
        self.as_slice().round_hash(step, hasher);
    }
}

impl<T: ContentHash, const N: usize> Roundable for [T; N]
where
    [T]: Roundable,
{
    fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
        self.as_slice().round_hash(step, hasher);
    }
}

impl<T: Roundable> Roundable for Option<T> {
    fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
        match self {
            None => hasher.none(),
            Some(value) => {
                hasher.some();
                value.round_hash(step, hasher);
            }
        }
    }
}

macro_rules! transparent {
    ($($type:ty)*) => {$(
        impl<T: Roundable + ?Sized> Roundable for $type {
            fn round_hash(&self, step: Step, hasher: &mut ContentHasher) {
                (**self).round_hash(step, hasher);
            }
        }
    )*};
}

transparent! { &T Box<T> Arc<T> }

/// Feeds an array as its digest would be if its elements were their numbers of steps, with its own dtype.
fn array<A: Float, D: Dimension>(array: &ArrayRef<A, D>, step: Step, hasher: &mut ContentHasher) {
    if hasher.leaves_out() {
        return;
    }
    let order = memory_order(array.shape(), array.strides());
    let view = array.view().into_dyn();
    let view = match &order {
        Some(order) => view.permuted_axes(order.as_slice()),
        None => view,
    };
    let order = order.unwrap_or_else(|| (0..array.ndim()).collect());
    match tree(&view, step) {
        Ok(tree) => hasher.leaf(array_text(A::DESCR, array.shape(), &order, tree)),
        Err(error) => hasher.fail(error),
    }
}

/// The tree of the numbers of steps, which are made a leaf at a time: constant memory.
fn tree<A: Float>(view: &ArrayViewD<'_, A>, step: Step) -> Result<Digest, Error> {
    if view.is_empty() {
        return Ok(leaf(&[]));
    }
    let per_leaf = LEAF / size_of::<f64>();
    // The bits of a number that is too large; none is 0.
    let too_large = AtomicU64::new(0);
    let scratch = || {
        let len = per_leaf.min(view.len());
        (vec![A::zeroed(); len], vec![0.0; len])
    };
    let nth = |(elements, counts): &mut (Vec<A>, Vec<f64>), n: usize| {
        let start = n * per_leaf;
        let len = per_leaf.min(view.len() - start);
        let (elements, counts) = (&mut elements[..len], &mut counts[..len]);
        gather(view.view(), start, elements);
        for (count, &element) in counts.iter_mut().zip(elements.iter()) {
            *count = step.count(element.into()).unwrap_or_else(|| {
                too_large.store(element.into().to_bits(), Ordering::Relaxed);
                f64::NAN
            });
        }
        leaf(bytemuck::cast_slice(counts))
    };
    let leaves = leaves((view.len() * size_of::<f64>()) as u64, scratch, nth);
    match too_large.into_inner() {
        0 => Ok(combine(&leaves)),
        bits => Err(step.fault(f64::from_bits(bits))),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::prelude::*;
    use ndarray::s;

    use super::super::content::digest;
    use super::*;

    const STEP: Step = Step::new(1e-3);

    fn rounded<T: Roundable + ?Sized>(value: &T, step: Step) -> Digest {
        let mut hasher = ContentHasher::new();
        step.feed(value, &mut hasher);
        hasher.try_finish().unwrap()
    }

    #[test]
    fn numbers_count_by_their_nearest_multiple_and_ties_go_to_even() {
        let half = Step::new(0.5);
        for (x, count) in [(0.25, 0.0), (0.75, 2.0), (1.25, 2.0), (-0.25, 0.0), (-0.75, -2.0), (4e307, 8e307)] {
            assert_eq!(half.count(x), Some(count), "{x}");
        }
        assert_eq!(rounded(&0.1234, STEP), rounded(&0.1230001, STEP));
        assert_ne!(rounded(&0.1234, STEP), rounded(&0.1236, STEP));
        assert_eq!(rounded(&f64::INFINITY, STEP), rounded(&f64::INFINITY, STEP));
        assert_ne!(rounded(&f64::INFINITY, STEP), rounded(&f64::NEG_INFINITY, STEP));
    }

    #[test]
    fn zeros_and_nans_are_merged() {
        for zero in [-0.0, 1e-9, -1e-9] {
            assert_eq!(rounded(&zero, STEP), rounded(&0.0, STEP));
            assert_eq!(rounded(&array![zero], STEP), rounded(&array![0.0], STEP));
        }
        let other = f64::from_bits(f64::NAN.to_bits() ^ 1 ^ 1 << 63);
        assert!(other.is_nan());
        assert_eq!(rounded(&other, STEP), rounded(&f64::NAN, STEP));
        assert_eq!(rounded(&[1.0, other], STEP), rounded(&[1.0, f64::NAN], STEP));
    }

    #[test]
    fn the_step_and_the_type_count_and_a_rounded_value_is_not_the_value() {
        assert_ne!(rounded(&1.0, STEP), rounded(&1.0, Step::new(2e-3)));
        assert_ne!(rounded(&0.0, STEP), rounded(&0.0, Step::new(2e-3)));
        assert_ne!(rounded(&1.0_f32, STEP), rounded(&1.0_f64, STEP));
        assert_ne!(rounded(&array![0.0_f32], STEP), rounded(&array![0.0_f64], STEP));
        assert_ne!(rounded(&1.0, Step::new(1.0)), digest(&1.0));
        assert_ne!(rounded(&array![1.0, 2.0], Step::new(1.0)), digest(&array![1.0, 2.0]));
        assert_ne!(rounded(&Some(1.0), STEP), rounded(&1.0, STEP));
        assert_ne!(rounded(&None::<f64>, STEP), rounded(&Some(0.0), STEP));
    }

    #[test]
    fn an_array_counts_shape_and_order_and_not_what_owns_it() {
        let c = Array2::from_shape_fn((30, 50), |(i, j)| (50 * i + j) as f64 * 0.003);
        let mut f = Array2::zeros((30, 50).f());
        f.assign(&c);
        assert_ne!(rounded(&c, STEP), rounded(&f, STEP));
        assert_ne!(rounded(&c, STEP), rounded(&c.to_shape((50, 30)).unwrap(), STEP));
        assert_eq!(rounded(&c, STEP), rounded(&(&c + 1e-6), STEP));
        assert_eq!(rounded(&c.view(), STEP), rounded(&&c, STEP));
        let spread = Array2::from_shape_fn((30, 100), |(i, j)| c[[i, j / 2]]);
        assert_eq!(rounded(&spread.slice(s![.., ..;2]), STEP), rounded(&c, STEP));
        assert_eq!(rounded(&c.row(0), STEP), rounded(&c.row(0).to_vec(), STEP));
        assert_eq!(rounded(&c.row(0), STEP), rounded(c.row(0).as_slice().unwrap(), STEP));
        assert_eq!(rounded(&Array1::<f64>::zeros(0), STEP), rounded(&Vec::<f64>::new(), STEP));
        assert_eq!(rounded(&arr0(0.5), STEP), rounded(&arr0(0.5000001), STEP));
    }

    #[test]
    fn the_digest_of_a_rounded_array_is_that_of_its_numbers_of_steps() {
        // Over several leaves, and in Fortran order.
        let len = LEAF / 8 * 3 + 5;
        let x = Array1::from_shape_fn(len, |i| i as f64 * 0.3);
        let counts = x.mapv(|x| STEP.count(x).unwrap());
        let mut hasher = ContentHasher::new();
        hasher.begin_struct("ndcache::Rounded");
        hasher.field("step");
        hasher.f64(1e-3);
        hasher.field("value");
        counts.content_hash(&mut hasher);
        hasher.end();
        assert_eq!(rounded(&x, STEP), hasher.finish());
    }

    #[test]
    fn a_number_that_has_too_many_steps_is_refused_and_not_merged_with_others() {
        let step = Step::new(1e-9);
        let values: [&dyn Fn(&mut ContentHasher); 2] =
            [&|hasher| step.feed(&1e300, hasher), &|hasher| step.feed(&[0.0, 1e300], hasher)];
        for feed in values {
            let mut hasher = ContentHasher::new();
            feed(&mut hasher);
            let text = hasher.try_finish().unwrap_err().to_string();
            assert_eq!(text, "1e300 can't be rounded to a multiple of 1e-9: it is too large");
        }
    }

    #[test]
    fn a_step_is_positive_and_finite() {
        for step in [0.0, -1e-9, f64::NAN, f64::INFINITY] {
            assert!(std::panic::catch_unwind(|| Step::new(step)).is_err(), "{step}");
        }
    }
}
