//! Arrays that a cached function makes where they will be stored.

use ndarray::{Dimension, Shape, ShapeBuilder};

use crate::digest::Element;
use crate::entry::write::staging::StagingSite;
use crate::error::ErrorKind;
use crate::map::Staged;
use crate::memory::Engine;
use crate::memory::ambient;

/// Makes an array of zeros in a file of the cache, for a cached function to fill and to return as a
/// [`Mapped`](crate::Mapped) by `.into()`.
///
/// Storing that result takes over the file; its bytes are written once, and read once to be hashed. So a result may
/// be larger than memory: the operating system writes what doesn't fit to the file while the function computes. The
/// shape is given as to [`Array::zeros`](ndarray::Array::zeros), with `.f()` for Fortran order.
///
/// ```
/// use ndarray::prelude::*;
/// use ndcache::{Mapped2, Memory, cache, zeros};
/// # let folder = tempfile::tempdir().unwrap();
///
/// #[cache]
/// fn outer(x: &ArrayRef1<f64>, y: &ArrayRef1<f64>) -> Mapped2<f64> {
///     let mut table = zeros::<f64, _>((x.len(), y.len()));
///     for (mut row, x) in table.rows_mut().into_iter().zip(x) {
///         row.assign(&(y * *x));
///     }
///     table.into()
/// }
///
/// let memory = Memory::open(folder.path())?;
/// let x = Array1::linspace(0.0, 1.0, 300);
/// let table = memory.eval(outer::call(&x, &x));
/// assert!(table.is_mapped());
/// assert_eq!(table[[299, 299]], 1.0);
/// # Ok::<(), ndcache::Error>(())
/// ```
///
/// # When it is an array in memory
///
/// The array is in a file only if the file has more than 128 KiB, on the thread that computes a cached call whose
/// result will be stored, in a folder from which files can be mapped (`docs/guarantees.md`, "Mapping"), and on a file
/// system that reserves blocks and has room for it. Otherwise the same type is an array in memory, which is stored
/// like any other: the result is the same. [`Staged::is_mapped`] says which.
///
/// If a file can't be made because the disk is full, that is a fault in [`Memory::stats`](crate::Memory::stats). When
/// the array is dropped its file is removed; the file of a killed process is removed with other garbage, after a day.
///
/// The array may be stored by another call than the one that made it, or in another folder, or twice: if the file
/// can't be taken over, it is copied. A memory that compresses copies, too.
///
/// # Panics
///
/// Panics like `Array::zeros` when no memory could hold the array.
pub fn zeros<A: Element, Sh: ShapeBuilder>(shape: Sh) -> Staged<A, Sh::Dim> {
    let shape = shape.into_shape_with_order();
    let staged = ambient::staging_site().and_then(|(memory, site)| memory.0.as_deref()?.stage(&site, &shape));
    staged.unwrap_or_else(|| Staged::in_memory(shape))
}

impl Engine {
    /// An array of zeros in a file; `None` where that isn't offered, or fails.
    fn stage<A: Element, D: Dimension>(&self, to: &StagingSite, shape: &Shape<D>) -> Option<Staged<A, D>> {
        let staged = self.archive.stage(to, shape);
        staged.unwrap_or_else(|error| {
            let function = to.function.path();
            match error.kind() {
                ErrorKind::Io => self.recorder.fault(function, &error, "an array is made in memory instead of a file"),
                _ => tracing::debug!(function, %error, "an array is made in memory"),
            }
            None
        })
    }
}
