//! ndcache's rounds.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use ndarray::prelude::*;
use ndcache::{Memory, cache};

use crate::times::{once, steady};
use crate::unknown;

#[cache]
fn polynomial(n: i64) -> f64 {
    (n as f64 * 2.5 + 1.0) * n as f64 - 3.0
}

#[cache]
fn painted(bytes: usize) -> Array1<f64> {
    crate::painted(bytes)
}

#[cache]
fn last(x: &ArrayRef1<f64>) -> f64 {
    x[x.len() - 1]
}

/// Returns what it is given, so that a miss costs nothing but its storing.
#[cache(ignore(x))]
fn given(round: u64, x: Array1<f64>) -> Array1<f64> {
    black_box(round);
    x
}

pub(crate) struct Ours {
    memory: Memory,
    /// Only for what is stored and cleared again.
    scratch: Memory,
    round: u64,
}

impl Ours {
    pub(crate) fn open(folder: &Path) -> ndcache::Result<Self> {
        let [memory, scratch] = ["ndcache", "ndcache-scratch"].map(|name| Memory::open(folder.join(name)));
        Ok(Self { memory: memory?, scratch: scratch?, round: 0 })
    }

    pub(crate) fn round(&mut self, what: &str, x: &Array1<f64>) -> Result<f64, Box<dyn Error>> {
        let memory = &self.memory;
        let bytes = x.len() * size_of::<f64>();
        Ok(match what {
            "hash" => steady(|| ndcache::digest(black_box(x))),
            "number" => steady(|| memory.eval(polynomial::call(black_box(2)))),
            "map" => steady(|| memory.mmap(painted::call(black_box(bytes)))),
            "load" => steady(|| memory.eval(painted::call(black_box(bytes)))),
            "chain" => {
                let mapped = memory.mmap(painted::call(bytes));
                steady(|| memory.eval(last::call(black_box(&mapped))))
            }
            "store" => {
                self.round += 1;
                let call = given::call(self.round, x.clone());
                let (seconds, stored) = once(|| self.scratch.try_eval(call));
                stored?;
                self.scratch.clear()?;
                seconds
            }
            other => return unknown(other),
        })
    }

    /// The first hit of this process; what it finds was stored by another one.
    pub(crate) fn first(&self, what: &str, bytes: usize) -> Result<f64, Box<dyn Error>> {
        let (seconds, stats) = match what {
            "number" => (once(|| self.memory.eval(polynomial::call(black_box(2)))).0, self.memory.stats()),
            "map" => (once(|| self.memory.mmap(painted::call(black_box(bytes)))).0, self.memory.stats()),
            other => return unknown(other),
        };
        if stats.by_reason().get("hit") != Some(&1) {
            return Err(format!("`{what}` was to be a hit: {:?}", stats.by_reason()).into());
        }
        Ok(seconds)
    }
}
