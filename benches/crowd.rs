//! Many processes that hit one folder at once, against one process and the number of cores.
//!
//! `cargo bench --bench crowd`

mod ratio;

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ndcache::{Memory, cache};
use ratio::Goal;

const PROCESSES: usize = 16;

/// Of a round. Long enough that the scheduler has given each process its share.
const SECONDS: f64 = 1.5;

#[cache]
fn polynomial(x: f64) -> f64 {
    (x * 2.5 + 1.0) * x - 3.0
}

/// Hits for so many seconds from the word of the parent on, and prints how often, and how long that took.
fn hit(kind: &str, folder: &Path, seconds: f64) {
    let memory = Memory::open(folder).expect("a memory");
    memory.eval(polynomial::call(1.5));
    let again = || {
        black_box(memory.eval(polynomial::call(black_box(1.5))));
    };
    let first = || {
        let fresh = Memory::open(folder).expect("a memory");
        black_box(fresh.eval(polynomial::call(black_box(1.5))));
    };
    let (body, batch): (&dyn Fn(), u64) = match kind {
        "first" => (&first, 16),
        _ => (&again, 4096),
    };
    println!("ready");
    stdin().read_line(&mut String::new()).expect("the word of the parent");
    let (start, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut hits = 0;
    while start.elapsed() < limit {
        (0..batch).for_each(|_| body());
        hits += batch;
    }
    assert_eq!(memory.stats().misses(), 0);
    println!("{hits} {}", start.elapsed().as_secs_f64());
}

/// Hits a second of so many processes together.
fn rate(kind: &str, folder: &Path, processes: usize) -> f64 {
    let seconds = if ratio::is_test() { 0.02 } else { SECONDS };
    let start = || {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["hit", kind, folder.to_str().expect("a path in UTF-8"), &seconds.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child")
    };
    let mut children: Vec<Child> = (0..processes).map(|_| start()).collect();
    let mut outputs: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().expect("a pipe"))).collect();
    let line = |output: &mut BufReader<_>| {
        let mut line = String::new();
        output.read_line(&mut line).expect("a child's word");
        line
    };
    assert!(outputs.iter_mut().all(|output| line(output) == "ready\n"));
    for child in &mut children {
        child.stdin.as_mut().expect("a pipe").write_all(b"go\n").expect("told");
    }
    let rate = outputs.iter_mut().map(|output| {
        let said = line(output);
        let (hits, seconds) = said.trim().split_once(' ').expect("two numbers");
        hits.parse::<f64>().expect("a number") / seconds.parse::<f64>().expect("a number")
    });
    let rate = rate.sum();
    assert!(children.into_iter().all(|mut child| child.wait().expect("ended").success()));
    rate
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, kind, folder, seconds] = &arguments[..]
        && command == "hit"
    {
        return hit(kind, Path::new(folder), seconds.parse().expect("a number"));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    Memory::open(folder.path()).and_then(|memory| memory.try_eval(polynomial::call(1.5))).expect("stored");
    let cores = thread::available_parallelism().map_or(1, usize::from).min(PROCESSES);
    for (kind, name) in [("first", "memories opened, and a first hit,"), ("again", "repeated hits")] {
        ratio::hold(
            &format!("{name} in {PROCESSES} processes / {cores} times the rate of one process"),
            if ratio::is_test() { Goal::Open } else { Goal::Times(1.0 / 0.95) },
            3,
            || 1.0 / rate(kind, folder.path(), PROCESSES),
            || 1.0 / (cores as f64 * rate(kind, folder.path(), 1)),
        );
    }
}
