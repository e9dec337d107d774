//! What an array may hold, and how NumPy calls it.

use std::fmt::Debug;

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};
use num_complex::Complex;

use crate::digest::values::content::ContentHash;

const _: () = assert!(size_of::<usize>() == 8, "`usize` is stored as `<u8`");

/// An element type of arrays that can be arguments, be stored and be memory-mapped.
///
/// These are the integers from `i8` to `u64`, `isize` and `usize` (as 64-bit integers), `f32`, `f64`, `bool`,
/// `Complex<f32>`, `Complex<f64>`, and with the feature `half` `half::f16`. The trait is sealed, because the name of
/// a type in a `.npy` file is part of the format.
///
/// ```
/// use ndcache::Element;
///
/// assert_eq!(f64::DESCR, "<f8");
/// assert_eq!(usize::DESCR, u64::DESCR);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an element of a cached array",
    label = "not an array element",
    note = "elements are `i8` to `i64`, `u8` to `u64`, `isize`, `usize`, `f32`, `f64`, `bool` and `Complex` of `f32` \
            or `f64`; `half::f16` with the feature `half`"
)]
pub trait Element:
    sealed::Sealed + ContentHash + NoUninit + CheckedBitPattern + Zeroable + Send + Sync + Debug + PartialEq + 'static
{
    /// NumPy's `dtype.str`: `<f8`, `|u1`, `|b1`, `<c16`.
    const DESCR: &'static str;

    /// The name used in texts and in the names of result types: `f64`; `i64` for `isize` and `u64` for `usize`.
    const NAME: &'static str;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($type:ty, $descr:literal, $name:literal;)*) => {$(
        impl sealed::Sealed for $type {}

        impl Element for $type {
            const DESCR: &'static str = $descr;
            const NAME: &'static str = $name;
        }
    )*};
}

elements! {
    i8, "|i1", "i8";
    i16, "<i2", "i16";
    i32, "<i4", "i32";
    i64, "<i8", "i64";
    isize, "<i8", "i64";
    u8, "|u1", "u8";
    u16, "<u2", "u16";
    u32, "<u4", "u32";
    u64, "<u8", "u64";
    usize, "<u8", "u64";
    f32, "<f4", "f32";
    f64, "<f8", "f64";
    Complex<f32>, "<c8", "Complex<f32>";
    Complex<f64>, "<c16", "Complex<f64>";
}

#[cfg(feature = "half")]
elements! { half::f16, "<f2", "f16"; }

impl sealed::Sealed for bool {}

impl Element for bool {
    const DESCR: &'static str = "|b1";
    const NAME: &'static str = "bool";
}

/// The bytes of an element that NumPy calls `descr`.
///
/// `<f2` is known without the feature `half`, too: its arrays can be described, if not read.
pub(crate) fn itemsize(descr: &str) -> Option<u64> {
    // Matched byte by byte, which is faster than comparing with one name after the other.
    Some(match descr.as_bytes() {
        [b'|', b'b' | b'i' | b'u', b'1'] => 1,
        [b'<', b'i' | b'u' | b'f', b'2'] => 2,
        [b'<', b'i' | b'u' | b'f', b'4'] => 4,
        [b'<', b'i' | b'u' | b'f' | b'c', b'8'] => 8,
        [b'<', b'c', b'1', b'6'] => 16,
        _ => return None,
    })
}

/// The name in texts of an element that NumPy calls `descr`: `f64`. Any other dtype keeps NumPy's name.
pub(crate) fn shown_dtype(descr: &str) -> &str {
    match descr {
        "|b1" => bool::NAME,
        "|i1" => i8::NAME,
        "<i2" => i16::NAME,
        "<i4" => i32::NAME,
        "<i8" => i64::NAME,
        "|u1" => u8::NAME,
        "<u2" => u16::NAME,
        "<u4" => u32::NAME,
        "<u8" => u64::NAME,
        "<f2" => "f16",
        "<f4" => f32::NAME,
        "<f8" => f64::NAME,
        "<c8" => Complex::<f32>::NAME,
        "<c16" => Complex::<f64>::NAME,
        other => other,
    }
}

/// All of them.
const DTYPES: &[&str] =
    &["<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1", "<c8", "<c16", "<f2"];

/// The name of a dtype as a constant; `None` if no element has it.
pub(crate) fn known_dtype(descr: &str) -> Option<&'static str> {
    DTYPES.iter().copied().find(|&known| known == descr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<A: Element>(bytes: &[u8], expected: &[A]) {
        assert_eq!(itemsize(A::DESCR), Some(size_of::<A>() as u64));
        assert_eq!(known_dtype(A::DESCR), Some(A::DESCR));
        assert_eq!(shown_dtype(A::DESCR), A::NAME);
        assert_eq!(bytemuck::cast_slice::<A, u8>(expected), bytes);
    }

    #[test]
    fn elements_are_little_endian_bytes() {
        check::<i8>(&[255, 1], &[-1, 1]);
        check::<u16>(&[1, 2], &[0x0201]);
        check::<isize>(&[2, 0, 0, 0, 0, 0, 0, 0], &[2]);
        check::<f64>(&[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], &[1.5]);
        check::<Complex<f32>>(&[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], &[Complex::new(1.0, -2.0)]);
        check::<bool>(&[1, 0, 1], &[true, false, true]);
        check::<bool>(&[], &[]);
    }

    #[test]
    fn what_has_a_size_has_a_name() {
        let printed = || (b' '..=b'~').map(char::from);
        let three =
            printed().flat_map(|a| printed().flat_map(move |b| printed().map(move |c| [a, b, c].iter().collect())));
        for name in three.chain(["", "<f", "<c16", "<f16", "|b16", "<c160"].map(str::to_owned)) {
            assert_eq!(itemsize(&name).is_some(), known_dtype(&name).is_some(), "{name}");
        }
    }

    #[cfg(feature = "half")]
    #[test]
    fn half_precision_is_an_element() {
        check::<half::f16>(&[0, 0x3e], &[half::f16::from_f32(1.5)]);
    }
}
