//! Memory that isn't zeroed before it is read into.

use std::mem::MaybeUninit;
use std::slice;

use super::mapping::expect_elements;
use crate::digest::{Element, too_large};
use crate::error::{Error, Result};

/// Memory without any content yet. Who fills it has it as bytes: that slice says that each of them was written.
pub(crate) struct Spare<'a>(&'a mut [MaybeUninit<u8>]);

impl<'a> Spare<'a> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Fills it with `bytes`.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` when there are more or fewer of them.
    pub(crate) fn copy_of(self, bytes: &[u8]) -> Result<&'a mut [u8]> {
        if bytes.len() != self.len() {
            let (found, expected) = (bytes.len(), self.len());
            return Err(Error::damaged(format!("array has {found} bytes, expected {expected}")));
        }
        for (to, &from) in self.0.iter_mut().zip(bytes) {
            to.write(from);
        }
        // SAFETY: there are as many bytes as there is memory, so that each was written to.
        Ok(unsafe { filled(self.0) })
    }

    pub(super) fn into_inner(self) -> &'a mut [MaybeUninit<u8>] {
        self.0
    }
}

/// # Safety
/// All of it was written to.
pub(super) unsafe fn filled(memory: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: the layout is the same, and the caller promises the content.
    unsafe { slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), memory.len()) }
}

/// A vector of `len` elements, whose bytes `fill` writes into its memory and returns.
///
/// Memory that was used before is zeroed by no one, which for some mebibytes takes as long as reading them does.
///
/// # Errors
/// Returns an error when the memory can't be had, when `fill` does, and when a byte isn't of this type (a `bool` is 0
/// or 1).
pub(crate) fn vec_of<A: Element>(
    len: usize,
    fill: impl for<'a> FnOnce(Spare<'a>) -> Result<&'a mut [u8]>,
) -> Result<Vec<A>> {
    let mut vec = Vec::<A>::new();
    vec.try_reserve_exact(len).map_err(|_| too_large::<A>(len))?;
    let memory = &mut vec.spare_capacity_mut()[..len];
    // SAFETY: the same memory, which as bytes that may be none needs neither content nor alignment.
    let memory = unsafe { slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), size_of_val(memory)) };
    let place = memory.as_ptr_range();
    let bytes = fill(Spare(memory))?;
    // Other bytes than those of this memory would say nothing about it.
    let found = bytes.as_ptr_range();
    assert_eq!((found.start.addr(), found.end.addr()), (place.start.addr(), place.end.addr()), "what was to be filled");
    expect_elements::<A>(bytes)?;
    // SAFETY: there is room for `len` elements. Their bytes are those that were just found to be values of `A`.
    unsafe { vec.set_len(len) };
    Ok(vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn elements_are_those_whose_bytes_were_written() {
        let read = vec_of::<u16>(3, |out| out.copy_of(&[1, 2, 3, 4, 5, 6])).unwrap();
        assert_eq!(read, [0x0201, 0x0403, 0x0605]);
        assert_eq!(vec_of::<bool>(3, |out| out.copy_of(&[1, 0, 1])).unwrap(), [true, false, true]);
        assert!(vec_of::<f64>(0, |out| out.copy_of(&[])).unwrap().is_empty());
    }

    #[test]
    fn memory_that_is_not_filled_is_not_returned() {
        for bytes in [5, 7] {
            let error = vec_of::<u16>(3, |out| out.copy_of(&vec![0; bytes])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
            assert_eq!(error.to_string(), format!("array has {bytes} bytes, expected 6"));
        }
        assert!(vec_of::<u16>(3, |_| Err(Error::damaged("unreadable"))).is_err());
    }

    #[test]
    #[should_panic(expected = "what was to be filled")]
    fn other_bytes_than_those_of_the_memory_are_refused() {
        let _ = vec_of::<u8>(2, |_| Ok(Box::leak(Box::new([1, 2]))));
    }

    #[test]
    #[should_panic(expected = "what was to be filled")]
    fn a_part_of_the_memory_is_refused() {
        let _ = vec_of::<u8>(2, |out| Ok(&mut out.copy_of(&[1, 2])?[..1]));
    }

    #[test]
    fn a_bool_that_is_neither_0_nor_1_is_damage() {
        let error = vec_of::<bool>(3, |out| out.copy_of(&[1, 0, 2])).unwrap_err();
        assert_eq!(error.to_string(), "array of dtype `|b1` holds bytes that are none");
    }

    #[test]
    fn an_absurd_length_is_an_error_not_an_abort() {
        for len in [usize::MAX, usize::MAX / 8, 1 << 59] {
            let read = vec_of::<f64>(len, |_| panic!("nothing to fill"));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }
}
