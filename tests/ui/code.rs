use ndcache::code;

#[code]
trait Trait {}

#[code]
type Alias = f64;

struct S;

#[code]
impl Trait for S {}

#[code]
mod module {}

#[code]
use std::fmt;

#[code(ignore(x))]
fn option(x: f64) -> f64 {
    x
}

impl S {
    #[code]
    fn method(&self) {}
}

fn main() {}
