//! Two languages, one folder: Rust makes a signal, Python its spectrum, and Rust finds the peak of that.
//!
//! `python/examples/chain.py` runs all three steps. `cargo run -p ndcache-examples --example chain -- FOLDER` makes the
//! signal in the cache FOLDER, and finds the peak once Python's spectrum is there.

use std::error::Error;

use ndarray::prelude::*;
use ndcache::inspect::AnyArray;
use ndcache::{Memory, cache};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "cache".to_owned());
    let memory = Memory::open(folder)?;
    let signal = memory.eval(signal::call(4096));
    println!("rust: a signal of {} samples", signal.len());
    match spectrum(&memory)? {
        Some(power) => println!("rust: the peak is at {}", memory.eval(peak::call(&power))),
        None => println!("rust: there is no spectrum yet"),
    }
    println!("{}", memory.stats());
    Ok(())
}

/// A tone of 440 periods, and a weaker one.
#[cache]
fn signal(n: usize) -> Array1<f64> {
    let turn = |i: usize, periods: f64| (std::f64::consts::TAU * periods * i as f64 / n as f64).sin();
    Array1::from_shape_fn(n, |i| turn(i, 440.0) + 0.3 * turn(i, 77.0))
}

/// Where the power is greatest.
#[cache]
fn peak(power: &ArrayRef1<f64>) -> usize {
    power.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at)
}

/// The result of the Python function, as any program finds it: by the function's name.
fn spectrum(memory: &Memory) -> Result<Option<Array1<f64>>, Box<dyn Error>> {
    for entry in memory.entries() {
        let entry = entry?;
        if entry.function() == "chain.spectrum"
            && let Some(array) = entry.arrays()?.first()
            && let AnyArray::F64(power) = array.open()?
        {
            return Ok(Some(power.into_dimensionality()?));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_where_the_power_is_greatest() {
        assert_eq!(peak(&array![0.0, 3.0, 2.0]), 1);
        assert_eq!(signal(16).len(), 16);
    }

    #[test]
    fn without_a_spectrum_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(spectrum(&Memory::open(folder.path()).unwrap()).unwrap(), None);
    }
}
