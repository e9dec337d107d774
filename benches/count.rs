//! What a call costs, counted and not timed: instructions (by callgrind) and system calls (by strace), held against
//! `data/counts.json`, and against `data/counts-base.json`, which is never raised: a hit may take 1.03 times as much as
//! there, a first hit and a miss 1.10 times, and each `TOOLCHAINS` times that.
//!
//! `cargo bench --bench count` prints the counts, `cargo bench --bench count -- --bless` writes them down.
//! `cargo bench --bench count -- --against REV` holds them against those of another commit, which it builds with the
//! same toolchain: a hit may take 1.03 times as many instructions, a first hit and a miss 1.10 times.
//! `cargo bench --bench count -- run hit 1000` runs a thousand hits, to be looked at with a profiler.

mod against;
mod ratio;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use ndarray::prelude::*;
use ndcache::{Mapped1, Memory, cache};

/// By how much a count may exceed what is written down: compilers and libraries differ, and hash tables grow.
const TOLERANCE: f64 = 1.25;

/// By how much more a count may exceed the base beside the limit of its kind: the base was counted with other compilers,
/// and other C libraries, than those of later days (docs/design.md, "Why do counts have room above their base?").
const TOOLCHAINS: f64 = 1.10;

/// Elements of a mapped array: 1 MiB.
const LENGTH: usize = 1 << 17;

#[cache]
fn polynomial(x: f64, n: u64) -> f64 {
    (x * 2.5 + 1.0) * x - n as f64
}

#[cache]
fn ramp(length: usize) -> Mapped1<f64> {
    Array1::from_shape_fn(length, |i| i as f64).into()
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

/// Runs the calls of one kind; all but `times` of what it costs is the same however many they are.
fn run(kind: &str, times: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path()).expect("a memory");
    let x = memory.eval(ramp::call(LENGTH));
    for _ in 0..3 {
        memory.eval(polynomial::call(1.5, 0));
        memory.eval(total::call(&x));
        memory.mmap(ramp::call(LENGTH));
    }
    if kind == FLUSH {
        return flush(memory, folder.path(), times);
    }
    let opened = (kind == "first hit in an open memory").then(|| with_entries(folder.path(), times));
    for n in 0..times {
        match kind {
            // The same again and again.
            "hit" => drop(black_box(memory.eval(polynomial::call(black_box(1.5), 0)))),
            "mapped hit" => drop(black_box(memory.eval(ramp::call(LENGTH)))),
            // Of an argument that is mapped.
            "chain hit" => drop(black_box(memory.eval(total::call(&x)))),
            // A function that is new to the memory's table, in a memory that is new.
            "first hit" => drop(black_box(memory_again(folder.path()).eval(polynomial::call(black_box(1.5), 0)))),
            // In a memory that has hit other entries before.
            "first hit in an open memory" => {
                let opened = opened.as_ref().expect("a memory");
                black_box(opened.eval(polynomial::call(black_box(3.5), n)));
            }
            "miss" => drop(black_box(memory.eval(polynomial::call(black_box(2.5), n)))),
            other => panic!("no calls are called `{other}`"),
        }
    }
    // What a memory remembers is given back by no call.
    std::mem::forget(opened);
}

/// First hits in memories of which each is the folder's last one, so that it writes down what was counted.
fn flush(memory: Memory, folder: &Path, times: u64) {
    drop(memory);
    for _ in 0..times {
        black_box(memory_again(folder).eval(polynomial::call(black_box(1.5), 0)));
    }
}

/// Stores at least as many entries as any run looks up, and opens their folder a second time.
///
/// No statistics of the first are kept: they are written once a second, and so more often on a machine that is busy.
fn with_entries(folder: &Path, times: u64) -> Memory {
    let memory = Memory::builder(folder).statistics(false).open().expect("a memory");
    for n in 0..times.max(2 * FEW) {
        memory.eval(polynomial::call(3.5, n));
    }
    let opened = memory_again(folder);
    opened.eval(polynomial::call(1.5, 0));
    opened
}

fn memory_again(folder: &Path) -> Memory {
    Memory::open(folder).expect("a memory")
}

/// To write down what was counted: what a first hit takes that does, beside one that doesn't.
const FLUSH: &str = "flush";

/// The most system calls of that: to ask how long a file may be, and to open, look at, write and close the log.
const FLUSH_CALLS: f64 = 5.0;

/// How often a call is run that takes long.
const FEW: u64 = 200;

/// Each kind, and how often it is run.
const KINDS: [(&str, u64); 7] = [
    ("hit", 10_000),
    ("mapped hit", 10_000),
    ("chain hit", 10_000),
    ("first hit", FEW),
    ("first hit in an open memory", FEW),
    ("miss", FEW),
    (FLUSH, FEW),
];

/// Instructions and system calls of one call, by the kind of call.
type Counts = BTreeMap<String, BTreeMap<String, f64>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "run") {
        return run(&arguments[at + 1], arguments[at + 2].parse().expect("a number"));
    }
    if cfg!(debug_assertions) {
        return println!("skipped: what a debug build takes says nothing");
    }
    let this = std::env::current_exe().expect("this program");
    if let Some(at) = arguments.iter().position(|argument| argument == "--against") {
        return hold_against(&this, arguments.get(at + 1).expect("a commit after `--against`"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/counts.json");
    let counts = count(&this, |_| true);
    let above = hold_against_base(&counts);
    assert!(above.is_empty(), "{}", above.join("\n"));
    if arguments.iter().any(|argument| argument == "--bless") {
        let text = serde_json::to_string_pretty(&counts).expect("numbers");
        std::fs::write(path, text + "\n").expect("`data` can be written to");
        return print(&counts, &counts);
    }
    let text = std::fs::read_to_string(path).expect("data/counts.json");
    let expected: Counts = serde_json::from_str(&text).expect("counts");
    print(&counts, &expected);
    let exceeded = exceeded(&counts, &expected);
    assert!(exceeded.is_empty(), "{}", exceeded.join("\n"));
}

/// Holds the kinds that the base has against it, prints each, and returns what is above, in words.
fn hold_against_base(counts: &Counts) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/counts-base.json");
    let text = std::fs::read_to_string(path).expect("data/counts-base.json");
    let base: Counts = serde_json::from_str(&text).expect("counts");
    let mut above = Vec::new();
    for (kind, what, was) in base.iter().flat_map(|(kind, of)| of.iter().map(move |(what, was)| (kind, what, *was))) {
        let factor = against::limit(kind).unwrap_or_else(|| panic!("a {kind} has a limit"));
        // Without valgrind or strace there is no count, which was said.
        let Some(&now) = counts.get(kind).and_then(|counts| counts.get(what)) else { continue };
        // Another toolchain makes no other system calls.
        let room = if what == "instructions" { TOOLCHAINS } else { 1.0 };
        let (most, found) = (was * factor * room, format!("{now}, the base {was}"));
        let is_met = now <= most + 0.1;
        ratio::state(&format!("{what} of a {kind}, against the base"), &found, &format!("at most {most:.1}"), is_met);
        if !is_met {
            above.push(format!("{what} of a {kind}: {found}, expected at most {most:.1}"));
        }
    }
    above
}

/// Counts this program and that of another commit, and fails where this one takes too much.
fn hold_against(this: &Path, revision: &str) {
    // What has no limit may be unknown to the other one.
    let has_limit = |kind: &str| against::limit(kind).is_some();
    let (counts, before) = (count(this, has_limit), count(&against::build(revision), has_limit));
    let mut exceeded = Vec::new();
    for (kind, counts) in &counts {
        let (Some(&now), Some(factor)) = (counts.get("instructions"), against::limit(kind)) else { continue };
        let was = limit(&before, kind, "instructions");
        let (what, is_met) = (format!("a {kind} against `{revision}`"), now <= was * factor);
        let found = format!("{now} instructions, {:.3} of {was}", now / was);
        ratio::state(&what, &found, &format!("at most {factor}"), is_met);
        if !is_met {
            exceeded.push(format!("a {kind} takes {found}, expected at most {factor}"));
        }
    }
    assert!(exceeded.is_empty(), "{}", exceeded.join("\n"));
}

/// Counts something of a number of calls of one kind, by the program at a path, which is this bench.
type Tool = fn(&Path, &str, u64) -> Option<f64>;

/// What the calls of each kind take that is wanted.
fn count(program: &Path, is_wanted: impl Fn(&str) -> bool) -> Counts {
    let mut counts = Counts::new();
    for (what, tool) in [("instructions", instructions as Tool), ("system calls", system_calls)] {
        for (kind, times) in KINDS.into_iter().filter(|(kind, _)| is_wanted(kind)) {
            // The difference of two runs leaves out what happens once.
            let (Some(once), Some(twice)) = (tool(program, kind, times), tool(program, kind, 2 * times)) else { break };
            let each = (twice - once) / times as f64;
            counts.entry(kind.to_owned()).or_default().insert(what.to_owned(), (each * 100.0).round() / 100.0);
        }
    }
    without_the_hit(&mut counts);
    counts
}

/// Leaves of what a flush was counted with the flush alone.
fn without_the_hit(counts: &mut Counts) {
    let hit = counts.get("first hit").cloned().unwrap_or_default();
    for (what, count) in counts.get_mut(FLUSH).into_iter().flatten() {
        *count = ((*count - hit.get(what).copied().unwrap_or(0.0)) * 100.0).round() / 100.0;
    }
}

/// `None` where there is no valgrind, which in CI there has to be.
fn instructions(program: &Path, kind: &str, times: u64) -> Option<f64> {
    let options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let output = watch(program, "valgrind", &options, kind, times)?;
    let collected = output.lines().find_map(|line| line.split("Collected : ").nth(1)).expect("a count");
    Some(collected.trim().parse().expect("a number"))
}

/// `None` where there is no strace, which in CI there has to be.
fn system_calls(program: &Path, kind: &str, times: u64) -> Option<f64> {
    let log = tempfile::NamedTempFile::new().expect("a file");
    watch(program, "strace", &["-f", "-o", log.path().to_str().expect("a name")], kind, times)?;
    let log = std::fs::read_to_string(log.path()).expect("what strace wrote");
    Some(log.lines().filter(|line| line.contains('(')).count() as f64)
}

/// Runs `program` by a tool that watches it, and returns what that says.
fn watch(program: &Path, tool: &str, options: &[&str], kind: &str, times: u64) -> Option<String> {
    let mut command = Command::new(tool);
    command.args(options).arg(program);
    // One thread, for numbers that don't vary.
    command.args(["run", kind, &times.to_string()]).env("RAYON_NUM_THREADS", "1");
    let Ok(output) = command.output() else {
        assert!(std::env::var_os("CI").is_none(), "`{tool}` is needed and missing");
        println!("skipped: {tool} is missing");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "`{tool}` failed: {text}");
    Some(text)
}

fn print(counts: &Counts, expected: &Counts) {
    for (kind, counts) in counts {
        for (what, &count) in counts {
            let limit = limit(expected, kind, what);
            ratio::state(&format!("{what} of a {kind}"), &count.to_string(), &in_words(limit), !is_more(count, limit));
        }
    }
}

/// What is written down; a flush has a limit of its own, and its instructions have none.
fn limit(expected: &Counts, kind: &str, what: &str) -> f64 {
    match (kind, what) {
        (FLUSH, "system calls") => FLUSH_CALLS / TOLERANCE,
        (FLUSH, _) => f64::INFINITY,
        _ => expected.get(kind).and_then(|counts| counts.get(what)).copied().unwrap_or(0.0),
    }
}

fn in_words(limit: f64) -> String {
    if limit.is_finite() { format!("at most {limit} and a quarter") } else { "no limit".into() }
}

fn is_more(count: f64, limit: f64) -> bool {
    count > limit * TOLERANCE + 0.1
}

/// What is more than was written down, in words.
fn exceeded(counts: &Counts, expected: &Counts) -> Vec<String> {
    let mut exceeded = Vec::new();
    for (kind, counts) in counts {
        for (what, &count) in counts {
            let limit = limit(expected, kind, what);
            if is_more(count, limit) {
                exceeded.push(format!("a {kind} takes {count} {what}, expected {}", in_words(limit)));
            }
        }
    }
    exceeded
}
