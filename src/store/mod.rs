//! Named blobs in a folder: the only room that touches the file system.
//!
//! A store knows names and bytes, no key, record, payload or array. Its one promise:
//!
//! > A crash leaves an old entry, a new entry or garbage: never half of one.
//!
//! It rests on three rules. A blob is *created* under a name that nobody has used (`O_EXCL`), is written front to back
//! and never touched again (a *staged* one is filled through a mapping, and gets the name that a record may name only
//! when that is over); or it *replaces* another by a rename of a complete file, within one folder. The one who
//! publishes does so last: first the blobs that a record names, then the record. What a crash leaves before that
//! rename is a file that no record names, which a later sweep removes.
//!
//! Every name is resolved from the descriptor of the root without following a symbolic link, so that no planted one
//! leads out of it; see `system::at`.

mod access;
mod disk;
pub(crate) mod files;
mod holders;
mod home;
mod landings;
mod lock;
mod medium;
mod name;
mod reopen;
mod root;
mod system;
#[cfg(test)]
mod tests;

pub(crate) use disk::Disk;
pub(crate) use files::append::Appended;
pub(crate) use files::blob::{NewBlob, SharedBlob};
pub(crate) use files::staged::StagedBlob;
pub(crate) use files::walk::{FileKind, FolderItem, GARBAGE_AGE, OpenFolder, Removed};
pub(crate) use home::expanded;
pub(crate) use lock::{AnnouncedWaits, LockedKey, Locks};
pub(crate) use medium::{Medium, is_on_network};
pub(crate) use name::nonce;
pub(crate) use root::is_missing;
#[cfg(test)]
pub(crate) use system::between::set_between;
pub use system::limited::LimitedFile;
pub(crate) use system::limited::takes;
pub(crate) use system::stat::Stat;

/// How much of an entry survives a power cut.
///
/// With every choice an entry survives a crash of the *process*. Damage that a power cut may leave under
/// [`Durability::Buffered`] is found by the entry's digest, which is checked once after each boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing waits for the disk; after a power cut the entries of the last seconds may be missing or damaged, which
    /// their digests show: both are computed again.
    #[default]
    Buffered,
    /// Arrays and record are flushed (`fsync`) before they are published: after a power cut an entry is complete or
    /// absent. This takes one to ten milliseconds for each entry on an SSD, more on a spinning disk.
    Synced,
    /// Like [`Durability::Synced`], and the folders are flushed, too: an entry that was stored is there after a power
    /// cut.
    Full,
}

impl Durability {
    pub(crate) fn syncs_files(self) -> bool {
        self != Self::Buffered
    }

    pub(crate) fn syncs_folders(self) -> bool {
        self == Self::Full
    }
}
