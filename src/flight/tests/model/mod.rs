//! Single flight under a model checker: the code that ships, compiled once more against threads, locks and a folder
//! that the checker schedules.
//!
//! `NDCACHE_MODEL_RUNS` says how many schedules each scheduler tries in each scenario. A test that fails prints its
//! seed, and `NDCACHE_MODEL_SEED` tries the same schedules again.

pub(crate) mod check;
mod flaws;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[allow(dead_code, reason = "the model has no steps of `make`, and no test that sets the patience")]
#[path = "../../flights.rs"]
mod flights;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[allow(dead_code, reason = "the model has no test that a wait is told of")]
#[path = "../../limits.rs"]
mod limits;
mod process;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[path = "../../processes.rs"]
mod processes;
mod scenarios;
mod sync;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[allow(dead_code, reason = "the model has no tasks but threads")]
#[allow(unreachable_pub, reason = "what callers of the crate have of it, nobody has of the model")]
#[path = "../../tasks.rs"]
mod tasks;
#[allow(clippy::duplicate_mod, reason = "once more, beside another `sync`")]
#[allow(dead_code, reason = "the model has no steps of `make`")]
#[allow(unreachable_pub, reason = "what callers of the crate have of it, nobody has of the model")]
#[path = "../../waits.rs"]
mod waits;
mod world;
