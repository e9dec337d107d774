//! What a digest says about an array besides its elements: dtype, shape and memory order.

use std::borrow::Cow;
use std::fmt;

use ndarray::{ArrayRef, Dimension};
use serde::Serialize;

use crate::digest::arrays::dtype::stored_itemsize;
use crate::digest::arrays::element::{Element, itemsize, shown_dtype};
use crate::digest::value::Digest;
use crate::error::{Error, ErrorKind, Result};

/// The memory order of a stored array: there are no others. Prints as `C` or `F`.
///
/// ```
/// use ndcache::dynamic::Order;
///
/// assert_eq!(Order::F.to_string(), "F");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Order {
    /// The last axis varies fastest.
    C,
    /// The first axis varies fastest.
    F,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::C { "C" } else { "F" })
    }
}

/// A stored array without its elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct ArrayMeta {
    pub(crate) descr: Cow<'static, str>,
    pub(crate) shape: Vec<u64>,
    pub(crate) order: Order,
    /// The bytes of one element, if they are known, of a dtype that isn't [`Element`]'s: those that its text gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) itemsize: Option<u64>,
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
        Some(Self { descr: Cow::Borrowed(A::DESCR), shape, order, itemsize: None })
    }

    /// Sets the bytes of one element of a dtype that isn't [`Element`]'s, where an array of it can be stored.
    pub(crate) fn sized(mut self) -> Self {
        if itemsize(&self.descr).is_none() {
            self.itemsize = stored_itemsize(&self.descr).ok();
        }
        self
    }

    /// The bytes of one element.
    ///
    /// # Errors
    /// Returns an error when the dtype is none of [`Element`]'s, and nothing says how long its elements are.
    pub(crate) fn itemsize(&self) -> Result<u64> {
        itemsize(&self.descr).or(self.itemsize).ok_or_else(|| {
            Error::unsupported(format!("dtype `{}` isn't one that can be read", self.descr.escape_debug()))
        })
    }

    /// The number of elements.
    ///
    /// # Errors
    /// Returns an error where [`byte_len`](Self::byte_len) does.
    pub(crate) fn count(&self) -> Result<usize> {
        // `byte_len` fits an `isize`.
        Ok((self.byte_len()? / self.itemsize()?) as usize)
    }

    /// Checks that it is an array of this type.
    ///
    /// # Errors
    /// Returns an error of this kind for any other.
    pub(crate) fn check<A: Element, D: Dimension>(&self, kind: ErrorKind) -> Result<()> {
        if self.descr != A::DESCR {
            let (found, expected) = (shown_dtype(&self.descr).escape_debug(), A::NAME);
            return Err(Error::new(kind, format!("dtype is `{found}`, expected `{expected}`")));
        }
        match D::NDIM {
            Some(expected) if expected != self.shape.len() => {
                let found = &self.shape;
                Err(Error::new(kind, format!("shape is {found:?}, expected {expected} axes")))
            }
            _ => Ok(()),
        }
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
            None => Err(Error::damaged(format!(
                "shape {:?} of dtype `{}` is too large",
                self.shape,
                shown_dtype(&self.descr)
            ))),
        }
    }

    /// The digest of the array whose bytes, as they are stored, have the digest `tree`.
    pub(crate) fn digest(&self, tree: Digest) -> Digest {
        array_text(&self.descr, self.shape.iter().copied(), self.axes().into_iter(), tree)
    }

    /// Sets the order to C where C and Fortran order are the same.
    pub(crate) fn in_canonical_order(mut self) -> Self {
        if self.axes().into_iter().eq(0..self.shape.len()) {
            self.order = Order::C;
        }
        self
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
/// The axes from slowest to fastest; the lexicographically smallest order that fits. Axes longer than 1 have their
/// place by their strides, the others go anywhere. An empty array is C-contiguous.
pub(crate) fn memory_order(shape: &[usize], strides: &[isize]) -> Option<Vec<usize>> {
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

/// What the text of an array of up to five axes takes.
const SHORT: usize = 160;

/// The longest number in decimal, and what separates it from the next.
const NUMBER: usize = 21;

/// The digest of an array: of a text that names dtype, shape and order, and the digest of its buffer.
///
/// Inlined, it is some 50 instructions for what is known when it is compiled.
#[inline(always)]
pub(crate) fn array_text(
    descr: &str,
    shape: impl ExactSizeIterator<Item = u64>,
    order: impl ExactSizeIterator<Item = usize>,
    tree: Digest,
) -> Digest {
    let axes = if order.len() <= 10 { 2 * order.len() } else { NUMBER * order.len() };
    let most = "ndarray::::".len() + descr.len() + NUMBER * shape.len() + axes + 3 * WORD;
    let (mut short, mut long) = ([0; SHORT], Vec::new());
    let bytes = if most <= SHORT {
        &mut short[..]
    } else {
        long.resize(most, 0);
        &mut long
    };
    let mut text = MetaText { bytes, len: 0 };
    text.push(u64::from_le_bytes(*b"ndarray:"), WORD);
    text.short(descr.as_bytes());
    text.numbers(shape);
    text.numbers(order.map(|axis| axis as u64));
    // In halves, as they were written: reading both at once would wait until they are in the processor's cache.
    for half in tree.halves() {
        text.push(half, WORD);
    }
    Digest::of(&text.bytes[..text.len])
}

/// A text in the making: some bytes, a word longer than it will be. Only the bytes are ever passed on, so that the
/// length needn't be in memory: to wait for it would take longer than hashing a small array.
struct MetaText<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

/// What is written at once, whether all of it counts or not.
const WORD: usize = size_of::<u64>();

/// The least number of more than seven digits. Seven fit into a word together with the byte that follows them.
const SEVEN_DIGITS: u64 = 10_000_000;

impl MetaText<'_> {
    /// The first `len` bytes of `word`. The next ones are written over the others.
    #[inline(always)]
    fn push(&mut self, word: u64, len: usize) {
        self.bytes[self.len..][..WORD].copy_from_slice(&word.to_le_bytes());
        self.len += len;
    }

    #[inline(always)]
    fn push_all(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Some bytes, and a colon; fast for less than a word.
    #[inline(always)]
    fn short(&mut self, bytes: &[u8]) {
        if bytes.len() < WORD {
            let word = bytes.iter().rev().fold(u64::from(b':'), |word, &byte| word << 8 | u64::from(byte));
            self.push(word, bytes.len() + 1);
        } else {
            self.push_all(bytes);
            self.push(b':'.into(), 1);
        }
    }

    /// Adds numbers, with commas between them and a colon at the end.
    #[inline(always)]
    fn numbers(&mut self, numbers: impl ExactSizeIterator<Item = u64>) {
        let mut left = numbers.len();
        if left == 0 {
            self.push(b':'.into(), 1);
        }
        for number in numbers {
            left -= 1;
            self.number(number, if left == 0 { b':' } else { b',' });
        }
    }

    /// Without the machinery of `fmt`, which takes longer than hashing a small array.
    #[inline(always)]
    fn number(&mut self, number: u64, end: u8) {
        let (digits, len) = match number {
            0..10 => (u64::from(b'0') | number, 1),
            10..SEVEN_DIGITS => digits(number),
            SEVEN_DIGITS.. => {
                self.push_all(number.to_string().as_bytes());
                (0, 0)
            }
        };
        self.push(digits | u64::from(end) << (8 * len), len + 1);
    }
}

/// The digits of a number of at most eight, and how many they are.
///
/// It is divided into halves three times, and all parts at once; the factors are inverses, exact for so few digits. So
/// each byte becomes the value of a digit, the lowest that of the first one.
#[inline(always)]
fn digits(number: u64) -> (u64, usize) {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; WORD]);
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let values = tens | ((twos - 10 * tens) << 8);
    let zeros = (values.trailing_zeros() / 8).min(7);
    ((values | ZEROS) >> (8 * zeros), WORD - zeros as usize)
}

#[cfg(test)]
mod tests {
    use ndarray::prelude::*;
    use ndarray::s;

    use super::*;
    use crate::digest::tree::tree;
    use crate::digest::values::content::digest;

    fn meta(descr: &'static str, shape: &[u64], order: Order) -> ArrayMeta {
        ArrayMeta { descr: descr.into(), shape: shape.to_vec(), order, itemsize: None }
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
        let lengths = [0, 9, 10, 99, u64::MAX, 12_345_678, 99_999_999, 100_000_000, 10_203_040_506_070_809];
        for axes in [0, 1, 2, 5, 6, 9, 10, 11, 12, 60, 200] {
            let shape: Vec<u64> = (0..axes).map(|axis| lengths[axis % lengths.len()]).collect();
            let numbers: Vec<_> = shape.iter().map(u64::to_string).collect();
            let order: Vec<_> = (0..axes).map(|axis| axis.to_string()).collect();
            let text = format!("ndarray:<f8:{}:{}:", numbers.join(","), order.join(","));
            let expected = Digest::of(&[text.as_bytes(), &tree.to_bytes()].concat());
            assert_eq!(array_text("<f8", shape.into_iter(), 0..axes, tree), expected, "{text}");
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in (0..100_000).chain((0..100_000_000).step_by(9973)).chain([99_999_999]) {
            let (digits, len) = digits(number);
            assert_eq!(digits.to_le_bytes()[..len], *number.to_string().as_bytes());
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
        let foreign = ArrayMeta { itemsize: Some(24), ..meta };
        assert!(serde_json::to_string(&foreign).unwrap().ends_with(r#""order":"F","itemsize":24}"#));
    }
}
