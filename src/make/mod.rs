//! Build steps: results in files that the user names, in formats that others read, made again only when they have to.
//!
//! [`Memory::make`](crate::Memory::make) runs a step. A target is a [`Persister`]: [`NpyFile`] and [`MappedNpyFile`]
//! for arrays, [`MsgpackFile`] for other values, [`NoOutput`] for steps without a file, or your own, for which
//! [`replace_file`] writes a file atomically. [`read_npy`] and [`write_npy`] read and write an array without a step.

// * `step`: the way of a call to its target.
// * `persister`: what saves and loads; `no_output`: for what leaves no file.
// * `target`: the file at a path: where it is, and whether it is still the one that was made; `step_records`: what is remembered
//   of it.
// * `replace`: files written atomically; `attributes`: what the new file keeps of the old one; `published`: which file
//   that was; `mapping`: when a target may be mapped.
// * `npy`, `msgpack`, `nifti`: the formats.

mod attributes;
mod mapping;
mod msgpack;
#[cfg(feature = "nifti")]
mod nifti;
mod no_output;
mod npy;
mod persister;
mod published;
mod replace;
mod step;
mod step_records;
mod target;

pub use msgpack::MsgpackFile;
#[cfg(feature = "nifti")]
pub use nifti::{Grid, MappedNiftiFile, NiftiFile, Volume, Voxel, read_nifti};
pub use no_output::{NamedNoOutput, NoOutput};
pub use npy::{MappedNpyFile, NpyFile, write_npy};
pub use persister::{Fallible, Persister};
pub use replace::replace_file;

pub use crate::payload::read_npy;
pub use crate::store::LimitedFile;

use std::path::Path;

/// The folder of a file; a bare name is in the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
