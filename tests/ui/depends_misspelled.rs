use ndcache::{cache, code};

#[code]
fn helper() -> f64 {
    1.0
}

#[cache(depends(helpr))]
fn on_a_misspelled_function() -> f64 {
    helper()
}

fn main() {}
