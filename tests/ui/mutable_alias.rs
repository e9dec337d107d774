use ndarray::prelude::*;
use ndcache::{Memory, cache, call};

type Out<'a> = &'a mut f64;
type View<'a> = ArrayViewMut1<'a, f64>;

#[cache]
fn reference(x: Out<'_>) -> f64 {
    *x
}

#[cache]
fn view(x: View<'_>) -> f64 {
    x[0]
}

fn foreign(x: &mut f64) -> f64 {
    *x
}

#[derive(ndcache::ContentHash)]
struct Holds<'a> {
    x: &'a mut f64,
}

fn main() {
    let mut x = 1.0;
    Memory::disabled().eval(call!(foreign(&mut x)));
}
