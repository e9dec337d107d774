//! A result larger than one wants to copy: made once, then memory-mapped.
//!
//! `cargo run --release -p ndcache-examples --example large -- 1024` stores 1024 MiB and maps them; a second
//! run computes and hashes nothing, and reads only the pages that it accesses. The results are below `cache/`, or below `NDCACHE_DIR` if it is set.

mod report;

use std::error::Error;
use std::time::Instant;

use ndarray::prelude::*;
use ndcache::{Memory, cache};

const COLUMNS: usize = 1024;
const BYTES_PER_MIB: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mib: usize = std::env::args().nth(1).map_or(Ok(1024), |text| text.parse())?;
    let rows = mib * BYTES_PER_MIB / (COLUMNS * size_of::<f64>());
    let memory = Memory::from_env("cache")?;

    let mut run = report::Run::new(&memory);
    let x = run.step(|| ramp::call(rows, COLUMNS), Memory::mmap)?;
    // `x` is known by the digest of its file, so that its bytes aren't hashed to look this up.
    let means = run.step(|| column_means::call(&x), Memory::eval)?;
    run.finish();

    let start = Instant::now();
    let sum = x.sum();
    println!();
    let read = report::time(start.elapsed());
    println!("{:?} array, mapped: {}; its sum is {sum}, read in {read}", x.dim(), x.is_mapped());
    println!("the first and the last of {} column means: {} and {}", means.len(), means[0], means[means.len() - 1]);
    Ok(())
}

/// Counts from 0, row by row.
#[cache]
fn ramp(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| (i * columns + j) as f64)
}

#[cache]
fn column_means(x: &ArrayRef2<f64>) -> Array1<f64> {
    x.mean_axis(Axis(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_counts_and_its_columns_have_the_means_of_an_arithmetic_series() {
        let x = ramp(3, 4);
        assert_eq!(x.row(2), array![8.0, 9.0, 10.0, 11.0]);
        assert_eq!(column_means(&x), array![4.0, 5.0, 6.0, 7.0]);
        assert_eq!(column_means(&ramp(0, 4)).len(), 0);
    }
}
