//! `ndcache bench`: how fast this machine hashes arrays, beside how fast it reads them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ndarray::Array1;
use ndcache::digest;
use rayon::ThreadPoolBuilder;
use serde_json::{Value as Json, json};

use crate::args::Bench;
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::table::{Right, Table};
use crate::text::{several, size};

const MIB: usize = 1 << 20;

/// How many rounds there are, of which the best gives the figure.
const ROUNDS: usize = 5;

/// The least time of a round, beside which reading the clock takes little.
const ROUND: Duration = Duration::from_millis(2);

/// What one size gives, in bytes a second.
struct Row {
    bytes: usize,
    one: f64,
    all: f64,
    read: f64,
}

pub(crate) fn run(args: &Bench, out: &mut Out) -> Outcome {
    let largest = args.largest.checked_mul(MIB).filter(|&bytes| bytes > 0);
    let largest = largest.ok_or_else(|| Failure::usage("the largest array has to have a mebibyte"))?;
    let one = ThreadPoolBuilder::new().num_threads(1).build().map_err(Failure::unreadable)?;
    let sizes = std::iter::successors(Some(64 << 10), |bytes: &usize| bytes.checked_mul(8));
    let sizes = sizes.take_while(|&bytes| bytes < largest).chain([largest]);
    let whole = Array1::from_shape_fn(largest / 8, |i| (i % 251) as u64);
    let rows: Vec<Row> = sizes
        .map(|bytes| {
            let part = whole.slice(ndarray::s![..bytes / 8]);
            let words = part.as_slice().unwrap_or_default();
            Row {
                bytes,
                one: one.install(|| speed(bytes, || digest(black_box(&part)))),
                all: speed(bytes, || digest(black_box(&part))),
                read: speed(bytes, || black_box(words).iter().fold(0, |sum, word| sum ^ word)),
            }
        })
        .collect();
    let threads = rayon::current_num_threads();
    if out.is_json() {
        let row = |it: &Row| json!({ "bytes": it.bytes, "one_thread": it.one as u64, "all_threads": it.all as u64, "read": it.read as u64 });
        let rows: Vec<Json> = rows.iter().map(row).collect();
        out.document(json!({ "threads": threads, "unit": "bytes per second", "sizes": rows }))?;
        return Ok(Exit::Fine);
    }
    let mut table = Table::new(&[("ARRAY", Right), ("1 THREAD", Right), ("ALL THREADS", Right), ("READING", Right)], 0);
    let shown = |speed: f64| format!("{}/s", size(speed as u64));
    for row in rows {
        table.row([size(row.bytes as u64), shown(row.one), shown(row.all), shown(row.read)]);
    }
    table.print(out)?;
    out.note(format!(
        "{}; the best of {ROUNDS} rounds; reading is an XOR on one thread",
        several(threads as u64, "thread")
    ));
    Ok(Exit::Fine)
}

/// How many bytes a second go through `work`, which reads `bytes` of them each time.
fn speed<T>(bytes: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (begin, mut runs) = (Instant::now(), 0_u32);
        while begin.elapsed() < ROUND || runs == 0 {
            black_box(work());
            runs += 1;
        }
        best = best.min(begin.elapsed().as_secs_f64() / f64::from(runs));
    }
    bytes as f64 / best
}
