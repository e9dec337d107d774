//! Files as arguments.
//!
//! * `file`: by content, with what is `remembered` of files that were read; `stamp`: by size and times.
//! * `seen`: the files that arguments stand for, looked at once more.

pub(crate) mod file;
pub(crate) mod remembered;
pub(crate) mod seen;
pub(crate) mod stamp;
