//! What a digest says about an array besides its elements: dtype, shape and memory order.

use std::borrow::Cow;

use ndarray::{ArrayRef, Dimension};
use serde::{Deserialize, Serialize};

use super::element::{Element, itemsize};
use super::value::Digest;
use crate::error::{Error, Result};

/// The memory order of a stored array: there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Order {
    /// The last axis varies fastest.
    C,
    /// The first axis varies fastest.
    F,
}

/// A stored array without its elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ArrayMeta {
    pub(crate) descr: Cow<'static, str>,
    pub(crate) shape: Vec<u64>,
    pub(crate) order: Order,
}

impl ArrayMeta {
    /// Describes an array that is contiguous in C or Fortran order; C where it is both. `None` for any other.
    pub(crate) fn of<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Option<Self> {
        let order = if is_contiguous(array, Order::C) {
            Order::C
        } else if is_contiguous(array, Order::F) {
            Order::F
        } else {
            return None;
        };
        let shape = array.shape().iter().map(|&len| len as u64).collect();
        Some(Self { descr: Cow::Borrowed(A::DESCR), shape, order })
    }

    /// The bytes of one element.
    ///
    /// # Errors
    /// Returns an error when the dtype is none of [`Element`]'s.
    pub(crate) fn itemsize(&self) -> Result<u64> {
        itemsize(&self.descr).ok_or_else(|| {
            Error::unsupported(format!("dtype `{}` isn't one that can be read", self.descr.escape_debug()))
        })
    }

    /// The bytes of all elements.
    ///
    /// # Errors
    /// Returns an error when the dtype is unknown, or when no array of this machine can have that shape: as in
    /// ndarray, the product of the axes that aren't empty has to fit.
    pub(crate) fn byte_len(&self) -> Result<u64> {
        let itemsize = self.itemsize()?;
        let axes = self.shape.iter().filter(|&&len| len > 0);
        let bytes = axes.copied().try_fold(itemsize, u64::checked_mul).filter(|&bytes| bytes <= isize::MAX as u64);
        match bytes {
            Some(_) if self.shape.contains(&0) => Ok(0),
            Some(bytes) => Ok(bytes),
            None => Err(Error::damaged(format!("shape {:?} of dtype `{}` is too large", self.shape, self.descr))),
        }
    }

    /// The digest of the array whose bytes, as they are stored, have the digest `tree`.
    pub(crate) fn digest(&self, tree: Digest) -> Digest {
        array_text(&self.descr, self.shape.iter().copied(), self.axes().into_iter(), tree)
    }

    /// The axes from the slowest to the fastest.
    fn axes(&self) -> Vec<usize> {
        let axes = 0..self.shape.len();
        if self.order == Order::C || self.shape.contains(&0) {
            return axes.collect();
        }
        let long = |axis: &usize| self.shape[*axis] > 1;
        merge(axes.clone().rev().filter(long), axes.filter(|axis| !long(axis)))
    }
}

/// Size-1 axes don't matter, nor do the axes of an empty array.
fn is_contiguous<A, D: Dimension>(array: &ArrayRef<A, D>, order: Order) -> bool {
    let axes = array.shape().iter().zip(array.strides());
    let run = match order {
        Order::C => run_length(axes.rev()),
        Order::F => run_length(axes),
    };
    array.is_empty() || run.is_some()
}

/// The length of a run of memory with these axes, the fastest first, unless there are gaps in it.
fn run_length<'a>(axes: impl Iterator<Item = (&'a usize, &'a isize)>) -> Option<usize> {
    axes.filter(|axis| *axis.0 != 1)
        .try_fold(1, |run, (&len, &stride)| (usize::try_from(stride) == Ok(run)).then(|| run * len))
}

/// The permutation of the axes in which memory is contiguous, slowest axis first; `None` when there are gaps, or
/// strides that are zero or negative.
///
/// Of several that fit, the lexicographically smallest. Axes longer than 1 have their place by their strides, the
/// others go anywhere. An empty array is C-contiguous.
pub(super) fn memory_order(shape: &[usize], strides: &[isize]) -> Option<Vec<usize>> {
    if shape.contains(&0) {
        return Some((0..shape.len()).collect());
    }
    let (mut long, short): (Vec<_>, Vec<_>) = (0..shape.len()).partition(|&axis| shape[axis] > 1);
    long.sort_by_key(|&axis| std::cmp::Reverse(strides[axis]));
    run_length(long.iter().rev().map(|&axis| (&shape[axis], &strides[axis])))?;
    Some(merge(long.into_iter(), short.into_iter()))
}

/// The lexicographically smallest sequence that holds `long` in its order, and `short`, which ascends.
///
/// Taking the smaller head is best at each step: heads never tie, and a head that was passed over stays available.
fn merge(long: impl Iterator<Item = usize>, short: impl Iterator<Item = usize>) -> Vec<usize> {
    let (mut long, mut short) = (long.peekable(), short.peekable());
    let mut merged = Vec::with_capacity(long.size_hint().0 + short.size_hint().0);
    while let Some(&head) = long.peek() {
        match short.next_if(|&axis| axis < head) {
            Some(axis) => merged.push(axis),
            None => merged.extend(long.next()),
        }
    }
    merged.extend(short);
    merged
}

/// What the text of an array of a few axes takes.
const SHORT: usize = 256;

/// The longest number in decimal, and a comma.
const NUMBER: usize = 21;

/// The digest of an array: of a text that names dtype, shape and order, and the digest of its buffer.
pub(super) fn array_text(
    descr: &str,
    shape: impl ExactSizeIterator<Item = u64>,
    order: impl ExactSizeIterator<Item = usize>,
    tree: Digest,
) -> Digest {
    let tree = tree.to_bytes();
    let most = "ndarray::::".len() + descr.len() + NUMBER * (shape.len() + order.len()) + tree.len();
    let (mut short, mut long) = ([0; SHORT], Vec::new());
    let bytes = if most <= SHORT {
        &mut short[..]
    } else {
        long.resize(most, 0);
        &mut long
    };
    let mut text = Text { bytes, len: 0 };
    text.push_all(*b"ndarray:");
    descr.bytes().for_each(|byte| text.push(byte));
    text.push(b':');
    text.decimals(shape);
    text.push(b':');
    text.decimals(order.map(|axis| axis as u64));
    text.push(b':');
    text.push_all(tree);
    Digest::of(&text.bytes[..text.len])
}

/// A text in the making, as long as its bytes at most. Nothing but the bytes is ever handed on, so that the length is
/// no memory that is waited for: for a small array that took longer than hashing it.
struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[inline(always)]
    fn push_all<const LEN: usize>(&mut self, bytes: [u8; LEN]) {
        self.bytes[self.len..self.len + LEN].copy_from_slice(&bytes);
        self.len += LEN;
    }

    #[inline(always)]
    fn decimals(&mut self, numbers: impl Iterator<Item = u64>) {
        for (n, number) in numbers.enumerate() {
            if n > 0 {
                self.push(b',');
            }
            self.decimal(number);
        }
    }

    /// Without the machinery of `fmt`, which takes longer than hashing a small array.
    #[inline(always)]
    fn decimal(&mut self, mut number: u64) {
        let mut digits = [0; NUMBER];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits[first..].iter().for_each(|&digit| self.push(digit));
    }
}

#[cfg(test)]
mod tests {
    use ndarray::prelude::*;
    use ndarray::s;

    use super::super::content::digest;
    use super::super::tree::tree;
    use super::*;

    fn meta(descr: &'static str, shape: &[u64], order: Order) -> ArrayMeta {
        ArrayMeta { descr: descr.into(), shape: shape.to_vec(), order }
    }

    #[test]
    fn a_stored_array_has_the_digest_of_the_array_in_memory() {
        for shape in [&[3, 4][..], &[2, 1, 3], &[1, 5, 1], &[], &[0, 3], &[7], &[2, 3, 1, 4], &[1, 3, 2, 1]] {
            for fortran in [false, true] {
                let mut count = 0.0;
                let array = ArrayD::from_shape_simple_fn(IxDyn(shape).set_f(fortran), || {
                    count += 1.0;
                    count
                });
                let meta = ArrayMeta::of(&*array).unwrap();
                let bytes: &[u8] = bytemuck::cast_slice(array.as_slice_memory_order().unwrap());
                assert_eq!(meta.digest(tree(bytes)), digest(&array), "{shape:?} {fortran}");
                assert_eq!(meta.byte_len().unwrap(), bytes.len() as u64);
            }
        }
    }

    #[test]
    fn only_arrays_in_c_or_fortran_order_can_be_stored_and_c_wins() {
        let array = Array3::<f32>::zeros((2, 3, 4));
        assert_eq!(ArrayMeta::of(&*array), Some(meta("<f4", &[2, 3, 4], Order::C)));
        assert_eq!(ArrayMeta::of(&*array.t()), Some(meta("<f4", &[4, 3, 2], Order::F)));
        assert_eq!(ArrayMeta::of(&*array.view().permuted_axes([1, 0, 2])), None);
        assert_eq!(ArrayMeta::of(&*array.slice(s![..;-1, .., ..])), None);
        assert_eq!(ArrayMeta::of(&*array.slice(s![.., .., ..2])), None);
        let row = array.slice(s![..1, 1.., ..]);
        assert_eq!(ArrayMeta::of(&*row), Some(meta("<f4", &[1, 2, 4], Order::C)));
        assert_eq!(ArrayMeta::of(&*row.slice(s![.., .., ..1])), None);
        let column = Array2::<bool>::default((5, 1).f());
        assert_eq!(ArrayMeta::of(&*column), Some(meta("|b1", &[5, 1], Order::C)));
        let empty = Array2::<u8>::zeros((4, 0).f());
        assert_eq!(ArrayMeta::of(&*empty), Some(meta("|u1", &[4, 0], Order::C)));
    }

    #[test]
    fn the_text_of_an_array_may_have_any_length() {
        let tree = tree(&[]);
        for axes in [0, 1, 2, 9, 10, 11, 12, 60] {
            let shape: Vec<u64> = (0..axes).map(|axis| [0, 9, 10, 99, u64::MAX][axis % 5]).collect();
            let numbers: Vec<_> = shape.iter().map(u64::to_string).collect();
            let order: Vec<_> = (0..axes).map(|axis| axis.to_string()).collect();
            let text = format!("ndarray:<f8:{}:{}:", numbers.join(","), order.join(","));
            let expected = Digest::of(&[text.as_bytes(), &tree.to_bytes()].concat());
            assert_eq!(array_text("<f8", shape.into_iter(), 0..axes, tree), expected, "{text}");
        }
    }

    #[test]
    fn a_shape_that_no_array_can_have_is_an_error() {
        assert_eq!(meta("<f8", &[], Order::C).byte_len().unwrap(), 8);
        assert_eq!(meta("<c16", &[1 << 40, 0], Order::C).byte_len().unwrap(), 0);
        for shape in [&[1 << 60][..], &[u64::MAX], &[1 << 32, 1 << 32], &[1 << 32, 1 << 32, 0]] {
            let error = meta("<f8", shape, Order::C).byte_len().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Damaged);
        }
        let error = meta("|O", &[1], Order::C).byte_len().unwrap_err();
        assert_eq!(error.to_string(), "dtype `|O` isn't one that can be read");
    }

    #[test]
    fn a_stored_shape_serializes() {
        let meta = meta("<f8", &[3, 4], Order::F);
        let json = serde_json::to_string(&meta).unwrap();
        assert_eq!(json, r#"{"descr":"<f8","shape":[3,4],"order":"F"}"#);
        assert_eq!(serde_json::from_str::<ArrayMeta>(&json).unwrap(), meta);
    }
}
