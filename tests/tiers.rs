//! Tiers: places behind the cache folder that machines share.

mod away;
mod backends;
mod proxy;
mod queues;
mod reading;
mod taken;
mod writing;
