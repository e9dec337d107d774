//! Targets that NumPy reads.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array, ArrayBase, ArrayRef, Dimension, OwnedArcRepr, OwnedRepr};

use super::replace::{READ_ONLY, WRITABLE, replace};
use super::{Persister, mapping};
use crate::digest::{Element, Known, absolute};
use crate::error::Result;
use crate::map::Mapped;
use crate::payload::{check_npy, encode_npy, npy_meta, read_npy};

/// A `.npy` file as the target of a step whose result is an array; `np.load` reads it.
///
/// C and Fortran order are kept. The array is loaded into memory and owned.
///
/// ```
/// use ndarray::{Array1, array};
/// use ndcache::make::{NpyFile, Persister};
///
/// # let folder = tempfile::tempdir()?;
/// let target = NpyFile::new(folder.path().join("a.npy"));
/// target.save(&array![1.0, 2.0])?;
/// let loaded: Array1<f64> = Persister::<Array1<f64>>::load(&target)?;
/// assert_eq!(loaded, array![1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NpyFile {
    path: PathBuf,
}

impl NpyFile {
    /// Makes a target at `path`, relative to the current folder at this moment; its folder must exist when it is
    /// made.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: absolute(path.into()) }
    }

    /// Makes a target at `path`, like [`new`](Self::new), that is memory-mapped when it is loaded.
    pub fn mapped(path: impl Into<PathBuf>) -> MappedNpyFile {
        MappedNpyFile { path: absolute(path.into()) }
    }
}

/// A `.npy` file as the target of a step whose result is an array; it is memory-mapped when loaded.
/// [`NpyFile::mapped`] makes it.
///
/// The file is saved without write permission, which makes mapping it sound: it isn't changed by accident, and the
/// next result replaces it and leaves mapped arrays as they are. A file that has write permission, or is in a
/// world-writable folder or on a network file system, is copied into memory and returned as the same type, and
/// [`Stats::by_copy`](crate::stats::Stats::by_copy) counts it.
///
/// ```
/// use ndarray::Array1;
/// use ndcache::make::NpyFile;
/// use ndcache::{Mapped1, Memory, cache};
///
/// #[cache]
/// fn ramp(n: usize) -> Array1<f64> {
///     Array1::linspace(0.0, 1.0, n)
/// }
///
/// # let folder = tempfile::tempdir()?;
/// let memory = Memory::open(folder.path().join("cache"))?;
/// let made: Mapped1<f64> = memory.make(ramp::call(1000), NpyFile::mapped(folder.path().join("ramp.npy")))?;
/// assert!(made.is_mapped());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MappedNpyFile {
    path: PathBuf,
}

macro_rules! arrays {
    ($($array:ty,)*) => {$(
        impl<A: Element, D: Dimension> Persister<$array> for NpyFile {
            type Loaded = Array<A, D>;

            fn save(&self, value: &$array) -> Result<()> {
                replace(&self.path, WRITABLE, |file| encode_npy(value, &mut |bytes| put(file, &self.path, bytes)))
            }

            fn load(&self) -> Result<Array<A, D>> {
                read_npy(&self.path)
            }

            fn path(&self) -> Option<&Path> {
                Some(&self.path)
            }

            /// Whatever loads another format says so, and the step is made again.
            fn format(&self) -> Cow<'_, str> {
                Cow::Borrowed("")
            }
        }

        impl<A: Element, D: Dimension> Persister<$array> for MappedNpyFile {
            type Loaded = Mapped<A, D>;

            fn save(&self, value: &$array) -> Result<()> {
                replace(&self.path, READ_ONLY, |file| encode_npy(value, &mut |bytes| put(file, &self.path, bytes)))
            }

            fn load(&self) -> Result<Mapped<A, D>> {
                map_npy(&self.path)
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

arrays! {
    ArrayBase<OwnedRepr<A>, D>,
    ArrayBase<OwnedArcRepr<A>, D>,
    Mapped<A, D>,
}

/// Writes an array as a `.npy` file that NumPy reads and maps: `np.load(path)`.
///
/// It takes any array of ndarray by reference, owned, shared or mapped, and views. The file has the array's shape,
/// dtype and memory order, little-endian: an array in C or Fortran order is written without a copy; any other is
/// copied into C order first. [`read_npy`] returns an equal array in the same order.
///
/// A file at `path` is replaced in one step, as by [`replace_file`](super::replace_file): a reader sees the old file
/// or the new one, whole, and an error leaves the old one. The folder must exist.
///
/// # Errors
///
/// Returns an error that names the file when it can't be written.
///
/// ```
/// use ndarray::{Array2, Ix2, s};
/// use ndcache::make::{read_npy, write_npy};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.npy");
/// let a = Array2::from_shape_fn((4, 6), |(i, j)| (6 * i + j) as f64);
/// write_npy(&path, &a)?;
/// assert_eq!(read_npy::<f64, Ix2>(&path)?, a);
/// write_npy(&path, &a.slice(s![..;2, ..3]))?; // in its place, copied into C order
/// assert_eq!(read_npy::<f64, Ix2>(&path)?, a.slice(s![..;2, ..3]));
/// write_npy(&path, &a.t())?; // in Fortran order, as it lies
/// let back: Array2<f64> = read_npy(&path)?;
/// assert_eq!((back.shape(), back.strides()), (&[6, 4][..], &[1, 6][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_npy<A: Element, D: Dimension>(path: impl AsRef<Path>, array: &ArrayRef<A, D>) -> Result<()> {
    let path = path.as_ref();
    replace(path, WRITABLE, |file| encode_npy(array, &mut |bytes| put(file, path, bytes)))
}

fn put(file: &mut impl std::io::Write, path: &Path, bytes: &[u8]) -> Result<()> {
    file.write_all(bytes).map_err(|error| crate::error::Error::io("write", path, error))
}

fn map_npy<A: Element, D: Dimension>(path: &Path) -> Result<Mapped<A, D>> {
    // The header is that of the file that is mapped, whatever has come to the path since.
    let Ok((file, mapping)) = mapping::map(path)? else {
        return read_npy(path).map(Mapped::from);
    };
    let len = mapping.bytes().len() as u64;
    let (meta, offset) = npy_meta(&file, path, len)?;
    check_npy::<A, D>(&meta, offset, len)?;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    Mapped::from_mapping(mapping, offset, &meta, Arc::new(Known::unknown()))
        .map_err(|error| error.at(format_args!("array `{}`", path.display())))
}
