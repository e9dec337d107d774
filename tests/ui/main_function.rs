use ndcache::cache;

#[cache]
fn main() {}
