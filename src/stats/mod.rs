//! How often calls hit, missed and failed: [`Memory::stats`](crate::Memory::stats) counts those of one memory and its
//! clones since it was opened, [`Memory::history`](crate::Memory::history) those of every process that has used the
//! folder.

// * `counts`: hits, misses and faults; `reason`: why a call hits or misses.
// * `recorder`: counts, reasons and messages of one memory.
// * `explain`: how a call that missed differs from the nearest stored one; `value_parts`: in which parts of an argument
//   it differs.
// * `history`: counts that outlive the process.
// * `tiers`: what was asked of tiers.
// * `table`: prints counts; `units`: sizes and times as people read them.
// * `verbose`: events and lines; `printer`: where lines go; `progress`: bars for work that lasts.

pub(crate) mod counts;
mod explain;
pub(crate) mod history;
pub(crate) mod printer;
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
