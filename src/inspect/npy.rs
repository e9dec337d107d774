//! The digest of the array in a `.npy` file, of whatever dtype.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::digest::{ArrayMeta, Digest};
use crate::error::{Error, Result};
use crate::map::digest_file;
use crate::payload::npy_meta_any;

/// Computes the digest of the array in a `.npy` file, of any dtype except objects; for dtypes of
/// [`Element`](crate::Element) it equals [`digest`](fn@crate::digest) of the array in memory.
///
/// It reads the file once, a mebibyte at a time. Big-endian and structured dtypes are hashed by their bytes in the
/// file.
///
/// # Errors
///
/// Returns an error that names the file when it can't be read, isn't a regular `.npy` file, holds objects, or doesn't
/// have the length that its header says.
///
/// ```
/// use ndarray::array;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.npy");
/// let array = array![[1.5, 2.0], [3.0, 4.0]];
/// ndarray_npy::write_npy(&path, &array)?;
/// assert_eq!(ndcache::inspect::digest_npy(&path)?, ndcache::digest(&array));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn digest_npy(path: impl AsRef<Path>) -> Result<Digest> {
    let path = path.as_ref();
    digest(path).map_err(|error| match error.io_error() {
        Some(_) => error,
        None => error.at(format_args!("array `{}`", path.display())),
    })
}

fn digest(path: &Path) -> Result<Digest> {
    // Not blocking: a FIFO would wait here for a writer that never comes.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| Error::io("open", path, error))?;
    let stat = file.metadata().map_err(|error| Error::io("stat", path, error))?;
    if !stat.is_file() {
        return Err(Error::invalid("isn't a regular file"));
    }
    let (meta, offset) = npy_meta_any(&file, path, stat.len())?;
    let length = stat.len().saturating_sub(offset);
    expect_length(&meta, length)?;
    digest_file(&file, || path.to_owned(), offset, length).map(|tree| meta.digest(tree))
}

/// Checks that elements of `length` bytes are those of such an array, as far as its dtype says how long each is.
fn expect_length(meta: &ArrayMeta, length: u64) -> Result<()> {
    let is_empty = meta.shape.contains(&0);
    let elements = meta.shape.iter().try_fold(1, |product: u64, &axis| product.checked_mul(axis));
    let fits = match meta.itemsize() {
        Ok(_) => meta.byte_len()? == length,
        // All elements are of one length, whatever that is.
        Err(_) if is_empty => length == 0,
        Err(_) => elements.is_some_and(|elements| length.is_multiple_of(elements)),
    };
    if fits {
        return Ok(());
    }
    Err(Error::damaged(format!("has {length} bytes of elements, which {:?} of `{}` can't be", meta.shape, meta.descr)))
}
