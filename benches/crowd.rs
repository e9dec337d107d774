//! Many processes that hit one folder at once, against one process and the number of cores; and misses while many
//! threads wait for a key that has nothing to do with them.
//!
//! `cargo bench --bench crowd`

mod ratio;

use std::cell::RefCell;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ndcache::{Memory, cache};
use ratio::Goal;

const PROCESSES: usize = 16;

/// How long a round takes: long enough that the scheduler has given each process its share.
const SECONDS: f64 = 1.5;

#[cache]
fn polynomial(x: f64) -> f64 {
    (x * 2.5 + 1.0) * x - 3.0
}

/// Hits for `seconds`, as soon as the parent says so, and prints how often, and how long that took.
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

/// Hits a second of `processes` processes together.
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

/// Whether the slow call may end.
static ENDED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

fn set_ended(ended: bool) {
    *ENDED.0.lock().expect("nobody panics with it") = ended;
    ENDED.1.notify_all();
}

#[cache]
fn slow(round: usize) -> usize {
    let ended = ENDED.0.lock().expect("nobody panics with it");
    drop(ENDED.1.wait_while(ended, |ended| !*ended));
    round
}

#[cache]
fn other(n: usize) -> usize {
    n + 1
}

/// Seconds that each miss takes while `threads` threads want one slow key.
fn miss_beside(memory: &Memory, threads: usize, numbers: &mut impl Iterator<Item = usize>) -> f64 {
    let round = numbers.next().expect("as many as are wanted");
    set_ended(false);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| assert_eq!(memory.eval(slow::call(round)), round));
        }
        // Until all of them wait.
        thread::sleep(Duration::from_millis(if threads == 0 || ratio::is_test() { 1 } else { 300 }));
        let times = if ratio::is_test() { 5 } else { 1000 };
        let start = Instant::now();
        for n in numbers.take(times) {
            assert_eq!(memory.eval(other::call(n)), n + 1);
        }
        let seconds = start.elapsed().as_secs_f64() / times as f64;
        set_ended(true);
        seconds
    })
}

/// What threads that wait cost those that don't.
fn waiting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = Memory::open(folder.path()).expect("a memory");
    let (threads, numbers) = (if ratio::is_test() { 4 } else { 400 }, RefCell::new(0..));
    ratio::hold_median(
        &format!("misses beside {threads} threads that wait for another key / without them"),
        Goal::Times(1.1),
        9,
        || miss_beside(&memory, threads, &mut *numbers.borrow_mut()),
        || miss_beside(&memory, 0, &mut *numbers.borrow_mut()),
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, kind, folder, seconds] = &arguments[..]
        && command == "hit"
    {
        return hit(kind, Path::new(folder), seconds.parse().expect("a number"));
    }
    waiting();
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
