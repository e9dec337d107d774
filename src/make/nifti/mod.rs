//! Volumes as NIfTI-1 files (<https://nifti.nimh.nih.gov/nifti-1>), which imaging programs read.
//!
//! * `volume`: [`Volume`] and its [`Grid`]: voxels, and where they are.
//! * `voxel`: [`Voxel`], what a volume may hold, and how stored voxels become it.
//! * `header`: the bytes before the voxels; the one place that knows the crate `nifti`.
//! * `read`, `write`: a volume from and to a file; `file`: the targets.
//!
//! The crate `nifti` (0.18, 2026-11) parses and names the header. Its readers scale 32-bit integers in
//! single precision, and its writer puts a file only where it wants to, step by step.

mod file;
mod header;
mod read;
mod volume;
mod voxel;
mod write;

#[cfg(test)]
mod tests;

pub use file::{MappedNiftiFile, NiftiFile};
pub use read::read_nifti;
pub use volume::{Grid, Volume};
pub use voxel::Voxel;
