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

#[cache(depends(helper, inner::helper, inner::TABLE, renamed))]
fn on_what_has_no_mark() -> f64 {
    helper() + inner::helper() + inner::TABLE + renamed()
}

#[cache(depends(helpr))]
fn on_a_misspelled_function() -> f64 {
    helper()
}

#[cache(depends(inner::helpers, inner::TABEL))]
fn on_misspelled_paths() -> f64 {
    inner::helper()
}

#[cache(depends(renmaed))]
fn on_a_misspelled_import() -> f64 {
    renamed()
}

#[cache(depends(elsewhere))]
fn on_what_is_like_nothing() -> f64 {
    1.0
}

fn main() {}
