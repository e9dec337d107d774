//! Entries on disk: the one door through which results are looked up, stored, staged and removed.
//!
//! * `archive`: the folder with its rules; `site`: where the files of one key are; `rules`: how entries are kept.
//! * `reopen`: another folder in the place of one that was removed; `extent`: how long files are, and say that they are.
//! * `find`: from a key to its record; `read_arrays`: from a record to its arrays; `content`: the digest of a result.
//! * `put`: from a value to an entry; `write_array`: one array file, its `leaves` hashed by two; `names`: readable names
//!   of array files; `staging`: arrays that are made where they will be stored.
//! * `info`: what a stored result is, without its value; `code_parts`: what its code was made of.

pub(crate) mod archive;
pub(crate) mod code_parts;
pub(crate) mod content;
mod extent;
pub(crate) mod find;
pub(crate) mod info;
mod leaves;
pub(crate) mod names;
pub(crate) mod put;
pub(crate) mod read_arrays;
mod reopen;
pub(crate) mod rules;
pub(crate) mod site;
pub(crate) mod staging;
mod write_array;

pub use info::Entry;
pub use rules::{MapPolicy, Mode, Verify};
