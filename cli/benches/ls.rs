//! The command on a cache of many entries, from the start of the program to its end: `--version` in at most 5 ms, `ls` of
//! 10,000 entries in at most 100 ms; of a million in at most 4 s and 64 MiB, put into an order in at most 128 MiB.
//!
//! `cargo bench -p ndcache-cli --bench ls`; with `--test` it runs once, on fewer entries, and measures nothing.
//! `NDCACHE_BENCH_ENTRIES=1000000` sets the number of the many, 10,000 unless said; a million take 5 GB of disk and some
//! minutes to make. `NDCACHE_BENCH_CACHE=FOLDER` makes the cache there, and leaves it; `NDCACHE_BENCH_PROGRAM` names the
//! program, such as `target/dist/ndcache`, in place of the one that was built along.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndcache::Memory;

const MIB: u64 = 1 << 20;

/// What is asked of the cache, and the most memory that it may take of however many entries.
const ASKED: [(&[&str], u64); 6] = [
    (&["--version"], 64),
    (&["ls"], 64),
    (&["ls", "square", "-n", "20"], 64),
    (&["ls", "square", "--jsonl"], 64),
    (&["ls", "--entries", "--sort", "used", "-n", "20"], 128),
    (&["ls", "square", "--jsonl", "--sort", "size"], 1024),
];

/// The most that it may take on an idle machine, of so many entries.
fn limit(arguments: &[&str], entries: u64) -> Duration {
    match arguments {
        ["--version"] => Duration::from_millis(5),
        _ if entries <= 10_000 => Duration::from_millis(100),
        _ => Duration::from_micros(4 * entries),
    }
}

fn main() {
    if let Some(arguments) = env::args().skip_while(|argument| argument != "--inside").nth(1) {
        return inside(&arguments);
    }
    let is_test = env::args().any(|argument| argument == "--test");
    let said = || env::var("NDCACHE_BENCH_ENTRIES").ok().map(|number| number.parse().expect("a number"));
    let (entries, rounds) = if is_test { (100, 1) } else { (said().unwrap_or(10_000), 9) };
    let kept = env::var_os("NDCACHE_BENCH_CACHE").map(PathBuf::from);
    let temporary = env::temp_dir().join(format!("ndcache-bench-ls-{}", std::process::id()));
    let folder = kept.clone().unwrap_or(temporary);
    fill(&folder, entries);
    for (arguments, most) in ASKED {
        let took = (0..rounds).map(|_| once(&folder, arguments)).min().expect("a round");
        let (limit, taken) = (limit(arguments, entries), memory_of(&folder, arguments) as f64 / MIB as f64);
        let shown = arguments.join(" ");
        println!(
            "ndcache {shown}: {entries} entries in {took:.1?}, at most {limit:.0?}; {taken:.1} MiB, at most {most}"
        );
        // Bytes are the same on any machine.
        assert!(taken <= most as f64, "{shown} takes {taken:.1} MiB, expected at most {most}");
    }
    if kept.is_none() {
        fs::remove_dir_all(&folder).expect("removed");
    }
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
