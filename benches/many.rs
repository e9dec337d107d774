//! A folder with very many entries of one function: finding one, listing all and reducing them, against the system
//! calls that reading each record takes at least, and against a folder with a thousand entries.
//!
//! `cargo bench --bench many`; `NDCACHE_BENCH_ENTRIES` sets their number, 1,000,000 unless said, which takes some
//! 5 GB of disk; `TMPDIR` sets the disk.

mod ratio;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use ndcache::{Limits, Memory, cache};
use ratio::Goal;
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

/// The entries of the folder that others are compared with.
const FEW: u64 = 1000;

/// Records a second that are to be read.
const RATE: f64 = 300_000.0;

#[cache]
fn number(n: u64) -> u64 {
    n ^ 0x5555
}

/// A folder with `entries` entries, stored by all cores.
fn filled(entries: u64) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path()).expect("a memory");
    let next = AtomicU64::new(0);
    let store = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= entries {
                return;
            }
            memory.try_eval(number::call(n)).expect("stored");
        }
    };
    thread::scope(|scope| (0..cores()).for_each(|_| drop(scope.spawn(store))));
    folder
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn memory(folder: &Path) -> Memory {
    Memory::open(folder).expect("a memory")
}

/// The seconds of a hit, in a memory that remembers nothing.
fn first_hit(folder: &Path, n: u64) -> f64 {
    let memory = memory(folder);
    let call = number::call(n);
    let start = Instant::now();
    assert_eq!(memory.eval(call), n ^ 0x5555);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(memory.stats().hits(), 1);
    seconds
}

fn hits_and_puts(many: &Path, entries: u64, few: &Path) {
    let (a, b) = (AtomicU64::new(0), AtomicU64::new(0));
    // Each round another entry, in an order that means nothing.
    let nth = |count: &AtomicU64, entries| count.fetch_add(1, Ordering::Relaxed) * 7_919 % entries;
    ratio::hold(
        &format!("first hit among {entries} entries / among {FEW}"),
        Goal::Times(1.15),
        1001,
        || first_hit(many, nth(&a, entries)),
        || first_hit(few, nth(&b, FEW)),
    );
    let memories = [memory(many), memory(few)];
    let next = AtomicU64::new(u64::MAX / 2);
    let put = |memory: &Memory| {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let seconds = ratio::seconds(1, || memory.try_eval(number::call(n)).expect("stored"));
        assert!(memory.remove(&number::call(n)).expect("removed"));
        seconds
    };
    ratio::compare(
        &format!("miss among {entries} entries / among {FEW}"),
        1001,
        || put(&memories[0]),
        || put(&memories[1]),
    );
}

/// Reads each record by the system calls that it takes at least, with all cores, and returns their number.
fn read_all(folder: &Path) -> u64 {
    let function = fs::read_dir(folder.join("f")).expect("functions").next().expect("one").expect("listed").path();
    let folders = fs::read_dir(function).expect("shards").map(|folder| folder.expect("listed").path());
    // What the function's codes are made of is no entry.
    let shards: Vec<PathBuf> = folders.filter(|folder| !folder.ends_with("code")).collect();
    let (next, records) = (AtomicUsize::new(0), AtomicU64::new(0));
    let read = || {
        while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
            records.fetch_add(read_shard(shard), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| (0..cores()).for_each(|_| drop(scope.spawn(read))));
    records.into_inner()
}

fn read_shard(shard: &Path) -> u64 {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let folder: OwnedFd = rustix::fs::open(shard, flags | OFlags::DIRECTORY, Mode::empty()).expect("a shard");
    let mut buffer = [0; 4096];
    let mut records = 0;
    for item in rustix::fs::Dir::read_from(&folder).expect("a listing") {
        let item = item.expect("listed");
        if item.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        let mut file = File::from(rustix::fs::openat(&folder, item.file_name(), flags, Mode::empty()).expect("there"));
        rustix::fs::fstat(&file).expect("its state");
        black_box(file.read(&mut buffer).expect("its bytes"));
        records += 1;
    }
    records
}

fn surveys(many: &Path, entries: u64) {
    let memory = memory(many);
    let each = Goal::Seconds(1.0 / RATE);
    let goal = if ratio::is_test() || cores() < 2 { Goal::Open } else { each };
    let bare = || {
        let start = Instant::now();
        assert_eq!(read_all(many), entries);
        start.elapsed().as_secs_f64() / entries as f64
    };
    let listed = || {
        let start = Instant::now();
        let count = memory.entries().map(|entry| entry.expect("readable").bytes()).filter(|&bytes| bytes > 0).count();
        assert_eq!(count as u64, entries);
        start.elapsed().as_secs_f64() / entries as f64
    };
    ratio::hold(&format!("`entries()`, each of {entries} / reading a record, all cores"), goal, 3, listed, bare);
    let counted = || {
        let start = Instant::now();
        let evicted = memory.reduce_size(Limits::default().items(entries)).expect("counted");
        assert_eq!(evicted.items, 0);
        start.elapsed().as_secs_f64() / entries as f64
    };
    ratio::hold(&format!("`reduce_size`, each of {entries} / reading a record, all cores"), goal, 3, counted, bare);
}

/// How much more memory a process takes for removing a thousandth of the entries, and then a fifth.
fn memory_of_reducing(many: &Path, entries: u64) {
    let thousandth = (entries / 1000).max(1);
    let mut left = entries;
    for victims in [thousandth, entries / 5] {
        left -= victims;
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["reduce", many.to_str().expect("a path in UTF-8"), &left.to_string()])
            .output()
            .expect("a child");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let bytes: u64 = String::from_utf8_lossy(&child.stdout).trim().parse().expect("a number");
        // What is remembered whatever goes, and what is listed at once.
        let most = (24 << 20) + 300 * victims;
        ratio::state(
            &format!("memory of `reduce_size` when {victims} of {} entries go", left + victims),
            &format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            &format!("at most {:.1} MiB", most as f64 / f64::from(1 << 20)),
            bytes <= most,
        );
        assert!(bytes <= most, "{bytes} bytes, expected at most {most}");
    }
}

/// Reduces a folder in this process, and prints by how many bytes its peak has risen.
fn reduce(folder: &Path, items: u64) {
    let memory = memory(folder);
    let before = peak();
    let evicted = memory.reduce_size(Limits::default().items(items)).expect("reduced");
    assert!(evicted.items > 0);
    println!("{}", peak() - before);
}

fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().strip_suffix(" kB").and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, folder, items] = &arguments[..]
        && command == "reduce"
    {
        return reduce(Path::new(folder), items.parse().expect("a number"));
    }
    let entries = ratio::number("NDCACHE_BENCH_ENTRIES", 1_000_000, 2000) as u64;
    let (many, few) = (filled(entries), filled(FEW));
    hits_and_puts(many.path(), entries, few.path());
    surveys(many.path(), entries);
    if cfg!(target_os = "linux") {
        memory_of_reducing(many.path(), entries);
    }
    memory(many.path()).clear().expect("cleared");
}
