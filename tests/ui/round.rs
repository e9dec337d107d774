use ndarray::Array1;
use ndcache::cache;

#[cache(round(y = 1e-9))]
fn unknown_argument(x: f64) -> f64 {
    x
}

#[cache(round(x = 1e-9, x = 1e-6))]
fn rounded_twice(x: f64) -> f64 {
    x
}

#[cache(ignore(x), round(x = 1e-9))]
fn ignored(x: f64) -> f64 {
    x
}

#[cache(round(x))]
fn without_a_step(x: f64) -> f64 {
    x
}

#[cache(round())]
fn of_nothing(x: f64) -> f64 {
    x
}

#[cache(round(x = 0.0))]
fn zero(x: f64) -> f64 {
    x
}

#[cache(round(x = -1e-9))]
fn negative(x: f64) -> f64 {
    x
}

#[cache(round(x = 1))]
fn integer(x: f64) -> f64 {
    x
}

#[cache(round(n = 1e-9))]
fn no_float(n: usize) -> usize {
    n
}

#[cache(round(x = 1e-9))]
fn no_floats(x: &Array1<i64>) -> i64 {
    x.sum()
}

#[cache(round(x = f64::from(n)))]
fn of_an_argument(x: f64, n: u32) -> f64 {
    x * f64::from(n)
}

fn main() {}
