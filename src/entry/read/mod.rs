//! Entries as they are read: records, and the arrays that they name.
//!
//! * `find`: from a key to its record; `arrays`: from a record to its arrays; `extent`: how long files are, and say that
//!   they are.

pub(crate) mod arrays;
pub(crate) mod extent;
pub(crate) mod find;
