//! Numbers that count by their nearest multiple of a step: small numerical errors make no other argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::Pod;
use ndarray::{ArrayBase, ArrayRef, ArrayView1, ArrayViewD, Data, Dimension};

use crate::digest::arrays::element::Element;
use crate::digest::arrays::gather::gather;
use crate::digest::arrays::meta::{array_text, memory_order};
use crate::digest::tree::{LEAF, SERIAL_GATHERED, combine, leaf, leaves};
use crate::digest::value::Digest;
use crate::digest::values::content::ContentHash;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::text::Text;

/// The number of steps, 2^53, from which on neighbouring floats may be equally many steps: they count by themselves.
const MOST: f64 = 9_007_199_254_740_992.0;

/// The mark of what counts by itself.
const ITSELF: &str = "itself";

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

    /// The number of steps; one zero and one NaN. `None` for a number that has 2^53 of them or more.
    fn count(self, x: f64) -> Option<f64> {
        let count = (x / self.0).round_ties_even();
        if count.is_nan() {
            return Some(f64::NAN);
        }
        // A sum with 0.0 is never -0.0.
        (count.abs() < MOST || x.is_infinite()).then_some(count + 0.0)
    }

    /// The number of steps and 0, or a NaN and the number itself, which isn't 0.
    fn pair(self, x: f64) -> [f64; 2] {
        self.count(x).map_or([f64::NAN, x], |count| [count, 0.0])
    }

    /// Says by what the value counted.
    pub(crate) fn describe(self, text: &mut Text) {
        text.display(format_args!(" (rounded to {:?})", self.0));
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
                    None => {
                        hasher.str(ITSELF);
                        hasher.f64(f64::from(*self));
                    }
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
    let shape = array.shape().iter().map(|&len| len as u64);
    let text = |tree| array_text(A::DESCR, shape.clone(), order.iter().copied(), tree);
    let large = AtomicBool::new(false);
    let count = |x| {
        step.count(x).unwrap_or_else(|| {
            large.store(true, Ordering::Relaxed);
            f64::NAN
        })
    };
    let counts = tree(&view, count);
    if !large.into_inner() {
        hasher.leaf(text(counts));
        return;
    }
    hasher.begin_tuple();
    hasher.str(ITSELF);
    hasher.leaf(text(tree(&view, |x| step.pair(x))));
    hasher.end();
}

/// The tree of what the elements count as, which is made a leaf at a time: constant memory.
fn tree<A: Float, C: Pod + Send>(view: &ArrayViewD<'_, A>, count: impl Fn(f64) -> C + Sync) -> Digest {
    if view.is_empty() {
        return leaf(&[]);
    }
    let per_leaf = LEAF / size_of::<C>();
    let scratch = || {
        let len = per_leaf.min(view.len());
        (vec![A::zeroed(); len], vec![C::zeroed(); len])
    };
    let nth = |(elements, counts): &mut (Vec<A>, Vec<C>), n: usize| {
        let start = n * per_leaf;
        let len = per_leaf.min(view.len() - start);
        let (elements, counts) = (&mut elements[..len], &mut counts[..len]);
        gather(view.view(), start, elements);
        for (counted, &element) in counts.iter_mut().zip(elements.iter()) {
            *counted = count(element.into());
        }
        leaf(bytemuck::cast_slice(counts))
    };
    combine(&leaves((view.len() * size_of::<C>()) as u64, SERIAL_GATHERED, scratch, nth))
}

#[cfg(test)]
mod tests {
    use ndarray::prelude::*;
    use ndarray::s;

    use super::*;
    use crate::digest::values::content::digest;

    const STEP: Step = Step::new(1e-3);

    fn rounded<T: Roundable + ?Sized>(value: &T, step: Step) -> Digest {
        let mut hasher = ContentHasher::new();
        step.feed(value, &mut hasher);
        hasher.try_finish().unwrap()
    }

    #[test]
    fn numbers_count_by_their_nearest_multiple_and_ties_go_to_even() {
        let half = Step::new(0.5);
        for (x, count) in [(0.25, 0.0), (0.75, 2.0), (1.25, 2.0), (-0.25, 0.0), (-0.75, -2.0), (4e15, 8e15)] {
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
    fn a_number_that_has_too_many_steps_counts_by_itself_and_is_not_merged_with_others() {
        let one = Step::new(1.0);
        assert_eq!((one.count(MOST - 1.0), one.count(MOST)), (Some(MOST - 1.0), None));
        let step = Step::new(1e-9);
        let numbers = [1e300, 1e300_f64.next_up(), -1e300, 1e7, 1e7_f64.next_up(), 1e7 / 1e-9, f64::INFINITY, f64::MAX];
        let alone = numbers.map(|x| rounded(&x, step));
        let arrays = numbers.map(|x| rounded(&array![0.5, x], step));
        for digests in [alone, arrays] {
            let distinct: std::collections::HashSet<_> = digests.iter().collect();
            assert_eq!(distinct.len(), numbers.len());
        }
        // The other elements count by their numbers of steps as ever.
        assert_eq!(rounded(&array![0.5, 1e300], step), rounded(&array![0.5 + 1e-12, 1e300], step));
        assert_ne!(rounded(&array![0.5, 1e300], step), rounded(&array![0.5 + 1e-8, 1e300], step));
        assert_ne!(rounded(&array![1e300, 0.5], step), rounded(&array![0.5, 1e300], step));
        assert_eq!(rounded(&[-0.0, 1e300, -f64::NAN], step), rounded(&[0.0, 1e300, f64::NAN], step));
        let smallest = Step::new(f64::from_bits(1));
        assert_ne!(rounded(&1.0, smallest), rounded(&2.0, smallest));
    }

    #[test]
    fn a_step_is_positive_and_finite() {
        for step in [0.0, -1e-9, f64::NAN, f64::INFINITY] {
            assert!(std::panic::catch_unwind(|| Step::new(step)).is_err(), "{step}");
        }
    }
}
