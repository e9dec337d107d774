//! Digesting an array, against reading its bytes: an XOR over 16 lanes of `u64`, with all cores.
//!
//! `cargo bench --bench hash`; `NDCACHE_BENCH_MIB` sets the size of the array, 1024 unless said.

mod ratio;
mod read;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use ndarray::Array1;
use read::xor;

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
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

fn main() {
    groups();
    Criterion::default().configure_from_args().final_summary();

    let bytes = ratio::large(8);
    let x = painted(bytes);
    let elements = x.as_slice().expect("a contiguous array");
    ratio::compare(
        &format!("digest of {} / xor of its bytes", name(bytes)),
        15,
        || ratio::seconds(1, || ndcache::digest(&x)),
        || ratio::seconds(1, || xor(black_box(elements))),
    );
}

criterion_group!(groups, hash);
