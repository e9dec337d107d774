//! One key that is computed and not stored: whoever waited for it computes at once with all others that did.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndcache::{Memory, cache};

use crate::support::{child, children, fresh, in_child};

/// How many threads call at once.
const THREADS: usize = 8;

/// How long a run waits for another one beside it; none comes if each call waits for the one before.
const PATIENCE: Duration = Duration::from_secs(10);

struct Runs {
    begun: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Runs {
    const fn new() -> Self {
        Self { begun: AtomicUsize::new(0), now: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// A run of the function: the first one lasts until the others wait for it, a later one until another runs beside
    /// it.
    fn run(&self) {
        let is_first = self.begun.fetch_add(1, Ordering::SeqCst) == 0;
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let begin = Instant::now();
        if is_first {
            thread::sleep(Duration::from_millis(300));
        }
        while !is_first && self.most.load(Ordering::SeqCst) < 2 && begin.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    /// Runs `ask` on eight threads at once; how many runs there were, and the most at one time.
    fn of(&self, ask: impl Fn() + Sync) -> (usize, usize) {
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    ask();
                });
            }
        });
        (self.begun.load(Ordering::SeqCst), self.most.load(Ordering::SeqCst))
    }
}

fn assert_at_once(what: &str, (runs, most): (usize, usize)) {
    assert_eq!(runs, THREADS, "{what}: none is stored");
    assert!(most > 1, "{what}: one after the other");
}

#[test]
fn threads_that_wait_for_what_is_not_stored_compute_at_once() {
    static ERRORS: Runs = Runs::new();
    #[cache]
    fn fails() -> Result<u8, String> {
        ERRORS.run();
        Err("on purpose".to_owned())
    }
    static PANICS: Runs = Runs::new();
    #[cache]
    fn panics() -> u8 {
        PANICS.run();
        panic!("on purpose")
    }
    static NOTHINGS: Runs = Runs::new();
    #[cache(skip_none)]
    fn finds_nothing() -> Option<u8> {
        NOTHINGS.run();
        None
    }
    static CHEAP: Runs = Runs::new();
    #[cache(min_duration = Duration::from_secs(3600))]
    fn cheap() -> u8 {
        CHEAP.run();
        1
    }
    let (_folder, memory) = fresh();
    assert_at_once("an `Err`", ERRORS.of(|| assert!(memory.eval(fails::call()).is_err())));
    let panics = || assert!(catch_unwind(AssertUnwindSafe(|| memory.eval(panics::call()))).is_err());
    assert_at_once("a panic", PANICS.of(panics));
    assert_at_once("a `None`", NOTHINGS.of(|| assert_eq!(memory.eval(finds_nothing::call()), None)));
    assert_at_once("what is cheap", CHEAP.of(|| assert_eq!(memory.eval(cheap::call()), 1)));
}

/// The first run fails; a later one stores its result, which calls after it find.
#[test]
fn a_result_that_comes_at_the_second_time_is_stored() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache]
    fn second_time() -> Result<u8, String> {
        let run = RUNS.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(200));
        if run == 0 { Err("not yet".to_owned()) } else { Ok(5) }
    }
    let (_folder, memory) = fresh();
    let (start, errors) = (Barrier::new(4), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                errors.fetch_add(usize::from(memory.eval(second_time::call()).is_err()), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(errors.into_inner(), 1);
    let runs = RUNS.load(Ordering::SeqCst);
    assert!(runs <= 4);
    assert_eq!(memory.eval(second_time::call()), Ok(5));
    assert_eq!(RUNS.load(Ordering::SeqCst), runs);
}

/// The processes, by their numbers, that have left such a file in the folder.
fn noted(folder: &Path, what: &str) -> HashSet<String> {
    let items = std::fs::read_dir(folder).unwrap();
    let names = items.map(|item| item.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(what).map(str::to_owned)).collect()
}

fn note(folder: &Path, what: &str) {
    std::fs::write(folder.join(format!("{}{what}", std::process::id())), b"").unwrap();
}

#[cache]
fn fails_in_each(folder: &Path) -> Result<u8, String> {
    let is_first = noted(folder, ".begun").is_empty();
    note(folder, ".begun");
    let begin = Instant::now();
    if is_first {
        while noted(folder, ".asks").len() < 4 {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_secs(1));
    }
    let at_once = || noted(folder, ".begun").len() - noted(folder, ".ended").len();
    while !is_first && begin.elapsed() < PATIENCE && noted(folder, ".together").is_empty() {
        if at_once() > 1 {
            note(folder, ".together");
        }
        thread::sleep(Duration::from_millis(5));
    }
    note(folder, ".ended");
    Err("on purpose".to_owned())
}

#[test]
fn processes_that_wait_for_what_is_not_stored_compute_at_once() {
    const NAME: &str = "flights::unstored::processes_that_wait_for_what_is_not_stored_compute_at_once";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let folder = Path::new(&folder);
        let memory = Memory::open(folder.join("cache")).unwrap();
        note(folder, ".asks");
        assert!(memory.eval(fails_in_each::call(folder)).is_err());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    children(4, NAME, &[("FOLDER", path)]);
    assert_eq!(noted(folder.path(), ".begun").len(), 4, "none is stored");
    assert!(!noted(folder.path(), ".together").is_empty(), "one after the other");
}

#[test]
fn of_those_that_wait_for_a_process_that_is_killed_one_computes() {
    const NAME: &str = "flights::unstored::of_those_that_wait_for_a_process_that_is_killed_one_computes";
    #[cache(ignore(seconds))]
    fn sleeps(folder: &Path, seconds: u64) -> u8 {
        note(folder, ".begun");
        thread::sleep(Duration::from_secs(seconds));
        6
    }
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let folder = Path::new(&folder);
        let memory = Memory::open(folder.join("cache")).unwrap();
        let seconds = std::env::var("SECONDS").unwrap().parse().unwrap();
        note(folder, ".asks");
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(memory.eval(sleeps::call(folder, seconds)), 6));
            }
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let waits_for = |what: &str, number| {
        while noted(folder.path(), what).len() < number {
            thread::sleep(Duration::from_millis(5));
        }
    };
    let mut holder = child(NAME, &[("FOLDER", path), ("SECONDS", "600")]).spawn().unwrap();
    waits_for(".begun", 1);
    let others: Vec<_> = (0..3).map(|_| child(NAME, &[("FOLDER", path), ("SECONDS", "1")]).spawn().unwrap()).collect();
    waits_for(".asks", 4);
    thread::sleep(Duration::from_millis(500));
    holder.kill().unwrap();
    holder.wait().unwrap();
    for mut child in others {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(noted(folder.path(), ".begun").len(), 2, "the one that was killed, and another one");
}
