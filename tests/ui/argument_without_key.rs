use ndcache::cache;

struct Opaque;

#[cache]
fn by_value(x: Opaque) -> f64 {
    drop(x);
    1.0
}

#[cache]
fn by_reference(n: usize, x: &Opaque) -> f64 {
    let _ = x;
    n as f64
}

#[cache]
fn without_a_bound<T>(x: T) -> f64 {
    drop(x);
    1.0
}

#[cache(ignore(x))]
fn ignored(x: &Opaque) -> f64 {
    let _ = x;
    1.0
}

fn main() {}
