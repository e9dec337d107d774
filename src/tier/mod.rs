//! Tiers: places behind the cache folder that many machines share, such as a folder on a file server or a bucket.
//!
//! A memory with tiers first looks into its own folder. A result that is missing there is fetched from the tiers, in
//! the order in which they were given, before it is computed; a computed result is sent to the tiers that may be
//! written to, later and by a thread of its own. Everything fetched is verified. A tier that is slow, unavailable or
//! broken loses no result and takes little time, and a hit in the folder doesn't use tiers.
//!
//! A tier has the names and bytes of a cache folder, those of `docs/format.md`, below a folder for the kind of
//! machine ([`Share`]). The page `docs/tiers.md` of the repository says how to set one up.
//!
//! A [`Backend`] is a place: [`Folder`], [`MemoryBackend`], or your own.

// * `backend`, `fault`: what is asked of a place; `trouble`: what is told of its faults; `conformance`: whether it does that; `folder`, `in_memory`: two places.
// * `settings`: how a tier is used; `tiers`: those of one memory; `place`: one of them, as this process sees it.
// * `read`: results that come from tiers; `write`: results that go there; `removed`: those that must do neither; `bulk`: many at once; `status`: how
//   the tiers are; `probe`: whether they work.

mod backend;
mod bulk;
mod conformance;
mod fault;
mod folder;
mod in_memory;
#[cfg(feature = "remote")]
mod object_store;
mod place;
mod probe;
mod read;
mod removed;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod tiers;
mod trouble;
mod write;

pub use backend::{Backend, Body, Deadline, Each, Get, Got, List, Listed, Put, Stored, Token, When};
pub use bulk::{Moved, Purged};
pub use conformance::conformance;
pub use fault::Fault;
pub use folder::Folder;
pub use in_memory::MemoryBackend;
#[cfg(feature = "remote")]
pub use object_store::{Credentials, ObjectStore};
pub use probe::{ProbeStep, TierProbe};
pub(crate) use read::{Fetched, Sought};
pub(crate) use removed::{Target, mark};
pub use settings::{Access, Filter, Share, Tier};
pub use status::{Purge, TierStatus};
pub(crate) use tiers::Tiers;
pub use trouble::{Advice, Trouble};
pub use write::Flushed;
pub(crate) use write::outbox::Outbox;
