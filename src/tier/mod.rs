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

// * `backend`: what is asked of a place, two places, and whether one does what is asked; `fault`: why it doesn't; `trouble`:
//   its faults in words; `object_store`: object stores and servers of HTTP.
// * `settings`: how a tier is used; `place`: one of them, as this process sees it; `core`: those of one memory, for the
//   threads that work for them; `tiers`: the same with the thread that sends.
// * `read`: results that come from tiers; `outbox`: what is to go there; `write`: its way; `removed`: what must do neither;
//   `deny`: the list of what was purged; `bulk`: many at once; `status`: how the tiers are; `probe`: whether they work.

mod backend;
mod bulk;
mod core;
mod deny;
mod fault;
#[cfg(feature = "remote")]
mod object_store;
mod outbox;
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

pub use backend::conformance::conformance;
pub use backend::folder::Folder;
pub use backend::in_memory::MemoryBackend;
pub use backend::{Backend, Body, Deadline, Each, Get, Got, List, Listed, Put, Stored, Token, When};
pub use bulk::{Moved, Purged};
pub(crate) use deny::RemovedScope;
pub use fault::Fault;
#[cfg(feature = "remote")]
pub use object_store::{Credentials, ObjectStore};
pub(crate) use outbox::Outbox;
pub use probe::{ProbeStep, TierProbe};
pub(crate) use read::{FetchRequest, Fetched};
pub(crate) use removed::mark;
pub use settings::{Access, Filter, Share, Tier};
pub use status::{Purge, TierStatus};
pub(crate) use tiers::Tiers;
pub use trouble::{Advice, Trouble};
pub use write::Flushed;
