use ndarray::prelude::*;
use ndcache::cache;
use std::borrow::Cow;

#[cache]
fn reference(x: &Array1<f64>) -> &Array1<f64> {
    x
}

#[cache]
fn text(x: &str) -> &str {
    x
}

#[cache]
fn slice(x: &[f64]) -> Option<&[f64]> {
    Some(x)
}

#[cache]
fn cow(x: &str) -> Cow<'_, str> {
    x.into()
}

#[cache]
fn view<'a>(x: &'a Array1<f64>) -> (ArrayView1<'a, f64>, f64) {
    (x.view(), 1.0)
}

struct Holder<'a>(&'a str);

#[cache]
fn holder(x: &str) -> Holder<'_> {
    Holder(x)
}

#[cache]
fn opaque(x: u8) -> impl Iterator<Item = u8> {
    0..x
}

#[cache]
fn never() -> ! {
    panic!()
}

fn main() {}
