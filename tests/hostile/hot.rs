//! Hot entries: wrong hits, stale hits, bounds, forks.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::hash::ContentHasher;
use ndcache::{ContentHash, Mapped1, Memory, cache};
use serde::Serialize;

use crate::support::{child, fresh, in_child};

/// Counts by one digest of its own, whatever was fed before.
struct Own(u8);

impl ContentHash for Own {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        *hasher = ContentHasher::new();
        hasher.u8(self.0);
    }
}

#[cache]
fn first_of_two(a: u64, own: Own) -> u64 {
    a + u64::from(own.0)
}

#[cache]
fn negated(a: i64, own: Own) -> i64 {
    -a - i64::from(own.0)
}

// A hasher that an argument replaces loses the arguments before it, in the quick digest alone.
#[test]
fn an_argument_that_begins_its_hasher_anew_hides_none_before_it() {
    let (_folder, memory) = fresh();
    for a in [1, 2] {
        for _ in 0..3 {
            assert_eq!(memory.eval(first_of_two::call(a, Own(0))), a);
        }
    }
}

// The hasher lost the function, too: the hit of one function was the entry of another.
#[test]
fn an_argument_that_begins_its_hasher_anew_does_not_hide_the_function() {
    let (_folder, memory) = fresh();
    for _ in 0..3 {
        assert_eq!(memory.eval(first_of_two::call(1, Own(0))), 1);
    }
    for _ in 0..3 {
        assert_eq!(memory.eval(negated::call(1, Own(0))), -1);
    }
}

/// Counts by the digest of all that was fed so far.
struct Sealed(String);

impl ContentHash for Sealed {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.str(&self.0);
        let digest = std::mem::take(hasher).finish();
        hasher.leaf(digest);
    }
}

struct Bag(Vec<Sealed>);

impl ContentHash for Bag {
    fn content_hash(&self, hasher: &mut ContentHasher) {
        hasher.set(&self.0);
    }
}

#[cache]
fn last_letters(bag: Bag) -> String {
    bag.0.iter().filter_map(|sealed| sealed.0.chars().last()).collect()
}

// What an element leaves out of the quick digest because it is long is forgotten with the hasher that it gives away.
#[test]
fn an_element_that_takes_the_digest_of_what_it_fed_is_told_from_others() {
    let (_folder, memory) = fresh();
    for last in ["a", "b"] {
        for _ in 0..3 {
            let bag = Bag(vec![Sealed("x".repeat(200) + last)]);
            assert_eq!(memory.eval(last_letters::call(bag)), last);
        }
    }
}

#[derive(Serialize)]
struct Dial(Cell<u64>);

#[cache]
fn doubled(dial: &Dial) -> u64 {
    2 * dial.0.get()
}

// A call that was asked about and then changed teaches the table a wrong name for its entry, for other calls to come.
#[test]
fn a_call_that_changed_after_a_question_spoils_no_later_call() {
    let (_folder, memory) = fresh();
    for _ in 0..2 {
        assert_eq!(memory.eval(doubled::call(&Dial(Cell::new(1)))), 2);
    }
    let dial = Dial(Cell::new(1));
    let call = doubled::call(&dial);
    assert!(memory.contains(&call));
    dial.0.set(50);
    // What this call returns isn't promised: see "What it doesn't see" in `docs/guarantees.md`.
    let _ = memory.eval(call);
    assert_eq!(memory.eval(doubled::call(&Dial(Cell::new(50)))), 100);
}

/// Returns another value at each computation, in any process.
#[cache]
fn unique(n: u64) -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) + RUNS.fetch_add(1, Ordering::SeqCst) + n
}

/// An ext4 whose inodes have times of whole seconds, as those of ext3 and of small ext4 have.
struct Loop(tempfile::TempDir);

impl Loop {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let at = folder.path().join("at");
        fs::create_dir(&at).unwrap();
        let runs = |program: &str, args: &[&str], paths: &[&Path]| {
            let output = Command::new(program).args(args).args(paths).output();
            output.is_ok_and(|output| output.status.success())
        };
        let made = runs("mkfs.ext4", &["-q", "-I", "128"], &[&image]) && runs("mount", &["-o", "loop"], &[&image, &at]);
        made.then_some(Self(folder))
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("at")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn wait_for_the_next_second() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let wait = Duration::from_secs(1) - Duration::from_nanos(u64::from(now.subsec_nanos()));
    thread::sleep(wait + Duration::from_millis(20));
    wait
}

// Where files have times of whole seconds, and inodes are used again, what another process replaced is never seen.
#[test]
fn a_replaced_entry_is_seen_within_a_second_whatever_the_file_systems_clock() {
    let Some(disk) = Loop::new() else { return };
    let folder = disk.path().join("cache");
    let (memory, other) = (Memory::open(&folder).unwrap(), Memory::open(&folder).unwrap());
    wait_for_the_next_second();
    let old = memory.eval(unique::call(7));
    thread::sleep(Duration::from_millis(200));
    for _ in 0..3 {
        assert_eq!(memory.eval(unique::call(7)), old);
    }
    // Another memory of the folder shares no table with the first, as if it were in another process.
    assert!(other.remove(&unique::call(7)).unwrap());
    let new = other.eval(unique::call(7));
    assert_ne!(new, old);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(memory.eval(unique::call(7)), new, "after 3 s");
}

// A damaged entry that this memory removes by its shelved reference is still hit from memory.
#[test]
fn a_damaged_entry_that_was_removed_by_its_reference_is_gone_at_once() {
    let (_folder, memory) = fresh();
    let shelved = memory.shelve(unique::call(1)).unwrap();
    let old = memory.eval(unique::call(1));
    for _ in 0..3 {
        assert_eq!(memory.eval(unique::call(1)), old);
    }
    let path = memory.entry(&unique::call(1)).unwrap().unwrap().path().to_owned();
    fs::write(path, b"damaged").unwrap();
    assert!(shelved.remove(&memory).unwrap());
    assert_ne!(memory.eval(unique::call(1)), old);
}

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[cache]
#[allow(clippy::too_many_arguments)]
fn of_many(n: u64, a: &str, b: &str, c: &str, d: &str, e: &str, f: &str, g: &str, h: &str, i: &str, j: &str) -> u64 {
    n + (a.len() + b.len() + c.len() + d.len() + e.len() + f.len() + g.len() + h.len() + i.len() + j.len()) as u64
}

// What a record says of its arguments is kept, and isn't weighed.
#[test]
fn a_table_of_records_with_many_arguments_stays_within_its_bound() {
    const NAME: &str = "hostile::hot::a_table_of_records_with_many_arguments_stays_within_its_bound";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_folder, memory) = fresh();
    let text = "x".repeat(200);
    let t = text.as_str();
    let call = |n| of_many::call(n, t, t, t, t, t, t, t, t, t, t);
    let all = || {
        (0..9000).for_each(|n| {
            memory.eval(call(n));
        })
    };
    all();
    let before = resident();
    all();
    let grown = resident().saturating_sub(before);
    // Room for the table itself, and for what allocators do.
    assert!(grown < 2 * (8 << 20), "{} MiB", grown >> 20);
}

// Holds already: every later call on any thread returns what a refresh has returned, or something newer.
#[test]
fn no_thread_goes_back_behind_a_refresh() {
    let (_folder, memory) = fresh();
    let floor = AtomicU64::new(memory.eval(unique::call(9)));
    let end = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while end.load(Ordering::SeqCst) == 0 {
                    let least = floor.load(Ordering::SeqCst);
                    assert!(memory.eval(unique::call(9)) >= least);
                }
            });
        }
        for _ in 0..600 {
            floor.store(memory.refresh(unique::call(9)), Ordering::SeqCst);
        }
        end.store(1, Ordering::SeqCst);
    });
}

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

// A child that was forked while another thread enters or leaves the table of mapped arrays waits for that thread.
#[test]
#[allow(unsafe_code)]
fn a_forked_child_hits_whatever_other_threads_did() {
    const NAME: &str = "hostile::hot::a_forked_child_hits_whatever_other_threads_did";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "3: it hangs; {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_folder, memory) = fresh();
    let x = Mapped1::from(Array1::from_elem(10, 1.0));
    for _ in 0..3 {
        assert_eq!(memory.eval(total::call(&x)), 10.0);
    }
    thread::spawn(|| {
        loop {
            drop(Mapped1::from(Array1::<f64>::zeros(3)));
        }
    });
    for n in 0..2000 {
        // SAFETY: the child evaluates one hit, and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let value = memory.eval(total::call(&x));
            // SAFETY: ends the child, which owns nothing that has to be dropped.
            unsafe { libc::_exit(i32::from(value != 10.0)) };
        }
        let begin = std::time::Instant::now();
        let mut status = -1;
        loop {
            // SAFETY: `status` outlives the call, and the child is this process's own.
            if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
                assert_eq!(status, 0);
                break;
            }
            if begin.elapsed() > Duration::from_secs(5) {
                eprintln!("child {n} hangs");
                // SAFETY: the child is this process's own, and hasn't been waited for.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                std::process::exit(3);
            }
        }
    }
    std::process::exit(0);
}

// A control for the bound: as many records with one argument.
#[test]
fn a_table_of_records_with_one_argument_stays_within_its_bound() {
    const NAME: &str = "hostile::hot::a_table_of_records_with_one_argument_stays_within_its_bound";
    if in_child(NAME, "PART").is_none() {
        let output = child(NAME, &[("PART", "1")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_folder, memory) = fresh();
    let all = || {
        (0..9000).for_each(|n| {
            memory.eval(unique::call(n));
        })
    };
    all();
    let before = resident();
    all();
    let grown = resident().saturating_sub(before);
    eprintln!("grown by {} MiB", grown >> 20);
    assert!(grown < 2 * (8 << 20), "{} MiB", grown >> 20);
}
