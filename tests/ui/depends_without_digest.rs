use ndcache::cache;

#[cache(depends(std::time::Duration))]
fn on_a_type_of_another_crate() -> f64 {
    1.0
}

fn main() {}
