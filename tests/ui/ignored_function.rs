use ndcache::cache;

type Callback = dyn Fn(f64) -> f64;

#[cache(ignore(f))]
fn parameter<F: Fn(f64) -> f64>(x: f64, f: F) -> f64 {
    f(x)
}

#[cache(ignore(f))]
fn in_where<F>(x: f64, f: &F) -> f64
where
    F: FnOnce(f64) -> f64 + Copy,
{
    (*f)(x)
}

#[cache(ignore(f))]
fn opaque(x: f64, f: impl Fn(f64) -> f64) -> f64 {
    f(x)
}

#[cache(ignore(f))]
fn pointer(x: f64, f: fn(f64) -> f64) -> f64 {
    f(x)
}

#[cache(ignore(f, g))]
fn behind(x: f64, f: &dyn Fn(f64) -> f64, g: Option<Box<dyn Fn(f64) -> f64 + Send>>) -> f64 {
    g.map_or(f(x), |g| g(x))
}

#[cache(ignore(variance))]
fn no_function(x: f64, variance: std::marker::PhantomData<fn(u8)>) -> f64 {
    let _ = variance;
    x
}

#[cache(ignore(f))]
fn alias(x: f64, f: &Callback) -> f64 {
    f(x)
}

fn main() {}
