//! What an entry tells of the call that made it, and looking into a cache without its program: entries by key, values and arrays of any type, what a collection would
//! remove, and entries from elsewhere.
//!
//! [`Memory::inspect`] opens a cache for reading and [`Memory::existing`] for writing; neither creates anything.
//! [`Memory::entry_by_id`] finds an entry by its key or the first digits of it. [`Entry::arrays`], [`Entry::value`],
//! [`Entry::code_parts`] and [`Entry::difference`] read it; [`Memory::lineage_of`] and [`Memory::dependents_of`] find
//! the entries that it was computed from, and those computed from it. [`Memory::plan_reduce`] says what would be
//! removed, and [`Memory::execute`] removes exactly that. [`Memory::publish_foreign`] publishes an entry from another
//! cache.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! use ndcache::Memory;
//!
//! #[ndcache::cache]
//! fn double(x: f64) -> f64 {
//!     2.0 * x
//! }
//!
//! Memory::open(folder.path())?.eval(double::call(1.5));
//! let memory = Memory::inspect(folder.path())?;
//! let entry = memory.entries().next().unwrap()?;
//! let again = memory.entry_by_id(&entry.key().to_string()[..8])?.unwrap();
//! assert_eq!(again.arguments()[0].to_string(), "x=1.5");
//! println!("{:?}", again.value()?);
//! # Ok::<(), ndcache::Error>(())
//! ```

// * `open`: a cache that is there; `find`: an entry by its key, `sample`: a share of all; `look`: what stands in an
//   entry, `compare`: in two; `lineage`: what went into an entry, and what was made of it; `plan`: what would go, `pins`:
//   what stays.
// * `steps`: build steps; `foreign`: entries from elsewhere; `npy`: the digest of a `.npy` file.

mod compare;
mod find;
mod foreign;
mod lineage;
mod look;
mod npy;
mod open;
mod pins;
mod plan;
mod sample;
mod steps;

#[cfg(doc)]
use crate::{entry::Entry, memory::Memory};

pub use crate::digest::Order;
pub use crate::entry::{AnyArray, StoredArray};
pub use crate::folder::{Checked, Executed, Plan, PlanReason, PlannedEntry, PlannedFunction};
pub use crate::key::{CodePart, Function, shown_path};
pub use crate::payload::Value;
pub use crate::record::{Argument, Producer};
pub use crate::results::{Dependents, Lineage, Link};
pub use crate::stats::History;
pub use find::EntryId;
pub use foreign::{Foreign, Origin, Published};
pub use look::StoredPart;
pub use npy::digest_npy;
pub use steps::Step;
