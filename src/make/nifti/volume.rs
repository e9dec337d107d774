//! Voxels, and where they are.

use std::fmt;
use std::ops::RangeInclusive;

use ndcache_macros::{ContentHash, Payload};

/// The codes of a `sform` or `qform` that is there: from scanner to template. 0 says that there is none; so does any that
/// the standard doesn't have, as in nibabel.
const CODES: RangeInclusive<i16> = 1..=5;

/// How far the square of a quaternion's first part, of which single precision has the other three, may be from 0 to be
/// taken for it: three units in the last place of 1, as in nibabel.
const HALF_TURN: f64 = 3.0 * f32::EPSILON as f64;

/// A volume: its voxels, and their positions in space.
///
/// [`read_nifti`](crate::make::read_nifti) returns it, and a step may return it whose target is a NIfTI file. As an
/// argument it is identified by both.
///
/// ```
/// use ndarray::{Array3, ShapeBuilder};
/// use ndcache::make::{Grid, Volume};
///
/// let grid = Grid::from_affine([[2.0, 0.0, 0.0, -10.0], [0.0, 2.0, 0.0, -20.0], [0.0, 0.0, 3.0, 0.0]]);
/// let volume = Volume { voxels: Array3::<f32>::zeros((10, 20, 5).f()), grid };
/// assert_eq!(volume.grid.affine()[0], [2.0, 0.0, 0.0, -10.0]);
/// ```
#[derive(Clone, PartialEq, Payload, ContentHash)]
pub struct Volume<V> {
    /// The voxels: an `Array` or a [`Mapped`](crate::Mapped), if loaded with the first axis fastest in memory.
    pub voxels: V,
    /// Their positions.
    pub grid: Grid,
}

impl<V> fmt::Debug for Volume<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("grid", &self.grid).finish_non_exhaustive()
    }
}

/// Where the voxels of a volume are, and how far apart: the fields of a NIfTI header, unchanged.
///
/// A grid that was read is written back bit for bit, with sampling time and units of length and time.
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
    /// Makes the grid that maps voxel indices (i, j, k, 1) to coordinates by these three rows, in single precision.
    ///
    /// Its units are unknown, and it is a `sform` with the code 2 (aligned); the voxels' edges follow from it.
    #[must_use]
    pub fn from_affine(rows: [[f32; 4]; 3]) -> Self {
        let mut pixdim = [1.0; 8];
        for axis in 0..3 {
            let edge = rows.iter().map(|row| f64::from(row[axis]).powi(2)).sum::<f64>().sqrt();
            pixdim[axis + 1] = edge as f32;
        }
        Self { sform: 2, rows, qform: 0, quaternion: [0.0; 3], offset: [0.0; 3], pixdim, xyzt_units: 0 }
    }

    /// Returns the rows of the matrix that maps voxel indices (i, j, k, 1) to coordinates (x, y, z, 1).
    ///
    /// It is the matrix that the standard prefers: `sform` if there is one, else `qform`, else the voxels' edges
    /// alone. (In the last case nibabel puts the origin at the centre of the volume, and flips the first axis.) A
    /// code that the standard doesn't define means that there is none, and edges are those of [`steps`](Self::steps).
    #[must_use]
    pub fn affine(&self) -> [[f64; 4]; 4] {
        let rows = match (CODES.contains(&self.sform), CODES.contains(&self.qform)) {
            (true, _) => self.rows.map(|row| row.map(f64::from)),
            (false, true) => self.qform_rows(),
            (false, false) => [0, 1, 2].map(|row| {
                let mut cells = [0.0; 4];
                cells[row] = self.edge(row);
                cells
            }),
        };
        [rows[0], rows[1], rows[2], [0.0, 0.0, 0.0, 1.0]]
    }

    /// Returns the edges of a voxel, followed by the steps of the further axes, such as the seconds between two
    /// scans.
    ///
    /// An edge is positive: if the header has a negative one, its absolute value is used, and 0 means 1, as in
    /// nibabel. Directions are in `sform` and `qform`.
    #[must_use]
    pub fn steps(&self) -> [f32; 7] {
        let [_, mut steps @ ..] = self.pixdim;
        for edge in &mut steps[..3] {
            *edge = if *edge == 0.0 { 1.0 } else { edge.abs() };
        }
        steps
    }

    fn edge(&self, axis: usize) -> f64 {
        f64::from(self.steps()[axis])
    }

    /// Whether the affine comes from a quaternion that is longer than 1, and so is none of a rotation.
    pub(super) fn has_long_quaternion(&self) -> bool {
        let is_used = !CODES.contains(&self.sform) && CODES.contains(&self.qform);
        is_used && self.first_squared() <= -HALF_TURN
    }

    /// The square of the quaternion's first part, which makes its length 1.
    fn first_squared(&self) -> f64 {
        1.0 - self.quaternion.map(|part| f64::from(part).powi(2)).iter().sum::<f64>()
    }

    /// The rotation of the quaternion, as the standard's METHOD 2 has it, in the order in which nibabel computes it.
    fn qform_rows(&self) -> [[f64; 4]; 3] {
        let [b, c, d] = self.quaternion.map(f64::from);
        let squared = self.first_squared();
        // For half a turn rounding leaves a little more or less than 0, whose root would be a thousand times as much.
        let a = if squared < HALF_TURN { 0.0 } else { squared.sqrt() };
        let scale = 2.0 / (a * a + b * b + c * c + d * d);
        let (sb, sc, sd) = (scale * b, scale * c, scale * d);
        let rotation = [
            [1.0 - (c * sc + d * sd), b * sc - a * sd, b * sd + a * sc],
            [b * sc + a * sd, 1.0 - (b * sb + d * sd), c * sd - a * sb],
            [b * sd - a * sc, c * sd + a * sb, 1.0 - (b * sb + c * sc)],
        ];
        // `qfac`, which is 1 unless it is -1.
        let flip = if self.pixdim[0] == -1.0 { -1.0 } else { 1.0 };
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
