//! `ls` of 10,000 entries, from the start of the program to its end: at most 100 ms on an idle machine.
//!
//! `cargo bench -p ndcache-cli`; with `--test` it runs once, on fewer entries, and measures nothing.

use std::process::Command;
use std::time::{Duration, Instant};

use ndcache::Memory;

/// The most that it may take.
const LIMIT: Duration = Duration::from_millis(100);

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (entries, rounds) = if is_test { (100, 1) } else { (10_000, 9) };
    let folder = std::env::temp_dir().join(format!("ndcache-bench-ls-{}", std::process::id()));
    let memory = Memory::open(&folder).expect("a cache");
    for n in 0..entries {
        memory.eval(square::call(n));
    }
    for arguments in [&["ls"][..], &["ls", "square"], &["ls", "square", "--jsonl"]] {
        let mut best = Duration::MAX;
        for _ in 0..rounds {
            let begin = Instant::now();
            let mut command = Command::new(env!("CARGO_BIN_EXE_ndcache"));
            let output = command.arg("-C").arg(&folder).args(arguments).output().expect("it runs");
            best = best.min(begin.elapsed());
            assert!(output.status.success(), "{output:?}");
        }
        println!("ndcache {}: {entries} entries in {best:.1?}, at most {LIMIT:.0?}", arguments.join(" "));
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[ndcache::cache]
fn square(n: u64) -> u64 {
    n * n
}
