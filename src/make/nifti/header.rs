//! The bytes before the voxels; the one place that knows the crate `nifti`.

use nifti::{Endianness, NiftiHeader, NiftiType};

use super::voxel::Scaling;
use super::{Grid, Voxel};
use crate::error::{Error, Result};

/// Bytes of the header.
pub(super) const HEADER: usize = 348;

/// Where the voxels of a file begin that has no extensions: behind the header and four bytes that say so.
pub(super) const VOXELS: usize = 352;

/// The longest axis that a header can say.
const AXIS_MAX: usize = i16::MAX as usize;

/// Axes that a header can say.
const AXES_MAX: usize = 7;

/// What a header says.
#[derive(Clone, Debug)]
pub(super) struct VolumeHead {
    pub(super) kind: NiftiType,
    /// At least one axis, and none is empty.
    pub(super) shape: Vec<usize>,
    /// Where the voxels begin.
    pub(super) offset: u64,
    pub(super) big_endian: bool,
    /// Absent if it would change nothing.
    pub(super) scaling: Option<Scaling>,
    pub(super) grid: Grid,
}

/// Reads a header.
///
/// # Errors
/// Returns an error when it isn't the one of a NIfTI-1 file with its voxels in it, or says what can't be.
pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<VolumeHead> {
    let [a, b, c, d, ..] = *bytes;
    match [i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([d, c, b, a])] {
        [348, _] | [_, 348] => {}
        [540, _] | [_, 540] => return Err(Error::unsupported("it is a NIfTI-2 file, expected NIfTI-1")),
        _ => return Err(Error::damaged("it isn't a NIfTI-1 file")),
    }
    let found = NiftiHeader::from_reader(bytes.as_slice());
    let header = found.map_err(|error| Error::damaged("its header can't be read").because(error))?;
    if header.magic != *b"n+1\0" {
        return Err(Error::unsupported("it is the header of a pair of files, expected one file (`.nii`)"));
    }
    Ok(VolumeHead {
        kind: kind(&header)?,
        shape: shape(&header)?,
        offset: offset(header.vox_offset)?,
        big_endian: header.endianness == Endianness::Big,
        scaling: scaling(header.scl_slope, header.scl_inter)?,
        grid: grid(&header)?,
    })
}

fn kind(header: &NiftiHeader) -> Result<NiftiType> {
    let kind = header.data_type();
    kind.map_err(|_| Error::unsupported(format!("voxels have datatype {}, which isn't read", header.datatype)))
}

fn shape(header: &NiftiHeader) -> Result<Vec<usize>> {
    let dim = header.dim().map_err(|error| Error::damaged("its header can't be").because(error))?;
    match dim.iter().position(|&axis| usize::from(axis) > AXIS_MAX) {
        Some(axis) => Err(Error::damaged(format!("dim[{}] is negative", axis + 1))),
        None => Ok(dim.iter().map(|&axis| usize::from(axis)).collect()),
    }
}

fn offset(offset: f32) -> Result<u64> {
    // Single precision has every integer up to here; further ones that it has are meant as well.
    let plausible = offset >= VOXELS as f32 && offset <= i32::MAX as f32 && offset.fract() == 0.0;
    match plausible {
        true => Ok(offset as u64),
        false => Err(Error::damaged(format!("vox_offset is {offset}, expected an integer from {VOXELS} on"))),
    }
}

/// The scaling, if any: a slope of 0 means that there is none, and so, by common use, does one that isn't finite.
fn scaling(slope: f32, inter: f32) -> Result<Option<Scaling>> {
    if slope == 0.0 || !slope.is_finite() || (slope == 1.0 && inter == 0.0) {
        return Ok(None);
    }
    match inter.is_finite() {
        true => Ok(Some(Scaling { slope: slope.into(), inter: inter.into() })),
        false => Err(Error::damaged(format!("scl_slope is {slope} and scl_inter {inter}, expected a number"))),
    }
}

fn grid(header: &NiftiHeader) -> Result<Grid> {
    let grid = Grid {
        sform: header.sform_code,
        rows: [header.srow_x, header.srow_y, header.srow_z],
        qform: header.qform_code,
        quaternion: [header.quatern_b, header.quatern_c, header.quatern_d],
        offset: [header.quatern_x, header.quatern_y, header.quatern_z],
        pixdim: header.pixdim,
        xyzt_units: header.xyzt_units,
    };
    if grid.has_long_quaternion() {
        let [b, c, d] = grid.quaternion;
        let found = format!("quatern_b, quatern_c and quatern_d are {b}, {c} and {d}");
        return Err(Error::damaged(format!("{found}, expected the parts of a quaternion of length 1")));
    }
    Ok(grid)
}

/// Everything before the voxels of a little-endian file.
///
/// # Errors
/// Returns an error when a header can't say that shape.
pub(super) fn bytes<A: Voxel>(shape: &[usize], grid: &Grid) -> Result<Vec<u8>> {
    let mut dim = [1_i16; 8];
    match shape.len() {
        axes @ 1..=AXES_MAX => dim[0] = axes as i16,
        axes => {
            return Err(Error::unsupported(format!("volume has {axes} axes, and a NIfTI file has 1 to {AXES_MAX}")));
        }
    }
    for (dim, &axis) in dim[1..].iter_mut().zip(shape) {
        if !(1..=AXIS_MAX).contains(&axis) {
            return Err(Error::unsupported(format!(
                "volume has shape {shape:?}, and a NIfTI file axes of 1 to {AXIS_MAX}"
            )));
        }
        *dim = axis as i16;
    }
    let mut header = HeaderFields(vec![0; VOXELS]);
    header.put(0, &(HEADER as i32).to_le_bytes());
    header.put(38, b"r");
    header.each(40, dim.map(i16::to_le_bytes));
    header.put(70, &(A::KIND as i16).to_le_bytes());
    header.put(72, &(8 * size_of::<A>() as i16).to_le_bytes());
    header.each(76, grid.pixdim.map(f32::to_le_bytes));
    // Offset of the voxels, slope, inter.
    header.each(108, [VOXELS as f32, 1.0, 0.0].map(f32::to_le_bytes));
    header.put(123, &[grid.xyzt_units]);
    header.each(252, [grid.qform, grid.sform].map(i16::to_le_bytes));
    header.each(256, grid.quaternion.map(f32::to_le_bytes));
    header.each(268, grid.offset.map(f32::to_le_bytes));
    header.each(280, grid.rows.concat().into_iter().map(f32::to_le_bytes));
    header.put(344, b"n+1\0");
    Ok(header.0)
}

/// The header's bytes, by the offsets of `nifti1.h`.
struct HeaderFields(Vec<u8>);

impl HeaderFields {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn each<const N: usize>(&mut self, at: usize, fields: impl IntoIterator<Item = [u8; N]>) {
        for (n, field) in fields.into_iter().enumerate() {
            self.put(at + n * N, &field);
        }
    }
}
