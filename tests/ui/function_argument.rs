use ndcache::{Memory, cache, call};

type Kernel = fn(f64) -> f64;

#[cache]
fn parameter<F: Fn(f64) -> f64>(x: f64, f: F) -> f64 {
    f(x)
}

#[cache]
fn in_where<F>(x: f64, f: &F) -> f64
where
    F: Fn(f64) -> f64,
{
    f(x)
}

#[cache]
fn opaque(x: f64, f: impl Fn(f64) -> f64) -> f64 {
    f(x)
}

#[cache]
fn pointer(x: f64, f: fn(f64) -> f64) -> f64 {
    f(x)
}

#[cache]
fn behind(x: f64, f: &dyn Fn(f64) -> f64, g: Option<Box<dyn Fn(f64) -> f64 + Send>>, h: [fn(f64) -> f64; 2]) -> f64 {
    g.map_or(f(x), |g| h[0](g(x)))
}

#[cache]
fn mutable(x: f64, f: &mut dyn FnMut(f64) -> f64) -> f64 {
    f(x)
}

struct Named<T>(T);

impl<T> ndcache::ContentHash for Named<T> {
    fn content_hash(&self, _: &mut ndcache::hash::ContentHasher) {}
}

#[cache]
fn keyed_by_itself<F: Fn(f64) -> f64 + ndcache::ContentHash>(x: f64, f: &F, g: &Named<fn(f64) -> f64>) -> f64 {
    f(g.0(x))
}

#[cache]
fn alias(x: f64, f: Kernel) -> f64 {
    f(x)
}

fn main() {
    let f = |x: f64| x + 1.0;
    Memory::disabled().eval(call!("captured", |f| f(1.0)));
}
