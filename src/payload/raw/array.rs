//! An array by dtype, shape, memory order and bytes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Bytes;
use crate::digest::{
    ArrayMeta, Digest, Known, Order, array_text, itemsize, known_dtype, memory_order, shown_dtype, stored_itemsize,
    tree,
};
use crate::error::{Error, Result};

/// An array of any NumPy dtype except objects: its dtype, shape, memory order and bytes.
///
/// Its digest equals that of an ndarray with the same dtype, shape, order and elements. Clones share the bytes.
///
/// ```
/// use ndcache::digest;
/// use ndcache::dynamic::{Array, Order};
///
/// let days = Array::new("<M8[D]", 8, &[2], Order::C, vec![0; 16])?;
/// assert_eq!((days.descr(), days.shape(), days.itemsize()), ("<M8[D]", &[2][..], 8));
///
/// let ones = Array::new("<f8", 8, &[2], Order::C, [1.0_f64, 1.0].map(f64::to_le_bytes).concat())?;
/// assert_eq!(ones.digest(), digest(&ndarray::array![1.0, 1.0]));
/// # Ok::<(), ndcache::Error>(())
/// ```
#[derive(Clone)]
pub struct Array {
    meta: ArrayMeta,
    bytes: Bytes,
    known: Arc<Known>,
    file: Option<Arc<(PathBuf, u64)>>,
}

impl Array {
    /// Makes an array of this dtype and shape.
    ///
    /// `descr` is NumPy's `dtype.str` (`<f8`, `|S7`, `<M8[ns]`, `>i4`), for a structured dtype the text of
    /// `dtype.descr` as in a `.npy` file: `[('a', '<f4'), ('b', '<i8', (2,))]`. `itemsize` is the number of bytes of
    /// one element; `bytes` are all elements as in memory, in C or Fortran order, without gaps.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`dtype_itemsize`], when an element doesn't have `itemsize` bytes, or when
    /// shape and bytes don't match.
    pub fn new(descr: &str, itemsize: u64, shape: &[u64], order: Order, bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        let meta = checked(descr, itemsize, shape, order)?;
        let expected = meta.byte_len().map_err(|error| Error::invalid(error.to_string()))?;
        if bytes.len() as u64 != expected {
            let found = bytes.len();
            return Err(Error::invalid(format!(
                "array of shape {shape:?} and dtype `{descr}` has {found} bytes, expected {expected}"
            )));
        }
        Ok(Self { meta, bytes, known: Arc::new(Known::unknown()), file: None })
    }

    pub(super) fn of_parts(meta: ArrayMeta, bytes: Bytes, known: Arc<Known>, file: Option<(PathBuf, u64)>) -> Self {
        Self { meta, bytes, known, file: file.map(Arc::new) }
    }

    pub(super) fn meta(&self) -> &ArrayMeta {
        &self.meta
    }

    /// Returns the dtype, as in [`new`](Self::new).
    #[must_use]
    pub fn descr(&self) -> &str {
        &self.meta.descr
    }

    /// Returns the lengths of the axes.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.meta.shape
    }

    /// Returns the memory order; C if the array is in both.
    #[must_use]
    pub fn order(&self) -> Order {
        self.meta.order
    }

    /// Returns the bytes of one element.
    #[must_use]
    pub fn itemsize(&self) -> u64 {
        self.meta.itemsize().unwrap_or_default()
    }

    /// Returns all elements, as in memory. For a loaded array they are aligned as the allocator aligns bytes, for a
    /// mapped one to 64 bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns only the elements.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Returns the file of a mapped array, and the offset of its elements in it; also for a small array that should
    /// have been mapped and was read instead, so that the caller may map it.
    #[must_use]
    pub fn file(&self) -> Option<(&Path, u64)> {
        self.file.as_deref().map(|(path, offset)| (path.as_path(), *offset))
    }

    /// The digest of the array, which an argument of it has. Takes one pass over the bytes, once; no time for an array
    /// that was loaded, and for a mapped one, of which it is what the record says until it is verified.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.known.resolve(false, || self.computed()).0
    }

    /// Whether this process has seen the digest to be that of the bytes.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.known.is_verified()
    }

    /// Compares the bytes with the digest that the record says; takes no time where that was done before.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Damaged`](crate::ErrorKind::Damaged) when they have another one.
    pub fn verify(&self) -> Result<()> {
        let truth = if self.is_verified() { self.digest() } else { self.computed() };
        // Fails each time: a holder of the array may have got the claimed digest before.
        if self.known.verify(truth) {
            return Ok(());
        }
        let place = self.file().map_or_else(|| "in memory".to_owned(), |(path, _)| format!("`{}`", path.display()));
        Err(Error::damaged(format!("array {place} doesn't have the digest that its record says")))
    }

    /// The digest, where this process has computed it.
    pub(super) fn verified_digest(&self) -> Option<Digest> {
        self.is_verified().then(|| self.digest())
    }

    fn computed(&self) -> Digest {
        self.meta.digest(tree(&self.bytes))
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ArrayMeta { descr, shape, order, .. } = &self.meta;
        write!(f, "Array({}{shape:?} {order}, {:?})", shown_dtype(descr), self.bytes)
    }
}

/// The digest of an array as an argument, in whatever memory order it is: of its dtype, shape, order and bytes.
///
/// `axes` are the axes from the slowest to the fastest, `0, 1, …` for C order; `bytes` the elements as they lie in memory
/// without gaps. An array that has gaps, or strides that aren't positive, has the digest of its copy in C order.
/// Takes one pass over the bytes, by several threads where there are many.
///
/// # Errors
///
/// Returns an error when `axes` is no permutation of the axes, and as [`Array::new`] does.
///
/// ```
/// use ndarray::prelude::*;
/// use ndcache::{digest, dynamic::digest_array};
///
/// let a = array![[1_u8, 2, 3], [4, 5, 6]];
/// assert_eq!(digest_array("|u1", 1, &[2, 3], &[0, 1], &[1, 2, 3, 4, 5, 6])?, digest(&a));
/// assert_eq!(digest_array("|u1", 1, &[3, 2], &[1, 0], &[1, 2, 3, 4, 5, 6])?, digest(&a.t()));
/// # Ok::<(), ndcache::Error>(())
/// ```
pub fn digest_array(descr: &str, itemsize: u64, shape: &[u64], axes: &[usize], bytes: &[u8]) -> Result<Digest> {
    let meta = checked(descr, itemsize, shape, Order::C)?;
    let expected = meta.byte_len().map_err(|error| Error::invalid(error.to_string()))?;
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if bytes.len() as u64 != expected || !sorted.into_iter().eq(0..shape.len()) {
        let found = bytes.len();
        return Err(Error::invalid(format!(
            "array of shape {shape:?}, axes {axes:?} and dtype `{descr}` has {found} bytes, expected {expected} and each \
             axis once"
        )));
    }
    // Fits, as the bytes do.
    let shape: Vec<usize> = shape.iter().map(|&len| len as usize).collect();
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for &axis in axes.iter().rev() {
        strides[axis] = stride;
        stride *= shape[axis] as isize;
    }
    let order = memory_order(&shape, &strides).unwrap_or_else(|| (0..shape.len()).collect());
    Ok(array_text(descr, meta.shape.iter().copied(), order.into_iter(), tree(bytes)))
}

/// The bytes of an element of this dtype, as in [`Array::new`].
///
/// # Errors
///
/// Returns an error when no array of it can be stored: it is one of objects, its elements have no bytes, or it isn't
/// written as NumPy writes dtypes into a `.npy` file, in printable ASCII.
///
/// ```
/// use ndcache::dynamic::dtype_itemsize;
///
/// assert_eq!(dtype_itemsize("<U3")?, 12);
/// assert_eq!(dtype_itemsize("[('a', '<f4'), ('b', '<i8', (2,))]")?, 20);
/// assert!(dtype_itemsize("|O").is_err());
/// # Ok::<(), ndcache::Error>(())
/// ```
pub fn dtype_itemsize(descr: &str) -> Result<u64> {
    match itemsize(descr) {
        Some(known) => Ok(known),
        None => stored_itemsize(descr).map_err(|why| refused(descr, format_args!("{why}"))),
    }
}

/// Describes an array of this dtype, shape and memory order, if it can be stored.
fn checked(descr: &str, of_itemsize: u64, shape: &[u64], order: Order) -> Result<ArrayMeta> {
    let expected = dtype_itemsize(descr)?;
    if of_itemsize != expected {
        return Err(refused(descr, format_args!("has elements of {expected} bytes, not of {of_itemsize}")));
    }
    let known = known_dtype(descr);
    let itemsize = if known.is_some() { None } else { Some(of_itemsize) };
    let descr = known.map_or_else(|| descr.to_owned().into(), Into::into);
    Ok(ArrayMeta { descr, shape: shape.to_vec(), order, itemsize }.in_canonical_order())
}

fn refused(descr: &str, why: fmt::Arguments<'_>) -> Error {
    Error::unsupported(format!("dtype `{}` {why}", descr.escape_debug()))
}
