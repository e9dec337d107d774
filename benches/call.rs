//! What a call costs beside its function: without a memory, and for hits, against the bare system calls of a hit.
//!
//! `cargo bench --bench call`

#![allow(unsafe_code)] // One mapping, as the bare machine makes it.

mod ratio;

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group};
use memmap2::Mmap;
use ndarray::prelude::*;
use ndcache::{Memory, cache};
use ratio::Goal;
use tempfile::TempDir;

/// 1 MiB of `f64`.
const LENGTH: usize = 1 << 17;

/// 64 KiB of `f64`, which are read and not mapped.
const SMALL: usize = 1 << 13;

#[cache]
fn polynomial(x: f64) -> f64 {
    (x * 2.5 + 1.0) * x - 3.0
}

fn plain_polynomial(x: f64) -> f64 {
    (x * 2.5 + 1.0) * x - 3.0
}

#[cache]
fn ramp(length: usize) -> Array1<f64> {
    Array1::from_shape_fn(length, |i| i as f64)
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

/// A folder with a stored ramp and a stored number.
struct Filled {
    folder: TempDir,
    memory: Memory,
}

impl Filled {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let memory = Memory::open(folder.path()).expect("a memory");
        for length in [LENGTH, SMALL] {
            memory.try_eval(ramp::call(length)).expect("stored");
        }
        memory.try_eval(polynomial::call(1.5)).expect("stored");
        Self { folder, memory }
    }

    /// A memory that remembers nothing of this folder.
    fn fresh(&self) -> Memory {
        Memory::open(self.folder.path()).expect("a memory")
    }

    fn bare(&self, length: usize) -> Bare {
        let entry = self.memory.entry(&ramp::call(length)).expect("readable").expect("stored");
        Bare { record: open_name(entry.path()), array: open_name(&entry.files()[0]), buffer: vec![0; 1 << 17] }
    }
}

/// The system calls that no hit can do without: open, read and close of the record; open, fstat, mmap, close and,
/// later, munmap of the array.
struct Bare {
    record: String,
    array: String,
    buffer: Vec<u8>,
}

impl Bare {
    fn map(&mut self) -> Mmap {
        self.read();
        let file = File::open(&self.array).expect("an array");
        rustix::fs::fstat(&file).expect("its length");
        // SAFETY: nobody but this bench knows the file, and it isn't written to.
        unsafe { Mmap::map(&file) }.expect("a mapping")
    }

    fn read(&mut self) -> usize {
        let mut record = File::open(&self.record).expect("a record");
        record.read(&mut self.buffer).expect("its bytes")
    }

    /// Of both files: open, read, close.
    fn read_both(&mut self) -> usize {
        let record = self.read();
        let mut array = File::open(&self.array).expect("an array");
        record + array.read(&mut self.buffer).expect("its bytes")
    }
}

/// The system calls that no miss can do without: create, write, close and rename of one small file.
struct BareMiss {
    folder: TempDir,
    files: usize,
}

impl BareMiss {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), files: 0 }
    }

    fn put(&mut self) {
        self.files += 1;
        let name = self.folder.path().join(format!("{:032}.record", self.files));
        let staged = name.with_extension("tmp");
        let mut file = File::create_new(&staged).expect("a new file");
        file.write_all(&[0; 500]).expect("written");
        drop(file);
        std::fs::rename(&staged, &name).expect("renamed");
    }
}

fn open_name(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn without_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("without a memory");
    group.bench_function("cached", |bencher| bencher.iter(|| polynomial(black_box(1.5))));
    group.bench_function("plain", |bencher| bencher.iter(|| plain_polynomial(black_box(1.5))));
    group.finish();
}

fn hits(criterion: &mut Criterion) {
    let filled = Filled::new();
    let mut bare = filled.bare(LENGTH);
    let mut group = criterion.benchmark_group("hit");
    group.bench_function("first, 1 MiB mapped", |bencher| {
        bencher.iter_batched(
            || filled.fresh(),
            |memory| {
                // Unmapped within the time, as below.
                drop(black_box(memory.mmap(ramp::call(LENGTH))));
                memory
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("bare system calls", |bencher| bencher.iter(|| bare.map()));
    let memory = &filled.memory;
    group.bench_function("repeated, 1 MiB mapped", |bencher| bencher.iter(|| memory.mmap(ramp::call(LENGTH))));
    group
        .bench_function("repeated, a number", |bencher| bencher.iter(|| memory.eval(polynomial::call(black_box(1.5)))));
    group.finish();
}

/// Comes first: in a process that had a memory, a call looks for it.
fn ratio_without_memory() {
    const CALLS: usize = 10_000_000;
    ratio::hold(
        "a call without a memory / the plain function",
        Goal::More(1e-9),
        15,
        || ratio::seconds(CALLS, || polynomial(black_box(1.5))),
        || ratio::seconds(CALLS, || plain_polynomial(black_box(1.5))),
    );
}

fn ratios_of_hits() {
    let filled = Filled::new();
    let mut bare = filled.bare(LENGTH);
    ratio::hold(
        "first hit of 1 MiB, mapped / its bare system calls",
        Goal::Times(1.15),
        1001,
        || {
            let memory = filled.fresh();
            let start = Instant::now();
            drop(black_box(memory.mmap(ramp::call(LENGTH))));
            start.elapsed().as_secs_f64()
        },
        || ratio::seconds(1, || bare.map()),
    );
    let mut bare_small = filled.bare(SMALL);
    ratio::hold(
        "first hit of 64 KiB, loaded / open, read and close of both files",
        Goal::Times(1.3),
        1001,
        || {
            let memory = filled.fresh();
            let start = Instant::now();
            black_box(memory.eval(ramp::call(SMALL)));
            start.elapsed().as_secs_f64()
        },
        || ratio::seconds(1, || bare_small.read_both()),
    );
    ratio::hold(
        "first hit of a number / open, read and close of its record",
        Goal::Times(1.3),
        1001,
        || {
            let memory = filled.fresh();
            let start = Instant::now();
            black_box(memory.eval(polynomial::call(black_box(1.5))));
            start.elapsed().as_secs_f64()
        },
        || ratio::seconds(1, || bare.read()),
    );
    ratio::compare(
        "repeated hit of 1 MiB, mapped / its bare system calls",
        101,
        || ratio::seconds(100, || filled.memory.mmap(ramp::call(LENGTH))),
        || ratio::seconds(100, || bare.map()),
    );
    ratio::compare(
        "repeated hit of a number / reading a record",
        101,
        || ratio::seconds(100, || filled.memory.eval(polynomial::call(black_box(1.5)))),
        || ratio::seconds(100, || bare.read()),
    );
}

/// Comes before all that opens memories again and again: each opening makes a file without a name and drops it, and
/// for minutes ext4 passes over an inode that was just dropped, one by one, for each file that is created.
fn ratios_of_misses() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path()).expect("a memory");
    let mut bare = BareMiss::new();
    let mut next = 0.0;
    let mut miss = || {
        next += 1.0;
        memory.eval(polynomial::call(next))
    };
    // Until all folders are there.
    ratio::seconds(2_000, &mut miss);
    ratio::hold(
        "miss of a number / create, write, close and rename of one file",
        Goal::Times(1.5),
        301,
        || ratio::seconds(20, &mut miss),
        || ratio::seconds(20, || bare.put()),
    );
}

/// What a cache in memory does at least: a table behind a lock.
#[derive(Default)]
struct Table(Mutex<HashMap<u64, f64>>);

impl Table {
    fn polynomial(&self, x: f64) -> f64 {
        *self.0.lock().expect("nobody panicked").entry(x.to_bits()).or_insert_with(|| plain_polynomial(x))
    }
}

/// The seconds of one run of `body` in each of `threads` threads at once, which run it `times` times.
fn seconds_each<T>(threads: usize, times: usize, body: impl Fn() -> T + Sync) -> f64 {
    let start = Barrier::new(threads);
    let run = || {
        start.wait();
        ratio::seconds(times, &body)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).sum::<f64>() / threads as f64
    })
}

fn ratios_of_repeated_hits() {
    const TIMES: usize = 50_000;
    let filled = Filled::new();
    let table = Table::default();
    for threads in [1, 2] {
        ratio::compare(
            &format!("repeated hit of a number, {threads} threads / the same from a table in memory"),
            101,
            || seconds_each(threads, TIMES, || filled.memory.eval(polynomial::call(black_box(1.5)))),
            || seconds_each(threads, TIMES, || table.polynomial(black_box(1.5))),
        );
    }
    let ramp = filled.memory.mmap(ramp::call(LENGTH));
    filled.memory.eval(total::call(&ramp));
    ratio::compare(
        "repeated hit of a number whose argument is mapped / of a number",
        101,
        || ratio::seconds(TIMES, || filled.memory.eval(total::call(black_box(&ramp)))),
        || ratio::seconds(TIMES, || filled.memory.eval(polynomial::call(black_box(1.5)))),
    );
}

fn main() {
    ratio_without_memory();
    ratios_of_misses();
    groups();
    Criterion::default().configure_from_args().final_summary();
    ratios_of_hits();
    ratios_of_repeated_hits();
}

criterion_group!(groups, without_memory, hits);
