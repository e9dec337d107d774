//! Digests of ndarray's arrays, in any layout.

use std::cell::Cell;
use std::collections::VecDeque;

use ndarray::iter::Iter;
use ndarray::{ArrayRef, ArrayView1, ArrayViewD, ArrayViewMut, Axis, Dimension, IxDyn, Slice};

use crate::digest::arrays::element::Element;
use crate::digest::arrays::meta::{array_text, memory_order};
use crate::digest::arrays::tree::{LEAF, SERIAL_GATHERED, TreeHasher, combine, leaf, leaves, tree};
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

/// The tree digest of the elements in logical order, which are copied leaf by leaf.
fn gathered<A: Element>(view: &ArrayViewD<'_, A>) -> Digest {
    // A whole number: `LEAF` and the size of each element are powers of two.
    let per_leaf = LEAF / size_of::<A>();
    let scratch = || vec![A::zeroed(); per_leaf.min(view.len())];
    let nth = |scratch: &mut Vec<A>, n: usize| {
        let start = n * per_leaf;
        let out = &mut scratch[..per_leaf.min(view.len() - start)];
        gather(view.view(), start, out);
        leaf(bytemuck::cast_slice(out))
    };
    combine(&leaves(view.len() as u64 * size_of::<A>() as u64, SERIAL_GATHERED, scratch, nth))
}

/// Copies the elements from the `start`th on, in logical order, until `out` is full.
///
/// Along the first axis these are a part of one block, some whole blocks, and a part of another; each part is divided
/// in the same way along the next axis. So all but a few elements move in large regular copies, whatever the layout.
pub(crate) fn gather<A: Element>(view: ArrayViewD<'_, A>, start: usize, out: &mut [A]) {
    if out.len() == view.len() {
        return copy(&view, out);
    }
    let block = view.len() / view.len_of(Axis(0));
    let (first, skipped) = (start / block, start % block);
    let first_whole = start.div_ceil(block);

    let (head, rest) = out.split_at_mut((first_whole * block - start).min(out.len()));
    let (middle, tail) = rest.split_at_mut(rest.len() / block * block);
    let first_tail = first_whole + middle.len() / block;
    if !head.is_empty() {
        gather(view.index_axis(Axis(0), first), skipped, head);
    }
    if !middle.is_empty() {
        copy(&view.slice_axis(Axis(0), Slice::from(first_whole..first_tail)), middle);
    }
    if !tail.is_empty() {
        gather(view.index_axis(Axis(0), first_tail), 0, tail);
    }
}

fn copy<A: Element>(view: &ArrayViewD<'_, A>, out: &mut [A]) {
    let mut out = ArrayViewMut::from_shape(view.raw_dim(), out).expect("as many elements as the view");
    out.assign(view);
}

#[cfg(test)]
mod tests;
