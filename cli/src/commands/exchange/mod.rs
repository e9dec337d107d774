//! Commands that take entries from one cache to another.

mod archive;
pub(crate) mod export;
pub(crate) mod import;
