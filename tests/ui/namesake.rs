use ndcache::cache;

mod smooth {}

#[cache]
fn smooth(x: f64) -> f64 {
    x
}

struct Kernel {}

#[cache]
#[allow(non_snake_case)]
fn Kernel(x: f64) -> f64 {
    x
}

mod low_pass {}

#[cache(handle = LowPass)]
fn low_pass(x: f64) -> f64 {
    x
}

mod inner {
    mod outside {}
}

#[cache]
fn outside(x: f64) -> f64 {
    x
}

#[cfg(any())]
mod absent {}

#[cache]
fn absent(x: f64) -> f64 {
    x
}

fn main() {
    LowPass::call(1.0);
}
