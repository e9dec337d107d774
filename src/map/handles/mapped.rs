//! [`Mapped`]: a read-only array, shared by its clones.

use std::any::Any;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use ndarray::{
    Array, ArrayBase, ArrayView, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn, OwnedRepr, RawArrayView, Shape,
};

use crate::digest::{ArrayMeta, Digest, Element, Known, Registration};
use crate::error::Result;
use crate::map::layout::{array_from_vec, normalise, shape_of};
use crate::map::mapping::Mapping;

/// A file that no record names yet, which its last owner removes; whatever stores the array may take it over. Only the
/// rooms that store entries know what it is.
pub(crate) type Stage = Arc<dyn Any + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// A read-only array whose elements are in a mapped file of the cache, or in memory.
///
/// A cached function returns it to have its result memory-mapped: `fn f(…) -> Mapped2<f64>`, whose body ends in
/// `.into()`. A large result can be filled in the file where it will be stored, if it is made by
/// [`zeros`](crate::zeros()). Pages are read from disk when they are accessed, and shared with every process that
/// maps the same entry; removing or replacing the entry leaves the array as it is. Where a file can't be mapped (on a
/// network file system, with [`MapPolicy::Never`](crate)), the same type holds a copy in memory;
/// [`is_mapped`](Self::is_mapped) says which.
///
/// It derefs to [`ndarray::ArrayRef`], so that indexing, slicing, reductions and maps are ndarray's. A clone takes a
/// reference count. Order and strides are those of a new array in C or Fortran order.
///
/// ```
/// use ndarray::{Array2, ArrayRef2, array, s};
/// use ndcache::Mapped2;
///
/// fn table() -> Mapped2<f64> {
///     array![[1.0, 2.0], [3.0, 4.0]].into()
/// }
/// fn total(x: &ArrayRef2<f64>) -> f64 {
///     x.sum()
/// }
///
/// let m = table();
/// assert_eq!(total(&m), 10.0);
/// assert_eq!(m.slice(s![.., 1]), array![2.0, 4.0]);
/// assert_eq!(&m * 2.0 - &m, m);
/// let owned: Array2<f64> = m.to_owned();
/// assert_eq!(owned, m);
/// ```
///
/// # As an argument
/// The digest of a `Mapped` is known, or computed once and then known: a cached function that takes it, or an
/// `&ArrayRef` of all of it, doesn't hash it again. It equals the digest of the same array in memory.
///
/// # Limitations
///
/// * It isn't an `ArrayBase`: if a function takes `&Array2<A>`, pass `&m.to_owned()`, which copies, or let the
///   function take `&ArrayRef2<A>`. If it takes a view, pass `m.view()`.
/// * Arithmetic takes it by reference, `&m + 1.0`, because it has no buffer that could be reused.
/// * `IntoIterator` is implemented only for `&Mapped`, because its elements can't be moved out.
pub struct Mapped<A: Element, D: Dimension> {
    /// Points into `owner`; its lifetime must not get out of this room.
    view: ArrayView<'static, A, D>,
    owner: Arc<Backing<A, D>>,
}

struct Backing<A, D> {
    /// Declared before the bytes, so that it is dropped before them. `None` for an empty array, and for one that is
    /// registered for as long as its mapping lasts.
    _registration: Option<Registration>,
    known: Arc<Known>,
    bytes: MappedBytes<A, D>,
    /// The file that it lies in, if no record names it yet.
    stage: Option<Stage>,
}

/// Held for its drop alone.
enum MappedBytes<A, D> {
    Heap(#[allow(dead_code, reason = "owns what the view points to")] Array<A, D>),
    File(Mapping),
}

impl<A: Element, D: Dimension> Mapped<A, D> {
    /// The array at `offset` of a mapped file; no byte of it is read, unless it is of `bool`.
    ///
    /// The messages don't name the file, which the mapping doesn't know.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` when the file doesn't hold an array of this type, shape and alignment.
    pub(crate) fn from_mapping(mapping: Mapping, offset: usize, meta: &ArrayMeta, known: Arc<Known>) -> Result<Self> {
        let shape = shape_of::<A, D>(meta)?;
        let first = mapping.elements::<A>(offset, shape.size())?;
        // SAFETY: `elements` has found as many elements as the shape has to be within the mapping, aligned, and valid
        // values of `A`; in C and Fortran order the offsets are those from 0 to that number, and `shape_of` has found
        // that they fit an `isize`. The bytes stay mapped and unchanged as long as `mapping`, which the view's owner
        // holds; and no one else writes to them, as the head of this room argues.
        let view = unsafe { RawArrayView::from_shape_ptr(shape, first).deref_into_view() };
        Ok(Self::new(view, MappedBytes::File(mapping), known))
    }

    /// The stored array whose elements, in the order of memory, are `elements`; without a copy.
    ///
    /// # Errors
    /// Returns an error of the kind `Damaged` when that isn't an array of this type, or has another number of elements.
    pub(crate) fn from_vec(elements: Vec<A>, meta: &ArrayMeta, known: Arc<Known>) -> Result<Self> {
        Ok(Self::from_array(array_from_vec(elements, meta)?, known))
    }

    fn from_array(array: Array<A, D>, known: Arc<Known>) -> Self {
        // SAFETY: the pointer is the raw one of the array's buffer, which stays where it is when the array is moved
        // into the owner, and which nobody touches until that is dropped.
        let view = unsafe { array.raw_view().deref_into_view() };
        Self::new(view, MappedBytes::Heap(array), known)
    }

    /// The array of this shape at `offset` of a file that was filled through a mapping, and that no record names yet.
    ///
    /// # Safety
    /// The file holds as many values of `A` there, aligned.
    pub(super) unsafe fn from_stage(mapping: Mapping, offset: usize, shape: Shape<D>, stage: Stage) -> Self {
        // SAFETY: as in `from_mapping`; the caller promises what that has checked.
        let view = unsafe { RawArrayView::from_shape_ptr(shape, mapping.at(offset).cast()).deref_into_view() };
        Self::owned(view, MappedBytes::File(mapping), Arc::new(Known::unknown()), Some(stage))
    }

    /// `view` points into `bytes`.
    fn new(view: ArrayView<'static, A, D>, bytes: MappedBytes<A, D>, known: Arc<Known>) -> Self {
        Self::owned(view, bytes, known, None)
    }

    fn owned(
        view: ArrayView<'static, A, D>,
        bytes: MappedBytes<A, D>,
        known: Arc<Known>,
        stage: Option<Stage>,
    ) -> Self {
        let registration = match &bytes {
            MappedBytes::File(mapping) => mapping.register(&view, &known),
            MappedBytes::Heap(_) => Registration::new(&view, Arc::clone(&known)),
        };
        Self { view, owner: Arc::new(Backing { _registration: registration, known, bytes, stage }) }
    }

    /// Returns whether the elements are in a file of the cache, rather than in memory.
    ///
    /// ```
    /// # use ndcache::Mapped1;
    /// assert!(!Mapped1::from(ndarray::array![1, 2]).is_mapped());
    /// ```
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.owner.bytes, MappedBytes::File(_))
    }

    /// Returns the digest of the content, as [`digest`](crate::digest()) computes it for the same array in memory.
    ///
    /// It is computed at most once for the array and its clones, and never taken from a record alone.
    ///
    /// ```
    /// # use ndcache::Mapped1;
    /// let array = ndarray::array![1.0, 2.0];
    /// assert_eq!(Mapped1::from(array.clone()).digest(), ndcache::digest(&array));
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest {
        crate::digest::digest(self)
    }

    /// Returns a copy in memory, in the same order.
    ///
    /// ```
    /// # use ndcache::Mapped1;
    /// let mut copy = Mapped1::from(ndarray::array![1, 2]).to_owned();
    /// copy[0] = 3;
    /// assert_eq!(copy, ndarray::array![3, 2]);
    /// ```
    #[must_use]
    pub fn to_owned(&self) -> Array<A, D> {
        self.as_array().to_owned()
    }

    /// Returns a view that borrows this array, like [`ArrayRef::view`](ndarray::ArrayRef::view).
    ///
    /// ```
    /// # use ndcache::Mapped1;
    /// let m = Mapped1::from(ndarray::array![1, 2]);
    /// assert_eq!(m.view().into_iter().sum::<i32>(), 3);
    /// ```
    #[must_use]
    pub fn view(&self) -> ArrayView<'_, A, D> {
        self.as_array().view()
    }

    /// What is known about the content; shared with whoever else holds this entry.
    pub(crate) fn known(&self) -> &Arc<Known> {
        &self.owner.known
    }

    /// The file that the array is, where it was staged; whoever stores the array may take it over.
    pub(crate) fn stage(&self) -> Option<&Stage> {
        self.owner.stage.as_ref()
    }

    /// The one way out for the view: borrowed from `self`.
    pub(super) fn as_array(&self) -> &ndarray::ArrayRef<A, D> {
        &self.view
    }

    /// Where the bytes are, in a word.
    pub(super) fn place(&self) -> &'static str {
        if self.is_mapped() { "mapped" } else { "in memory" }
    }
}

impl<A: Element, D: Dimension> Clone for Mapped<A, D> {
    /// Shares the bytes, by a reference count.
    fn clone(&self) -> Self {
        Self { view: self.view.clone(), owner: Arc::clone(&self.owner) }
    }
}

impl<A: Element, D: Dimension> From<ArrayBase<OwnedRepr<A>, D>> for Mapped<A, D> {
    /// Takes over the array's memory. An array that is contiguous in neither C nor Fortran order is copied to C
    /// order.
    fn from(mut array: Array<A, D>) -> Self {
        normalise(&mut array);
        Self::from_array(array, Arc::new(Known::unknown()))
    }
}

/// A [`Mapped`] without axes.
pub type Mapped0<A> = Mapped<A, Ix0>;
/// A [`Mapped`] with one axis.
pub type Mapped1<A> = Mapped<A, Ix1>;
/// A [`Mapped`] with two axes.
pub type Mapped2<A> = Mapped<A, Ix2>;
/// A [`Mapped`] with three axes.
pub type Mapped3<A> = Mapped<A, Ix3>;
/// A [`Mapped`] with four axes.
pub type Mapped4<A> = Mapped<A, Ix4>;
/// A [`Mapped`] with five axes.
pub type Mapped5<A> = Mapped<A, Ix5>;
/// A [`Mapped`] with six axes.
pub type Mapped6<A> = Mapped<A, Ix6>;
/// A [`Mapped`] with any number of axes.
pub type MappedD<A> = Mapped<A, IxDyn>;
