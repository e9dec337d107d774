//! Compares two ways to do the same by rounds that take turns, so that both find the machine in the same state.
//!
//! Each comparison is a line for people and, where `NDCACHE_BENCH_ROWS` names a file, a line of JSON at its end:
//! `benches/run` makes the tables of `docs/benchmarks.md` of these.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

/// Whether each bench has only to show that it runs: `cargo bench -- --test`, or `cargo test --benches`.
#[allow(dead_code)]
pub(crate) fn is_test() -> bool {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    has("--test") || !has("--bench")
}

/// The bytes of a large array: `NDCACHE_BENCH_MIB` (1024 unless said), or `test_mib` when benches run as tests.
#[allow(dead_code)] // Not every bench has one.
pub(crate) fn large(test_mib: usize) -> usize {
    number("NDCACHE_BENCH_MIB", 1024, test_mib) << 20
}

/// A size that a variable sets, `usual` unless it does, or `test` when benches run as tests.
#[allow(dead_code)]
pub(crate) fn number(variable: &str, usual: usize, test: usize) -> usize {
    if is_test() {
        return test;
    }
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// What a comparison is to show at most.
#[allow(dead_code)] // Not every bench has each.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Nothing is said.
    Open,
    /// How many times the seconds of the bare machine it may take.
    Times(f64),
    /// How many seconds more than the bare machine it may take.
    More(f64),
    /// How many seconds it may take.
    Seconds(f64),
}

/// Prints one line: what we take, what the bare machine takes, and their ratio, by the best and by the median round.
///
/// `name` is `what / against what`. Each closure runs one round and gives its seconds. Who is first changes from round
/// to round.
#[allow(dead_code)]
pub(crate) fn compare(name: &str, rounds: usize, ours: impl FnMut() -> f64, bare: impl FnMut() -> f64) {
    hold(name, Goal::Open, rounds, ours, bare);
}

/// The same, of something that has a goal, which the best round has to meet.
#[allow(dead_code)]
pub(crate) fn hold(name: &str, goal: Goal, rounds: usize, ours: impl FnMut() -> f64, bare: impl FnMut() -> f64) {
    let [best, median, _] = measured(rounds, ours, bare);
    report(name, goal, rounds, best, median);
}

/// The same, but the median of the rounds has to meet the goal: that of the rounds' ratios, of which each is of one
/// moment.
#[allow(dead_code)]
pub(crate) fn hold_median(name: &str, goal: Goal, rounds: usize, ours: impl FnMut() -> f64, bare: impl FnMut() -> f64) {
    let [best, median, met] = measured(rounds, ours, bare);
    print(name, goal, rounds, [best, median], met);
}

/// Seconds of ours and of the bare machine: in the best rounds, in the median rounds, and in the round of the median
/// ratio.
fn measured(rounds: usize, mut ours: impl FnMut() -> f64, mut bare: impl FnMut() -> f64) -> [(f64, f64); 3] {
    let rounds = if is_test() { 1 } else { rounds };
    let mut pairs = Vec::new();
    for round in 0..rounds {
        pairs.push(match round % 2 {
            0 => {
                let ours = ours();
                (ours, bare())
            }
            _ => {
                let bare = bare();
                (ours(), bare)
            }
        });
    }
    let sorted = |seconds: fn(&(f64, f64)) -> f64| {
        let mut seconds: Vec<f64> = pairs.iter().map(seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    };
    let (our_seconds, bare_seconds) = (sorted(|pair| pair.0), sorted(|pair| pair.1));
    let at = |index: usize| (our_seconds[index], bare_seconds[index]);
    let (best, median) = (at(0), at(rounds / 2));
    pairs.sort_by(|a, b| f64::total_cmp(&(a.0 / a.1), &(b.0 / b.1)));
    [best, median, pairs[rounds / 2]]
}

/// A comparison whose rounds were made elsewhere: seconds of ours and of the bare machine, in the best and in the
/// median round.
#[allow(dead_code)]
pub(crate) fn report(name: &str, goal: Goal, rounds: usize, best: (f64, f64), median: (f64, f64)) {
    print(name, goal, rounds, [best, median], best);
}

/// What was missed so far, as it was printed.
static MISSED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Prints once more what was missed.
#[allow(dead_code)]
pub(crate) fn print_missed() {
    let missed = MISSED.lock().expect("nobody panics with it");
    match &missed[..] {
        [] => println!("every goal is met"),
        missed => println!("missed:\n  {}", missed.join("\n  ")),
    }
}

/// Prints a comparison, whose goal is met if `held` meets it.
fn print(name: &str, goal: Goal, rounds: usize, [best, median]: [(f64, f64); 2], held: (f64, f64)) {
    let words = |(ours, bare): (f64, f64)| format!("{} / {} = {:.3}", time(ours), time(bare), ours / bare);
    let (limit, most) = match goal {
        Goal::Open => (String::new(), f64::INFINITY),
        Goal::Times(times) => (format!("{times:.3}"), times * held.1),
        Goal::More(seconds) => (format!("{} more", time(seconds)), held.1 + seconds),
        Goal::Seconds(seconds) => (time(seconds), seconds),
    };
    let is_met = held.0 <= most;
    let reached = if limit.is_empty() { limit } else { format!(", at most {limit}: {}", met(is_met)) };
    // What takes no time worth telling is run for its own sake.
    let reached = if is_test() { String::new() } else { reached };
    let line = format!("{name}: best {}, median {} ({rounds} rounds){reached}", words(best), words(median));
    println!("{line}");
    if reached.ends_with("missed") {
        MISSED.lock().expect("nobody panics with it").push(line);
    }

    let (kind, limit) = match goal {
        Goal::Open => ("open", Value::Null),
        Goal::Times(times) => ("times", json!(times)),
        Goal::More(seconds) => ("more", json!(seconds)),
        Goal::Seconds(seconds) => ("seconds", json!(seconds)),
    };
    let (what, against) = name.rsplit_once(" / ").unwrap_or((name, ""));
    row(&json!({
        "bench": env!("CARGO_CRATE_NAME"),
        "what": what,
        "against": against,
        "goal": {"kind": kind, "limit": limit},
        "rounds": rounds,
        "best": [best.0, best.1],
        "median": [median.0, median.1],
        "met": is_met,
    }));
}

/// Prints something that isn't a time, and whether it is as it should be.
#[allow(dead_code)]
pub(crate) fn state(what: &str, found: &str, wanted: &str, is_met: bool) {
    println!("{what}: {found}, {wanted}: {}", met(is_met));
    row(&json!({
        "bench": env!("CARGO_CRATE_NAME"), "what": what, "found": found, "wanted": wanted, "met": is_met,
    }));
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// Puts a line at the end of the file for machines, if one is wanted.
fn row(row: &Value) {
    let Some(path) = std::env::var_os("NDCACHE_BENCH_ROWS") else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{row}")).expect("`NDCACHE_BENCH_ROWS` can be written to");
}

/// What a round gives that is run twice, and after which the disk is left in peace.
///
/// The first run pays for memory that a machine inside another has taken back, at seconds a gibibyte, whoever touches it
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
#[allow(dead_code)]
pub(crate) fn seconds<T>(times: usize, mut body: impl FnMut() -> T) -> f64 {
    let times = if is_test() { 1 } else { times };
    let start = Instant::now();
    for _ in 0..times {
        black_box(body());
    }
    start.elapsed().as_secs_f64() / times as f64
}

#[allow(dead_code)]
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.2} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}
