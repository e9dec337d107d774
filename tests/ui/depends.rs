use ndcache::cache;

fn helper() -> f64 {
    1.0
}

#[cache(depends(helper))]
fn on_a_function() -> f64 {
    helper()
}

fn main() {}
