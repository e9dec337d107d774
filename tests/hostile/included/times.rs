#[ndcache::cache]
pub(super) fn times(x: u64) -> u64 {
    x * K
}
