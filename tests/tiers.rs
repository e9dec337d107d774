//! Tiers: places behind the cache folder that machines share.

mod backends;
mod proxy;
mod reading;
mod writing;
