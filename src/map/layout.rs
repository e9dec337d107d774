//! The two memory orders that are stored, and how an array comes into one of them.

use std::mem;

use ndarray::{Array, Dimension, Shape, ShapeBuilder};

use crate::digest::{ArrayMeta, Element, Order, shown_dtype};
use crate::error::{Error, Result};

/// The shape of a stored array, checked against the type it is wanted as.
///
/// Afterwards the array's bytes, and so its number of elements and every offset in it, fit an `isize`.
///
/// # Errors
/// Returns an error of the kind `Damaged` when dtype or number of axes differ, or when no memory could hold the array.
pub(super) fn shape_of<A: Element, D: Dimension>(meta: &ArrayMeta) -> Result<Shape<D>> {
    if meta.descr != A::DESCR {
        let (found, expected) = (shown_dtype(&meta.descr).escape_debug(), A::NAME);
        return Err(Error::damaged(format!("array has dtype `{found}`, expected `{expected}`")));
    }
    meta.byte_len()?;
    let found = meta.shape.len();
    if let Some(expected) = D::NDIM.filter(|&expected| expected != found) {
        return Err(Error::damaged(format!("array has {found} axes, expected {expected}")));
    }
    let mut dimension = D::zeros(found);
    // `byte_len` has made sure that each axis fits.
    dimension.slice_mut().iter_mut().zip(&meta.shape).for_each(|(axis, &stored)| *axis = stored as usize);
    Ok(dimension.set_f(meta.order == Order::F))
}

/// The stored array whose elements, in the order of memory, are `elements`.
///
/// # Errors
/// Returns an error when [`shape_of`] does, or when the number of elements differs.
pub(crate) fn array_from_vec<A: Element, D: Dimension>(elements: Vec<A>, meta: &ArrayMeta) -> Result<Array<A, D>> {
    let shape = shape_of::<A, D>(meta)?;
    let (found, expected) = (elements.len(), shape.size());
    if found != expected {
        return Err(Error::damaged(format!(
            "array of shape {:?} has {found} elements, expected {expected}",
            meta.shape
        )));
    }
    Array::from_shape_vec(shape, elements)
        .map_err(|error| Error::damaged(format!("array can't have shape {:?}", meta.shape)).because(error))
}

/// Brings an array into C or Fortran order with the very strides that ndarray gives a new array of its shape.
///
/// An array that is contiguous in one of the two keeps that order and its memory; in both, it is taken as C. Only the
/// strides of axes of length 1 and of empty arrays, which have no meaning but can be seen, may change. Any other array
/// is copied to C order.
pub(crate) fn normalise<A: Element, D: Dimension>(array: &mut Array<A, D>) {
    // Without axes there are no strides, nor an empty array to put in the place of this one.
    if array.ndim() > 0 {
        let empty = Array::from_shape_vec(D::zeros(array.ndim()), Vec::new()).expect("no elements for no elements");
        *array = normalised(mem::replace(array, empty));
    }
}

fn normalised<A: Element, D: Dimension>(array: Array<A, D>) -> Array<A, D> {
    let order = if array.is_standard_layout() {
        ndarray::Order::RowMajor
    } else if array.raw_view().reversed_axes().is_standard_layout() {
        ndarray::Order::ColumnMajor
    } else {
        return array.as_standard_layout().into_owned();
    };
    let shape = array.raw_dim();
    array
        .into_shape_with_order((shape, order))
        .expect("an array that is contiguous in an order has its own shape in it")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ndarray::{Array2, Array3, ArrayD, Axis, Ix0, Ix1, Ix2, IxDyn, Slice, arr0, array, s};
    use proptest::prelude::*;

    use crate::error::ErrorKind;

    fn meta(descr: &'static str, shape: &[u64], order: Order) -> ArrayMeta {
        ArrayMeta { descr: descr.into(), shape: shape.into(), order, itemsize: None }
    }

    #[test]
    fn a_vector_becomes_the_array_of_its_meta() {
        let c = array_from_vec::<i32, Ix2>((0..6).collect(), &meta("<i4", &[2, 3], Order::C)).unwrap();
        let f = array_from_vec::<i32, IxDyn>((0..6).collect(), &meta("<i4", &[2, 3], Order::F)).unwrap();
        assert_eq!(c, array![[0, 1, 2], [3, 4, 5]]);
        assert_eq!(f, array![[0, 2, 4], [1, 3, 5]].into_dyn());
        let zero = array_from_vec::<i32, Ix0>(vec![7], &meta("<i4", &[], Order::C)).unwrap();
        assert_eq!(zero, arr0(7));
    }

    #[test]
    fn what_does_not_fit_the_type_is_damaged() {
        let message = |meta: ArrayMeta| {
            let error = array_from_vec::<i32, Ix2>(vec![0; 6], &meta).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            error.to_string()
        };
        assert_eq!(message(meta("<f4", &[2, 3], Order::C)), "array has dtype `f32`, expected `i32`");
        assert_eq!(message(meta("<i4", &[6], Order::C)), "array has 1 axes, expected 2");
        assert_eq!(message(meta("<i4", &[2, 4], Order::C)), "array of shape [2, 4] has 6 elements, expected 8");
        assert!(message(meta("<i4", &[1 << 62, 4], Order::C)).contains("too large"));
        assert!(message(meta("<i4", &[0, u64::MAX], Order::C)).contains("too large"));
    }

    #[test]
    fn contiguous_arrays_keep_their_memory() {
        let mut c: Array2<f64> = Array2::ones((3, 4));
        let mut f: Array2<f64> = Array2::ones((3, 4).f());
        for (array, strides) in [(&mut c, [4, 1]), (&mut f, [1, 3])] {
            let before = array.as_ptr();
            normalise(array);
            assert_eq!((array.as_ptr(), array.strides()), (before, &strides[..]));
        }
    }

    #[test]
    fn axes_of_length_one_get_their_usual_strides() {
        let mut array = Array3::<u8>::zeros((4, 5, 6)).slice_move(s![.., 2..3, ..]).as_standard_layout().into_owned();
        array.swap_axes(1, 2);
        array.swap_axes(1, 2);
        let mut narrow = Array2::<u8>::zeros((5, 1).f());
        let before = narrow.as_ptr();
        normalise(&mut narrow);
        normalise(&mut array);
        assert_eq!((narrow.strides(), narrow.as_ptr()), (&[1, 1][..], before));
        assert_eq!(array.strides(), [6, 6, 1]);
    }

    #[test]
    fn a_part_of_a_larger_buffer_is_kept_where_it_is() {
        let mut array = ndarray::Array1::from_iter(0..100).slice_move(s![40..60]);
        let before = array.as_ptr();
        normalise(&mut array);
        assert_eq!((array.as_ptr(), array), (before, ndarray::Array1::from_iter(40..60)));
    }

    #[test]
    fn an_array_without_axes_is_left_alone() {
        let mut zero = arr0(3.5);
        normalise(&mut zero);
        let mut dynamic = arr0(3.5).into_dyn();
        normalise(&mut dynamic);
        assert_eq!((zero, dynamic), (arr0(3.5), arr0(3.5).into_dyn()));
    }

    #[test]
    fn an_offset_array_of_a_single_element_is_one_dimensional() {
        let mut array = ndarray::Array::<i8, Ix1>::from_vec(vec![1, 2, 3]).slice_move(s![2..;-1]);
        normalise(&mut array);
        assert_eq!((array.strides(), array.to_vec()), (&[1][..], vec![3]));
    }

    proptest! {
        #[test]
        fn normalised_arrays_equal_themselves_and_have_default_strides(array in any_array()) {
            let (before, c, f) = (array.clone(), array.is_standard_layout(), array.t().is_standard_layout());
            let mut after = array;
            normalise(&mut after);
            prop_assert_eq!(&after, &before);
            let fresh = ArrayD::<u16>::zeros(IxDyn(before.shape()).set_f(f && !c));
            prop_assert_eq!(after.strides(), fresh.strides());
        }
    }

    /// Arrays of up to four axes, permuted, sliced by steps of either sign, with axes of length 0 and 1.
    pub(in crate::map) fn any_array() -> impl Strategy<Value = ArrayD<u16>> {
        let axis = (0..6_usize, 0..3_isize, prop_oneof![Just(1_isize), Just(1), Just(-1), Just(2)]);
        (prop::collection::vec(axis, 0..4), any::<bool>(), any::<bool>()).prop_map(|(axes, reversed, f)| {
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let len: usize = shape.iter().product();
            let mut array = ArrayD::from_shape_vec(IxDyn(&shape).set_f(f), (0..len as u16).collect()).unwrap();
            for (n, &(len, start, step)) in axes.iter().enumerate() {
                array.slice_axis_inplace(Axis(n), Slice::new(start.min(len as isize), None, step));
            }
            if reversed { array.reversed_axes() } else { array }
        })
    }
}
