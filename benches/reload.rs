//! Storing a large result, loading and mapping it, against plain writes and reads of the same bytes; a staged one
//! against filling memory, and against filling and storing it.
//!
//! `cargo bench --bench reload`; `NDCACHE_BENCH_MIB` sets the size of the large result, 1024 unless said, `TMPDIR` the
//! disk, and `NDCACHE_BENCH_ROUNDS` the number of rounds, 9 unless said.

mod ratio;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use ndarray::prelude::*;
use ndcache::{Mapped1, Memory, cache, zeros};
use ratio::Goal;
use tempfile::TempDir;

/// Returns what it is given, so that a miss costs nothing but its storing.
#[cache(ignore(x))]
fn given(round: usize, x: Array1<f64>) -> Array1<f64> {
    black_box(round);
    x
}

/// A folder in which results of these sizes are stored.
struct Filled {
    _folder: TempDir,
    memory: Memory,
}

impl Filled {
    fn new(sizes: &[usize]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let memory = Memory::open(folder.path()).expect("a memory");
        for &bytes in sizes {
            memory.try_eval(given::call(bytes, painted(bytes))).expect("stored");
        }
        Self { _folder: folder, memory }
    }
}

fn painted(bytes: usize) -> Array1<f64> {
    Array1::from_shape_fn(bytes / size_of::<f64>(), |i| (i % 251) as f64)
}

/// The key of a stored result: its array is ignored.
fn stored(bytes: usize) -> ndcache::Call<impl Sized, Array1<f64>> {
    given::call(bytes, Array1::default(0))
}

fn by_size(criterion: &mut Criterion) {
    let sizes = [64 << 10, 1 << 20, 16 << 20, ratio::large(32)];
    let filled = Filled::new(&sizes);
    let mut group = criterion.benchmark_group("map");
    for bytes in sizes {
        group.bench_function(name(bytes), |bencher| bencher.iter(|| filled.memory.mmap(stored(bytes))));
    }
    group.finish();
    let mut group = criterion.benchmark_group("load");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for bytes in sizes {
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name(bytes), |bencher| bencher.iter(|| filled.memory.eval(stored(bytes))));
    }
    group.finish();
}

fn name(bytes: usize) -> String {
    format!("{} KiB", bytes >> 10)
}

fn ratios() {
    let bytes = ratio::large(32);
    let mut kept = vec![storing(bytes)];
    loading(bytes);
    staging(bytes);
    // That one of them runs is enough for a test.
    for mib in [1, 2, 4, 8, 16, 32, 64].into_iter().take(if ratio::is_test() { 1 } else { 7 }) {
        kept.push(storing(mib << 20));
        loading(mib << 20);
    }
}

/// Fewer bytes are done so often in a round, or a round would be over too soon.
fn times(bytes: usize) -> usize {
    (64_usize << 20).div_ceil(bytes)
}

/// The goals are those of large results.
fn of_large(bytes: usize, times: f64) -> Goal {
    if bytes > 128 << 20 { Goal::Times(times) } else { Goal::Open }
}

fn rounds() -> usize {
    std::env::var("NDCACHE_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(9)
}

/// Returns its folder, which is to be kept as long as others are measured; see [`empty`].
fn storing(bytes: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path().join("cache")).expect("a memory");
    let plain = folder.path().join("plain");
    let x = painted(bytes);
    let data: &[u8] = bytemuck::cast_slice(x.as_slice().expect("a contiguous array"));
    let kept = RefCell::new(Some(x.clone()));
    let (round, file) = (Cell::new(0), Cell::new(0));
    let ours = || {
        let rounds = round.get()..round.get() + times(bytes);
        let mut seconds = 0.0;
        for n in rounds.clone() {
            let call = given::call(n, kept.take().expect("the array came back"));
            let start = Instant::now();
            kept.replace(Some(memory.try_eval(call).expect("stored")));
            seconds += start.elapsed().as_secs_f64();
        }
        round.set(rounds.end);
        let stored = rounds.map(|n| memory.entry(&stored(n)).expect("readable").expect("stored"));
        stored.for_each(|entry| entry.files().iter().for_each(|file| empty(file)));
        seconds
    };
    fs::create_dir(&plain).expect("created");
    let bare = |reserved: bool| {
        let files = file.get()..file.get() + times(bytes);
        let path = |n: usize| plain.join(n.to_string());
        let seconds = files.clone().map(|n| ratio::seconds(1, || write(&path(n), data, reserved))).sum();
        file.set(files.end);
        files.for_each(|n| empty(&path(n)));
        seconds
    };
    let name = format!("storing {} MiB", bytes >> 20);
    let hold = |what: &str, times: f64, reserved: bool| {
        let bare = ratio::steady(|| bare(reserved));
        ratio::hold(&format!("{name} / {what}"), of_large(bytes, times), rounds(), ratio::steady(ours), bare);
    };
    hold("plain writes of 1 MiB", 0.75, false);
    hold("reserving room and the same writes", 1.05, true);
    folder
}

/// Takes the bytes of a file, and leaves it where it is: after many were deleted whoever creates one waits for ext4,
/// which gives nobody an inode that was deleted a moment ago, and looks at all of them.
fn empty(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("ours");
    File::create(file).expect("emptied");
}

/// A new file of these bytes, by writes of 1 MiB.
fn write(path: &Path, bytes: &[u8], reserved: bool) {
    let mut file = File::create_new(path).expect("created");
    #[cfg(target_os = "linux")]
    if reserved {
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes.len() as u64).expect("reserved");
    }
    let _ = reserved;
    bytes.chunks(1 << 20).for_each(|chunk| file.write_all(chunk).expect("written"));
}

fn loading(bytes: usize) {
    let filled = Filled::new(&[bytes]);
    let entry = filled.memory.entry(&stored(bytes)).expect("readable").expect("stored");
    let path = &entry.files()[0];
    // A system that takes back what was not used for a while would have us wait for the disk.
    let warm = || {
        let mut scratch = vec![0; 1 << 20];
        let mut file = File::open(path).expect("opened");
        while file.read(&mut scratch).expect("read") > 0 {}
    };
    let timed = |body: &dyn Fn()| {
        warm();
        ratio::seconds(times(bytes), body)
    };
    ratio::hold(
        &format!("loading {} MiB, verified / a plain read of them", bytes >> 20),
        of_large(bytes, 0.3),
        rounds(),
        ratio::steady(|| timed(&|| drop(black_box(filled.memory.eval(stored(bytes)))))),
        ratio::steady(|| timed(&|| drop(black_box(fs::read(path).expect("read"))))),
    );
}

fn fill(x: &mut [f64]) {
    x.iter_mut().enumerate().for_each(|(i, x)| *x = (i % 251) as f64);
}

#[cache]
fn staged(round: usize, bytes: usize) -> Mapped1<f64> {
    black_box(round);
    let mut x = zeros::<f64, _>(bytes / size_of::<f64>());
    assert!(x.is_mapped());
    fill(x.as_slice_mut().expect("a contiguous array"));
    x.into()
}

#[cache]
fn stored_after(round: usize, bytes: usize) -> Mapped1<f64> {
    black_box(round);
    let mut x = Array1::zeros(bytes / size_of::<f64>());
    fill(x.as_slice_mut().expect("a contiguous array"));
    x.into()
}

fn staging(bytes: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path().join("cache")).expect("a memory");
    let round = Cell::new(0);
    let next = || round.replace(round.get() + 1);
    let ours = || {
        let start = Instant::now();
        let x = memory.try_eval(staged::call(next(), bytes)).expect("stored");
        let seconds = start.elapsed().as_secs_f64();
        drop(x);
        memory.clear().expect("cleared");
        seconds
    };
    let name = format!("filling, hashing and publishing a staged {} MiB", bytes >> 20);
    ratio::hold(
        &format!("{name} / filling a vector"),
        of_large(bytes, 0.65),
        rounds(),
        ratio::steady(ours),
        ratio::steady(|| {
            let start = Instant::now();
            let mut x = vec![0.0; bytes / size_of::<f64>()];
            fill(&mut x);
            let seconds = start.elapsed().as_secs_f64();
            black_box(x);
            seconds
        }),
    );
    ratio::compare(
        &format!("{name} / filling an array and storing it"),
        rounds(),
        ratio::steady(ours),
        ratio::steady(|| {
            let start = Instant::now();
            let x = memory.try_eval(stored_after::call(next(), bytes)).expect("stored");
            let seconds = start.elapsed().as_secs_f64();
            drop(x);
            memory.clear().expect("cleared");
            seconds
        }),
    );
}

fn main() {
    groups();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}

criterion_group!(groups, by_size);
