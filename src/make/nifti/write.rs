//! A volume to a file.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{ArrayRef, Dimension};

use super::super::replace::replace;
use super::{Grid, Voxel, header};
use crate::error::{Error, Result};

/// Voxels are mostly noise, which no level compresses much better; nibabel's default, too.
const LEVEL: Compression = Compression::new(1);

/// Whether a file of this name is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Writes the volume at `path`, in one step, with the permissions `mode`.
pub(super) fn write<A: Voxel, D: Dimension>(
    path: &Path,
    mode: u32,
    voxels: &ArrayRef<A, D>,
    grid: &Grid,
) -> Result<()> {
    let header = header::bytes::<A>(voxels.shape(), grid).map_err(|error| named(path, error))?;
    // The first axis is the fastest in a file; an array that is so in memory isn't copied.
    let transposed = voxels.t();
    let in_order = transposed.as_standard_layout();
    let elements = in_order.as_slice().expect("standard layout is contiguous");
    let bytes: &[u8] = bytemuck::cast_slice(elements);
    replace(path, mode, |file| {
        let written = match is_compressed(path) {
            true => {
                let mut packer = GzEncoder::new(file, LEVEL);
                packer
                    .write_all(&header)
                    .and_then(|()| packer.write_all(bytes))
                    .and_then(|()| packer.finish().map(drop))
            }
            false => file.write_all(&header).and_then(|()| file.write_all(bytes)),
        };
        written.map_err(|error| Error::io("write", path, error))
    })
}

/// Names the file in an error.
pub(super) fn named(path: &Path, error: Error) -> Error {
    match error.io_error() {
        Some(_) => error,
        None => error.at(format_args!("volume `{}`", path.display())),
    }
}
