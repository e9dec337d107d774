//! A cache folder as a whole: all entries of it, and those that go.
//!
//! * `walk`: the shards, one walk for all; `survey`: what lies in a shard; `list`: entries one by one.
//! * `limits`: how much there may be; `evict`: which entries go, `sweep`: how; `auto_evict`: by itself; `pins`:
//!   those that stay, whatever the limits; `codes`: what codes were made of, while an entry has them; `plan`: what
//!   would go, before anything does.
//! * `verify`: whether all of it is whole; `arrival`: entries from elsewhere.

pub(crate) mod arrival;
pub(crate) mod auto_evict;
mod codes;
pub(crate) mod evict;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod pins;
mod plan;
pub(crate) mod survey;
pub(crate) mod sweep;
pub(crate) mod verify;
pub(crate) mod walk;

pub use limits::{EvictPolicy, Evicted, Limits};
pub use plan::{Executed, Plan, PlanReason, PlannedEntry, PlannedFunction};
pub use verify::{Checked, Problem, Repair, VerifyReport};
