//! Storing a large result, loading and mapping it, against plain writes and reads of the same bytes; a staged one
//! against filling memory, and against filling and storing it.
//!
//! `cargo bench --bench reload`; `NDCACHE_BENCH_MIB` sets the size of the large result, 1024 unless said, and `TMPDIR`
//! the disk.

mod ratio;

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use ndarray::prelude::*;
use ndcache::{Mapped1, Memory, cache, zeros};
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
    storing(bytes);
    loading(bytes);
    staging(bytes);
}

fn storing(bytes: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path().join("cache")).expect("a memory");
    let plain = folder.path().join("plain");
    let x = painted(bytes);
    let mut ours = Some(x.clone());
    let mut round = 0;
    ratio::compare(
        &format!("storing {} MiB / a plain write of them", bytes >> 20),
        9,
        || {
            round += 1;
            let call = given::call(round, ours.take().expect("the array came back"));
            let start = Instant::now();
            ours = Some(memory.try_eval(call).expect("stored"));
            let seconds = start.elapsed().as_secs_f64();
            memory.clear().expect("cleared");
            seconds
        },
        || {
            let bytes: &[u8] = bytemuck::cast_slice(x.as_slice().expect("a contiguous array"));
            let seconds = ratio::seconds(1, || fs::write(&plain, bytes).expect("written"));
            fs::remove_file(&plain).expect("removed");
            seconds
        },
    );
}

fn loading(bytes: usize) {
    let filled = Filled::new(&[bytes]);
    let entry = filled.memory.entry(&stored(bytes)).expect("readable").expect("stored");
    ratio::compare(
        &format!("loading {} MiB, verified / a plain read of them", bytes >> 20),
        9,
        || ratio::seconds(1, || filled.memory.eval(stored(bytes))),
        || ratio::seconds(1, || fs::read(&entry.files()[0]).expect("read")),
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
    let round = std::cell::Cell::new(0);
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
    ratio::compare(&format!("{name} / filling a vector"), 9, ours, || {
        let start = Instant::now();
        let mut x = vec![0.0; bytes / size_of::<f64>()];
        fill(&mut x);
        let seconds = start.elapsed().as_secs_f64();
        black_box(x);
        seconds
    });
    ratio::compare(&format!("{name} / filling an array and storing it"), 9, ours, || {
        let start = Instant::now();
        let x = memory.try_eval(stored_after::call(next(), bytes)).expect("stored");
        let seconds = start.elapsed().as_secs_f64();
        drop(x);
        memory.clear().expect("cleared");
        seconds
    });
}

fn main() {
    groups();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}

criterion_group!(groups, by_size);
