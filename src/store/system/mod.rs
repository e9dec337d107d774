//! What the operating system is asked for, by descriptors and names.
//!
//! * `at`: opening below a folder, never through a symbolic link; `stat`: what the file system says of a file.
//! * `limited`: writes that a limit on file sizes doesn't end in a signal.
//! * `between`: where other processes may come between, for the tests of races.

pub(crate) mod at;
pub(crate) mod between;
pub(crate) mod limited;
pub(crate) mod stat;
