//! Files as arguments.
//!
//! * `file`: by content, with what is `remembered` of files that were read; `by_stamp`: by size and times.
//! * `seen`: the files that arguments stand for, looked at once more; `read` and `stamp`: what is known of one.

pub(crate) mod by_stamp;
pub(crate) mod file;
pub(crate) mod read;
pub(crate) mod remembered;
pub(crate) mod seen;
pub(crate) mod stamp;
