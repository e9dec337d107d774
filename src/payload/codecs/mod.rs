//! Array files: `.npy`, plain and compressed.
//!
//! * `npy`, `npy_header`: NumPy's format; `gzip`: the same compressed, written and read in parallel.

pub(crate) mod gzip;
pub(crate) mod npy;
pub(crate) mod npy_header;
