//! Files below a root: opened, read, written, staged and removed.
//!
//! * `read`, `blob`, `staged`: whole files; `append`: files that grow; `walk`: folders.
//! * `private`: folders of one user's.

pub(crate) mod append;
pub(crate) mod blob;
pub(crate) mod private;
pub(crate) mod read;
pub(crate) mod staged;
pub(crate) mod walk;
