//! How the types of std and ndarray are stored.
//!
//! * `builtin`: scalars, text, tuples, `Option`, `Result`; `sequences`, `collections`: of other values; `arrays`: lifted
//!   into files.

pub(crate) mod arrays;
pub(crate) mod builtin;
pub(crate) mod collections;
pub(crate) mod sequences;
