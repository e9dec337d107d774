//! Many processes on one small cache, of which one is killed every 50 ms: no wrong value, no error, no lost work.
//!
//! Children of this program look up, refresh, edit, remove and evict what all of them share. Every value says in each
//! of its elements what it is, so that a wrong one and a torn one are seen. `cargo test --test stress` does so for some
//! seconds, `cargo test --test stress -- --full` with 64 threads and for at least a million operations, or as many as
//! `NDCACHE_STRESS_OPERATIONS` says, and `-- --for 5` for five seconds. The seed is printed, and taken from
//! `NDCACHE_STRESS_SEED`; it fixes what each thread asks for, not how the threads meet.

#![allow(missing_docs)]

mod cells;
mod check;
mod drive;
mod tally;
mod work;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use drive::{Plan, drive};

/// What every change runs.
const PART: Plan = Plan { processes: 4, threads: 4, keys: 16, least: Duration::from_secs(12), operations: 0 };

const FULL: Plan = Plan { processes: 8, threads: 8, keys: 32, least: Duration::from_secs(60), operations: 1_000_000 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", place, seed, threads, keys] => {
            let number = |text: &str| text.parse::<u64>().expect("a number");
            work::work(Path::new(place), number(seed), number(threads), number(keys))
        }
        ["evictor", place, keys] => work::evict(Path::new(place), keys.parse().expect("a number")),
        ["--full"] => {
            let operations = std::env::var("NDCACHE_STRESS_OPERATIONS").map(|number| number.parse().expect("a number"));
            let operations = operations.unwrap_or(FULL.operations);
            drive(&Plan {
                operations,
                least: if operations < FULL.operations { PART.least } else { FULL.least },
                ..FULL
            })
        }
        ["--for", seconds] => drive(&Plan { least: Duration::from_secs(seconds.parse().expect("a number")), ..PART }),
        ["--list", ..] => {
            println!("stress: test");
            ExitCode::SUCCESS
        }
        // A filter of the test harness that names other tests, or none.
        ref rest if rest.iter().any(|word| !word.starts_with('-') && !"stress".contains(word)) => ExitCode::SUCCESS,
        _ => drive(&PART),
    }
}
