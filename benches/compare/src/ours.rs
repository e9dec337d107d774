//! ndcache's rounds.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use ndarray::prelude::*;
use ndcache::{Compression, Memory, cache};

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
    packing: Memory,
    round: u64,
}

impl Ours {
    pub(crate) fn open(folder: &Path) -> ndcache::Result<Self> {
        let [memory, scratch] = ["ndcache", "ndcache-scratch"].map(|name| Memory::open(folder.join(name)));
        let packing = Memory::builder(folder.join("ndcache-packed")).compression(Compression::Gzip(3)).open()?;
        Ok(Self { memory: memory?, scratch: scratch?, packing, round: 0 })
    }

    /// Stores an array compressed; its seconds and its bytes.
    fn pack(&self, bytes: usize) -> Result<(f64, f64), Box<dyn Error>> {
        self.packing.clear()?;
        let call = given::call(0, crate::measured(bytes));
        let (seconds, stored) = once(|| self.packing.try_eval(call));
        stored?;
        let entry = self.packing.entry(&given::call(0, Array1::default(0)))?.ok_or("nothing is stored")?;
        Ok((seconds, entry.bytes() as f64))
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
            "pack" => self.pack(bytes)?.0,
            "packed" => self.pack(bytes)?.1,
            "unpack" => {
                // Its array is ignored, and was stored by a round before.
                let load = || self.packing.eval(given::call(0, Array1::default(0)));
                if load().len() != x.len() {
                    return Err("nothing was packed before".into());
                }
                steady(load)
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
