//! Writing: what this folder's users compute goes to the tiers that they may write, later and never by the caller.
//!
//! * `object`: an entry as it lies in a tier; `upload`: its way there; `sender`: the thread that sends, and how long it
//!   waits in between.

pub(super) mod object;
pub(super) mod sender;
pub(in crate::tier) mod upload;

pub use upload::Flushed;
