//! What a memory asked of each tier, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

/// The requests to one tier, from [`Stats::by_tier`](crate::stats::Stats::by_tier).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct TierCounts {
    /// Results that it was asked for.
    pub asked: u64,
    /// Results that came from it.
    pub hits: u64,
    /// Results that it doesn't have.
    pub absent: u64,
    /// Results that it has but that aren't valid any more: expired, removed here, or refused by `validate`.
    pub stale: u64,
    /// Results that it has but that weren't fetched, because fetching takes longer than computing, or there is no
    /// space.
    pub left: u64,
    /// Results that it has but that differ from what was put there.
    pub damaged: u64,
    /// Bytes of arrays that came from it.
    pub fetched_bytes: u64,
    /// How much longer computing the fetched results took, when they were computed, than fetching them.
    pub saved: Duration,
    /// Results that were put there.
    pub uploads: u64,
    /// Bytes of all objects that were put there.
    pub uploaded_bytes: u64,
    /// How often it failed, by [`Fault::class`](crate::tier::Fault::class). A failure isn't a miss.
    pub errors: BTreeMap<&'static str, u64>,
}
