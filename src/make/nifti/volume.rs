//! Voxels, and where they are.

use std::fmt;

use ndcache_macros::{ContentHash, Payload};

/// A volume: its voxels, and where they are in space.
///
/// What [`read_nifti`](crate::read_nifti) returns, and what a step may return whose target is a NIfTI file. As an
/// argument it counts by both.
///
/// ```
/// use ndarray::{Array3, ShapeBuilder};
/// use ndcache::{Grid, Volume};
///
/// let grid = Grid::from_affine([[2.0, 0.0, 0.0, -10.0], [0.0, 2.0, 0.0, -20.0], [0.0, 0.0, 3.0, 0.0]]);
/// let volume = Volume { voxels: Array3::<f32>::zeros((10, 20, 5).f()), grid };
/// assert_eq!(volume.grid.affine()[0], [2.0, 0.0, 0.0, -10.0]);
/// ```
#[derive(Clone, PartialEq, Payload, ContentHash)]
pub struct Volume<V> {
    /// The voxels: an `Array` or a [`Mapped`](crate::Mapped), the first axis fastest in memory if it was loaded.
    pub voxels: V,
    /// Where they are.
    pub grid: Grid,
}

impl<V> fmt::Debug for Volume<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("grid", &self.grid).finish_non_exhaustive()
    }
}

/// Where the voxels of a volume are, and how far apart: what a NIfTI header says of it, as it says it.
///
/// A grid that was read is written back to the bit, sampling time and units of length and time included.
#[derive(Clone, PartialEq, Payload, ContentHash)]
pub struct Grid {
    /// `sform_code` and `srow_x`, `srow_y`, `srow_z`
    pub(super) sform: i16,
    pub(super) rows: [[f32; 4]; 3],
    /// `qform_code`, `quatern_b`, `_c`, `_d` and `qoffset_x`, `_y`, `_z`
    pub(super) qform: i16,
    pub(super) quaternion: [f32; 3],
    pub(super) offset: [f32; 3],
    pub(super) pixdim: [f32; 8],
    pub(super) xyzt_units: u8,
}

impl Default for Grid {
    /// Voxel indices are coordinates.
    fn default() -> Self {
        Self::from_affine([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    }
}

impl Grid {
    /// The grid that maps voxel indices (i, j, k, 1) to coordinates by these three rows, in single precision.
    ///
    /// Its units are unknown, as `sform` with the code 2 (aligned); the voxels' edges follow from it.
    #[must_use]
    pub fn from_affine(rows: [[f32; 4]; 3]) -> Self {
        let mut pixdim = [1.0; 8];
        for axis in 0..3 {
            let edge = rows.iter().map(|row| f64::from(row[axis]).powi(2)).sum::<f64>().sqrt();
            pixdim[axis + 1] = edge as f32;
        }
        Self { sform: 2, rows, qform: 0, quaternion: [0.0; 3], offset: [0.0; 3], pixdim, xyzt_units: 0 }
    }

    /// The rows of the matrix that maps voxel indices (i, j, k, 1) to coordinates (x, y, z, 1).
    ///
    /// By the standard: `sform` if there is one, else `qform`, else the voxels' edges alone. (For the last case nibabel
    /// puts the origin at the centre of the volume.)
    #[must_use]
    pub fn affine(&self) -> [[f64; 4]; 4] {
        let rows = match (self.sform, self.qform) {
            (0, 0) => [0, 1, 2].map(|row| {
                let mut cells = [0.0; 4];
                cells[row] = self.edge(row);
                cells
            }),
            (0, _) => self.qform_rows(),
            _ => self.rows.map(|row| row.map(f64::from)),
        };
        [rows[0], rows[1], rows[2], [0.0, 0.0, 0.0, 1.0]]
    }

    /// The edges of a voxel, and behind them the steps of the further axes, such as the seconds between two scans.
    #[must_use]
    pub fn steps(&self) -> [f32; 7] {
        let [_, steps @ ..] = self.pixdim;
        steps
    }

    fn edge(&self, axis: usize) -> f64 {
        f64::from(self.pixdim[axis + 1])
    }

    /// The rotation of the quaternion, as the standard's METHOD 2 has it.
    fn qform_rows(&self) -> [[f64; 4]; 3] {
        let [b, c, d] = self.quaternion.map(f64::from);
        let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
        let rotation = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ];
        let flip = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let steps = [self.edge(0), self.edge(1), self.edge(2) * flip];
        [0, 1, 2].map(|row| {
            let [x, y, z] = [0, 1, 2].map(|axis| rotation[row][axis] * steps[axis]);
            [x, y, z, f64::from(self.offset[row])]
        })
    }
}

impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grid({:?})", self.affine())
    }
}
