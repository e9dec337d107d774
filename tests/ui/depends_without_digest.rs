use ndcache::cache;

struct Plain;

#[cache(depends(Plain))]
fn on_a_type() -> f64 {
    1.0
}

fn main() {}
