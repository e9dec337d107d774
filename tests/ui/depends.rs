use ndcache::cache;

fn helper() -> f64 {
    1.0
}

mod inner {
    pub const TABLE: f64 = 1.0;

    pub fn helper() -> f64 {
        TABLE
    }
}

use inner::helper as renamed;

#[cache(depends(helper))]
fn on_a_function() -> f64 {
    helper()
}

#[cache(depends(inner::helper, inner::TABLE))]
fn on_paths() -> f64 {
    inner::helper() + inner::TABLE
}

#[cache(depends(renamed))]
fn on_an_import() -> f64 {
    renamed()
}

fn main() {}
