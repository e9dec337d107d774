//! [`MappedMut`]: an array that is edited in memory, and published when its owner says so.

use std::panic::{RefUnwindSafe, UnwindSafe};

use ndarray::{Array, ArrayRef, ArrayView, ArrayViewMut, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn};

use super::MappedCow;
use crate::digest::{Digest, Element};
use crate::error::Result;

/// Publishes an array in place of a stored one. What that takes is known to whoever made it.
type Commit<A, D> = Box<dyn Fn(&ArrayRef<A, D>) -> Result<()> + Send + Sync>;

/// A stored array that is being edited: in memory, and on disk only when it is [committed](Self::commit).
///
/// [`Memory::mmap_mut`](crate::Memory::mmap_mut) returns it. Until the commit it behaves like a
/// [`MappedCow`](crate::MappedCow): the file doesn't change, and a page is copied into memory before it is written
/// to. If it is dropped without a commit, or the process crashes, nothing is left behind.
///
/// It derefs to [`ndarray::ArrayRef`], also mutably. Its digest isn't remembered: as an argument it is hashed each
/// time.
///
/// ```
/// use ndarray::Array1;
/// use ndcache::mapped::MappedMut1;
/// use ndcache::{Memory, cache};
/// # let folder = tempfile::tempdir().unwrap();
///
/// #[cache]
/// fn baseline(n: usize) -> Array1<f64> {
///     Array1::zeros(n)
/// }
///
/// let memory = Memory::open(folder.path())?;
/// let mut edited: MappedMut1<f64> = memory.mmap_mut(baseline::call(100_000))?;
/// edited[0] = 5.0;
/// edited += 1.0;
/// assert_eq!(memory.eval(baseline::call(100_000))[0], 0.0); // not yet
/// edited.commit()?;
/// assert_eq!(memory.eval(baseline::call(100_000))[0], 6.0);
/// assert_eq!(memory.explain(&baseline::call(100_000)).to_string(), "hit (edited)");
/// # Ok::<(), ndcache::Error>(())
/// ```
#[must_use = "edits are lost unless they are committed"]
pub struct MappedMut<A: Element, D: Dimension> {
    array: MappedCow<A, D>,
    commit: Commit<A, D>,
}

impl<A: Element, D: Dimension> MappedMut<A, D> {
    /// `commit` publishes what is handed to it.
    pub(crate) fn new(array: MappedCow<A, D>, commit: Commit<A, D>) -> Self {
        Self { array, commit }
    }

    /// Publishes the present content of the array in place of the stored result, and marks the entry as edited.
    ///
    /// The logical array is stored, with its present axes and shape. It is written to a new file and published in one
    /// step: another reader sees the old result or the new one, and arrays that map the old file keep its bytes. Of
    /// two commits the last one wins. After a commit the array can be edited further, and committed again. A computation
    /// of the same call that began before the commit doesn't replace it.
    ///
    /// A commit takes the time of storing the array. It also publishes the array if the result was removed in the
    /// meantime.
    ///
    /// # Errors
    ///
    /// Returns an error when the array can't be stored, for example on a full disk. The old result stays, and so does
    /// this array, so that it can be committed again. Under [`Durability::Full`](crate::policy::Durability::Full)
    /// flushing the folder may fail after the array was published.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// # #[ndcache::cache]
    /// # fn baseline(n: usize) -> ndarray::Array1<i32> {
    /// #     ndarray::Array1::zeros(n)
    /// # }
    /// let mut edited = memory.mmap_mut(baseline::call(2))?;
    /// edited[1] = 7;
    /// edited.commit()?;
    /// edited[1] = 8;
    /// edited.commit()?;
    /// assert_eq!(memory.eval(baseline::call(2)), ndarray::array![0, 8]);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn commit(&self) -> Result<()> {
        (self.commit)(self.as_array())
    }

    /// Discards the edits; the same as dropping the array.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// #[ndcache::cache]
    /// fn baseline() -> ndarray::Array1<u8> {
    ///     ndarray::array![1, 2]
    /// }
    ///
    /// let mut edited = memory.mmap_mut(baseline::call())?;
    /// edited[0] = 3;
    /// edited.discard();
    /// assert_eq!(memory.eval(baseline::call()), ndarray::array![1, 2]);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    pub fn discard(self) {}

    /// Returns whether the elements are in a file of the cache, rather than in memory.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// # #[ndcache::cache]
    /// # fn baseline(n: usize) -> ndarray::Array1<i32> {
    /// #     ndarray::Array1::zeros(n)
    /// # }
    /// assert!(memory.mmap_mut(baseline::call(100_000))?.is_mapped());
    /// assert!(!memory.mmap_mut(baseline::call(2))?.is_mapped()); // small ones are read
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.array.is_mapped()
    }

    /// Returns the digest of the present content, as [`digest`](crate::digest()) computes it for the same array in
    /// memory.
    ///
    /// Reads the whole array.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// # #[ndcache::cache]
    /// # fn baseline(n: usize) -> ndarray::Array1<i32> {
    /// #     ndarray::Array1::zeros(n)
    /// # }
    /// let mut edited = memory.mmap_mut(baseline::call(2))?;
    /// edited[1] = 7;
    /// assert_eq!(edited.digest(), ndcache::digest(&ndarray::array![0, 7]));
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest {
        crate::digest::digest(self)
    }

    /// Returns a copy in memory, in the same order if that is contiguous.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// # #[ndcache::cache]
    /// # fn baseline(n: usize) -> ndarray::Array1<i32> {
    /// #     ndarray::Array1::zeros(n)
    /// # }
    /// assert_eq!(memory.mmap_mut(baseline::call(2))?.to_owned(), ndarray::array![0, 0]);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn to_owned(&self) -> Array<A, D> {
        self.array.to_owned()
    }

    /// Returns a view that borrows this array, like [`ArrayRef::view`](ndarray::ArrayRef::view).
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// # #[ndcache::cache]
    /// # fn baseline(n: usize) -> ndarray::Array1<i32> {
    /// #     ndarray::Array1::zeros(n)
    /// # }
    /// assert_eq!(memory.mmap_mut(baseline::call(2))?.view().into_iter().sum::<i32>(), 0);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn view(&self) -> ArrayView<'_, A, D> {
        self.array.view()
    }

    /// Returns a writable view that borrows this array, like [`ArrayRef::view_mut`](ndarray::ArrayRef::view_mut).
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let memory = ndcache::Memory::open(folder.path())?;
    /// # #[ndcache::cache]
    /// # fn baseline(n: usize) -> ndarray::Array1<i32> {
    /// #     ndarray::Array1::zeros(n)
    /// # }
    /// let mut edited = memory.mmap_mut(baseline::call(2))?;
    /// edited.view_mut().fill(3);
    /// assert_eq!(edited, ndarray::array![3, 3]);
    /// # Ok::<(), ndcache::Error>(())
    /// ```
    #[must_use]
    pub fn view_mut(&mut self) -> ArrayViewMut<'_, A, D> {
        self.array.view_mut()
    }

    pub(super) fn as_array(&self) -> &ArrayRef<A, D> {
        self.array.as_array()
    }

    pub(super) fn as_array_mut(&mut self) -> &mut ArrayRef<A, D> {
        self.array.as_array_mut()
    }

    /// Where the bytes are, in a word.
    pub(super) fn place(&self) -> &'static str {
        self.array.place()
    }
}

// It owns its elements, like `MappedCow`; a commit that panics has published all or nothing, and leaves the array as it
// was.
impl<A: Element + RefUnwindSafe, D: Dimension + UnwindSafe> UnwindSafe for MappedMut<A, D> {}
impl<A: Element + RefUnwindSafe, D: Dimension + RefUnwindSafe> RefUnwindSafe for MappedMut<A, D> {}

/// A [`MappedMut`] without axes.
pub type MappedMut0<A> = MappedMut<A, Ix0>;
/// A [`MappedMut`] with one axis.
pub type MappedMut1<A> = MappedMut<A, Ix1>;
/// A [`MappedMut`] with two axes.
pub type MappedMut2<A> = MappedMut<A, Ix2>;
/// A [`MappedMut`] with three axes.
pub type MappedMut3<A> = MappedMut<A, Ix3>;
/// A [`MappedMut`] with four axes.
pub type MappedMut4<A> = MappedMut<A, Ix4>;
/// A [`MappedMut`] with five axes.
pub type MappedMut5<A> = MappedMut<A, Ix5>;
/// A [`MappedMut`] with six axes.
pub type MappedMut6<A> = MappedMut<A, Ix6>;
/// A [`MappedMut`] with any number of axes.
pub type MappedMutD<A> = MappedMut<A, IxDyn>;
