//! Fetching a large result from a server of HTTP, verified and stored, against curl, which fetches the same bytes into a
//! file beside it: seconds on the wall, and of the processor.
//!
//! `cargo bench --features remote --bench remote`; `NDCACHE_BENCH_MIB` sets the size of the result, 256 unless said,
//! `NDCACHE_BENCH_ROUNDS` the number of rounds, 9 unless said, and `TMPDIR` the disk. Needs nginx and curl.

mod ratio;
#[path = "../tests/remote/servers.rs"]
#[allow(dead_code)] // It begins other servers, too.
mod servers;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ndarray::Array1;
use ndcache::tier::{Access, Folder, ObjectStore, Share, Tier};
use ndcache::{Memory, cache};
use ratio::Goal;
use servers::{Kind, Server};

/// What took so long to compute is worth fetching, whatever this machine has to do.
const COMPUTING: Duration = Duration::from_secs(30);

#[cache]
fn painted(words: usize) -> Array1<f64> {
    let computing = if ratio::is_test() { COMPUTING / 30 } else { COMPUTING };
    thread::sleep(computing);
    Array1::from_shape_fn(words, |i| (i % 251) as f64)
}

/// Seconds of the processor that this process has taken.
fn usage() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Seconds of the processor that children have taken which have ended, in hundredths.
fn usage_of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, behind_the_name) = stat.rsplit_once(')').expect("a name");
    let ticks = behind_the_name.split_whitespace().skip(13).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / 100.0
}

/// The largest file below a folder.
fn array_in(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut largest = (0, PathBuf::new());
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).expect("a folder").map(|item| item.expect("an item")) {
            match item.metadata().expect("a file") {
                stat if stat.is_dir() => folders.push(item.path()),
                stat => largest = largest.max((stat.len(), item.path())),
            }
        }
    }
    largest.1
}

fn main() {
    let Some(server) = Server::of(Kind::Nginx) else { return };
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "there is no curl");
        eprintln!("skipped: there is no curl");
        return;
    }
    let bytes = ratio::number("NDCACHE_BENCH_MIB", 256, 1) << 20;
    let words = bytes / size_of::<f64>();
    let first = tempfile::tempdir().expect("a folder");
    let folder = Tier::new(Folder::new(&server.folder).expect("a folder")).access(Access::ReadWrite).share(Share::Any);
    let memory = Memory::builder(first.path()).tier(folder).open().expect("a memory");
    memory.eval(painted::call(words));
    let flushed = memory.flush(Duration::from_secs(600)).expect("flushed");
    assert!(flushed.left == 0 && flushed.failed == 0, "{flushed:?}");
    let url =
        server.url(array_in(&server.folder).strip_prefix(&server.folder).expect("below").to_str().expect("a name"));

    let times = Cell::new((0.0, 0.0));
    let fetch = || {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Tier::new(ObjectStore::new(server.url("")).expect("a store")).share(Share::Any);
        let memory = Memory::builder(folder.path()).tier(store).open().expect("a memory");
        let (begin, before) = (Instant::now(), usage());
        memory.eval(painted::call(words));
        times.set((begin.elapsed().as_secs_f64(), usage() - before));
        assert_eq!(memory.stats().misses(), 0, "it was computed");
    };
    let curl = || {
        let folder = tempfile::tempdir().expect("a folder");
        let (begin, before) = (Instant::now(), usage_of_children());
        let fetched = Command::new("curl").args(["-s", "-f", "-o"]).arg(folder.path().join("array")).arg(&url).status();
        assert!(fetched.is_ok_and(|status| status.success()));
        times.set((begin.elapsed().as_secs_f64(), usage_of_children() - before));
    };
    let rounds = ratio::number("NDCACHE_BENCH_ROUNDS", 9, 1);
    let wall = |run: &dyn Fn()| {
        run();
        times.get().0
    };
    let cpu = |run: &dyn Fn()| {
        run();
        times.get().1
    };
    ratio::hold("remote/256 MiB, wall / curl", Goal::Times(1.0 / 0.85), rounds, || wall(&fetch), || wall(&curl));
    ratio::hold("remote/256 MiB, processor / curl", Goal::Times(1.2), rounds, || cpu(&fetch), || cpu(&curl));
    ratio::print_missed();
}
