//! How fast this machine hashes an array, by its size: on one core, on all, and how fast it can be read at all.
//!
//! `cargo run --release -p ndcache-examples --example hash_throughput` goes up to 1 GiB, or a quarter of the free memory
//! if that is less; `-- 64` goes up to 64 MiB. The bytes are in the processor's caches as far as they
//! fit. The figures are the best of several rounds, in which the three measurements alternate; other work on the machine
//! affects them.

#[path = "../benches/read/mod.rs"]
mod read;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

const ROUNDS: usize = 7;
/// A round runs that long at least, so that the clock and a job's start count little.
const ROUND: Duration = Duration::from_millis(2);
const SMALLEST: usize = 4 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

fn main() -> Result<(), Box<dyn Error>> {
    let largest = match std::env::args().nth(1) {
        Some(mib) => largest(&mib).ok_or("usage: hash_throughput [MiB of the largest array]")?,
        None => fitting(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
    };
    let threads = rayon::current_num_threads();
    println!("ndcache::digest of f64 arrays, {threads} threads, best of {ROUNDS} rounds");
    println!("read: an XOR over the same bytes, on one core or on all, whichever is faster");
    println!();

    let x = Array1::from_shape_fn(largest / size_of::<f64>(), |i| (i % 251) as f64);
    let one = ThreadPoolBuilder::new().num_threads(1).build()?;
    let rows: Vec<_> = sizes(largest).map(|bytes| measure(&x.slice(s![..bytes / size_of::<f64>()]), &one)).collect();
    print!("{}", table(&rows));
    println!();
    print!("{}", plot(&rows, 60));
    Ok(())
}

/// The bytes of that many MiB, if it is a number and the array could be made.
fn largest(mib: &str) -> Option<usize> {
    mib.parse::<usize>().ok().filter(|&mib| mib > 0)?.checked_mul(MIB)
}

/// A quarter of what `/proc/meminfo` says is free, at most 1 GiB; 256 MiB where it says nothing.
fn fitting(meminfo: &str) -> usize {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    kib.map_or(256 * MIB, |kib| (kib / 4 * 1024).clamp(MIB, GIB))
}

/// Each four times the one before, and the largest at the end.
fn sizes(largest: usize) -> impl Iterator<Item = usize> {
    let fourfold = std::iter::successors(Some(SMALLEST), |bytes| bytes.checked_mul(4));
    fourfold.take_while(move |&bytes| bytes < largest).chain([largest])
}

/// What one size gives, in bytes a second.
#[derive(Clone, Copy)]
struct Row {
    bytes: usize,
    serial: f64,
    parallel: f64,
    read: f64,
}

fn measure(x: &ArrayView1<f64>, one: &ThreadPool) -> Row {
    let elements = x.as_slice().expect("a slice of a contiguous array");
    let bytes = size_of_val(elements);
    let mut seconds = [f64::INFINITY; 4];
    for _ in 0..ROUNDS {
        let round = [
            one.install(|| round(|| ndcache::digest(black_box(x)))),
            round(|| ndcache::digest(black_box(x))),
            round(|| read::xor(black_box(elements))),
            round(|| read::xor_alone(black_box(elements))),
        ];
        seconds.iter_mut().zip(round).for_each(|(best, round)| *best = best.min(round));
    }
    let [serial, parallel, read] = [seconds[0], seconds[1], seconds[2].min(seconds[3])].map(|s| bytes as f64 / s);
    Row { bytes, serial, parallel, read }
}

/// The seconds of one run of `body`, which runs again and again until a round is over.
fn round<T>(body: impl Fn() -> T) -> f64 {
    let start = Instant::now();
    black_box(body());
    let times = (ROUND.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-9)).ceil() as usize;
    let start = Instant::now();
    for _ in 0..times {
        black_box(body());
    }
    start.elapsed().as_secs_f64() / times as f64
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:>8} {:>9} {:>9} {:>9}  {}\n", "size", "serial", "parallel", "read", "parallel / read");
    text += &format!("{:>8} {:>9} {:>9} {:>9}\n", "", "GB/s", "GB/s", "GB/s");
    for row in rows {
        let [serial, parallel, read] = [row.serial, row.parallel, row.read].map(|speed| speed / 1e9);
        let share = row.parallel / row.read;
        text += &format!("{:>8} {serial:>9.2} {parallel:>9.2} {read:>9.2}  {share:.2}\n", size(row.bytes));
    }
    text
}

/// Three bars for each size, the fastest of all as wide as said.
fn plot(rows: &[Row], width: usize) -> String {
    let fastest = rows.iter().flat_map(|row| [row.serial, row.parallel, row.read]).fold(0.0, f64::max);
    let mut text = String::new();
    for row in rows {
        let bars = [(size(row.bytes), "serial", row.serial), (String::new(), "parallel", row.parallel)];
        for (size, name, speed) in bars.into_iter().chain([(String::new(), "read", row.read)]) {
            let bar = bar(speed / fastest, width);
            text += &format!("{size:>8} {name:<8} {bar} {:.1}\n", speed / 1e9);
        }
    }
    text
}

/// A bar that takes this share of a width, to an eighth of a character.
fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * (8 * width) as f64).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

fn size(bytes: usize) -> String {
    match bytes {
        GIB.. if bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        MIB.. => format!("{} MiB", bytes / MIB),
        _ => format!("{} KiB", bytes / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [Row; 2] = [
        Row { bytes: 4 << 10, serial: 20e9, parallel: 20e9, read: 40e9 },
        Row { bytes: 3 << 30, serial: 10e9, parallel: 17.5e9, read: 18e9 },
    ];

    #[test]
    fn sizes_go_up_to_the_largest_which_comes_once() {
        assert_eq!(sizes(MIB).map(size).collect::<Vec<_>>(), ["4 KiB", "16 KiB", "64 KiB", "256 KiB", "1 MiB"]);
        assert_eq!(sizes(3 * MIB).map(size).last().unwrap(), "3 MiB");
        assert_eq!(sizes(GIB).count(), 10);
    }

    #[test]
    fn the_largest_array_fits_into_a_quarter_of_the_free_memory() {
        assert_eq!(fitting("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n"), 512 * MIB);
        assert_eq!(fitting("MemAvailable: 999999999 kB\n"), GIB);
        assert_eq!(fitting("MemAvailable: 16 kB\n"), MIB);
        assert_eq!(fitting(""), 256 * MIB);
    }

    #[test]
    fn the_argument_is_a_number_of_mib() {
        assert_eq!(largest("64"), Some(64 * MIB));
        assert_eq!([largest("0"), largest("1G"), largest(&usize::MAX.to_string())], [None; 3]);
    }

    #[test]
    fn a_table_has_a_line_for_each_size_in_gigabytes_a_second() {
        let expected = [
            "    size    serial  parallel      read  parallel / read",
            "              GB/s      GB/s      GB/s",
            "   4 KiB     20.00     20.00     40.00  0.50",
            "   3 GiB     10.00     17.50     18.00  0.97",
        ];
        assert_eq!(table(&ROWS).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn bars_are_as_long_as_their_speed_to_an_eighth_of_a_character() {
        let plot = plot(&ROWS, 10);
        let expected = [
            "   4 KiB serial   █████ 20.0",
            "         parallel █████ 20.0",
            "         read     ██████████ 40.0",
            "   3 GiB serial   ██▌ 10.0",
            "         parallel ████▍ 17.5",
            "         read     ████▌ 18.0",
        ];
        assert_eq!(plot.lines().collect::<Vec<_>>(), expected);
        assert_eq!(bar(0.0, 10), "");
    }

    #[test]
    fn a_small_array_is_measured_by_all_three() {
        let x = Array1::from_shape_fn(512, |i| i as f64);
        let one = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let row = measure(&x.view(), &one);
        assert_eq!(row.bytes, 4096);
        assert!([row.serial, row.parallel, row.read].iter().all(|speed| speed.is_finite() && *speed > 0.0));
    }
}
