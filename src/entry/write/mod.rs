//! Entries as they are written: from a value to files, and to the record that names them.
//!
//! * `put`: the whole; `array`: one array file, its `hash_while_writing` hashed by two; `names`: readable names of array files.
//! * `remove`: the way back.
//! * `staging`: arrays that are made where they will be stored; `code_parts`: what the code of an entry was made of.

mod array;
pub(crate) mod code_parts;
mod hash_while_writing;
pub(crate) mod names;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod staging;
