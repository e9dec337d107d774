extern crate ndcache;

use ndcache::{cache, call, code, ContentHash, Payload};

#[cache(ignored(x))]
fn option(x: f64) -> f64 {
    x
}

#[cache]
fn reference(x: &mut f64) -> f64 {
    *x
}

#[code]
trait Trait {}

#[derive(ContentHash)]
union Keyed {
    x: u8,
}

#[derive(Payload)]
struct Stored<'a> {
    x: &'a f64,
}

fn main() {
    let x = 1.0;
    let _ = call!(x + 1.0);
}
