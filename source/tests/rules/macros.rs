//! What macros of the crate look up, declare and read.

mod copies;
mod lookups;
mod made;
mod text;
