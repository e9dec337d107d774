//! Files below a root: opened, read, written, staged and removed.
//!
//! * `at`: opening, never through a symbolic link; `stat`: what the file system says; `walk`: folders.
//! * `read`, `blob`, `staged`: whole files; `append`: files that grow; `limited`: writes that a limit on file sizes doesn't end in a signal.
//! * `private`: folders of one user's.
//! * `between`: where others may come between, for the model.

pub(crate) mod append;
pub(crate) mod at;
pub(crate) mod between;
pub(crate) mod blob;
pub(crate) mod limited;
pub(crate) mod private;
pub(crate) mod read;
pub(crate) mod staged;
pub(crate) mod stat;
pub(crate) mod walk;
