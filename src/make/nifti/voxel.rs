//! What a volume may hold, and how stored voxels become it.

use nifti::NiftiType;
use num_complex::Complex;

use crate::digest::Element;
use crate::error::{Error, Result};

/// A voxel of a volume in a NIfTI file: `u8` to `u64`, `i8` to `i64`, `f32`, `f64`, `Complex<f32>`, `Complex<f64>`.
///
/// The trait is sealed: what a type is called in a file is part of the format.
pub trait Voxel: Element + sealed::Sealed {}

pub(super) mod sealed {
    use nifti::NiftiType;

    /// Each but `bool`, `usize`, `isize` and `f16`.
    pub trait Sealed: Sized {
        const KIND: NiftiType;

        /// The voxel of a real number, rounded; `None` for a type that isn't meant to take any.
        fn of_real(real: f64) -> Option<Self>;
    }
}

macro_rules! voxels {
    ($($type:ty, $kind:ident, $real:expr;)*) => {$(
        impl Voxel for $type {}

        impl sealed::Sealed for $type {
            const KIND: NiftiType = NiftiType::$kind;

            fn of_real(real: f64) -> Option<Self> {
                const OF_REAL: fn(f64) -> Option<$type> = $real;
                OF_REAL(real)
            }
        }
    )*};
}

voxels! {
    u8, Uint8, |_| None;
    i8, Int8, |_| None;
    u16, Uint16, |_| None;
    i16, Int16, |_| None;
    u32, Uint32, |_| None;
    i32, Int32, |_| None;
    u64, Uint64, |_| None;
    i64, Int64, |_| None;
    f32, Float32, |real| Some(real as f32);
    f64, Float64, Some;
    Complex<f32>, Complex64, |_| None;
    Complex<f64>, Complex128, |_| None;
}

/// A voxel is a stored one times slope plus inter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaling {
    pub(super) slope: f64,
    pub(super) inter: f64,
}

impl Scaling {
    pub(super) const NONE: Self = Self { slope: 1.0, inter: 0.0 };

    pub(super) fn apply(self, stored: f64) -> f64 {
        if self == Self::NONE { stored } else { stored * self.slope + self.inter }
    }
}

/// How stored voxels become those of a type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum VoxelConversion {
    /// They are.
    Same,
    /// Voxels as real numbers, scaled.
    Real(Scaling),
}

/// How voxels that are stored as `kind` become `A`s.
///
/// # Errors
/// Returns an error, which names both, when they can't.
pub(super) fn way<A: Voxel>(kind: NiftiType, scaling: Option<Scaling>) -> Result<VoxelConversion> {
    let (found, expected) = (name(kind), A::NAME);
    if size(kind).is_none() {
        return Err(Error::unsupported(format!("voxels are {found}, which isn't read")));
    }
    match scaling {
        None if kind == A::KIND => return Ok(VoxelConversion::Same),
        None if A::KIND == NiftiType::Float64 && is_real(kind) => return Ok(VoxelConversion::Real(Scaling::NONE)),
        None if A::KIND == NiftiType::Float32 && fits_single(kind) => return Ok(VoxelConversion::Real(Scaling::NONE)),
        Some(scaling) if A::of_real(0.0).is_some() && is_real(kind) => return Ok(VoxelConversion::Real(scaling)),
        _ => {}
    }
    let scaled = scaling.map_or(String::new(), |it| format!(" with scl_slope {} and scl_inter {}", it.slope, it.inter));
    let instead = match (is_real(kind), scaling) {
        (true, Some(_)) => ", which are read as `f32` or `f64`",
        (true, None) => ", which are read as such or as `f64`",
        (false, Some(_)) => ", which aren't read",
        (false, None) => ", which are read as such",
    };
    Err(Error::invalid(format!("voxels are {found}{scaled}{instead}, expected `{expected}`")))
}

/// The bytes of a stored voxel; `None` for one that no element is.
pub(super) fn size(kind: NiftiType) -> Option<usize> {
    use NiftiType::{Complex256, Float128, Rgb24, Rgba32};
    (!matches!(kind, Rgb24 | Rgba32 | Float128 | Complex256)).then(|| kind.size_of())
}

/// The bytes of what has a byte order of its own.
pub(super) fn part(kind: NiftiType) -> usize {
    match kind {
        NiftiType::Complex64 | NiftiType::Complex128 => kind.size_of() / 2,
        _ => kind.size_of(),
    }
}

fn is_real(kind: NiftiType) -> bool {
    size(kind).is_some() && !matches!(kind, NiftiType::Complex64 | NiftiType::Complex128)
}

/// Whether each value of the type is one of `f32`.
fn fits_single(kind: NiftiType) -> bool {
    use NiftiType::{Float32, Int8, Int16, Uint8, Uint16};
    matches!(kind, Uint8 | Int8 | Uint16 | Int16 | Float32)
}

/// What a type is called here.
fn name(kind: NiftiType) -> String {
    let name = match kind {
        NiftiType::Uint8 => "u8",
        NiftiType::Int8 => "i8",
        NiftiType::Uint16 => "u16",
        NiftiType::Int16 => "i16",
        NiftiType::Uint32 => "u32",
        NiftiType::Int32 => "i32",
        NiftiType::Uint64 => "u64",
        NiftiType::Int64 => "i64",
        NiftiType::Float32 => "f32",
        NiftiType::Float64 => "f64",
        NiftiType::Complex64 => "Complex<f32>",
        NiftiType::Complex128 => "Complex<f64>",
        other => return format!("{other:?} (datatype {})", other as u16),
    };
    format!("`{name}`")
}

/// Scales little-endian voxels of a real type, and appends them.
pub(super) fn append<A: Voxel>(bytes: &[u8], kind: NiftiType, scaling: Scaling, out: &mut Vec<A>) {
    fn each<A: Voxel, const N: usize>(bytes: &[u8], scaling: Scaling, out: &mut Vec<A>, real: fn([u8; N]) -> f64) {
        let (parts, _) = bytes.as_chunks::<N>();
        out.extend(parts.iter().filter_map(|&part| A::of_real(scaling.apply(real(part)))));
    }
    match kind {
        NiftiType::Uint8 => each(bytes, scaling, out, |[byte]| f64::from(byte)),
        NiftiType::Int8 => each(bytes, scaling, out, |[byte]| f64::from(byte.cast_signed())),
        NiftiType::Uint16 => each(bytes, scaling, out, |part| f64::from(u16::from_le_bytes(part))),
        NiftiType::Int16 => each(bytes, scaling, out, |part| f64::from(i16::from_le_bytes(part))),
        NiftiType::Uint32 => each(bytes, scaling, out, |part| f64::from(u32::from_le_bytes(part))),
        NiftiType::Int32 => each(bytes, scaling, out, |part| f64::from(i32::from_le_bytes(part))),
        NiftiType::Uint64 => each(bytes, scaling, out, |part| u64::from_le_bytes(part) as f64),
        NiftiType::Int64 => each(bytes, scaling, out, |part| i64::from_le_bytes(part) as f64),
        NiftiType::Float32 => each(bytes, scaling, out, |part| f64::from(f32::from_le_bytes(part))),
        NiftiType::Float64 => each(bytes, scaling, out, f64::from_le_bytes),
        // `way` lets no other type through.
        _ => {}
    }
}
