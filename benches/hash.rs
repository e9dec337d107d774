//! Digesting an array, against reading its bytes (an XOR over 16 lanes of `u64`, with all cores), against one call of
//! the hash on the same bytes, and against copying a view that isn't contiguous.
//!
//! `cargo bench --bench hash`; `NDCACHE_BENCH_MIB` sets the size of the largest array, 1024 unless said.

mod ratio;
mod read;

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use ndarray::prelude::*;
use ndcache::Digest;
use ratio::Goal;
use rayon::{ThreadPool, ThreadPoolBuilder};
use read::xor;
use twox_hash::XxHash3_128;
use xxhash_rust::xxh3::xxh3_128;

const MIB: usize = 1 << 20;

fn painted(bytes: usize) -> Array1<f64> {
    Array1::from_shape_fn(bytes / size_of::<f64>(), |i| (i % 251) as f64)
}

fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for bytes in [4 << 10, 1 << 20, ratio::large(8)] {
        let x = painted(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("digest/{}", name(bytes)), |bencher| bencher.iter(|| ndcache::digest(&x)));
        let elements = x.as_slice().expect("a contiguous array");
        group.bench_function(format!("xor/{}", name(bytes)), |bencher| bencher.iter(|| xor(black_box(elements))));
    }
    group.finish();
}

fn name(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..MIB => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// Runs whose round lasts long enough for the clock.
fn times(bytes: usize) -> usize {
    (4 * MIB / bytes.max(64)).clamp(1, 20_000)
}

/// Long arrays are hashed as fast as they can be read.
fn against_reading() {
    let largest = ratio::large(8);
    let x = painted(largest);
    for bytes in [largest.min(64 * MIB), largest] {
        let x = x.slice(s![..bytes / size_of::<f64>()]);
        let elements = x.as_slice().expect("a contiguous array");
        let square = x.to_shape((bytes / size_of::<f64>() / 1024, 1024)).expect("a multiple of a row");
        for (order, x) in [("C", square.view()), ("Fortran", square.t())] {
            ratio::hold(
                &format!("digest of {}, {order} order / XOR of its bytes", name(bytes)),
                Goal::Times(1.0 / 0.95),
                if bytes > 64 * MIB { 15 } else { 101 },
                || ratio::seconds(1, || ndcache::digest(black_box(&x))),
                || ratio::seconds(1, || xor(black_box(elements))),
            );
        }
    }
}

/// Arrays of some length are hashed by all cores.
fn against_one_core() {
    let one = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let threads = rayon::current_num_threads();
    for mib in [16, 64] {
        let x = painted(mib * MIB);
        ratio::hold(
            &format!("digest of {mib} MiB / the same on one core"),
            if threads > 1 { Goal::Times(1.0 / 1.8) } else { Goal::Open },
            101,
            || ratio::seconds(1, || ndcache::digest(black_box(&x))),
            || one.install(|| ratio::seconds(1, || ndcache::digest(black_box(&x)))),
        );
    }
}

/// The faster of two public implementations at this length, neither of which uses AVX-512 unless compiled for it.
fn one_call(bytes: &[u8]) -> u128 {
    if bytes.len() < 512 { xxh3_128(bytes) } else { XxHash3_128::oneshot(bytes) }
}

/// Short arrays cost little more than their bytes.
fn against_one_call() {
    for bytes in [8, 64, 512, 4 << 10, 16 << 10, 64 << 10, 256 << 10, MIB] {
        let x = painted(bytes);
        let all: &[u8] = bytemuck::cast_slice(x.as_slice().expect("a contiguous array"));
        ratio::hold(
            &format!("digest of {} / one call of XXH3-128", name(bytes)),
            if bytes < 16 << 10 { Goal::More(35e-9) } else { Goal::Times(1.1) },
            1001,
            || ratio::seconds(times(bytes), || ndcache::digest(black_box(&x))),
            || ratio::seconds(times(bytes), || one_call(black_box(all))),
        );
    }
}

/// Where all cores begin to pay: leaves of 1 MiB hashed by the caller and threads that have to wake, after a while in
/// which the cores slept, or that are awake from the round before, against one core. `SERIAL` in
/// `src/digest/tree.rs` is chosen by this.
fn around_the_cut_off() {
    let others = (rayon::current_num_threads() - 1).max(1);
    let pool = ThreadPoolBuilder::new().num_threads(others).build().expect("threads");
    let x = painted(16 * MIB);
    let all: &[u8] = bytemuck::cast_slice(x.as_slice().expect("a contiguous array"));
    for (threads, rounds, pause) in [("wake", 101, 5), ("are awake", 1001, 0)] {
        for mib in [2, 4, 8, 16] {
            let bytes = &all[..mib * MIB];
            let round = |hash: &dyn Fn() -> Vec<Digest>| {
                thread::sleep(Duration::from_millis(if ratio::is_test() { 0 } else { pause }));
                if pause == 0 {
                    black_box(by_all_cores(&pool, &bytes[..2 * MIB]));
                }
                ratio::seconds(1, hash)
            };
            ratio::compare(
                &format!("the leaves of {mib} MiB by threads that {threads} / by one core"),
                rounds,
                || round(&|| by_all_cores(&pool, black_box(bytes))),
                || round(&|| black_box(bytes).chunks(MIB).map(one_leaf).collect()),
            );
        }
    }
}

fn one_leaf(bytes: &[u8]) -> Digest {
    ndcache::digest(&ArrayView1::from(bytes))
}

fn by_all_cores(others: &ThreadPool, bytes: &[u8]) -> Vec<Digest> {
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let leaves = || std::iter::from_fn(|| bytes.chunks(MIB).nth(next.fetch_add(1, Ordering::Relaxed)));
    let share = || {
        let share: Vec<_> = leaves().map(one_leaf).collect();
        made.lock().expect("no panic").extend(share);
    };
    others.in_place_scope(|scope| {
        (0..others.current_num_threads()).for_each(|_| scope.spawn(|_| share()));
        share();
    });
    made.into_inner().expect("no panic")
}

/// A view that isn't contiguous is hashed as fast as it can be copied.
fn against_copying() {
    let edge = if ratio::is_test() { 64 } else { 256 };
    let x = painted(edge * edge * edge * size_of::<f64>()).into_shape_with_order((edge, edge, edge)).expect("a cube");
    let flat = x.to_shape(x.len()).expect("a contiguous array");
    copy("stepped", &flat.slice(s![..;2]));
    copy("reversed", &flat.slice(s![..;-1]));
    copy("transposed, of a cube in part", &x.slice(s![.., .., 1..]).reversed_axes());
    copy("rows of a cube in part", &x.slice(s![.., 1.., ..]));
}

fn copy<D: Dimension>(what: &str, view: &ArrayView<'_, f64, D>) {
    let mut copied = Array::zeros(view.raw_dim());
    ratio::hold(
        &format!("digest of a view, {what}, {} / copying it", name(view.len() * size_of::<f64>())),
        Goal::Times(1.0),
        31,
        || ratio::seconds(1, || ndcache::digest(black_box(view))),
        || ratio::seconds(1, || copied.assign(black_box(view))),
    );
}

fn main() {
    groups();
    Criterion::default().configure_from_args().final_summary();
    against_reading();
    against_one_core();
    against_one_call();
    around_the_cut_off();
    against_copying();
}

criterion_group!(groups, hash);
