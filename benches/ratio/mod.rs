//! Compares two ways of one run by interleaved rounds, so that both meet the same machine in the same mood.

use std::hint::black_box;
use std::time::Instant;

/// Whether each bench has only to show that it runs: `cargo bench -- --test`, or `cargo test --benches`.
pub(crate) fn is_test() -> bool {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    has("--test") || !has("--bench")
}

/// The bytes of a large array: `NDCACHE_BENCH_MIB` (1024 unless said), or `test_mib` when benches run as tests.
#[allow(dead_code)] // Not every bench has one.
pub(crate) fn large(test_mib: usize) -> usize {
    let mib = std::env::var("NDCACHE_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    (if is_test() { test_mib } else { mib }) << 20
}

/// Prints one line: what we take, what the bare machine takes, and their ratio, by the best and by the median round.
///
/// Each closure runs one round and gives its seconds. Who is first changes from round to round.
pub(crate) fn compare(name: &str, rounds: usize, mut ours: impl FnMut() -> f64, mut bare: impl FnMut() -> f64) {
    let rounds = if is_test() { 1 } else { rounds };
    let (mut our_seconds, mut bare_seconds) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            our_seconds.push(ours());
        }
        bare_seconds.push(bare());
        if round % 2 == 1 {
            our_seconds.push(ours());
        }
    }
    our_seconds.sort_by(f64::total_cmp);
    bare_seconds.sort_by(f64::total_cmp);
    let at = |index: usize| {
        format!(
            "{} / {} = {:.3}",
            time(our_seconds[index]),
            time(bare_seconds[index]),
            our_seconds[index] / bare_seconds[index]
        )
    };
    println!("{name}: best {}, median {} ({rounds} rounds)", at(0), at(rounds / 2));
}

/// What a round gives that is run twice, and after which the disk is left in peace.
///
/// The first run pays for memory that a machine of machines has taken back, at seconds a gibibyte, whoever touches it
/// first; and with enough dirty pages, even of files that are gone, a write waits for the disk.
#[allow(dead_code)] // Not every bench takes so much memory.
pub(crate) fn steady(mut round: impl FnMut() -> f64) -> impl FnMut() -> f64 {
    move || {
        if !is_test() {
            round();
            rustix::fs::sync();
        }
        let seconds = round();
        if !is_test() {
            rustix::fs::sync();
        }
        seconds
    }
}

/// The seconds of one run of `body`, which runs `times` times.
pub(crate) fn seconds<T>(times: usize, mut body: impl FnMut() -> T) -> f64 {
    let times = if is_test() { 1 } else { times };
    let start = Instant::now();
    for _ in 0..times {
        black_box(body());
    }
    start.elapsed().as_secs_f64() / times as f64
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.2} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}
