//! README's first program prints what the page says.

use ndarray::prelude::*;
use ndcache::{Mapped2, cache};

use super::lengths::text;
use crate::support::fresh;

#[cache]
fn hamming(n: usize) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| 0.54 - 0.46 * (std::f64::consts::TAU * i as f64 / (n - 1) as f64).cos())
}

#[cache]
fn vander(x: &ArrayRef1<f64>) -> Array2<f64> {
    println!("computing");
    Array2::from_shape_fn((x.len(), 300), |(i, j)| x[i].powi(j as i32))
}

#[test]
fn the_quick_start_prints_what_the_page_shows() {
    let readme = text("README.md");
    // The page's functions are those of this test.
    for line in ["0.54 - 0.46 * (std::f64::consts::TAU * i as f64 / (n - 1) as f64).cos()", "(x.len(), 300), |(i, j)|"]
    {
        assert!(readme.contains(line), "README.md has no `{line}`");
    }
    let (_folder, memory) = fresh();
    let a = memory.eval(hamming::call(1000));
    let v: Mapped2<f64> = memory.mmap(vander::call(&a));
    let printed = format!("```text\ncomputing\n{:.3}\n{}\n```", v.sum(), memory.explain(&hamming::call(10)));
    assert!(readme.contains(&printed), "README.md doesn't show {printed}");
}
