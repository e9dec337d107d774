#![deny(warnings)]

use ndcache::cache;

#[cache]
fn body(x: f64, unused: f64, mut unchanged: f64) -> f64 {
    x + unchanged
}

#[cache]
#[must_use]
fn must_use() -> f64 {
    1.0
}

#[deprecated]
#[cache]
fn old() -> f64 {
    1.0
}

fn main() {
    body(1.0, 2.0, 3.0);
    must_use();
    old();
}
