//! Targets that are NIfTI files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ndarray::{Array, ArrayBase, Dimension, OwnedArcRepr, OwnedRepr};

use super::super::Persister;
use super::super::replace::{READ_ONLY, WRITABLE};
use super::read::map;
use super::write::write;
use super::{Grid, Volume, Voxel, read_nifti};
use crate::digest::absolute;
use crate::error::Result;
use crate::map::Mapped;

/// A NIfTI-1 file as the target of a step whose result is a [`Volume`], or an array. It is compressed if its name
/// ends in `.gz`.
///
/// The voxels are stored without scaling, the first axis fastest, and are loaded into memory in that order. An array
/// alone is saved with a grid on which voxel indices are coordinates. A volume with more than 7 axes, with none, or
/// with an axis that is empty or longer than 32,767 can't be saved.
///
/// ```
/// use ndarray::Array3;
/// use ndcache::make::{Grid, NiftiFile, Volume};
/// use ndcache::{Memory, cache};
///
/// #[cache]
/// fn ball(n: usize) -> Volume<Array3<u8>> {
///     let square = |i: usize| (i as f64 - n as f64 / 2.0).powi(2);
///     let inside = |(i, j, k)| square(i) + square(j) + square(k) < (n as f64 / 3.0).powi(2);
///     Volume { voxels: Array3::from_shape_fn((n, n, n), |at| inside(at).into()), grid: Grid::default() }
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let memory = Memory::open(folder.path().join("cache"))?;
/// let ball = memory.make(ball::call(12), NiftiFile::new(folder.path().join("ball.nii.gz")))?;
/// assert_eq!(ball.voxels[[6, 6, 6]], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NiftiFile {
    path: PathBuf,
}

impl NiftiFile {
    /// Makes a target at `path`, relative to the current folder at this moment; its folder must exist when it is
    /// made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: absolute(path.into()) }
    }
}

/// A NIfTI-1 file as a target, like [`NiftiFile`], whose voxels are memory-mapped in the file.
///
/// The file is saved without scaling and without write permission, which makes mapping it sound. A file that has
/// write permission, is in a world-writable folder or on a network file system, is compressed, has the other byte
/// order or is scaled, is copied into memory and returned as the same type, and
/// [`Stats::by_copy`](crate::stats::Stats::by_copy) counts it.
///
/// ```
/// use ndarray::Array3;
/// use ndcache::make::MappedNiftiFile;
/// use ndcache::{Mapped3, Memory, cache};
///
/// #[cache]
/// fn zeros(n: usize) -> Array3<f32> {
///     Array3::zeros((n, n, n))
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let memory = Memory::open(folder.path().join("cache"))?;
/// let zeros: Mapped3<f32> = memory.make(zeros::call(12), MappedNiftiFile::new(folder.path().join("zeros.nii")))?;
/// assert!(zeros.is_mapped());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MappedNiftiFile {
    path: PathBuf,
}

impl MappedNiftiFile {
    /// Makes a target at `path`, relative to the current folder at this moment; its folder must exist when it is
    /// made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: absolute(path.into()) }
    }
}

macro_rules! persist {
    ($(<$value:ty> by $target:ty, mode: $mode:ident, as $loaded:ty: |$it:ident| $voxels:expr, $grid:expr; $load:expr;)*) => {$(
        impl<A: Voxel, D: Dimension> Persister<$value> for $target {
            type Loaded = $loaded;

            fn save(&self, $it: &$value) -> Result<()> {
                write(&self.path, $mode, $voxels, $grid)
            }

            fn load(&self) -> Result<$loaded> {
                ($load)(&self.path)
            }

            fn path(&self) -> Option<&Path> {
                Some(&self.path)
            }

            /// Whatever loads another format says so, and the step is made again.
            fn format(&self) -> Cow<'_, str> {
                Cow::Borrowed("")
            }
        }
    )*};
}

macro_rules! arrays {
    ($($array:ty,)*) => {
        persist! { $(
            <$array> by NiftiFile, mode: WRITABLE, as Array<A, D>:
                |it| it, &Grid::default(); |path: &PathBuf| Ok(read_nifti(path)?.voxels);
            <Volume<$array>> by NiftiFile, mode: WRITABLE, as Volume<Array<A, D>>:
                |it| &it.voxels, &it.grid; |path: &PathBuf| read_nifti(path);
            <$array> by MappedNiftiFile, mode: READ_ONLY, as Mapped<A, D>:
                |it| it, &Grid::default(); |path: &PathBuf| Ok(map(path)?.voxels);
            <Volume<$array>> by MappedNiftiFile, mode: READ_ONLY, as Volume<Mapped<A, D>>:
                |it| &it.voxels, &it.grid; |path: &PathBuf| map(path);
        )* }
    };
}

arrays! {
    ArrayBase<OwnedRepr<A>, D>,
    ArrayBase<OwnedArcRepr<A>, D>,
    Mapped<A, D>,
}
