//! `ndcache verify` against `Memory::verify` in a program: at least 0.8 of its speed.
//!
//! `cargo bench -p ndcache-cli --bench verify`; with `--test` it runs once, on fewer bytes, and measures nothing.
//! `NDCACHE_BENCH_MIB` sets how much is stored, 512 MiB unless said.

use std::env;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndarray::Array1;
use ndcache::Memory;
use ndcache::verify::Repair;

/// The least share of the library's speed.
const SHARE: f64 = 0.8;

/// Elements of an array of 8 MiB.
const EACH: usize = 1 << 20;

fn main() {
    let is_test = env::args().any(|argument| argument == "--test");
    let said = || env::var("NDCACHE_BENCH_MIB").ok().map(|number| number.parse().expect("a number"));
    let (mib, rounds) = if is_test { (16, 1) } else { (said().unwrap_or(512), 9) };
    let folder = env::temp_dir().join(format!("ndcache-bench-verify-{}", std::process::id()));
    let memory = Memory::open(&folder).expect("a cache");
    (0..mib / 8).for_each(|n: u64| drop(memory.eval(ramp::call(n))));
    let timed = |work: &dyn Fn()| {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    let library = || assert!(memory.verify(Repair::No).expect("a report").is_intact());
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ndcache"));
        command.arg("-C").arg(&folder).args(["verify", "-q"]).stdout(Stdio::null());
        assert!(command.status().expect("it runs").success());
    };
    // In turns, so that what else runs slows both.
    let rounds: Vec<(Duration, Duration)> = (0..rounds).map(|_| (timed(&library), timed(&command))).collect();
    let library = rounds.iter().map(|round| round.0).min().expect("a round");
    let command = rounds.iter().map(|round| round.1).min().expect("a round");
    let share = library.as_secs_f64() / command.as_secs_f64();
    println!("ndcache verify: {mib} MiB in {command:.1?}, the library in {library:.1?}: {share:.2}, at least {SHARE}");
    fs::remove_dir_all(&folder).expect("removed");
}

#[ndcache::cache]
fn ramp(n: u64) -> Array1<f64> {
    Array1::from_shape_fn(EACH, |at| (at as u64 ^ n) as f64)
}
