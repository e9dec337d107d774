//! Gathering: the elements of a view that isn't contiguous, some of them or all, copied in logical order.

use ndarray::{ArrayViewD, ArrayViewMut, ArrayViewMutD, Axis, Slice};

use crate::digest::arrays::element::Element;
use crate::digest::tree::LEAF;

/// The bytes that a processor reads from memory at once.
const CACHE_LINE: usize = 64;

/// The span of memory in bytes up to which a view stays in a core's own cache while it is copied, in whatever order.
const CACHED: usize = 2 << 20;

/// How many elements of a row are copied before the next row's; the best of 4, 8, 16, 32 and 64 for a cube of `f64` in reverse
/// order of axes, and beside the best for other views (2026-11-30).
const BLOCK: usize = 16;

/// How many leaves are gathered at once where that helps.
const SOME_LEAVES: usize = 4;

/// Copies the elements from the `start`th on, in logical order, until `out` is full.
///
/// A slab is what has one place along the first axis. The elements are a part of one slab, some whole slabs, and a part of
/// another; each part is divided in the same way along the next axis. So all but a few elements move in large regular
/// copies, whatever the layout.
pub(crate) fn gather<A: Element>(view: ArrayViewD<'_, A>, start: usize, out: &mut [A]) {
    if out.len() == view.len() {
        return copy(&view, out);
    }
    let slab = view.len() / view.len_of(Axis(0));
    let (first, skipped) = (start / slab, start % slab);
    let first_whole = start.div_ceil(slab);

    let (head, rest) = out.split_at_mut((first_whole * slab - start).min(out.len()));
    let (middle, tail) = rest.split_at_mut(rest.len() / slab * slab);
    let first_tail = first_whole + middle.len() / slab;
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
    match near(view) {
        Some(near) if span(view) > CACHED => copy_in_blocks(view, out, near),
        _ => out.assign(view),
    }
}

/// Copies a view whose rows each lie in as many cache lines as they have elements, and whose elements are neighbours in
/// memory along the axis `near`.
///
/// A few elements of a row are copied with all of their neighbours before the next few, so that a cache line is read
/// once, and not once for each of the elements in it.
fn copy_in_blocks<A: Element>(view: &ArrayViewD<'_, A>, out: ArrayViewMutD<'_, A>, near: usize) {
    let row = last_axis(view).expect("a view with an axis that is near has a row");
    let mut axes: Vec<usize> = (0..view.ndim()).filter(|&axis| axis != near && axis != row).collect();
    axes.extend([near, row]);
    let row = Axis(view.ndim() - 1);
    let view = view.view().permuted_axes(&axes[..]);
    let mut out = out.permuted_axes(axes);
    for start in (0..view.len_of(row)).step_by(BLOCK) {
        let block = Slice::from(start..view.len_of(row).min(start + BLOCK));
        out.slice_axis_mut(row, block).assign(&view.slice_axis(row, block));
    }
}

/// The axis along which neighbours share a cache line, if those along the last axis don't.
fn near<A: Element>(view: &ArrayViewD<'_, A>) -> Option<usize> {
    let apart = |axis: usize| view.strides()[axis].unsigned_abs() * size_of::<A>();
    let row = last_axis(view)?;
    let near = (0..row).filter(|&axis| view.shape()[axis] > 1).min_by_key(|&axis| apart(axis))?;
    (apart(near) < CACHE_LINE && apart(row) >= CACHE_LINE).then_some(near)
}

/// The last axis that has more than one place.
fn last_axis<A: Element>(view: &ArrayViewD<'_, A>) -> Option<usize> {
    view.shape().iter().rposition(|&len| len > 1)
}

/// The bytes from the first element in memory to the last one.
fn span<A: Element>(view: &ArrayViewD<'_, A>) -> usize {
    let axes = view.shape().iter().zip(view.strides());
    axes.map(|(len, stride)| len.saturating_sub(1) * stride.unsigned_abs()).sum::<usize>() * size_of::<A>()
}

/// How many leaves of a view are best gathered at once: several where one has few elements along the axis of neighbours
/// in memory, and would leave the rest of each cache line to the next one.
pub(crate) fn leaves_at_once<A: Element>(view: &ArrayViewD<'_, A>) -> usize {
    let Some(near) = near(view) else { return 1 };
    let per_leaf = LEAF / size_of::<A>();
    let from_neighbour_to_neighbour: usize = view.shape()[near + 1..].iter().product();
    // With fewer elements between neighbours a leaf has enough neighbours; with more, not even several leaves have two.
    let is_few = (per_leaf / 64..=per_leaf * SOME_LEAVES / 2).contains(&from_neighbour_to_neighbour);
    if is_few { SOME_LEAVES } else { 1 }
}

#[cfg(test)]
mod tests {
    use ndarray::prelude::*;
    use ndarray::s;
    use proptest::prelude::*;

    use super::*;

    fn cube(edge: usize) -> Array3<u32> {
        Array::from_iter(0..(edge * edge * edge) as u32).into_shape_with_order((edge, edge, edge)).unwrap()
    }

    /// Element by element.
    fn naive<A: Copy>(view: &ArrayViewD<'_, A>) -> Vec<A> {
        view.iter().copied().collect()
    }

    #[test]
    fn the_near_axis_is_that_of_neighbours_in_memory_unless_rows_are_short_of_a_line() {
        let cube = cube(20);
        let near = |view: ArrayView3<'_, u32>| near(&view.into_dyn());
        assert_eq!(near(cube.view()), None);
        assert_eq!(near(cube.view().reversed_axes()), Some(0));
        assert_eq!(near(cube.view().permuted_axes([1, 2, 0])), Some(1));
        assert_eq!(near(cube.view().permuted_axes([1, 0, 2])), None);
        assert_eq!(near(cube.slice(s![.., .., ..;-1]).reversed_axes()), Some(0));
        assert_eq!(near(cube.slice(s![.., .., ..;16]).reversed_axes()), None, "a line for each");
        assert_eq!(near(cube.slice(s![.., .., ..1]).reversed_axes()), None, "one place along it");
        assert_eq!(near(cube.slice(s![..1, .., ..]).reversed_axes()), Some(0), "the row is the axis before");
    }

    #[test]
    fn several_leaves_are_gathered_at_once_where_one_has_few_neighbours() {
        fn at_once<A: Element>(neighbours: usize, row: usize) -> usize {
            leaves_at_once(&Array2::from_elem((row, neighbours), A::zeroed()).reversed_axes().into_dyn().view())
        }
        assert_eq!(at_once::<u64>(100, 100), 1, "a leaf has all");
        assert_eq!(at_once::<u64>(16, 4096), 4);
        assert_eq!(at_once::<u64>(16, 262_144), 4, "four leaves have two");
        assert_eq!(at_once::<u64>(16, 262_145), 1, "four leaves have no two");
        assert_eq!(at_once::<u8>(100, 16_384), 4);
        assert_eq!(at_once::<u8>(100, 16_383), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn blocks_copy_what_is_there_one_by_one(
            lens in prop::array::uniform3(1..40_usize),
            order in Just([0, 1, 2]).prop_shuffle(),
            starts in prop::array::uniform3(0..3_usize),
            backwards in prop::array::uniform3(any::<bool>()),
        ) {
            let cube = cube(42);
            let mut view = cube.view().into_dyn();
            view.slice_each_axis_inplace(|axis| {
                let n = axis.axis.index();
                Slice::new(starts[n] as isize, Some((starts[n] + lens[n]) as isize), if backwards[n] { -1 } else { 1 })
            });
            let view = view.permuted_axes(&order[..]);
            let mut out = vec![u32::MAX; view.len()];
            if let Some(near) = near(&view) {
                let out = ArrayViewMut::from_shape(view.raw_dim(), &mut out).unwrap();
                copy_in_blocks(&view, out, near);
            } else {
                copy(&view, &mut out);
            }
            prop_assert_eq!(out, naive(&view));
        }
    }

    #[test]
    fn parts_of_a_view_that_no_cache_holds_are_gathered_in_logical_order() {
        let cube = cube(130);
        let view = cube.slice(s![.., 1.., ..;-1]).reversed_axes().into_dyn();
        assert!(span(&view) > CACHED && near(&view) == Some(0));
        let all = naive(&view);
        for (start, len) in [(0, view.len()), (1, 130 * 129), (130 * 129 - 1, 3 * 130 * 129), (77_777, 1_000_001)] {
            let mut out = vec![u32::MAX; len];
            gather(view.view(), start, &mut out);
            assert!(out == all[start..start + len], "{len} from {start}");
        }
    }
}
