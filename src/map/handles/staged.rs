//! [`Staged`]: an array that is filled where it will be stored.

use std::fs::File;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;

use ndarray::{Array, ArrayRef, ArrayView, ArrayViewMut, Dimension, RawArrayViewMut, Shape, ShapeBuilder};

use super::Mapped;
use super::mapped::Stage;
use crate::digest::{ArrayMeta, Element, Order};
use crate::error::Result;
use crate::map::layout::shape_of;
use crate::map::mapping::SharedMapping;

/// A new array that is filled in the file where it will be stored; a cached function returns it as a [`Mapped`]
/// without a copy.
///
/// [`zeros`](crate::zeros()) makes it. It derefs to [`ndarray::ArrayRef`], also mutably. Converted into a [`Mapped`]
/// it is read-only, and storing that takes over the file. If it is dropped, also by a panic, its file is removed.
/// Where no call is to be stored, or no file can be made, the same type is an array in memory.
///
/// The logical array is stored. If its shape or strides are changed (`swap_axes`, `slice_collapse`, `invert_axis`),
/// the file no longer has its layout, and the conversion copies the array into memory.
///
/// ```
/// use ndarray::{Array2, Axis, Zip};
/// use ndcache::{Mapped2, zeros};
///
/// let mut table = zeros::<f64, _>((3, 4));
/// table[[0, 0]] = 1.0;
/// table.row_mut(1).fill(2.0);
/// Zip::from(&mut table).for_each(|x| *x += 1.0);
/// table *= 2.0;
/// assert_eq!(table.sum_axis(Axis(1)).to_vec(), [10.0, 24.0, 8.0]);
/// let table: Mapped2<f64> = table.into();
/// ```
///
/// # Limitations
///
/// Two of them can be swapped, but not the arrays to which they deref, or each would refer to the memory that the
/// other owns:
///
/// ```compile_fail,E0277
/// let mut a = ndcache::zeros::<f64, _>(2);
/// let mut b = ndcache::zeros::<f64, _>(2);
/// std::mem::swap(&mut *a, &mut *b);
/// ```
#[must_use = "a staged array is removed when it is dropped"]
pub struct Staged<A: Element, D: Dimension> {
    /// Points into `bytes`; its lifetime must not get out of this room.
    view: ArrayViewMut<'static, A, D>,
    bytes: StagedBytes<A, D>,
}

/// The array as it was made; the view's shape may have been changed since.
enum StagedBytes<A, D> {
    Heap(Array<A, D>),
    File(InFile),
}

struct InFile {
    /// Declared before the file's owner, so that it is unmapped first.
    mapping: SharedMapping,
    offset: usize,
    /// The address of the first element.
    first: usize,
    meta: ArrayMeta,
    stage: Stage,
}

/// What a new array of this shape is.
///
/// # Panics
/// Panics where ndarray does: when no memory could hold so many elements.
pub(crate) fn meta_of<A: Element, D: Dimension>(shape: &Shape<D>) -> ArrayMeta {
    let array = outline(shape);
    let order = if array.is_standard_layout() { Order::C } else { Order::F };
    ArrayMeta {
        descr: A::DESCR.into(),
        shape: array.shape().iter().map(|&len| len as u64).collect(),
        order,
        itemsize: None,
    }
}

/// An array of this shape that takes no memory: the shape alone doesn't tell its order, nor whether it can be.
fn outline<D: Dimension>(shape: &Shape<D>) -> Array<MaybeUninit<()>, D> {
    Array::<(), D>::uninit(shape.clone())
}

impl<A: Element, D: Dimension> Staged<A, D> {
    /// Zeros in memory.
    ///
    /// # Panics
    /// Panics where ndarray does: when no memory could hold the array.
    pub(crate) fn in_memory(shape: Shape<D>) -> Self {
        let elements = bytemuck::zeroed_vec(outline(&shape).len());
        let mut array = Array::from_shape_vec(shape, elements).expect("as many elements as the shape has");
        // SAFETY: as in `MappedCow::from_array`.
        let view = unsafe { array.raw_view_mut().deref_into_view_mut() };
        Self { view, bytes: StagedBytes::Heap(array) }
    }

    /// Zeros at `offset` of a new file, whose blocks are all allocated, and which `stage` owns.
    ///
    /// # Errors
    /// Returns an error when the file can't be mapped, or isn't the array of that `meta`.
    pub(crate) fn in_file(
        file: &File,
        path: &Path,
        exact_len: u64,
        offset: usize,
        meta: ArrayMeta,
        stage: Stage,
    ) -> Result<Self> {
        let mut mapping = SharedMapping::of(file, path, exact_len)?;
        let shape = shape_of::<A, D>(&meta)?;
        let first = mapping.elements::<A>(offset, shape.size())?;
        // SAFETY: as in `MappedCow::from_mapping`; that the mapping is shared makes no difference, since no one else
        // has the file, as the head of this room argues.
        let view = unsafe { RawArrayViewMut::from_shape_ptr(shape, first).deref_into_view_mut() };
        Ok(Self { view, bytes: StagedBytes::File(InFile { mapping, offset, first: first.addr(), meta, stage }) })
    }

    /// Returns whether the elements are in a file of the cache, rather than in memory.
    ///
    /// ```
    /// assert!(!ndcache::zeros::<f64, _>(3).is_mapped()); // outside of a cached call
    /// ```
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.bytes, StagedBytes::File(_))
    }

    /// Returns the array in memory: the same one if it is in memory, else a copy. Its file is removed.
    ///
    /// ```
    /// let mut counts = ndcache::zeros::<u32, _>(3);
    /// counts[1] += 5;
    /// assert_eq!(counts.into_owned(), ndarray::array![0, 5, 0]);
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Array<A, D> {
        match self.bytes {
            StagedBytes::Heap(array) if is_same(&self.view, &array) => array,
            _ => self.view.to_owned(),
        }
    }

    /// Returns a copy in memory, in the same order if that is contiguous.
    ///
    /// ```
    /// assert_eq!(ndcache::zeros::<u8, _>(2).to_owned(), ndarray::array![0, 0]);
    /// ```
    #[must_use]
    pub fn to_owned(&self) -> Array<A, D> {
        self.as_array().to_owned()
    }

    /// Returns a view that borrows this array, like [`ArrayRef::view`](ndarray::ArrayRef::view).
    ///
    /// ```
    /// assert_eq!(ndcache::zeros::<u8, _>(2).view().into_iter().sum::<u8>(), 0);
    /// ```
    #[must_use]
    pub fn view(&self) -> ArrayView<'_, A, D> {
        self.as_array().view()
    }

    /// Returns a writable view that borrows this array, like [`ArrayRef::view_mut`](ndarray::ArrayRef::view_mut).
    ///
    /// ```
    /// let mut ones = ndcache::zeros::<u8, _>(2);
    /// ones.view_mut().fill(1);
    /// assert_eq!(ones, ndarray::array![1, 1]);
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
        if self.is_mapped() { "staged" } else { "in memory" }
    }
}

/// Whether both have the same elements, shape and strides.
fn is_same<A, D: Dimension>(view: &ArrayRef<A, D>, array: &ArrayRef<A, D>) -> bool {
    view.as_ptr() == array.as_ptr() && view.shape() == array.shape() && view.strides() == array.strides()
}

// It owns its elements, like `MappedCow`.
impl<A: Element + RefUnwindSafe, D: Dimension + UnwindSafe> UnwindSafe for Staged<A, D> {}

impl<A: Element, D: Dimension> From<Staged<A, D>> for Mapped<A, D> {
    /// Ends the writing. Without a copy, unless shape or strides were changed since the array was made.
    fn from(staged: Staged<A, D>) -> Self {
        let Staged { view, bytes: StagedBytes::File(InFile { mapping, offset, first, meta, stage }) } = staged else {
            return staged.into_owned().into();
        };
        if view.as_ptr().addr() != first || ArrayMeta::of(&view).as_ref() != Some(&meta) {
            return view.to_owned().into();
        }
        let shape = view.raw_dim().set_f(meta.order == Order::F);
        match mapping.freeze() {
            // SAFETY: the view has just been found to be all of the elements of that shape at `offset`, in that order,
            // and has only ever let values of `A` be written there.
            Ok(mapping) => unsafe { Self::from_stage(mapping, offset, shape, stage) },
            Err(_mapping) => view.to_owned().into(),
        }
    }
}
