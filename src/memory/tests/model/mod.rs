//! Single flight under a model checker: the code that ships, compiled once more against threads, locks and a folder
//! that the checker schedules.
//!
//! `NDCACHE_MODEL_RUNS` says how many schedules each scheduler tries in each scenario. A test that fails prints its
//! seed, and `NDCACHE_MODEL_SEED` tries the same schedules again.

pub(super) mod check;
mod flaws;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[path = "../../flight.rs"]
mod flight;
mod flights;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[path = "../../lead.rs"]
mod lead;
mod process;
mod sync;
mod world;
