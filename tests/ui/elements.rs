use ndarray::{Array1, Array2, ArrayRef1, ArrayView1};
use ndcache::cache;

#[derive(Clone, Copy, ndcache::Payload)]
struct Pixel {
    x: f64,
    y: f64,
}

struct Opaque;

#[cache]
fn argument<A: Clone>(x: Array1<A>) -> usize {
    x.len()
}

#[cache]
fn borrowed<A>(n: usize, x: &ArrayRef1<A>, y: ArrayView1<A>) -> usize {
    n + x.len() + y.len()
}

#[cache]
fn of_a_struct(x: &Array2<Opaque>) -> usize {
    x.len()
}

#[cache]
fn result<A: Clone + ndcache::ContentHash>(x: &Array1<A>) -> Array1<A> {
    x.clone()
}

#[cache]
fn result_of_structs(x: f64) -> Array1<Pixel> {
    Array1::from_elem(3, Pixel { x, y: x })
}

#[cache]
fn remedied<A: ndcache::Element>(x: &Array1<A>) -> Array1<A> {
    x.clone()
}

#[cache]
fn in_a_vec(x: f64) -> Vec<Pixel> {
    vec![Pixel { x, y: x }]
}

fn main() {}
