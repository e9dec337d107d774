//! Storing and loading compressed by all cores, against the same by one.
//!
//! `cargo bench --bench gzip`; `NDCACHE_BENCH_MIB` sets the size of the result, 256 at most.

mod ratio;

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Instant;

use ndarray::prelude::*;
use ndcache::{Compression, Memory, cache};
use ratio::Goal;
use rayon::ThreadPool;

const ROUNDS: usize = 7;

/// Returns what it is given, so that a miss costs nothing but its storing.
#[cache(ignore(x))]
fn given(round: usize, x: Array1<f64>) -> Array1<f64> {
    black_box(round);
    x
}

/// What an instrument with 12 bits measures of something that rises and falls; the same as in `compare/functions.py`.
fn measured(bytes: usize) -> Array1<f64> {
    Array1::from_shape_fn(bytes / size_of::<f64>(), |i| {
        let noise = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
        (i % 10_007) as f64 * 0.25 + noise as f64 / 4096.0
    })
}

fn main() {
    let bytes = ratio::large(16).min(256 << 20);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::builder(folder.path()).compression(Compression::Gzip(3)).open().expect("a memory");
    // A worker of a pool does all by itself.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let kept = RefCell::new(Some(measured(bytes)));
    let round = Cell::new(0);
    let store = |pool: Option<&ThreadPool>| {
        let call = given::call(round.replace(round.get() + 1), kept.take().expect("the array came back"));
        let start = Instant::now();
        kept.replace(Some(on(pool, || memory.try_eval(call).expect("stored"))));
        let seconds = start.elapsed().as_secs_f64();
        // Only what is loaded later stays.
        if round.get() > 1 {
            memory.remove(&given::call(round.get() - 1, Array1::default(0))).expect("removed");
        }
        seconds
    };
    let cores = rayon::current_num_threads();
    let name = format!("compressing {} MiB by {cores} cores / by one", bytes >> 20);
    let goal = if ratio::is_test() || cores < 2 { Goal::Open } else { Goal::Times(1.0 / 1.9) };
    ratio::hold(&name, goal, ROUNDS, || store(None), || store(Some(&one)));
    let load = |pool| ratio::seconds(1, || on(pool, || memory.eval(given::call(0, Array1::default(0)))));
    let name = format!("loading them by {cores} cores / by one");
    ratio::hold(&name, goal, ROUNDS, || load(None), || load(Some(&one)));
}

fn on<T: Send>(pool: Option<&ThreadPool>, body: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(body),
        None => body(),
    }
}
