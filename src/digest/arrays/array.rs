//! Digests of ndarray's arrays: of contiguous ones, in any order of axes, as they lie in memory; of others by
//! `gather`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;

use ndarray::iter::Iter;
use ndarray::{ArrayRef, ArrayView1, ArrayViewD, Dimension, IxDyn};

use crate::digest::arrays::element::Element;
use crate::digest::arrays::gather::{gather, leaves_at_once};
use crate::digest::arrays::meta::{array_text, memory_order};
use crate::digest::tree::{LEAF, SERIAL_GATHERED, TreeHasher, combine, leaf, runs, tree};
use crate::digest::value::Digest;
use crate::digest::values::hasher::ContentHasher;

thread_local! {
    static HASHED: Cell<u64> = const { Cell::new(0) };
}

/// How many arrays this thread has hashed, not counting those whose digest was known; for tests.
#[doc(hidden)]
pub fn arrays_hashed() -> u64 {
    HASHED.get()
}

/// The digest of the elements as they are in memory, or as they would be in a C-order copy: reads them once, in parallel
/// when there are many.
#[inline]
pub(crate) fn array_digest<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Digest {
    // For most arrays all but the elements is known at compile time, the number of axes and their order included.
    match array.as_slice() {
        Some(slice) => text(array, 0..array.ndim(), tree(bytemuck::cast_slice(slice))),
        None => digest_in_any_order(array),
    }
}

/// The digest of an array in any order. Not inlined, which keeps the path of arrays in C order short.
#[inline(never)]
pub(crate) fn digest_in_any_order<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Digest {
    // Fortran order needs no search.
    if let Some(slice) = array.t().as_slice()
        && array.shape().iter().all(|&len| len > 1)
    {
        return text(array, (0..array.ndim()).rev(), tree(bytemuck::cast_slice(slice)));
    }
    let order = memory_order(array.shape(), array.strides());
    let tree = match (&order, array.as_slice_memory_order()) {
        (Some(_), Some(slice)) => tree(bytemuck::cast_slice(slice)),
        (Some(order), None) => gathered(&array.view().into_dyn().permuted_axes(order.as_slice())),
        (None, _) => gathered(&array.view().into_dyn()),
    };
    text(array, order.unwrap_or_else(|| (0..array.ndim()).collect()).into_iter(), tree)
}

/// The digest of the 1-d array of a deque's elements.
pub(crate) fn deque_digest<A: Element>(deque: &VecDeque<A>) -> Digest {
    let (front, back) = deque.as_slices();
    if back.is_empty() {
        return array_digest(&ArrayView1::from(front));
    }
    let mut tree = TreeHasher::new();
    tree.push(bytemuck::cast_slice(front));
    tree.push(bytemuck::cast_slice(back));
    array_text(A::DESCR, [deque.len() as u64].into_iter(), 0..1, tree.finish())
}

/// Feeds an array whose items aren't [`Element`]s: its shape and its memory order, then its items, as they lie in
/// memory or as they would in a C-order copy.
pub(crate) fn hash_items<T, D: Dimension>(
    array: &ArrayRef<T, D>,
    hasher: &mut ContentHasher,
    feed: impl FnOnce(Iter<'_, T, IxDyn>, &mut ContentHasher),
) {
    let order = memory_order(array.shape(), array.strides()).unwrap_or_else(|| (0..array.ndim()).collect());
    hasher.begin_array();
    for number in [array.ndim()].iter().chain(array.shape()).chain(&order) {
        hasher.raw(&(*number as u64).to_le_bytes());
    }
    feed(array.view().into_dyn().permuted_axes(order).iter(), hasher);
    hasher.end();
}

/// The digest of an array whose buffer has the digest `tree`.
#[inline(always)]
fn text<A: Element, D: Dimension>(
    array: &ArrayRef<A, D>,
    order: impl ExactSizeIterator<Item = usize>,
    tree: Digest,
) -> Digest {
    HASHED.set(HASHED.get() + 1);
    array_text(A::DESCR, array.shape().iter().map(|&len| len as u64), order, tree)
}

/// The tree digest of the elements in logical order, which are copied some leaves at a time.
fn gathered<A: Element>(view: &ArrayViewD<'_, A>) -> Digest {
    // A whole number: `LEAF` and the size of each element are powers of two.
    let per_leaf = LEAF / size_of::<A>();
    let run = leaves_at_once(view);
    let scratch = || vec![A::zeroed(); (run * per_leaf).min(view.len())];
    let make = |scratch: &mut Vec<A>, leaves: Range<usize>| {
        let start = leaves.start * per_leaf;
        let out = &mut scratch[..(leaves.len() * per_leaf).min(view.len() - start)];
        gather(view.view(), start, out);
        out.chunks(per_leaf).map(|elements| leaf(bytemuck::cast_slice(elements))).collect()
    };
    combine(&runs(view.len() as u64 * size_of::<A>() as u64, SERIAL_GATHERED, run, scratch, make))
}

#[cfg(test)]
mod tests;
