//! NumPy's file format for one array (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>):
//! magic, version, length of a header, the header (a Python dict), the elements.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use ndarray::{Array, ArrayRef, Dimension};
use rustix::fs::OFlags;

use crate::digest::{ArrayMeta, Element, Order};
use crate::error::{Error, ErrorKind, Result};
use crate::map;
use crate::payload::codecs::npy_header::{MAX_HEADER, header, parse, parse_any, preamble};
use crate::planted;

/// Reads a `.npy` file that NumPy, or anyone else, wrote.
///
/// Formats 1.0, 2.0 and 3.0, C and Fortran order; the order is kept. The elements are read in parallel straight into
/// the array; nothing is converted. The header is checked against the length of the file before any memory is
/// allocated.
///
/// # Errors
/// Returns an error that names the file when it can't be read, isn't a regular file, isn't a `.npy` file or a damaged
/// one (its length isn't what its header says), and when its dtype (big-endian, object and structured ones are never
/// read) or its number of axes isn't the one asked for.
///
/// ```
/// use ndarray::{Array2, array};
///
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("a.npy");
/// ndarray_npy::write_npy(&path, &array![[1.5, 2.0], [3.0, 4.0]])?;
/// let a: Array2<f64> = ndcache::make::read_npy(&path)?;
/// assert_eq!(a[[0, 0]], 1.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_npy<A: Element, D: Dimension>(path: impl AsRef<Path>) -> Result<Array<A, D>> {
    let path = path.as_ref();
    read(path).map_err(|error| match error.io_error() {
        Some(_) => error,
        None => error.at(format_args!("array `{}`", path.display())),
    })
}

fn read<A: Element, D: Dimension>(path: &Path) -> Result<Array<A, D>> {
    let (file, file_len) = open(path)?;
    let (meta, offset) = read_header(&file, path, file_len)?;
    check_npy::<A, D>(&meta, offset, file_len)?;
    let elements = map::vec_of(meta.count()?, |out| map::read_at(&file, || path.to_owned(), offset, out))?;
    map::array_from_vec(elements, &meta)
}

/// Whether the elements at `offset` are an array of this type, and fill a file of this length.
pub(crate) fn check_npy<A: Element, D: Dimension>(meta: &ArrayMeta, offset: u64, file_len: u64) -> Result<()> {
    meta.check::<A, D>(ErrorKind::Invalid)?;
    let byte_len = meta.byte_len()?;
    if offset.checked_add(byte_len) != Some(file_len) {
        let expected = offset.saturating_add(byte_len);
        return Err(Error::damaged(format!("file has {file_len} bytes, expected {expected} by its header")));
    }
    Ok(())
}

/// Writes an array as a `.npy` file of format 1.0; one that is contiguous in neither order as its copy in C order.
pub(crate) fn encode_npy<A: Element, D: Dimension>(
    array: &ArrayRef<A, D>,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Some(meta) = ArrayMeta::of(array) else {
        return encode_npy(&array.as_standard_layout(), write);
    };
    let in_c_order = if meta.order == Order::F { array.t() } else { array.view() };
    let elements = in_c_order.as_slice().expect("it is contiguous in its own order");
    write(&header(&meta)?)?;
    write(bytemuck::cast_slice(elements))
}

/// Opens a regular file, and nothing else: a FIFO would block here for a writer that never comes.
fn open(path: &Path) -> Result<(File, u64)> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| Error::io("open", path, error))?;
    let stat = file.metadata().map_err(|error| Error::io("stat", path, error))?;
    match stat.is_file() {
        true => Ok((file, stat.len())),
        false => Err(Error::invalid("isn't a regular file")),
    }
}

/// What the header says, and where the elements begin.
pub(crate) fn read_header(file: &File, path: &Path, file_len: u64) -> Result<(ArrayMeta, u64)> {
    read_header_by(file, path, file_len, parse)
}

/// What the header says of an array of any dtype but objects, and where the elements begin.
pub(crate) fn read_any_header(file: &File, path: &Path, file_len: u64) -> Result<(ArrayMeta, u64)> {
    read_header_by(file, path, file_len, parse_any)
}

fn read_header_by(
    file: &File,
    path: &Path,
    file_len: u64,
    parse: fn(&[u8]) -> Result<ArrayMeta>,
) -> Result<(ArrayMeta, u64)> {
    let exact = |len: usize, offset: u64| {
        let mut bytes = vec![0; len];
        match offset + len as u64 <= file_len {
            true => file.read_exact_at(&mut bytes, offset).map_err(|error| Error::io("read", path, error))?,
            false => return Err(Error::damaged(format!("`.npy` header is cut off: file has {file_len} bytes"))),
        }
        Ok(bytes)
    };
    let start = exact(8, 0)?;
    let length_field = if start[6] == 1 { 2 } else { 4 };
    let (start_len, header_len) = preamble(&start, &exact(length_field, 8)?)?;
    if header_len > MAX_HEADER && !planted::is("header as long as it claims") {
        return Err(Error::damaged(format!("`.npy` header has {header_len} bytes, expected at most {MAX_HEADER}")));
    }
    let meta = parse(&exact(header_len, start_len)?)?;
    Ok((meta, start_len + header_len as u64))
}
