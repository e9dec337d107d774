use ndcache::cache;

#[cache]
async fn asynchronous() -> f64 {
    1.0
}

#[cache]
const fn constant() -> f64 {
    1.0
}

#[cache]
unsafe fn unsafely() -> f64 {
    1.0
}

#[cache]
extern "C" fn foreign() -> f64 {
    1.0
}

#[cache]
#[target_feature(enable = "avx2")]
fn fast() -> f64 {
    1.0
}

#[cache]
#[cache]
fn twice() -> f64 {
    1.0
}

#[cache]
#[ndcache::code]
fn coded() -> f64 {
    1.0
}

#[cache]
fn conditional(#[cfg(unix)] x: f64) -> f64 {
    1.0
}

#[cache]
struct Type;

fn main() {}
