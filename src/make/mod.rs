//! Build steps: results in files that the user names, in formats that others read, made again only when they have to.
//!
//! * `step`: the way of a call to its target.
//! * `persister`: [`Persister`], what saves and loads; `no_output`: [`NoOutput`], for what leaves no file.
//! * `target`: the file at a path: where it is, and whether it is still the one that was made.
//! * `replace`: [`replace_file`]; `attributes`: what the new file keeps of the old one; `published`: which file that was; `mapping`: when a target may be mapped.
//! * `npy`, `msgpack`, `nifti`: the formats.

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
mod slots;
mod step;
mod target;

pub use msgpack::MsgpackFile;
#[cfg(feature = "nifti")]
pub use nifti::{Grid, MappedNiftiFile, NiftiFile, Volume, Voxel, read_nifti};
pub use no_output::{NamedNoOutput, NoOutput};
pub use npy::{MappedNpyFile, NpyFile};
pub use persister::{Fallible, Persister};
pub use replace::replace_file;
