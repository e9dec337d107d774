//! The command on a cache of many entries, from the start of the program to its end: `--version` in at most 5 ms, `ls` of
//! 10,000 entries in at most 100 ms; of a million in at most 4 s and 64 MiB, all of it put into an order in at most
//! 128 MiB. What else reads all of a cache has a bound on its memory, too. Beside each stands how often its time is that
//! of the library's `entries()`, which is measured in turns with it.
//!
//! `cargo bench -p ndcache-cli --bench ls`; with `--test` it runs once, on fewer entries, and measures nothing.
//! `NDCACHE_BENCH_ENTRIES=1000000` sets the number of the many, 10,000 unless said; a million take 5 GB of disk and some
//! minutes to make. `NDCACHE_BENCH_ROUNDS=3` sets how often each is timed, 9 times unless said.
//! `NDCACHE_BENCH_CACHE=FOLDER` makes the cache there, and leaves it; `NDCACHE_BENCH_PROGRAM` names the program, such as
//! `target/dist/ndcache`, in place of the one that was built along.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndcache::Memory;

const MIB: u64 = 1 << 20;

/// What is asked of the cache, and the most memory in MiB that it may take of up to a million entries.
const ASKED: [(&[&str], u64); 12] = [
    (&["--version"], 64),
    (&["ls"], 64),
    (&["ls", "square", "-n", "20"], 64),
    (&["ls", "square", "--jsonl"], 64),
    (&["ls", "--entries", "--sort", "used", "-n", "20"], 64),
    (&["ls", "square"], 128),
    (&["ls", "square", "--jsonl", "--sort", "size"], 128),
    (&["ls", "square", "--jsonl", "--sort", "name"], 128),
    (&["stats"], 64),
    (&["verify", "--sample", "1%"], 128),
    // A plan takes some 150 bytes for each entry that it looks at.
    (&["report"], 320),
    (&["gc", "--max-items", "10", "--dry-run"], 320),
];

/// The longest that a command may take on an idle machine, in a cache of `entries` entries; `None` where only memory
/// has a bound.
fn limit(arguments: &[&str], entries: u64) -> Option<Duration> {
    match arguments {
        ["--version"] => Some(Duration::from_millis(5)),
        ["ls", ..] if entries <= 10_000 => Some(Duration::from_millis(100)),
        ["ls", ..] => Some(Duration::from_micros(4 * entries)),
        _ => None,
    }
}

fn main() {
    if let Some(arguments) = env::args().skip_while(|argument| argument != "--inside").nth(1) {
        return inside(&arguments);
    }
    let is_test = env::args().any(|argument| argument == "--test");
    let said = |name: &str| env::var(name).ok().map(|number| number.parse().expect("a number"));
    let entries = if is_test { 100 } else { said("NDCACHE_BENCH_ENTRIES").unwrap_or(10_000) };
    let rounds = if is_test { 1 } else { said("NDCACHE_BENCH_ROUNDS").unwrap_or(9) };
    let kept = env::var_os("NDCACHE_BENCH_CACHE").map(PathBuf::from);
    let temporary = env::temp_dir().join(format!("ndcache-bench-ls-{}", std::process::id()));
    let folder = kept.clone().unwrap_or(temporary);
    fill(&folder, entries);
    for (arguments, most) in ASKED {
        let times: Vec<_> = (0..rounds).map(|_| (listing(&folder), once(&folder, arguments))).collect();
        let best = |of: fn(&(Duration, Duration)) -> Duration| times.iter().map(of).min().expect("a round");
        let (listing, took) = (best(|round| round.0), best(|round| round.1));
        let ratio = took.as_secs_f64() / listing.as_secs_f64();
        let goal = limit(arguments, entries).map_or_else(String::new, |limit| format!(", at most {limit:.0?}"));
        let (taken, shown) = (memory_of(&folder, arguments) as f64 / MIB as f64, arguments.join(" "));
        println!(
            "ndcache {shown}: {entries} entries in {took:.1?}{goal}, {ratio:.2} of `entries()`; {taken:.1} MiB, at most {most}"
        );
        // Bytes are the same on any machine.
        assert!(taken <= most as f64, "{shown} takes {taken:.1} MiB, expected at most {most}");
    }
    if kept.is_none() {
        fs::remove_dir_all(&folder).expect("removed");
    }
}

/// How long the library takes to read all entries.
fn listing(folder: &Path) -> Duration {
    let begin = Instant::now();
    assert!(Memory::inspect(folder).expect("a cache").entries().all(|entry| entry.is_ok()));
    begin.elapsed()
}

/// Stores what isn't there yet, by all cores.
fn fill(folder: &Path, entries: u64) {
    let memory = Memory::open(folder).expect("a cache");
    if memory.entries().count() as u64 == entries {
        return;
    }
    let next = AtomicU64::new(0);
    let store = || {
        while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < entries) {
            memory.try_eval(square::call(n)).expect("stored");
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(store))));
}

fn once(folder: &Path, arguments: &[&str]) -> Duration {
    let program = env::var_os("NDCACHE_BENCH_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_ndcache").into());
    let mut command = Command::new(program);
    command.arg("-C").arg(folder).args(arguments).stdout(Stdio::null());
    let begin = Instant::now();
    assert!(command.status().expect("it runs").success(), "{arguments:?}");
    begin.elapsed()
}

/// The most memory that a process had that does nothing but this.
fn memory_of(folder: &Path, arguments: &[&str]) -> u64 {
    let mut command = Command::new(env::current_exe().expect("this program"));
    let folder = folder.to_str().expect("a path in UTF-8");
    command.arg("--inside").arg([&["ndcache", "-C", folder], arguments].concat().join("\n"));
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_else(|| panic!("{told}"));
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Runs the command in this process, and says on stderr how much memory that took at most.
fn inside(arguments: &str) {
    assert_eq!(ndcache_cli::run(arguments.split('\n')), 0, "{arguments}");
    eprintln!("{}", fs::read_to_string("/proc/self/status").expect("Linux"));
}

#[ndcache::cache]
fn square(n: u64) -> u64 {
    n * n
}
