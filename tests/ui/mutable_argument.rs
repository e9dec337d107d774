use ndarray::prelude::*;
use ndcache::cache;

#[cache]
fn reference(x: &mut f64) -> f64 {
    *x
}

#[cache(ignore(x))]
fn inside(x: Option<&mut f64>) -> f64 {
    *x.unwrap()
}

#[cache]
fn view(mut x: ArrayViewMut1<'_, f64>) -> f64 {
    x[0]
}

struct S;

impl S {
    #[cache]
    fn method(&mut self) -> f64 {
        1.0
    }
}

fn main() {}
