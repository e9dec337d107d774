//! Arrays that are made in the folder in which they will be stored.

use std::sync::Arc;

use ndarray::{Dimension, Shape, ShapeBuilder};

use super::lookup::{READ_RATHER, Site};
use super::put::is_full;
use super::{Inner, ambient};
use crate::digest::Element;
use crate::error::{ErrorKind, Result};
use crate::key::Function;
use crate::map::{self, Staged};
use crate::payload::npy_header;
use crate::record::NPY;
use crate::store::nonce;

/// An array of zeros that already lives in a file of the cache, for a cached function to fill and to return as a
/// [`Mapped`](crate::Mapped): `.into()`.
///
/// Storing that result takes the file over; its bytes are written once and read once, to be hashed. So a result may be
/// larger than memory: what doesn't fit is written to the file by the operating system while the function computes.
/// The shape is what [`Array::zeros`](ndarray::Array::zeros) takes, `.f()` for Fortran order too.
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
/// It is a file only if it has more than 128 KiB, and on the thread on which a cached call is computed whose result is
/// to be stored in a folder that offers mapping (`docs/guarantees.md`, "Mapping"), on a file system that reserves
/// blocks, with room for it. Else the same type is an array in memory, which is stored as any other: the result is the
/// same. [`Staged::is_mapped`] tells.
///
/// A file that can't be made on a full disk counts as a fault in [`Memory::stats`](crate::Memory::stats). An array that
/// is dropped takes its file with it; that of a killed process is removed with other garbage, after a day.
///
/// The array may be stored under another call than the one that made it, or in another folder, or twice: what can't
/// take the file over copies it. So does a memory that compresses.
///
/// # Panics
/// Panics as `Array::zeros` does, when no memory could hold the array.
pub fn zeros<A: Element, Sh: ShapeBuilder>(shape: Sh) -> Staged<A, Sh::Dim> {
    let shape = shape.into_shape_with_order();
    let staged = ambient::berth().and_then(|(memory, berth)| memory.0.as_deref()?.stage(&berth, &shape));
    staged.unwrap_or_else(|| Staged::in_memory(shape))
}

/// Where the result of a call that is being computed will be stored.
#[derive(Clone)]
pub(super) struct Berth {
    function: &'static Function,
    site: Site,
}

impl Inner {
    /// Where the arrays of a call are made whose result's place is `site`; `None` where nothing may be written.
    pub(super) fn berth(&self, function: &'static Function, site: Option<&Site>) -> Option<Berth> {
        let site = site.filter(|site| self.writes() && !site.is_read_only())?;
        Some(Berth { function, site: site.clone() })
    }

    /// An array of zeros in a file; `None` where that isn't offered, or fails.
    fn stage<A: Element, D: Dimension>(&self, berth: &Berth, shape: &Shape<D>) -> Option<Staged<A, D>> {
        match self.try_stage(berth, shape) {
            Ok(staged) => staged,
            Err(error) if error.kind() == ErrorKind::Io && self.counters.fault(berth.function.path()) => {
                tracing::warn!(function = berth.function.path(), %error, "an array is made in memory instead of a file");
                None
            }
            Err(error) => {
                tracing::debug!(function = berth.function.path(), %error, "an array is made in memory");
                None
            }
        }
    }

    fn try_stage<A: Element, D: Dimension>(&self, berth: &Berth, shape: &Shape<D>) -> Result<Option<Staged<A, D>>> {
        let meta = map::meta_of::<A, D>(shape);
        let header = npy_header(&meta)?;
        let length = (header.len() as u64).saturating_add(meta.byte_len()?);
        // A small array is read rather than mapped, later on.
        if length <= READ_RATHER || self.unmappable().is_some() {
            return Ok(None);
        }
        let name = berth.site.file(&format!("{}.{}.{NPY}", berth.site.key(), nonce()));
        let create = || self.disk.create_staged(&name, &header, length);
        let (blob, file) = match (create(), &self.keeper) {
            (Err(error), Some(keeper)) if is_full(&error) && keeper.make_room() => create()?,
            (created, _) => created?,
        };
        let path = self.disk.path_of(&name);
        Staged::in_file(&file, &path, length, header.len(), meta, Arc::new(blob)).map(Some)
    }
}
