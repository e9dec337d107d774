//! Entries on disk: how results are looked up, stored, staged and removed, whichever room asks for it.
//!
//! * `archive`: the folder with its rules; `site`: where the files of one key are; `rules`: how entries are kept;
//!   `reopen`: another folder in the place of one that was removed.
//! * `read`: from a key to records and arrays; `write`: from a value to an entry.
//! * `info`: what a stored result is, without its value; `stored`: its value and its arrays, whatever their types;
//!   `in_memory`: the digest of a result; `codes_seen`: which codes' parts are on the disk.

pub(crate) mod archive;
mod codes_seen;
pub(crate) mod in_memory;
pub(crate) mod info;
pub(crate) mod read;
mod recent;
mod reopen;
pub(crate) mod rules;
pub(crate) mod site;
mod stored;
pub(crate) mod write;

pub use info::Entry;
pub use rules::{MapPolicy, Mode, VerifyPolicy};
pub use stored::{AnyArray, StoredArray};
