//! How often calls hit, missed and failed: what [`Memory::stats`](crate::Memory::stats) says of this process, and
//! [`Memory::history`](crate::Memory::history) of all.

// * `counts`: hits, misses and faults; `reason`: why a call hits or misses; `recorder`: both for one memory, `explain`:
//   what a miss differs in from what is stored, `value_parts`: in which parts of an argument.
// * `history`: counts that outlive the process.
// * `tiers`: what was asked of tiers.
// * `table`: counts as people read them, in `units`; `verbose`: events and lines; `progress`: bars for work that lasts.

pub(crate) mod counts;
mod explain;
pub(crate) mod history;
#[cfg(feature = "progress")]
pub(crate) mod progress;
pub(crate) mod reason;
pub(crate) mod recorder;
mod table;
pub(crate) mod tiers;
mod units;
mod value_parts;
pub(crate) mod verbose;

pub use counts::{Counts, Stats};
pub use history::{Activity, History, Period};
pub(crate) use reason::{Explanation, Reason};
pub use tiers::TierCounts;
