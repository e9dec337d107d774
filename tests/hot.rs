//! Hot entries: repeated hits of a process, and what changes under them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::policy::VerifyPolicy;
use ndcache::tier::{Access, Backend, Body, Deadline, Fault, Get, Got, MemoryBackend, Put, Stored, Tier};
use ndcache::verify::Repair;
use ndcache::{Limits, Mapped1, Memory, cache};

use crate::support::{child, fresh, in_child, skip};

/// After how long what another process did has to be seen.
const SECOND: Duration = Duration::from_secs(1);

/// Returns another value at each computation, in any process.
#[cache]
fn unique(n: u64) -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) + RUNS.fetch_add(1, Ordering::SeqCst) + n
}

/// Large enough for a mapped file.
#[cache]
fn ramp(length: usize) -> Array1<f64> {
    Array1::from_shape_fn(length, |i| i as f64)
}

const LENGTH: usize = 40_000;

#[cache]
fn total(x: &ArrayRef1<f64>) -> f64 {
    x.sum()
}

/// Hits twice, from the disk and from memory.
fn heat(memory: &Memory) -> u64 {
    let value = memory.eval(unique::call(0));
    for _ in 0..3 {
        assert_eq!(memory.eval(unique::call(0)), value);
    }
    value
}

#[test]
fn a_repeated_hit_makes_no_system_call() {
    const NAME: &str = "hot::a_repeated_hit_makes_no_system_call";
    if let Some(kind) = in_child(NAME, "KIND") {
        let folder = tempfile::tempdir().unwrap();
        let builder = Memory::builder(folder.path());
        let memory = if kind.ends_with("behind a tier") { builder.tier(late_tier()) } else { builder }.open().unwrap();
        let mapped: Mapped1<f64> = memory.mmap(ramp::call(LENGTH));
        assert!(mapped.is_mapped());
        let hits = |times: usize| {
            for _ in 0..times {
                match kind.as_str() {
                    "number" | "number behind a tier" => assert_ne!(memory.eval(unique::call(0)), 0),
                    "array in the record" => drop(memory.eval(ramp::call(100))),
                    "loaded array" => drop(memory.eval(ramp::call(2_000))),
                    "mapped" | "mapped behind a tier" => drop(memory.mmap(ramp::call(LENGTH))),
                    _ => assert!(memory.eval(total::call(&mapped)) > 0.0),
                }
            }
        };
        hits(4);
        println!("{BEGIN}");
        hits(500);
        println!("{END}");
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() && skip("strace") {
        return;
    }
    let kinds = ["number", "array in the record", "loaded array", "mapped", "argument that is mapped"];
    for kind in kinds.into_iter().chain(["number behind a tier", "mapped behind a tier"]) {
        let calls = system_calls(&child(NAME, &[("KIND", kind)]));
        let (asked, others): (Vec<String>, Vec<_>) = calls.into_iter().partition(|line| line.contains("stat"));
        assert!(others.is_empty(), "{kind}: {others:#?}");
        assert!(asked.len() <= 3, "{kind}: more than one a second: {asked:#?}");
    }
}

/// What a program prints around that whose system calls are looked at.
const BEGIN: &str = "system calls begin";
const END: &str = "system calls end";

/// The system calls that the thread of a program makes which says where they begin and end; not those for memory, which
/// may come from the system or not, and not those by which a debug build looks whether what it closes is open.
fn system_calls(program: &Command) -> Vec<String> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(log.path());
    strace.arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = fs::read_to_string(log.path()).unwrap();
    assert!(log.contains(BEGIN) && log.contains(END), "{log}");
    let thread = log.lines().find(|line| line.contains(BEGIN)).and_then(|line| line.split(' ').next()).unwrap();
    let of_thread = log.lines().filter(|line| line.split(' ').next() == Some(thread));
    let between = of_thread.skip_while(|line| !line.contains(BEGIN)).skip(1).take_while(|line| !line.contains(END));
    let others = ["brk(", "mmap(", "munmap(", "madvise(", "mprotect(", "F_GETFD", " resumed>"];
    between.filter(|line| !others.iter().any(|other| line.contains(other))).map(str::to_owned).collect()
}

/// A place whose answers take a while, so that any function is faster and soon not asked for.
#[derive(Debug)]
struct Late(MemoryBackend);

impl Backend for Late {
    fn place(&self) -> String {
        self.0.place()
    }

    fn get(&self, get: &Get<'_>, out: &mut dyn Write) -> Result<Got, Fault> {
        thread::sleep(Duration::from_millis(30));
        self.0.get(get, out)
    }

    fn put(&self, put: &Put<'_>, body: &dyn Body) -> Result<Stored, Fault> {
        self.0.put(put, body)
    }

    fn delete(&self, name: &str, until: Deadline) -> Result<(), Fault> {
        self.0.delete(name, until)
    }
}

fn late_tier() -> Tier {
    Tier::new(Late(MemoryBackend::new())).access(Access::ReadWrite)
}

/// A put behind a tier leaves a note of what is to be sent: a file that is opened and closed.
#[test]
fn a_put_behind_a_tier_makes_at_most_two_system_calls_more() {
    const NAME: &str = "hot::a_put_behind_a_tier_makes_at_most_two_system_calls_more";
    const PUTS: u64 = 200;
    if let Some(kind) = in_child(NAME, "KIND") {
        let folder = tempfile::tempdir().unwrap();
        let builder = Memory::builder(folder.path());
        let memory = if kind == "tier" { builder.tier(late_tier()) } else { builder }.open().unwrap();
        let puts = |from: u64, to: u64| (from..to).for_each(|n| assert_ne!(memory.eval(unique::call(n)), 0));
        puts(0, 10);
        println!("{BEGIN}");
        puts(10, 10 + PUTS);
        println!("{END}");
        assert_eq!(memory.stats().misses(), 10 + PUTS);
        if kind == "tier" {
            let asked: u64 = memory.stats().by_tier().values().map(|counts| counts.asked).sum();
            assert!((1..10).contains(&asked), "it is asked {asked} times");
        }
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() && skip("strace") {
        return;
    }
    let count = |kind: &str| {
        let calls = system_calls(&child(NAME, &[("KIND", kind)]));
        let mut kinds = std::collections::BTreeMap::<_, u64>::new();
        for call in &calls {
            let name = call.split(['(', ' ']).find(|word| word.starts_with(|char: char| char.is_ascii_lowercase()));
            *kinds.entry(name.unwrap_or_default().to_owned()).or_default() += 1;
        }
        (calls.len() as u64, kinds)
    };
    let ((without, _), (with, kinds)) = (count("no tier"), count("tier"));
    // Now and then a put also wakes the thread that sends.
    assert!(without > PUTS && with <= without + 2 * PUTS + PUTS / 10, "{without} without, {with} with: {kinds:?}");
    assert!(with > without, "nothing is noted");
}

#[test]
fn what_another_process_does_is_seen_within_a_second() {
    const NAME: &str = "hot::what_another_process_does_is_seen_within_a_second";
    if let Some(folder) = in_child(NAME, "FOLDER") {
        let memory = Memory::open(folder).unwrap();
        match std::env::var("ACTION").unwrap().as_str() {
            "remove" => assert!(memory.remove(&unique::call(0)).unwrap()),
            "refresh" => assert_ne!(memory.refresh(unique::call(0)), 0),
            "clear" => {
                memory.clear().unwrap();
            }
            "reduce" => assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 2),
            _ => {
                let mut edited = memory.mmap_mut(ramp::call(LENGTH)).unwrap();
                edited[0] = 7.0;
                edited.commit().unwrap();
            }
        }
        return;
    }
    for action in ["remove", "refresh", "clear", "reduce", "commit"] {
        let (folder, memory) = fresh();
        let value = heat(&memory);
        let before: Vec<_> = (0..3).map(|_| memory.mmap(ramp::call(LENGTH))).collect();
        let variables = [("FOLDER", folder.path().to_str().unwrap()), ("ACTION", action)];
        assert!(child(NAME, &variables).status().unwrap().success());
        let begin = Instant::now();
        while begin.elapsed() < SECOND {
            memory.eval(unique::call(0));
            memory.mmap(ramp::call(LENGTH));
        }
        let now = memory.eval(unique::call(0));
        match action {
            "commit" => assert_eq!(now, value),
            "refresh" => assert_ne!(now >> 32, u64::from(std::process::id()), "what the other process computed"),
            _ => assert_ne!(now, value, "{action}"),
        }
        let edited = memory.mmap(ramp::call(LENGTH));
        assert_eq!(edited[0], if action == "commit" { 7.0 } else { 0.0 }, "{action}");
        assert!(before.iter().all(|array| array[0] == 0.0), "{action}: whoever has it keeps it");
    }
}

#[test]
fn what_this_memory_does_is_seen_at_once_in_every_thread() {
    type Action = fn(&Memory);
    let actions: [(&str, Action); 7] = [
        ("remove", |memory| assert!(memory.remove(&unique::call(0)).unwrap())),
        ("refresh", |memory| assert_ne!(memory.refresh(unique::call(0)), 0)),
        ("clear", |memory| {
            memory.clear().unwrap();
        }),
        ("clear_function", |memory| {
            memory.clear_function(unique::function()).unwrap();
        }),
        ("reduce_size", |memory| assert_eq!(memory.reduce_size(Limits::default().items(0)).unwrap().items, 1)),
        ("shelved", |memory| assert!(memory.shelve(unique::call(0)).unwrap().remove(memory).unwrap())),
        ("verify", |memory| {
            let entry = memory.entry(&unique::call(0)).unwrap().unwrap();
            fs::write(entry.path(), b"damaged").unwrap();
            assert_eq!(memory.verify(Repair::Remove).unwrap().removed, 1);
        }),
    ];
    for (name, action) in actions {
        let (_folder, memory) = fresh();
        heat(&memory);
        let turns = Barrier::new(2);
        let (value, seen) = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let value = heat(&memory);
                turns.wait();
                turns.wait();
                (value, memory.eval(unique::call(0)))
            });
            turns.wait();
            action(&memory.clone());
            turns.wait();
            other.join().unwrap()
        });
        assert_ne!(seen, value, "{name}, in another thread");
        assert_eq!(memory.eval(unique::call(0)), seen, "{name}");
    }
}

#[test]
fn an_edit_of_this_memory_is_seen_at_once() {
    let (_folder, memory) = fresh();
    for edit in 1..4 {
        for _ in 0..3 {
            assert_eq!(memory.mmap(ramp::call(LENGTH))[0], f64::from(edit - 1));
        }
        let mut array = memory.mmap_mut(ramp::call(LENGTH)).unwrap();
        array[0] = f64::from(edit);
        array.commit().unwrap();
        assert_eq!(memory.mmap(ramp::call(LENGTH))[0], f64::from(edit));
        assert_eq!(memory.eval(ramp::call(LENGTH))[0], f64::from(edit));
    }
}

#[test]
fn a_record_that_is_damaged_under_a_hot_entry_is_found_within_a_second() {
    for damage in ["truncated", "garbage", "missing", "folder"] {
        let (_folder, memory) = fresh();
        let value = heat(&memory);
        let path = memory.entry(&unique::call(0)).unwrap().unwrap().path().to_owned();
        match damage {
            "truncated" => File::options().write(true).open(&path).unwrap().set_len(20).unwrap(),
            "garbage" => fs::write(&path, vec![0xc1; fs::metadata(&path).unwrap().len() as usize]).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        if damage == "folder" {
            fs::create_dir(&path).unwrap();
        }
        thread::sleep(SECOND);
        assert_ne!(memory.eval(unique::call(0)), value, "{damage}");
        assert_eq!(memory.stats().misses(), 2, "{damage}");
    }
}

#[test]
fn a_record_of_the_same_length_and_time_is_told_from_the_one_before() {
    for place in ["in place", "renamed"] {
        let (folder, memory) = fresh();
        let (_other_folder, other) = fresh();
        let expected = other.eval(unique::call(0));
        let value = heat(&memory);
        let path = memory.entry(&unique::call(0)).unwrap().unwrap().path().to_owned();
        let record = fs::read(other.entry(&unique::call(0)).unwrap().unwrap().path()).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_ne!(expected, value);
        if place == "renamed" {
            let staged = folder.path().join("staged");
            fs::write(&staged, &record).unwrap();
            fs::rename(&staged, &path).unwrap();
        } else {
            fs::write(&path, &record).unwrap();
        }
        File::options().write(true).open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
        thread::sleep(SECOND);
        assert_eq!(memory.eval(unique::call(0)), expected, "{place}");
        assert_eq!(memory.stats().misses(), 1, "{place}: it is an entry as good as the first");
    }
}

#[test]
fn what_is_always_verified_is_verified_when_it_is_hot() {
    for loaded in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::builder(folder.path()).verify(VerifyPolicy::Always).open().unwrap();
        let length = if loaded { 2_000 } else { LENGTH };
        let hit = || if loaded { memory.eval(ramp::call(length)) } else { memory.mmap(ramp::call(length)).to_owned() };
        for _ in 0..4 {
            assert_eq!(hit(), ramp::compute(length));
        }
        let array = memory.entry(&ramp::call(length)).unwrap().unwrap().files()[0].clone();
        let mut bytes = fs::read(&array).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::set_permissions(&array, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&array, &bytes).unwrap();
        fs::set_permissions(&array, fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(hit(), ramp::compute(length));
        assert_eq!(memory.stats().misses(), 2);
    }
}

#[test]
fn a_validation_is_asked_at_each_hot_hit() {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let folder = tempfile::tempdir().unwrap();
    let valid = |_: &ndcache::Entry| ASKED.fetch_add(1, Ordering::SeqCst) < 9;
    let memory = Memory::builder(folder.path()).validate(valid).open().unwrap();
    let value = memory.eval(unique::call(0));
    for asked in 1..10 {
        assert_eq!(memory.eval(unique::call(0)), value);
        assert_eq!(ASKED.load(Ordering::SeqCst), asked);
    }
    assert_ne!(memory.eval(unique::call(0)), value, "refused");
}

#[test]
fn a_hot_entry_expires() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::builder(folder.path()).expires(Duration::from_millis(300)).open().unwrap();
    let value = heat(&memory);
    thread::sleep(Duration::from_millis(300));
    assert_ne!(memory.eval(unique::call(0)), value);
    assert_eq!(memory.stats().by_reason()["expired"], 1);
}

#[test]
fn every_hit_is_counted_in_every_thread() {
    const THREADS: u64 = 40;
    let (_folder, memory) = fresh();
    memory.eval(unique::call(0));
    memory.eval(ramp::call(10));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..100 {
                    memory.eval(unique::call(0));
                    memory.eval(ramp::call(10));
                }
            });
        }
    });
    let stats = memory.stats();
    assert_eq!((stats.hits(), stats.misses()), (200 * THREADS, 2));
    assert_eq!(stats.by_reason()["hit"], 200 * THREADS);
    assert_eq!(stats.by_function()[unique::function().path()].hits, 100 * THREADS);
}

#[test]
fn a_mapped_result_is_mapped_once() {
    let (_folder, memory) = fresh();
    let first = memory.mmap(ramp::call(LENGTH));
    let again = memory.mmap(ramp::call(LENGTH));
    let elsewhere = thread::scope(|scope| scope.spawn(|| memory.mmap(ramp::call(LENGTH))).join().unwrap());
    assert!(first.is_mapped());
    assert_eq!(again.as_ptr(), elsewhere.as_ptr());
    drop((first, again));
    assert_eq!(elsewhere, ramp::compute(LENGTH));
}

#[test]
fn an_entry_that_is_hit_from_memory_counts_as_used() {
    let folder = tempfile::tempdir().unwrap();
    // An entry is stamped after a tenth of the limit on its age, here after a second.
    let limits = Limits::default().age(Duration::from_secs(10));
    let memory = Memory::builder(folder.path()).limits(limits).open().unwrap();
    heat(&memory);
    let path = memory.entry(&unique::call(0)).unwrap().unwrap().path().to_owned();
    let stored = fs::metadata(&path).unwrap().modified().unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(2500) {
        memory.eval(unique::call(0));
    }
    let used = fs::metadata(&path).unwrap().modified().unwrap();
    assert!(used.duration_since(stored).unwrap() >= SECOND, "used at {used:?}, stored at {stored:?}");
}
