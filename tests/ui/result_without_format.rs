use ndcache::cache;

struct Opaque;

#[cache]
fn plain() -> Opaque {
    Opaque
}

#[cache]
fn unstored_error() -> Result<f64, Opaque> {
    Ok(1.0)
}

#[cache(cache_err)]
fn stored_error() -> Result<f64, Opaque> {
    Ok(1.0)
}

fn main() {}
