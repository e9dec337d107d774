//! `report` of 10,000 entries, from the start of the program to its end: as a page, with 60 pictures, and as JSON. A page
//! that has more than 1 MiB fails. The time is only printed, beside its limit on an idle machine: 1 s without reading the
//! arrays.
//!
//! `cargo bench -p ndcache-cli --bench report`; with `--test` each runs once, on fewer entries, for the length alone.
//! `NDCACHE_BENCH_CACHE=FOLDER` makes the cache there, and leaves it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, Array3, ArrayRef1, ArrayRef2};
use ndcache::{Memory, cache};

/// The most that it may take, which is only printed.
const LIMIT: Duration = Duration::from_secs(1);

/// The most bytes that a page may have.
const BYTES: u64 = 1 << 20;

#[cache]
fn load(subject: u64) -> Array1<f64> {
    Array1::from_shape_fn(512, |at| ((at as u64 * 31 + subject * 17) % 97) as f64 + subject as f64 / 64.0)
}

#[cache]
fn smooth(x: &ArrayRef1<f64>, sigma: f64) -> Array1<f64> {
    let step = sigma.ceil() as usize;
    Array1::from_shape_fn(x.len(), |at| (x[at] + x[at.saturating_sub(step)]) / 2.0)
}

#[cache]
fn spectrum(x: &ArrayRef1<f64>, bins: usize) -> Array2<f32> {
    Array2::from_shape_fn((48, bins), |(row, column)| {
        // The page counts what isn't finite.
        if row == 3 && column == 3 { f32::NAN } else { ((x[row] * column as f64) % 13.0).sin() as f32 }
    })
}

#[cache]
fn volume(seed: u64) -> Array3<f32> {
    Array3::from_shape_fn((24, 20, 16), |(x, y, z)| (((x * y + z) as u64 * seed) % 101) as f32)
}

#[cache]
fn score(spectrum: &ArrayRef2<f32>, name: &str, threshold: f64) -> f64 {
    spectrum.iter().filter(|value| f64::from(**value) > threshold).count() as f64 + name.len() as f64
}

/// A study of about `entries` entries.
fn study(memory: &Memory, entries: u64) {
    let sigmas = [0.5, 1.0, 1.5, 2.0, 3.0];
    // A subject has one signal, five smoothed ones, three spectra (sigmas are rounded up), and six scores of these.
    let each = 1 + 5 + 3 + 6;
    for subject in 0..(entries / each).max(1) {
        let x = memory.eval(load::call(subject));
        for sigma in sigmas {
            let smoothed = memory.eval(smooth::call(&x, sigma));
            let spectrum = memory.eval(spectrum::call(&smoothed, 32));
            memory.eval(score::call(&spectrum, &format!("subject-{subject:03}"), 0.25));
            if sigma > 0.5 {
                memory.eval(score::call(&spectrum, &format!("subject-{subject:03}"), 0.75));
            }
        }
    }
    for seed in 1..20 {
        memory.eval(volume::call(seed));
    }
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (entries, rounds) = if is_test { (200, 1) } else { (10_000, 5) };
    let kept = std::env::var_os("NDCACHE_BENCH_CACHE").map(PathBuf::from);
    let temporary = std::env::temp_dir().join(format!("ndcache-bench-report-{}", std::process::id()));
    let folder = kept.clone().unwrap_or(temporary);
    // The second one hits, so that there is time saved to be shown.
    for _ in 0..2 {
        study(&Memory::open(&folder).expect("a cache"), entries);
    }
    for arguments in [&["report"][..], &["report", "--pictures"], &["report", "--format", "json"]] {
        let mut best = Duration::MAX;
        let mut bytes = 0;
        for _ in 0..rounds {
            let begin = Instant::now();
            let mut command = Command::new(env!("CARGO_BIN_EXE_ndcache"));
            let output = command.arg("-C").arg(&folder).args(arguments).output().expect("it runs");
            best = best.min(begin.elapsed());
            bytes = output.stdout.len() as u64;
            assert!(output.status.success(), "{output:?}");
        }
        let shown = arguments.join(" ");
        println!("ndcache {shown}: {entries} entries in {best:.1?}, at most {LIMIT:.0?}; {bytes} bytes");
        assert!(bytes <= BYTES || shown.contains("json"), "{shown} has {bytes} bytes, expected at most {BYTES}");
    }
    if kept.is_none() {
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
