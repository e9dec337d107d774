//! Tiers: places behind the cache folder that machines share.

mod backends;
