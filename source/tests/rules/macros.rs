//! What macros of the crate look up, declare and read.

mod lookups;
mod made;
mod text;
