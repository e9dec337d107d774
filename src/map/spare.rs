//! Memory that isn't zeroed before it is read into.

use std::mem::MaybeUninit;
use std::slice;

use super::mapping::expect_elements;
use crate::digest::{Element, shared};
use crate::error::{Error, ErrorKind, Result};

/// How many bytes are allocated before any has arrived.
const FIRST_STEP: usize = 16 << 20;

/// Memory without any content yet. Its writer has it as bytes: that slice says that each of them was written.
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

    /// Fills it with zeros.
    pub(crate) fn zeroed(self) -> &'a mut [u8] {
        self.0.fill(MaybeUninit::new(0));
        // SAFETY: all of it was just written to.
        unsafe { filled(self.0) }
    }

    /// Fills it in parts of `len` bytes, the last of which may be shorter, and returns it with what `make` made of each;
    /// by at most `threads` threads, each of which uses its scratch again and again. A part is zero before.
    ///
    /// The thread that makes a part zeroes it, and so is the first to touch its pages.
    ///
    /// # Errors
    /// Returns the first error of `make`.
    pub(crate) fn fill_parts<S, T: Send>(
        self,
        len: usize,
        threads: usize,
        scratch: impl Fn() -> S + Sync,
        make: impl Fn(&mut S, usize, &mut [u8]) -> Result<T> + Sync,
    ) -> Result<(&'a mut [u8], Vec<T>)> {
        let make = |scratch: &mut S, (n, part): (usize, &mut [MaybeUninit<u8>])| make(scratch, n, Spare(part).zeroed());
        let made = shared(threads, self.0.chunks_mut(len).enumerate(), scratch, make)?;
        // SAFETY: each part was made, and written to before.
        Ok((unsafe { filled(self.0) }, made))
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
    let mut vec = Vec::new();
    append(&mut vec, len, len, fill)?;
    Ok(vec)
}

/// A vector of elements whose number is only claimed: `fill` fills memory in steps, and no step is longer than what is
/// filled already, or than 16 MiB. Each but the last is a multiple of that.
///
/// # Errors
/// Returns an error when [`vec_of`] does.
pub(crate) fn grown_vec_of<A: Element>(
    len: usize,
    mut fill: impl for<'a> FnMut(Spare<'a>) -> Result<&'a mut [u8]>,
) -> Result<Vec<A>> {
    let mut vec = Vec::new();
    while vec.len() < len {
        let step = vec.len().max(FIRST_STEP / size_of::<A>()).min(len - vec.len());
        append(&mut vec, step, len, &mut fill)?;
    }
    Ok(vec)
}

/// The system's refusal, which says nothing of what was to be read.
fn no_memory(message: String) -> Error {
    Error::new(ErrorKind::Io, message)
}

/// Appends `more` elements to what is to become a vector of `len`.
fn append<A: Element>(
    vec: &mut Vec<A>,
    more: usize,
    len: usize,
    fill: impl for<'a> FnOnce(Spare<'a>) -> Result<&'a mut [u8]>,
) -> Result<()> {
    vec.try_reserve_exact(more)
        .map_err(|_| no_memory(format!("can't allocate {len} elements of {} bytes", size_of::<A>())))?;
    let memory = &mut vec.spare_capacity_mut()[..more];
    // SAFETY: the same memory, which as bytes that may be none needs neither content nor alignment.
    let memory = unsafe { slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), size_of_val(memory)) };
    let place = memory.as_ptr_range();
    let bytes = fill(Spare(memory))?;
    // Other bytes than those of this memory would say nothing about it.
    let found = bytes.as_ptr_range();
    assert_eq!((found.start.addr(), found.end.addr()), (place.start.addr(), place.end.addr()), "what was to be filled");
    expect_elements::<A>(bytes)?;
    // SAFETY: there is room for `more` elements. Their bytes are those that were just found to be values of `A`.
    unsafe { vec.set_len(vec.len() + more) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn parts_are_zero_and_filled_in_their_places() {
        for threads in [1, 3] {
            let mut made = Vec::new();
            let filled = vec_of::<u8>(10, |out| {
                let (out, numbers) = out.fill_parts(
                    4,
                    threads,
                    || (),
                    |(), n, part| {
                        assert!(part.iter().all(|&byte| byte == 0));
                        part.fill(n as u8 + 1);
                        Ok(part.len())
                    },
                )?;
                made = numbers;
                Ok(out)
            });
            assert_eq!(filled.unwrap(), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
            assert_eq!(made, [4, 4, 2]);
        }
        let failed = |n| if n == 1 { Err(Error::damaged("unreadable")) } else { Ok(()) };
        assert!(vec_of::<u8>(10, |out| Ok(out.fill_parts(4, 1, || (), |(), n, _| failed(n))?.0)).is_err());
    }

    #[test]
    fn what_grows_is_no_longer_than_twice_what_has_arrived() {
        let total = 5 * FIRST_STEP + 24;
        let (mut seen, mut most) = (0, 0);
        let grown = grown_vec_of::<f64>(total / 8, |out| {
            assert!(out.len() <= seen.max(FIRST_STEP), "{} bytes after {seen}", out.len());
            assert_eq!(seen % FIRST_STEP, 0);
            most = most.max(out.len());
            seen += out.len();
            let fill = |_: &mut (), _, part: &mut [u8]| {
                part.fill(1);
                Ok(())
            };
            out.fill_parts(1 << 20, 1, || (), fill).map(|(out, _)| out)
        });
        assert!(bytemuck::cast_slice::<f64, u8>(&grown.unwrap()).iter().all(|&byte| byte == 1));
        assert_eq!((seen, most), (total, 2 * FIRST_STEP));
        assert!(grown_vec_of::<bool>(3, |out| out.copy_of(&[1, 2, 0])).is_err());
        assert!(grown_vec_of::<bool>(0, |_| panic!("nothing to fill")).unwrap().is_empty());
        let stopped = grown_vec_of::<u8>(usize::MAX, |out| Err(Error::damaged(format!("after {}", out.len()))));
        assert_eq!(stopped.unwrap_err().to_string(), format!("after {FIRST_STEP}"));
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
        assert_eq!(error.to_string(), "element 2 of dtype `bool` is 2, expected 0 or 1");
    }

    #[test]
    fn an_absurd_length_is_an_error_not_an_abort() {
        for len in [usize::MAX, usize::MAX / 8, 1 << 59] {
            let read = vec_of::<f64>(len, |_| panic!("nothing to fill"));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Io);
        }
    }
}
