//! What tells Python's types apart where MessagePack doesn't: a mark for each MessagePack array and each array, in their
//! order. `docs/format.md` fixes the bytes.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rmp::decode;
use rmp::encode;

use super::mark;

/// More marks are written as runs of equal ones, if that is shorter.
const FEW: usize = 1024;

/// The marks as one MessagePack value; nothing where all are `PLAIN`.
pub(super) fn packed(marks: &[u8]) -> Vec<u8> {
    if marks.iter().all(|&mark| mark == mark::PLAIN) {
        return Vec::new();
    }
    if marks.len() > FEW {
        let runs = in_runs(marks);
        if runs.len() < marks.len() {
            return runs;
        }
    }
    let mut bytes = Vec::with_capacity(marks.len() + 5);
    let _ = encode::write_bin(&mut bytes, marks);
    bytes
}

/// The marks as pairs of a mark and how often it stands there.
fn in_runs(marks: &[u8]) -> Vec<u8> {
    let runs = || marks.chunk_by(|a, b| a == b);
    let mut bytes = Vec::new();
    let _ = encode::write_array_len(&mut bytes, u32::try_from(2 * runs().count()).unwrap_or(u32::MAX));
    for run in runs() {
        let _ = encode::write_uint(&mut bytes, run[0].into());
        let _ = encode::write_uint(&mut bytes, run.len() as u64);
    }
    bytes
}

/// The marks of a stored value, one after the other.
pub(super) struct Marks {
    bytes: Vec<u8>,
    /// Where the next mark or run begins.
    at: usize,
    in_runs: bool,
    mark: u8,
    /// How often it comes again.
    left: u64,
}

impl Marks {
    /// The marks in a record's `python`.
    ///
    /// # Errors
    /// Raises `ValueError` for what a later version of this package has written.
    pub(super) fn of(python: &[u8]) -> PyResult<Self> {
        let mut rest = python;
        let of = |rest: &[u8], in_runs| Self { bytes: rest.to_vec(), at: 0, in_runs, mark: mark::PLAIN, left: 0 };
        if python.is_empty() {
            return Ok(of(python, false));
        }
        if decode::read_bin_len(&mut rest).is_ok_and(|len| len as usize == rest.len()) {
            return Ok(of(rest, false));
        }
        let mut rest = python;
        if decode::read_array_len(&mut rest).is_ok_and(|len| len % 2 == 0) {
            return Ok(of(rest, true));
        }
        Err(PyValueError::new_err("the stored value was written by a newer version of ndcache for Python"))
    }

    /// The next mark; `PLAIN` once there are no more.
    pub(super) fn next(&mut self) -> PyResult<u8> {
        if !self.in_runs {
            let mark = self.bytes.get(self.at).copied();
            self.at += 1;
            return Ok(mark.unwrap_or(mark::PLAIN));
        }
        while self.left == 0 {
            let mut rest = &self.bytes[self.at..];
            if rest.is_empty() {
                return Ok(mark::PLAIN);
            }
            (self.mark, self.left) = (number(&mut rest)?, number(&mut rest)?);
            self.at = self.bytes.len() - rest.len();
        }
        self.left -= 1;
        Ok(self.mark)
    }
}

fn number<N: TryFrom<u64>>(rest: &mut &[u8]) -> PyResult<N> {
    let damaged = || PyValueError::new_err("the stored value has marks that aren't any");
    let number: u64 = decode::read_int(rest).map_err(|_| damaged())?;
    N::try_from(number).map_err(|_| damaged())
}
