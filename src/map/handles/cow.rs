//! [`MappedCow`]: an array that is written to in memory, whatever it was loaded from.

use std::fs::File;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;

use ndarray::{
    Array, ArrayBase, ArrayRef, ArrayView, ArrayViewMut, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn,
    OwnedRepr, RawArrayViewMut,
};

use crate::digest::{ArrayMeta, Digest, Element};
use crate::error::Result;
use crate::map::layout::{array_from_vec, normalise, shape_of};
use crate::map::mapping::PrivateMapping;

/// A writable array over a file of the cache that doesn't change the file: a page is copied into memory before it is
/// written to.
///
/// [`Memory::mmap_cow`](crate) returns it. Reading is as for [`Mapped`](super::Mapped); writing takes memory for the
/// pages that are written to, and isn't visible to others. Where a file can't be mapped, the same type holds a copy
/// in memory.
///
/// It derefs to [`ndarray::ArrayRef`], also mutably. A clone is a copy in memory. Its content may change, so its
/// digest isn't remembered: as an argument it is hashed each time.
///
/// ```
/// use ndarray::array;
/// use ndcache::mapped::MappedCow2;
///
/// let mut m = MappedCow2::from(array![[1.0, 2.0], [3.0, 4.0]]);
/// m[[0, 0]] = 5.0;
/// m.row_mut(1).fill(0.0);
/// m += 1.0;
/// assert_eq!(m, array![[6.0, 3.0], [1.0, 1.0]]);
/// ```
///
/// # Limitations
///
/// It has those of [`Mapped`](super::Mapped#limitations). Two of them can be swapped, but not the arrays to which
/// they deref, or each would refer to the memory that the other owns:
///
/// ```compile_fail,E0277
/// # use ndcache::mapped::MappedCow1;
/// let mut a = MappedCow1::from(ndarray::array![1, 2]);
/// let mut b = MappedCow1::from(ndarray::array![3, 4]);
/// std::mem::swap(&mut *a, &mut *b);
/// ```
pub struct MappedCow<A: Element, D: Dimension> {
    /// Points into `bytes`; its lifetime must not get out of this room.
    view: ArrayViewMut<'static, A, D>,
    bytes: CowBytes<A, D>,
}

/// Held for its drop alone. Its own shape is that of the beginning; the view's may have been changed since.
enum CowBytes<A, D> {
    Heap(#[allow(dead_code, reason = "owns what the view points to")] Array<A, D>),
    File(#[allow(dead_code, reason = "owns what the view points to")] PrivateMapping),
}

impl<A: Element, D: Dimension> MappedCow<A, D> {
    /// The array at `offset` of a file, which is mapped privately.
    ///
    /// # Errors
    /// Maps a file under the conditions of [`Mapping::of`](super::Mapping::of) and
    /// [`Mapped::from_mapping`](super::Mapped::from_mapping).
    pub(crate) fn from_file(file: &File, path: &Path, exact_len: u64, offset: usize, meta: &ArrayMeta) -> Result<Self> {
        let mut mapping = PrivateMapping::of(file, path, exact_len)?;
        Self::from_mapping(&mut mapping, offset, meta)
            .map(|view| Self { view, bytes: CowBytes::File(mapping) })
            .map_err(|error| error.at(format_args!("array `{}`", path.display())))
    }

    fn from_mapping(
        mapping: &mut PrivateMapping,
        offset: usize,
        meta: &ArrayMeta,
    ) -> Result<ArrayViewMut<'static, A, D>> {
        let shape = shape_of::<A, D>(meta)?;
        let first = mapping.elements::<A>(offset, shape.size())?;
        // SAFETY: as in `Mapped::from_mapping`. No index reaches an element that another one reaches, since C and
        // Fortran order don't overlap; and the mapping is private to its one owner, who keeps it beside the view and
        // doesn't touch the bytes.
        Ok(unsafe { RawArrayViewMut::from_shape_ptr(shape, first).deref_into_view_mut() })
    }

    /// The stored array whose elements, in the order of memory, are `elements`; without a copy.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` when that isn't an array of this type, or has another number of elements.
    pub(crate) fn from_vec(elements: Vec<A>, meta: &ArrayMeta) -> Result<Self> {
        Ok(Self::from_array(array_from_vec(elements, meta)?))
    }

    fn from_array(mut array: Array<A, D>) -> Self {
        // SAFETY: the array owns its buffer alone. The pointer is the raw one of that buffer, which stays where it is
        // when the array is moved beside the view, and which nobody touches but through it until both are dropped.
        let view = unsafe { array.raw_view_mut().deref_into_view_mut() };
        Self { view, bytes: CowBytes::Heap(array) }
    }

    /// Returns whether the elements are in a file of the cache, rather than in memory.
    ///
    /// ```
    /// # use ndcache::mapped::MappedCow1;
    /// assert!(!MappedCow1::from(ndarray::array![1, 2]).is_mapped());
    /// ```
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.bytes, CowBytes::File(_))
    }

    /// Returns the digest of the present content, as [`digest`](crate::digest()) computes it for the same array in
    /// memory.
    ///
    /// Reads the whole array.
    ///
    /// ```
    /// # use ndcache::mapped::MappedCow1;
    /// let mut m = MappedCow1::from(ndarray::array![1, 2]);
    /// m[0] = 3;
    /// assert_eq!(m.digest(), ndcache::digest(&ndarray::array![3, 2]));
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest {
        crate::digest::digest(self)
    }

    /// Returns a copy in memory, in the same order if that is contiguous.
    ///
    /// ```
    /// # use ndcache::mapped::MappedCow1;
    /// assert_eq!(MappedCow1::from(ndarray::array![1, 2]).to_owned(), ndarray::array![1, 2]);
    /// ```
    #[must_use]
    pub fn to_owned(&self) -> Array<A, D> {
        self.as_array().to_owned()
    }

    /// Returns a view that borrows this array, like [`ArrayRef::view`](ndarray::ArrayRef::view).
    ///
    /// ```
    /// # use ndcache::mapped::MappedCow1;
    /// let m = MappedCow1::from(ndarray::array![1, 2]);
    /// assert_eq!(m.view().into_iter().sum::<i32>(), 3);
    /// ```
    #[must_use]
    pub fn view(&self) -> ArrayView<'_, A, D> {
        self.as_array().view()
    }

    /// Returns a writable view that borrows this array, like [`ArrayRef::view_mut`](ndarray::ArrayRef::view_mut).
    ///
    /// ```
    /// # use ndcache::mapped::MappedCow1;
    /// let mut m = MappedCow1::from(ndarray::array![1, 2]);
    /// m.view_mut().fill(3);
    /// assert_eq!(m, ndarray::array![3, 3]);
    /// ```
    #[must_use]
    pub fn view_mut(&mut self) -> ArrayViewMut<'_, A, D> {
        self.view.view_mut()
    }

    /// The view, borrowed from `self`.
    pub(super) fn as_array(&self) -> &ArrayRef<A, D> {
        &self.view
    }

    /// The array, writable.
    pub(super) fn as_array_mut(&mut self) -> &mut ArrayRef<A, D> {
        &mut self.view
    }

    /// Where the bytes are, in a word.
    pub(super) fn place(&self) -> &'static str {
        if self.is_mapped() { "mapped, copied on write" } else { "in memory" }
    }
}

// It owns its elements, as an `Array` does; a `&mut` is but how the view says that it may write.
impl<A: Element + RefUnwindSafe, D: Dimension + UnwindSafe> UnwindSafe for MappedCow<A, D> {}

impl<A: Element, D: Dimension> Clone for MappedCow<A, D> {
    /// Copies the whole array into memory.
    fn clone(&self) -> Self {
        Self::from_array(self.to_owned())
    }
}

impl<A: Element, D: Dimension> From<ArrayBase<OwnedRepr<A>, D>> for MappedCow<A, D> {
    /// Takes over the array's memory. An array that is contiguous in neither C nor Fortran order is copied to C
    /// order.
    fn from(mut array: Array<A, D>) -> Self {
        normalise(&mut array);
        Self::from_array(array)
    }
}

/// A [`MappedCow`] without axes.
pub type MappedCow0<A> = MappedCow<A, Ix0>;
/// A [`MappedCow`] with one axis.
pub type MappedCow1<A> = MappedCow<A, Ix1>;
/// A [`MappedCow`] with two axes.
pub type MappedCow2<A> = MappedCow<A, Ix2>;
/// A [`MappedCow`] with three axes.
pub type MappedCow3<A> = MappedCow<A, Ix3>;
/// A [`MappedCow`] with four axes.
pub type MappedCow4<A> = MappedCow<A, Ix4>;
/// A [`MappedCow`] with five axes.
pub type MappedCow5<A> = MappedCow<A, Ix5>;
/// A [`MappedCow`] with six axes.
pub type MappedCow6<A> = MappedCow<A, Ix6>;
/// A [`MappedCow`] with any number of axes.
pub type MappedCowD<A> = MappedCow<A, IxDyn>;
