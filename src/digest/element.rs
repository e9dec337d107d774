//! What an array may hold, and how NumPy calls it.

use std::fmt::Debug;

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit, Zeroable};
use num_complex::Complex;

use super::content::ContentHash;
use crate::error::{Error, Result};

const _: () = assert!(size_of::<usize>() == 8, "`usize` is stored as `<u8`");

/// An element of the arrays that can be keyed, stored and memory-mapped.
///
/// The integers from `i8` to `u64`, `isize` and `usize` (as 64-bit integers), `f32`, `f64`, `bool`,
/// `Complex<f32>`, `Complex<f64>`, and with the feature `half` `half::f16`. The trait is sealed: what a type is called
/// in a `.npy` file is part of the format.
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

    /// Makes a vector out of the bytes that `fill` writes, into memory that is zero before.
    ///
    /// # Errors
    /// Returns an error when the memory can't be had, when `fill` does, and when a byte isn't of this type (a `bool`
    /// is 0 or 1).
    #[doc(hidden)]
    fn read_vec(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Vec<Self>>;

    /// The same for bytes whose number is only claimed: `fill` writes them in steps, and no step is longer than what
    /// is there already, or than 16 MiB. Each but the last is a multiple of that.
    ///
    /// # Errors
    /// As for [`read_vec`](Self::read_vec).
    #[doc(hidden)]
    fn grow_vec(len: usize, fill: impl FnMut(&mut [u8]) -> Result<()>) -> Result<Vec<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

/// Zeroed by the allocator, which costs nothing for fresh pages, and without an abort when `len` is absurd.
fn zeroed<A: Zeroable>(len: usize) -> Result<Vec<A>> {
    bytemuck::allocation::try_zeroed_vec(len).map_err(|()| too_large::<A>(len))
}

/// How many bytes are allocated before any has arrived.
pub(crate) const FIRST_STEP: usize = 16 << 20;

/// Grows as the bytes arrive.
fn grown<A: NoUninit + AnyBitPattern>(len: usize, mut fill: impl FnMut(&mut [u8]) -> Result<()>) -> Result<Vec<A>> {
    let first = FIRST_STEP / size_of::<A>();
    let mut vec = zeroed::<A>(len.min(first))?;
    fill(bytemuck::cast_slice_mut(&mut vec))?;
    while vec.len() < len {
        let start = vec.len();
        let next = len.min(2 * start);
        if vec.try_reserve_exact(next - start).is_err() {
            return Err(too_large::<A>(len));
        }
        vec.resize(next, A::zeroed());
        fill(bytemuck::cast_slice_mut(&mut vec[start..]))?;
    }
    Ok(vec)
}

pub(crate) fn too_large<A>(len: usize) -> Error {
    Error::unsupported(format!("can't allocate {len} elements of {} bytes", size_of::<A>()))
}

macro_rules! elements {
    ($($type:ty, $descr:literal, $name:literal;)*) => {$(
        impl sealed::Sealed for $type {}

        impl Element for $type {
            const DESCR: &'static str = $descr;
            const NAME: &'static str = $name;

            fn read_vec(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Vec<Self>> {
                let mut vec = zeroed::<Self>(len)?;
                fill(bytemuck::cast_slice_mut(&mut vec))?;
                Ok(vec)
            }

            fn grow_vec(len: usize, fill: impl FnMut(&mut [u8]) -> Result<()>) -> Result<Vec<Self>> {
                grown(len, fill)
            }
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

    fn read_vec(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Vec<Self>> {
        let mut bytes = zeroed::<u8>(len)?;
        fill(&mut bytes)?;
        bools(bytes)
    }

    fn grow_vec(len: usize, fill: impl FnMut(&mut [u8]) -> Result<()>) -> Result<Vec<Self>> {
        bools(grown(len, fill)?)
    }
}

fn bools(bytes: Vec<u8>) -> Result<Vec<bool>> {
    match bytes.iter().position(|&byte| byte > 1) {
        Some(at) => Err(Error::damaged(format!("element {at} of dtype `|b1` is {}, expected 0 or 1", bytes[at]))),
        // The standard library collects this in place.
        None => Ok(bytes.into_iter().map(|byte| byte == 1).collect()),
    }
}

/// The bytes of an element that NumPy calls `descr`.
///
/// `<f2` is known without the feature `half`, too: its arrays can be described, if not read.
pub(super) fn itemsize(descr: &str) -> Option<u64> {
    // By their bytes one after the other, and not by one name after the other.
    Some(match descr.as_bytes() {
        [b'|', b'b' | b'i' | b'u', b'1'] => 1,
        [b'<', b'i' | b'u' | b'f', b'2'] => 2,
        [b'<', b'i' | b'u' | b'f', b'4'] => 4,
        [b'<', b'i' | b'u' | b'f' | b'c', b'8'] => 8,
        [b'<', b'c', b'1', b'6'] => 16,
        _ => return None,
    })
}

/// All of them.
const DTYPES: &[&str] =
    &["<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1", "<c8", "<c16", "<f2"];

/// The same name, which takes no memory; `None` if it is none of an element.
pub(crate) fn known_dtype(descr: &str) -> Option<&'static str> {
    DTYPES.iter().copied().find(|&known| known == descr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn check<A: Element>(bytes: &[u8], expected: &[A]) {
        assert_eq!(itemsize(A::DESCR), Some(size_of::<A>() as u64));
        assert_eq!(known_dtype(A::DESCR), Some(A::DESCR));
        assert_eq!(bytemuck::cast_slice::<A, u8>(expected), bytes);
        let read = A::read_vec(expected.len(), |out| {
            assert!(out.iter().all(|&byte| byte == 0));
            out.copy_from_slice(bytes);
            Ok(())
        });
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn elements_are_read_from_little_endian_bytes() {
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

    #[test]
    fn a_bool_that_is_neither_0_nor_1_is_damage() {
        let read = bool::read_vec(3, |out| {
            out.copy_from_slice(&[1, 0, 2]);
            Ok(())
        });
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!(error.to_string(), "element 2 of dtype `|b1` is 2, expected 0 or 1");
    }

    #[test]
    fn what_grows_is_no_longer_than_twice_what_has_arrived() {
        let total = 5 * FIRST_STEP + 24;
        let (mut seen, mut most) = (0, 0);
        let grown = f64::grow_vec(total / 8, |out| {
            assert!(out.iter().all(|&byte| byte == 0));
            assert!(out.len() <= seen.max(FIRST_STEP), "{} bytes after {seen}", out.len());
            assert_eq!(seen % FIRST_STEP, 0);
            out.fill(1);
            most = most.max(out.len());
            seen += out.len();
            Ok(())
        });
        assert!(bytemuck::cast_slice::<f64, u8>(&grown.unwrap()).iter().all(|&byte| byte == 1));
        assert_eq!((seen, most), (total, 2 * FIRST_STEP));
        assert!(
            bool::grow_vec(3, |out| {
                out.fill(2);
                Ok(())
            })
            .is_err()
        );
        assert!(bool::grow_vec(0, |_| Ok(())).unwrap().is_empty());
        let stopped = u8::grow_vec(usize::MAX, |out| Err(Error::damaged(format!("after {}", out.len()))));
        assert_eq!(stopped.unwrap_err().to_string(), format!("after {FIRST_STEP}"));
    }

    #[test]
    fn an_absurd_length_is_an_error_not_an_abort() {
        for len in [usize::MAX, usize::MAX / 8, 1 << 59] {
            let read = f64::read_vec(len, |_| panic!("nothing to fill"));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }
}
